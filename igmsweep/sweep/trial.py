"""One trial, the same in this process and in a Ray actor: it trains, and writes all about itself to its folder.

A trial goes on from its last checkpoint when it is started again. With folds it trains once a fold and its scores are
the means; finished folds are kept in files of their own.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import logging
import math
import os
import signal
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from igmsweep.config import TrainConfig
from igmsweep.disk import write_atomically
from igmsweep.errors import Diverged, OldCheckpoint
from igmsweep.plugin import load_attribute
from igmsweep.record.failures import TrialTimeout, classify, one_line
from igmsweep.record.lock import identity
from igmsweep.record.paths import CHECKPOINT, ERROR, SCHEMA, WORKER
from igmsweep.record.predictions import kept, write_predictions
from igmsweep.record.results import read_fold, write_fold, write_result
from igmsweep.record.stamps import now
from igmsweep.record.states import State
from igmsweep.record.training import Epochs, output_to, write_config, write_diagnostics
from igmsweep.sweep.resources import memory_fraction

logger = logging.getLogger(__name__)

TRAINABLE = "igmsweep.train:train"
"""What a trial calls, as `module:function`, with the signature of `igmsweep.train.train`. No request and no folder says
otherwise: it names code."""

StageReport = Callable[[int, dict[str, Any]], bool]
"""`report(cycle, metrics)` at the end of every stage; cycle is 0 inside a cycle. True stops the trial there."""


class Stopped(Exception):
    """The sweep stops this trial at the end of a cycle."""


def for_worker(task: dict[str, Any]) -> dict[str, Any]:
    """A task for `run_trial` in another process, which trains what a trial in this one would."""
    return {**task, "trainable": TRAINABLE}


def run_trial(task: dict[str, Any], report: StageReport | None = None) -> dict[str, Any]:
    """Train one configuration and return its result, which `result.json` holds too.

    Whatever goes wrong inside the training becomes a failed result with a class; only an interruption is raised.

    Args:
        task: plain data: `number`, `attempt`, `folder`, `config`, `params`, `metric`, `threads`, `gpus`, `folds`,
            `keep_predictions`, `decided` (the last cycle whose score the driver has), `timeout` (s), `worker` (whether this
            process belongs to the trial alone), `node`.
        report: called at the end of every stage.
    """
    folder = Path(task["folder"])
    config = TrainConfig(**task["config"])
    write_config(folder, config.to_yaml())
    result: dict[str, Any] = {
        "schema": SCHEMA,
        "trial": task["number"],
        "attempt": task.get("attempt", 0),
        "params": task["params"],
        "config": config.to_dict(),
        "config_hash": config.hash(),
        "started": now(),
    }
    started = time.monotonic()

    def failed(error: BaseException) -> None:
        result.update(
            state=State.FAILED,
            seconds=time.monotonic() - started,
            error={"class": classify(error), "message": one_line(error)},
        )
        (folder / ERROR).write_text("".join(traceback.format_exception(error)), encoding="utf-8", errors="replace")

    def give_up() -> None:
        """From the watchdog of a worker whose training hangs: leave the record, then the process."""
        failed(TrialTimeout(f"not finished after {float(task['timeout']):g} s"))
        write_result(folder, result | {"finished": now()})
        os._exit(1)

    training = _Training(task, config, folder, report)
    with output_to(folder):  # a process with this log open is known by it as the trial's worker
        write_atomically(folder / WORKER, json.dumps(identity() | {"node": task.get("node")}))
        try:
            prepare_process(int(task["threads"]), float(task["gpus"]))  # imports torch, which is no trial's fault
            with _limit(task.get("timeout"), give_up if task.get("worker") else None):
                result |= training.run()
        except Stopped:
            result |= {"state": State.PRUNED, "metrics": training.last, "seconds": time.monotonic() - started}
        except Exception as error:
            failed(error)
            result["epochs"] = training.epochs
        result["finished"] = now()
        if result["state"] != State.PRUNED:  # that it was stopped is the driver's knowledge, and in its ledger
            write_result(folder, result)
    return result


class _Training:
    """The trainings of one trial: one, or one a fold, each from its checkpoint where there is one."""

    def __init__(self, task: dict[str, Any], config: TrainConfig, folder: Path, report: StageReport | None) -> None:
        self.task, self.config, self.folder, self.report = task, config, folder, report
        self.folds: int = task.get("folds") or 0
        self.metric: str = task["metric"]
        self.epochs = 0
        self.last: dict[str, float] = {}
        self._decided = int(task.get("decided") or 0)
        self._cycles = config.stages.cycles
        self._done: list[dict[str, Any]] = []  # the results of finished folds

    def run(self) -> dict[str, Any]:
        """Train what is left and return what is worth keeping."""
        if not self.folds:
            return self._fold(None)
        for fold in range(self.folds):
            found = read_fold(self.folder, fold)
            if found is None:
                found = self._fold(fold)
                write_fold(self.folder, fold, found)
                (self.folder / CHECKPOINT).unlink(missing_ok=True)
            self._done.append(found)
        scores = [found["metrics"] for found in self._done]
        shared = [name for name in scores[0] if all(name in each for each in scores)]
        return {
            **self._done[0],
            "metrics": {name: sum(each[name] for each in scores) / len(scores) for name in shared},
            "stderr": {name: standard_error([each[name] for each in scores]) for name in shared},
            "folds": scores,
            "config": self.config.to_dict(),
            "config_hash": self.config.hash(),
            "seconds": sum(found["seconds"] for found in self._done),
            "epochs": sum(found["epochs"] for found in self._done),
        }

    def _fold(self, fold: int | None) -> dict[str, Any]:
        config = self.config if fold is None else self.config.override({"data.folds": self.folds, "data.fold": fold})
        epochs = Epochs(self.folder, fold)
        epochs.restart()
        resume = {"resume": epochs.checkpoint} if epochs.checkpoint.exists() else {}
        for row in epochs.rows:  # what the driver may not have heard of before it died
            self._stage_end(row, fold)

        def report(step: int, metrics: dict[str, Any], save: Callable[[Path], None]) -> None:
            row = epochs.report(step, metrics, save)
            self.epochs = epochs.count
            self._stage_end(row, fold)

        run = _trainable(self.task.get("trainable", TRAINABLE))
        try:
            trained = run(config, report, **resume)
        except OldCheckpoint as error:  # a folder of another version: what it had of this trial cannot be gone on with
            logger.warning(f"{error}; the trial begins again")
            epochs.checkpoint.unlink()
            epochs.restart()
            trained = run(config, report)
        value = trained.metrics.get(self.metric)
        if value is None:
            raise KeyError(f"the training reports no '{self.metric}', only {', '.join(trained.metrics)}")
        if not math.isfinite(value):
            raise Diverged(f"{self.metric} is {value}")
        write_diagnostics(self.folder, trained.diagnostics, fold)
        found = trained.predictions
        if found is not None and kept(self.task.get("keep_predictions", "auto"), *found.probabilities.shape):
            write_predictions(self.folder, found, fold)
        return {
            "state": State.COMPLETE,
            "metrics": {key: float(item) for key, item in trained.metrics.items() if math.isfinite(item)},
            # the echo: what the trainer itself says it trained with
            "config": trained.config.to_dict(),
            "config_hash": trained.config.hash(),
            "seconds": trained.seconds,
            "epochs": len(trained.history),
            "notes": trained.notes,
        }

    def _stage_end(self, row: dict[str, Any], fold: int | None) -> None:
        if not row.get("stage_end") or not isinstance(row.get(self.metric), int | float):
            return
        number = int(row.get("cycle", row.get("round", 0)))  # `round` in folders of 0.1.0
        cycle = number + 1 + (fold or 0) * self._cycles if row.get("cycle_end") else 0
        if 0 < cycle <= self._decided:
            return
        self._decided = max(self._decided, cycle)
        metrics = {name: value for name, value in row.items() if name.startswith("val/") and value is not None}
        if self._done:  # with folds: finished ones and this one so far, the same for every trial at this cycle
            folds = [*(found["metrics"] for found in self._done), metrics]
            metrics = {
                name: sum(each[name] for each in folds) / len(folds)
                for name in metrics
                if all(name in each for each in folds)
            }
        self.last = metrics
        if self.report is not None and self.report(cycle, metrics):
            raise Stopped


def standard_error(values: list[float]) -> float:
    """Standard error of the mean, with n - 1 in the variance; 0 for a single value."""
    if len(values) < 2:
        return 0.0
    mean = sum(values) / len(values)
    return math.sqrt(sum((value - mean) ** 2 for value in values) / (len(values) - 1) / len(values))


def prepare_process(threads: int, gpus: float) -> None:
    """Give a trial a clean process, as actors are used again: threads, memory share, flags and caches."""
    import torch

    os.environ["OMP_NUM_THREADS"] = str(threads)
    if torch.get_num_threads() != threads:
        torch.set_num_threads(threads)
    torch.manual_seed(0)
    torch.backends.cudnn.benchmark = False
    torch.use_deterministic_algorithms(False)
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
        # Ray's fractions are bookkeeping; this wall keeps a trial from killing its neighbour
        total = torch.cuda.get_device_properties(0).total_memory
        torch.cuda.set_per_process_memory_fraction(memory_fraction(gpus, total))


@contextlib.contextmanager
def _limit(seconds: float | None, give_up: Callable[[], None] | None) -> Iterator[None]:
    """Raise TrialTimeout after `seconds`; a worker's own process is left by `give_up` instead, whatever it hangs in."""
    if seconds is None:
        yield
    elif give_up is not None:
        timer = threading.Timer(seconds, give_up)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
    elif threading.current_thread() is not threading.main_thread():
        yield
    else:

        def alarm(*_: Any) -> None:
            raise TrialTimeout(f"not finished after {seconds:g} s")

        before = signal.signal(signal.SIGALRM, alarm)
        signal.setitimer(signal.ITIMER_REAL, seconds)
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)


def _trainable(name: str) -> Callable[..., Any]:
    module, _, function = name.partition(":")
    if module.endswith(".py"):
        found: Callable[..., Any] = load_attribute(Path(module), function, "trainable")
        return found
    loaded: Callable[..., Any] = getattr(importlib.import_module(module), function)
    return loaded
