"""Trainables for tests of sweeps: no training, known answers."""

from __future__ import annotations

import contextlib
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


def cycles(config: Any, report: Any = None, resume: Path | None = None, **_: Any) -> TrainResult:
    """Three cycles of two stages; the score is a function of tau and the cycle alone. Checkpoints hold the epoch."""
    import json

    first = 0 if resume is None else int(json.loads(resume.read_text()))
    tau, fold = config.get("method.tau"), config.get("data.fold") or 0
    counter = Path(config.get("data.cache"), "epochs")
    row: dict[str, Any] = {}
    for epoch in range(first, 6):
        cycle = epoch // 2
        row = {
            "epoch": epoch + 1,
            "cycle": cycle,
            "stage_end": True,
            "cycle_end": epoch % 2 == 1,
            "val/acc": (cycle + 1) / 3 / (1 + abs(tau - 1)) + fold / 100,
        }
        with counter.open("a") as file:
            file.write(f"{tau} {epoch}\n")
        if report is not None:
            report(epoch + 1, row, lambda path, epoch=epoch: path.write_text(json.dumps(epoch + 1)))
    score = 1 / (1 + abs(tau - 1)) + fold / 100
    return TrainResult(config, {"val/acc": score}, [row] * 6, 0.01, None, None)  # type: ignore[arg-type]


def hang(config: Any, report: Any = None, **_: Any) -> TrainResult:
    """A trial whose tau is above 0.5 sleeps for ever."""
    if config.get("method.tau") > 0.5:
        time.sleep(3600)
    return quick(config, report)


def die_once(config: Any, report: Any = None, resume: Path | None = None, **_: Any) -> TrainResult:
    """The worker is killed in the middle of the first attempt, after a checkpoint."""
    import os
    import signal

    mark = Path(config.get("data.cache"), f"died-{config.get('method.tau')}")

    def deadly(step: int, row: dict[str, Any], save: Any) -> None:
        report(step, row, save)
        if step == 3 and not mark.exists():
            mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)

    return cycles(config, deadly, resume)


def out_of_memory(config: Any, report: Any = None, **_: Any) -> TrainResult:
    """Needs the machine for itself: fails unless it is the second attempt; tau above 0.9 fails always."""
    mark = Path(config.get("data.cache"), f"oom-{config.get('method.tau')}")
    if not mark.exists() or config.get("method.tau") > 0.9:
        mark.touch()
        raise MemoryError("CUDA out of memory")
    return quick(config, report)


def broken(config: Any, report: Any = None, **_: Any) -> TrainResult:
    """A bug in every trial."""
    raise RuntimeError("no such operator")


def full_disk(config: Any, report: Any = None, **_: Any) -> TrainResult:
    """Fills the sweep's disk in the third trial."""
    count = Path(config.get("data.cache"), "count")
    done = int(count.read_text()) if count.exists() else 0
    count.write_text(str(done + 1))
    if done == 2:
        place = Path((Path(config.get("data.cache")) / "disk").read_text())
        with contextlib.suppress(OSError), (place / "ballast").open("wb", buffering=0) as file:
            while True:
                file.write(b"0" * 65536)
    return quick(config, report)


def slow_cycles(config: Any, report: Any = None, resume: Path | None = None, **_: Any) -> TrainResult:
    """As `cycles`, with half a second an epoch."""

    def slowly(step: int, row: dict[str, Any], save: Any) -> None:
        time.sleep(0.5)
        report(step, row, save)

    return cycles(config, slowly, resume)


def no_room(config: Any, report: Any = None, **_: Any) -> TrainResult:
    """The disk is full as long as there is a file named `full` in the cache's folder."""
    import errno

    if config.get("method.tau") > 0.5 and Path(config.get("data.cache"), "full").exists():
        raise OSError(errno.ENOSPC, "No space left on device")
    return quick(config, report)


def lucky(config: Any, report: Any = None, **_: Any) -> TrainResult:
    """What scores well with seed 0 scores badly with every other; leaves a checkpoint."""
    score = 1 / (1 + abs(config.get("method.tau") - 1))
    row = {"epoch": 1, "stage_end": True, "val/acc": score if config.seed == 0 else 1.2 - 2 * score}
    if report is not None:
        report(1, row, lambda path: path.write_text("{}"))
    return TrainResult(config, {"val/acc": row["val/acc"]}, [row], 0.01, None, None)  # type: ignore[arg-type]


def failing_at_first(config: Any, report: Any = None, resume: Path | None = None, **_: Any) -> TrainResult:
    """As `cycles`, but without SAM the first seed fails."""
    if config.seed == 0 and not config.get("method.sam"):
        raise Diverged("the training loss became nan in epoch 1")
    return cycles(config, report, resume)


def broken_without_gm(config: Any, report: Any = None, resume: Path | None = None, **_: Any) -> TrainResult:
    """As `cycles`, but without the gradient modification nothing can be trained."""
    return cycles(config, report, resume) if config.get("method.gm") else broken(config)


def _counted(config: Any, score: float) -> TrainResult:
    """A training that is written down, a line each: its seed and the values that the ablation's tests vary."""
    varied = [config.get(path) for path in ("method.tau", "optim.lr.audio", "optim.lr.image", "optim.momentum")]
    with Path(config.get("data.cache"), "trained").open("a") as file:
        file.write(f"{config.seed} {config.get('data.fold')} {varied}\n")
    metrics = {"val/acc": score, "val/map": score, "val/loss": 1 - score}
    return TrainResult(config, metrics, [{"epoch": 1, **metrics}], 0.01, None, None)  # type: ignore[arg-type]


def additive(config: Any, report: Any = None, **_: Any) -> TrainResult:
    """0.5, and 0.2 for lr.image above 0.05, 0.1 for tau above 1, 0.03 less for momentum below 0.5; a thousandth a seed."""
    score = 0.5 + 0.2 * (config.get("optim.lr.image") > 0.05) + 0.1 * (config.get("method.tau") > 1)
    return _counted(config, score - 0.03 * (config.get("optim.momentum") < 0.5) + (config.seed % 3) / 1000)


def interacting(config: Any, report: Any = None, **_: Any) -> TrainResult:
    """As `additive`, but tau costs 0.1 where lr.image is not above 0.05, and gives 0.3 where it is."""
    low = config.get("optim.lr.image") <= 0.05 and config.get("method.tau") > 1
    high = config.get("optim.lr.image") > 0.05 and config.get("method.tau") > 1
    found = additive(config).metrics["val/acc"] + 0.2 * high - 0.2 * low
    return TrainResult(config, {"val/acc": found}, [], 0.01, None, None)  # type: ignore[arg-type]


def additive_until(config: Any, report: Any = None, **_: Any) -> TrainResult:
    """As `additive`; the driver is killed as often as the file `kill` says, one training a number, each by its word."""
    place = Path(config.get("data.cache"), "kill")
    count = len(Path(config.get("data.cache"), "trained").read_text().splitlines())
    ways = dict(line.split() for line in place.read_text().splitlines())
    if str(count) in ways:
        place.write_text("".join(f"{at} {way}\n" for at, way in ways.items() if at != str(count)))
        raise {"ctrl-c": KeyboardInterrupt, "exit": SystemExit}[ways[str(count)]]
    return additive(config)


def failing_with_tau(config: Any, report: Any = None, **_: Any) -> TrainResult:
    """As `additive`, but one seed of three diverges where tau is above 1 and lr.image is not above 0.05."""
    if config.get("method.tau") > 1 and config.get("optim.lr.image") <= 0.05 and config.seed % 3 == 2:
        raise Diverged("the training loss became nan in epoch 1")
    return additive(config)
