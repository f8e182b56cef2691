"""Trainables for tests of sweeps: no training, known answers."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from igmsweep.errors import Diverged
from igmsweep.train import TrainResult


def quick(config: Any, report: Any = None, **_: Any) -> TrainResult:
    """val/acc falls with the distance of log tau from log 1; tau above 50 diverges, rates above 0.09 are a bug."""
    tau, rate = config.get("method.tau"), config.get("optim.lr.audio")
    if tau > 50:
        raise Diverged("the training loss became nan in epoch 1")
    if rate > 0.09:
        raise RuntimeError("a bug\nof two lines")
    score = 1 / (1 + abs(tau - 1))
    row = {"epoch": 1, "stage_end": True, "val/acc": score, "val/map": score / 2}
    if report is not None:
        report(1, row, lambda path: None)
    metrics = {"val/acc": score, "val/map": score / 2}
    return TrainResult(config, metrics, [row], 0.01, None, None)  # type: ignore[arg-type]


def nan(config: Any, report: Any = None, **_: Any) -> TrainResult:
    """A metric that is not a number, without an exception."""
    return TrainResult(config, {"val/acc": float("nan")}, [], 0.01, None, None)  # type: ignore[arg-type]


def slow(config: Any, report: Any = None, **_: Any) -> TrainResult:
    """The first two trials are quick, the others sleep until they are killed."""
    if config.get("method.tau") > 0.5:
        Path(config.get("data.cache"), "sleeping").touch()
        time.sleep(600)
    return quick(config, report)


def pause(config: Any, report: Any = None, **_: Any) -> TrainResult:
    """A second of work that also prints."""
    print("a trial's own line")
    time.sleep(1.5)
    return quick(config, report)
