"""What methods noted in trainings, told once for a sweep."""

from __future__ import annotations

from igmsweep.record.rows import TrialRow
from igmsweep.record.states import State
from igmsweep.record.wording import said


def test_notes_that_differ_in_numbers_alone_are_counted_together_and_duplicates_not_at_all() -> None:
    rest = ("rests",)
    rows = [
        TrialRow(0, State.COMPLETE, notes=("rho of 1e-10 moves nothing", *rest)),
        TrialRow(1, State.FAILED, notes=("rho of 0.5 moves nothing",)),
        TrialRow(2, State.COMPLETE, duplicate_of=0, notes=rest),
        TrialRow(3, State.RUNNING, notes=rest),
    ]
    assert said(rows) == [
        "2 of 2 trainings noted: rho of 1e-10 moves nothing",
        "1 of 2 trainings noted: rests",
    ]
