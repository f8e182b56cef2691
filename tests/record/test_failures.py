"""Classes of failures: one word and one meaning each."""

from __future__ import annotations

import errno

import pytest

from igmsweep.analysis.facts import failures
from igmsweep.errors import DataError, Diverged, UserError
from igmsweep.record.failures import MEANING, Failure, FailureClass, TrialTimeout, classify, meaning, summary
from igmsweep.record.rows import TrialRow
from igmsweep.record.states import State


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (Diverged("the loss became nan"), "nan"),
        (TrialTimeout("not finished after 1 s"), "timeout"),
        (MemoryError(), "oom"),
        (RuntimeError("CUDA out of memory. Tried to allocate"), "oom"),
        (DataError("a.wav: missing"), "data"),
        (OSError(errno.ENOSPC, "No space left on device"), "disk"),
        (OSError(errno.ENOENT, "No such file"), "bug"),
        (UserError("optim.lr: too large"), "bug"),
    ],
)
def test_an_error_has_a_class(error: Exception, kind: str) -> None:
    assert classify(error) == kind
    assert Failure.of(error).plain()["class"] == kind


def test_every_class_has_its_meaning() -> None:
    assert set(MEANING) == set(FailureClass) and len(set(MEANING.values())) == len(MEANING)
    assert meaning("of a later version") == "not classified"


def test_a_message_is_one_line() -> None:
    assert Failure.of(RuntimeError("two\n lines")).message == "RuntimeError: two lines"
    assert Failure.of(Diverged("the loss became nan")).message == "the loss became nan"


def failed(trial: int, kind: str) -> TrialRow:
    return TrialRow(trial, State.FAILED, error=Failure(kind, f"message {trial}"))


def test_failures_are_counted_with_the_first_message(write_folder) -> None:
    rows = [
        failed(0, "nan"),
        failed(1, "oom"),
        failed(2, "oom"),
        TrialRow(3, State.FAILED),
        TrialRow(4, State.COMPLETE),
    ]
    assert summary(rows) == [
        "2 failed as oom (out of memory), first #1: message 1",
        "1 failed as nan (the loss or a metric was not finite), first #0: message 0",
        "1 failed as unknown (not classified), first #3: ",
    ]


def test_report_and_status_use_the_same_words(write_folder) -> None:
    from igmsweep.analysis import read_sweep
    from igmsweep.record.status import status

    kinds = [str(kind) for kind in FailureClass] + ["later"]
    folder = write_folder([failed(number, kind).plain() for number, kind in enumerate(kinds)])
    told = " ".join(status(folder)["failures"])
    for found in failures(read_sweep(folder)).to_dict("records"):
        assert f"failed as {found['class']} ({found['meaning']})" in told
