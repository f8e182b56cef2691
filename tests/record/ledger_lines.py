"""Lines of a ledger as 0.1.0 wrote them, and lines of any kind."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from igmsweep.record.states import State

STAMP = "2026-01-02T03:04:{:02d}Z"


def params(tau: float) -> dict[str, float]:
    return {"method.tau": tau}


def started(trial: int, tau: float, source: str = "tpe", attempt: int = 0, **more: Any) -> dict[str, Any]:
    """The line of a trial's start, as 0.1.0 wrote it."""
    first = {"trial": trial, "state": "running", "source": source, "params": params(tau)}
    return {**first, "config_hash": f"{trial:012x}", "seed": 0, "attempt": attempt, **more}


def ended(trial: int, tau: float, state: str = "complete", source: str = "tpe", **more: Any) -> dict[str, Any]:
    """The line of a trial's end, as 0.1.0 wrote it."""
    return {"trial": trial, "state": state, "source": source, "params": params(tau), **more}


def scored(score: float) -> dict[str, Any]:
    return {"metrics": {"val/acc": score}, "seconds": 10.0, "epochs": 6}


def reported(trial: int, cycle: int, score: float) -> dict[str, Any]:
    """The line of a cycle's end, as 0.1.0 wrote it."""
    heard = {"cycle": cycle, "score": score, "metrics": {"val/acc": score}}
    return {"trial": trial, "state": "running", "report": heard, "rungs": {str(cycle): score}}


def result(folder: Path, trial: int, **content: Any) -> None:
    """What a worker left in its trial's folder."""
    place = folder / "trials" / f"{trial:05d}"
    place.mkdir(parents=True, exist_ok=True)
    (place / "result.json").write_text(json.dumps({"schema": 1, "trial": trial, **content}))


LOST = {"class": "worker", "message": "the worker process died"}


NUMBERS = st.floats(allow_nan=False, allow_infinity=False) | st.integers(-9, 9)
VALUES = {
    "source": st.sampled_from(["tpe", "repeat:0", "enqueue:paper"]),
    "params": st.dictionaries(st.sampled_from("ab"), NUMBERS),
    "metrics": st.dictionaries(st.sampled_from(["val/acc", "val/map"]), NUMBERS | st.none()),
    "stderr": st.none() | st.dictionaries(st.sampled_from(["val/acc"]), NUMBERS),
    "folds": st.none() | st.lists(st.dictionaries(st.sampled_from(["val/acc"]), NUMBERS), max_size=2),
    "error": st.fixed_dictionaries(
        {"class": st.sampled_from(["oom", "later"]), "message": st.sampled_from(["", "no room", "ü"])}
    ),
    "seconds": NUMBERS,
    "epochs": st.integers(0, 9),
    "rung": st.integers(1, 9),
    "rungs": st.dictionaries(st.sampled_from("12"), NUMBERS),
    "report": st.fixed_dictionaries({"cycle": st.integers(1, 3), "score": NUMBERS}),
    "attempt": st.integers(0, 3),
    "duplicate_of": st.none() | st.integers(0, 3),
    "unheard": NUMBERS,
}
LINES = st.lists(
    st.builds(
        lambda trial, state, rest: {"trial": trial, "state": str(state), **rest},
        st.integers(0, 2),
        st.sampled_from(State),
        st.fixed_dictionaries({}, optional=VALUES),
    ),
    max_size=12,
)
"""Lines of three trials in any order, as dictionaries."""
