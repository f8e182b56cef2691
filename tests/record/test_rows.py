"""The one rule by which the ledger's lines add up."""

from __future__ import annotations

import json
from dataclasses import fields
from typing import Any

from hypothesis import HealthCheck, given, settings
from ledger_lines import LINES

from igmsweep.record.failures import Failure
from igmsweep.record.rows import OUTCOME, Report, TrialRow, folded, merged, repeat_source, repeated_trial
from igmsweep.record.states import FINISHED, State

END: dict[str, Any] = {
    "metrics": {"val/acc": 0.5}, "stderr": {"val/acc": 0.1}, "folds": [{"val/acc": 0.5}], "seconds": 12.0, "epochs": 3,
    "error": {"class": "oom", "message": "CUDA out of memory"}, "rung": 2,
}  # fmt: skip
START = {"trial": 0, "state": "running", "source": "tpe", "params": {"a": 1}, "attempt": 0, "time": "t1"}


def test_a_trial_that_runs_or_waits_again_has_no_outcome() -> None:
    for state in ("running", "waiting"):
        row = folded([START, {"trial": 0, "state": "failed", **END}, {"trial": 0, "state": state, "attempt": 1}])[0]
        blank = TrialRow(0)
        assert all(getattr(row, name) == getattr(blank, name) for name in OUTCOME)
        assert row.params == {"a": 1} and row.source == "tpe" and row.attempt == 1
        assert not set(OUTCOME) & set(row.plain())


def test_a_waiting_trial_says_why_it_waits_and_a_running_one_no_more() -> None:
    waiting = folded([START, {"trial": 0, "state": "waiting", "error": END["error"], "attempt": 1, "retried": 1}])[0]
    assert waiting.error == Failure("oom", "CUDA out of memory")
    running = merged(waiting, {**START, "attempt": 1})
    assert running.error is None and running.retried == 1


def test_scores_at_rungs_outlive_an_attempt() -> None:
    heard = {"cycle": 1, "score": 0.4, "metrics": {"val/acc": 0.4}}
    lines = [START, {"trial": 0, "state": "running", "report": heard, "rungs": {"1": 0.4}, "time": "t2"}]
    row = folded(lines)[0]
    assert row.rungs == {1: 0.4} and row.report == Report(1, 0.4, {"val/acc": 0.4})
    assert row.started == "t1" and row.time == "t2"  # a report is no new start
    again = folded([*lines, {"trial": 0, "state": "waiting"}, {**START, "time": "t3"}])[0]
    assert again.rungs == {1: 0.4} and again.started == "t3"


def test_what_a_line_does_not_say_and_what_nobody_understands_stays() -> None:
    row = folded([START, {"trial": 0, "state": "complete", **END, "colour": "red"}, {"trial": 0, "metrics": None}])[0]
    assert row.metrics == {"val/acc": 0.5} and row.other == {"colour": "red"}
    odd = merged(row, {"trial": 0, "metrics": "none", "seconds": "long", "params": [1], "error": 3, "attempt": True})
    assert odd == row
    assert row["colour"] == "red" and row.get("nothing") is None


def test_a_score_is_a_finite_number_or_none() -> None:
    row = merged(None, {"trial": 0, "metrics": {"a": 1, "b": float("nan"), "c": None, "d": "0.5"}})
    assert [row.score(name) for name in "abcde"] == [1.0, None, None, None, None]


def test_a_repeat_names_the_trial_it_repeats() -> None:
    row = merged(None, {"trial": 9, "source": repeat_source(17)})
    assert row.is_repeat and row.repeat_of == 17
    assert repeated_trial("tpe") is None and repeated_trial("repeat:") is None


def test_every_field_of_a_row_is_read_from_a_line_and_written_again() -> None:
    line = {**START, **END, "fixed_overrides": {"seed": 1}, "config_hash": "c", "seed": 1, "retried": 2, "alone": True}
    line |= {"rungs": {"1": 0.4}, "duplicate_of": 3, "report": {"cycle": 1, "score": 0.4, "metrics": {}}}
    line |= {"started": "t0", "attempt": 4, "notes": ["pmr: 3 of 4"], "state": "failed", "new": 1}
    row = merged(None, line)
    blank = TrialRow(0)
    unread = [each.name for each in fields(TrialRow) if getattr(row, each.name) == getattr(blank, each.name)]
    assert unread == ["trial"]
    assert row.plain() == line and merged(None, row.plain()) == row
    assert dict(row) == line and json.loads(json.dumps(row.plain())) == line


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(LINES)
def test_no_line_leaves_an_outcome_of_an_earlier_attempt(told: list[dict[str, Any]]) -> None:
    for number, row in folded(told).items():
        last = [line for line in told if line["trial"] == number][-1]
        if row.state in (State.RUNNING, State.WAITING):
            blank = merged(None, last)
            assert all(getattr(row, name) == getattr(blank, name) for name in OUTCOME)
        assert row.state == last["state"] and row.finished == (row.state in FINISHED)
