"""A finished sweep whose trials train nothing, and whose winner is three changes away from the paper's default."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from igmsweep.sweep import SweepRequest, run_sweep, trial

TRAINABLES = Path(__file__).parent.parent / "trainables.py"
SPACE = """
params:
  method.tau:      {type: float, low: 0.1, high: 10.0, log: true}
  optim.momentum:  {type: float, low: 0.0, high: 0.99}
  optim.lr.audio:  {type: float, low: 0.001, high: 0.1, log: true}
  optim.lr.image:  {type: float, low: 0.001, high: 0.1, log: true}
enqueue: [paper, {method.tau: 5.0, optim.momentum: 0.1, optim.lr.audio: 0.025, optim.lr.image: 0.08}]
"""
"""The paper's own: tau 0.4, momentum 0.9, both rates 0.025."""


@pytest.fixture
def trained_by(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """`trained_by("additive")`: from now on trials call this function of trainables.py in place of a training."""
    return lambda name: monkeypatch.setattr(trial, "TRAINABLE", f"{TRAINABLES}:{name}")


@pytest.fixture
def sweep_of(tmp_path: Path, small_avdigits: Path, trained_by: Callable[[str], None]) -> Callable[..., Path]:
    """`sweep_of(space=..., trained_by=..., ...)`: a sweep of two trials, in a folder of the test's own."""

    def make(space: str = SPACE, by: str = "additive", **changes: Any) -> Path:
        trained_by(by)
        (tmp_path / "cache").mkdir(exist_ok=True)
        (tmp_path / "space.yaml").write_text(space)
        overrides = {"data.root": str(small_avdigits), "data.cache": str(tmp_path / "cache")}
        values: dict[str, Any] = {"trials": 2, "name": "s", "out": tmp_path, "overrides": overrides, "local": True}
        run_sweep(SweepRequest(data="avdigits", space=tmp_path / "space.yaml", quiet=True, **{**values, **changes}))
        (tmp_path / "cache" / "trained").unlink(missing_ok=True)
        return tmp_path / "s"

    return make


@pytest.fixture
def trained(tmp_path: Path) -> Callable[[], list[str]]:
    """`trained()`: a line for every training since the sweep."""

    def read() -> list[str]:
        path = tmp_path / "cache" / "trained"
        return path.read_text().splitlines() if path.exists() else []

    return read
