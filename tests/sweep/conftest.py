"""A request for a sweep of `trainables.cycles`, which trains nothing and reports at the ends of its cycles."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from igmsweep.sweep import SweepRequest, trial

TRAINABLES = Path(__file__).parent.parent / "trainables.py"
SPACE = "params:\n  method.tau: {type: float, low: 0.01, high: 40.0, log: true}\n"


@pytest.fixture
def trained_by(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """`trained_by("quick")`: from now on trials call this function of trainables.py in place of a training."""
    return lambda name: monkeypatch.setattr(trial, "TRAINABLE", f"{TRAINABLES}:{name}")


@pytest.fixture
def cycles_request(
    tmp_path: Path, small_avdigits: Path, trained_by: Callable[[str], None]
) -> Callable[..., SweepRequest]:
    """`cycles_request(trials=..., local=..., ...)`: three cycles a trial, in a folder of the test's own; `trained_by`
    names another function than `cycles` that trials call."""
    (tmp_path / "space.yaml").write_text(SPACE)
    (tmp_path / "cache").mkdir()
    overrides = {"data.root": str(small_avdigits), "data.cache": str(tmp_path / "cache"), "stages.cycles": 3}

    def make(**changes: Any) -> SweepRequest:
        trained_by(changes.pop("trained_by", "cycles"))
        values: dict[str, Any] = {"data": "avdigits", "space": tmp_path / "space.yaml", "name": "s"}
        values |= {"out": tmp_path / "out", "overrides": overrides}
        return SweepRequest(**{**values, **changes})

    return make
