"""The names of a results folder's files, and the version of what they hold."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from igmsweep.gate.numbers import whole

SCHEMA = 1
"""Written into every file: the format of 0.1.0."""

# of a sweep
SPEC = "sweep.yaml"
CONFIGSPACE = "configspace.json"
META = "meta.json"
LEDGER = "trials.jsonl"
JOURNAL = "study.journal"
LOCK = "driver.lock"
WARM_START = "warm_start.jsonl"
TRIALS = "trials"
EVALUATION = "evaluation"
ABLATION = "ablation"
TEST_EVAL = "test_eval.json"

# of a trial; a training of `evaluate` has the same
RESULT = "result.json"
CONFIG = "config.yaml"
WORKER = "worker.json"
METRICS = "metrics.jsonl"
DIAGNOSTICS = "diagnostics.json"
PREDICTIONS = "predictions.npz"
CHECKPOINT = "checkpoint.pt"
ERROR = "error.txt"
OUTPUT = "stdout.log"


def trial_folder(sweep: Path, number: int) -> Path:
    """`trials/00017`."""
    return sweep / TRIALS / f"{number:05d}"


def trial_number(folder: Path) -> int | None:
    """17 of `trials/00017`; None for a folder that is no trial's."""
    return whole(folder.name) if folder.name.isdecimal() else None


def trial_folders(sweep: Path) -> Iterator[tuple[int, Path]]:
    """Number and folder of every trial that left one, in order."""
    place = sweep / TRIALS
    for folder in sorted(place.iterdir()) if place.is_dir() else ():
        number = trial_number(folder)
        if number is not None:
            yield number, folder


def fold_file(folder: Path, fold: int) -> Path:
    """`trials/00017/fold0.json`: what a finished fold of a trial has given."""
    return folder / f"fold{fold}.json"


def predictions_file(folder: Path, fold: int | None = None) -> Path:
    """`trials/00017/predictions.npz`, or a fold's `fold0-predictions.npz`."""
    return folder / (PREDICTIONS if fold is None else f"fold{fold}-{PREDICTIONS}")
