"""An opening of the test split, from the question to what came out."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from igmsweep import data as datasets
from igmsweep import methods
from igmsweep.data import published
from igmsweep.data.base import Part, SearchData
from igmsweep.data.policies import bad_samples
from igmsweep.errors import DataError, NothingCompleted, UserError, nearest
from igmsweep.evaluate.chosen import candidates, first_fresh_seed
from igmsweep.evaluate.outcome import summarise
from igmsweep.evaluate.training import finished
from igmsweep.evaluate.workers import machine, run_here, run_with_ray
from igmsweep.frame import Sweep, read_sweep
from igmsweep.legible import quoted
from igmsweep.lines import BARE
from igmsweep.plugin import Trust
from igmsweep.record.openings import append_opening, look_of, plan_of, read_openings
from igmsweep.record.paths import EVALUATION
from igmsweep.record.stamps import now
from igmsweep.sweep.resources import allot

logger = logging.getLogger(__name__)

TrainOn = Literal["all", "train"]
"""`all` is train and validation data together; `train` leaves validation data where it was in the search."""


FREE = ("data.bad_files", "data.bad_share")
"""What an evaluation may do otherwise than its sweep."""


def evaluate(
    folder: Path | str,
    confirm_test: bool = False,
    seeds: int = 5,
    local: bool = False,
    address: str | None = None,
    cpus_per_trial: float = 1.0,
    gpus_per_trial: float | None = None,
    root: Path | str | None = None,
    trust: Trust | None = None,
    train_on: TrainOn = "all",
    winner_only: bool = False,
    trial: int | None = None,
    first_seed: int | None = None,
    max_concurrent: int | None = None,
    overrides: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Train winner and paper's default with `seeds` seeds each, score them on the test split, append the outcome to
    `test_eval.json` and return it.

    Args:
        folder: a sweep's folder with at least one completed trial.
        confirm_test: must be true; without it nothing is opened.
        local: one training after the other in this process; else in parallel by Ray.
        root: folder of the data set, where it has moved since the sweep.
        trust: which Python files the sweep's folder may have run; None: none.
        train_on: the data of these trainings. A method that goes by validation scores while it trains keeps its
            validation data: `all` is then `train`, which is said.
        winner_only: leave the paper's default out.
        trial: a completed trial to take in the winner's place.
        first_seed: of the trainings; None: the first that the sweep has not trained with. Sweeps whose scores are compared by
            seed must be given the same.
        max_concurrent: trainings at a time by Ray; None: as many as fit.
        overrides: `data.bad_files` and `data.bad_share`, where the test split has more bad files than the sweep had; all else stays.

    Raises:
        UserError: not confirmed, no sweep, or a Python file is named there that is not trusted.
        NothingCompleted: no trial has completed, or no training of this evaluation has.
        DataError: more of the test split's files are missing or unreadable than the sweep's policies and `data.bad_share` allow, or the data
            is not the sweep's; this is not counted.
        ResourceError: a training could never be given these CPUs and GPUs.
    """
    from igmsweep.train.check import TrainingCheck

    if not confirm_test:
        raise UserError(
            "--confirm-test: missing; evaluate opens the test split, which is counted in test_eval.json. "
            "Finish every choice on validation first"
        )
    if seeds < 1:
        raise UserError(f"--seeds: found {seeds}, expected at least 1")
    if train_on not in ("all", "train"):
        raise UserError(
            f"--train-on: found {quoted(train_on)}, expected all or train{nearest(train_on, ['all', 'train'])}"
        )
    for path in overrides or {}:
        if path not in FREE:
            raise UserError(f"--set: found '{path}', expected {' or '.join(FREE)}: all else is as the sweep had it")
    sweep = read_sweep(folder)
    place = sweep.dir.resolve()
    read_openings(place)  # before anything is opened: a damaged count must not be written over
    chosen = candidates(sweep, root, trust, trial)[: 1 if winner_only else None]
    validating = [each for each in chosen if methods.get(each["config"].method.name).validates(each["config"].method)]
    if train_on == "all" and validating:
        train_on = "train"
        logger.warning(
            f"{chosen[0]['config'].method.name} goes by validation scores while it trains, so these trainings leave "
            "validation data out of the training set (--train-on train)"
        )
    if train_on == "all":  # no validation data is left to choose weights by
        chosen = [each | {"config": each["config"].override({"stages.handover": "last"})} for each in chosen]
    chosen = [each | {"config": each["config"].override(dict(overrides or {}))} for each in chosen]
    allotment = allot(machine(address), cpus_per_trial, gpus_per_trial, max_concurrent)
    data_config = chosen[0]["config"].data
    check = TrainingCheck(data_config)  # what can be refused without decoding a sample is refused first
    for each in chosen:
        check(each["config"])
    datasets.check_test(data_config)
    found = datasets.load_search(data_config)
    _same_data(sweep, found)
    test = datasets.load_test(data_config)
    test_bad = bad_samples("test", test)
    ids: dict[Part, set[str]] = {"train": set(found.train.ids), "val": set(found.val.ids), "test": set(test.ids)}
    warnings = [*found.warnings, *([test_bad.words()] if test_bad.count else [])]
    warnings += [*published.differing(found.dataset, {"test": len(test.listed)}), *published.shared(ids)]
    for line in dict.fromkeys(warnings):
        logger.warning(line)
    test_hash = hashlib.sha256("\n".join([test.digest, *test.ids]).encode()).hexdigest()[:12]
    first = first_fresh_seed(sweep) if first_seed is None else first_seed
    threads = max(1, int(cpus_per_trial))
    tasks = [
        {
            "candidate": number,
            "seed": seed,
            "config": (config := candidate["config"].override({"seed": seed})).to_dict(),
            "key": (key := f"{config.hash()}-{test_hash}{'' if train_on == 'all' else '-train'}"),
            "folder": str(place / EVALUATION / f"{candidate['slug']}-seed{seed}-{key}"),
            "train_on": train_on,
            "threads": threads,
            "gpus": allotment.gpus,
        }
        for number, candidate in enumerate(chosen)
        for seed in range(first, first + seeds)
    ]
    waiting = [task for task in tasks if finished(task) is None]
    plan = plan_of(task["key"] for task in tasks)
    opening = {
        "time": now(),
        "seeds": seeds,
        "train_on": train_on,
        "plan": plan,
        "samples": len(test),
        "trained": len(waiting),
        "reused": len(tasks) - len(waiting),
    }
    count = append_opening(place, "openings", opening)
    logger.info(
        f"the test set ({len(test)} samples) is being opened, time {count} for this sweep; "
        f"{len(waiting)} trainings to run, {len(tasks) - len(waiting)} done before"
    )
    run = run_here(waiting) if local else run_with_ray(waiting, cpus_per_trial, allotment, address)
    for result in run:
        _tell(result, chosen)
    look = look_of(read_openings(place), plan)
    outcome: dict[str, Any] = {
        "time": now(),
        "opening": count,
        "look": look,
        "test_hash": test_hash,
        "train_on": train_on,
        "bad": test_bad.as_dict(),
    }
    outcome |= summarise(chosen, tasks, sweep.metric, len(test), look)
    if winner_only:
        outcome["comparison"] = None
    if not any(candidate["seeds"] for candidate in outcome["candidates"]):
        raise NothingCompleted(f"{place}: no training of this evaluation has completed")
    append_opening(place, "evaluations", outcome)
    return outcome | {"count": count}


def _tell(result: Mapping[str, Any], chosen: Sequence[Mapping[str, Any]]) -> None:
    """A line for a training that has ended."""
    label = f"{chosen[result['candidate']]['name']}, seed {result['seed']}"
    if result["state"] == "complete":
        shown = "  ".join(f"{name} {value:.4f}" for name, value in result["test"].items() if "/" not in name)
        logger.info(f"{label}: {shown}  ({result['seconds']:.0f} s)", extra=BARE)
    else:
        logger.warning(f"{label}: failed, {result['error']['class']}: {result['error']['message']}", extra=BARE)


def _same_data(sweep: Sweep, found: SearchData) -> None:
    before = sweep.data.get("data_hash")
    if before is not None and before != found.data_hash:
        raise DataError(
            f"{sweep.dir}: data_hash is now {found.data_hash}, the sweep ran on {before}: the data has changed"
        )
