"""`igmsweep evaluate`: the one place where the test split is opened, and every opening is counted.

The winner by validation and the paper's default are trained again with fresh seeds, on train and validation data together
or on train alone, and scored on the test split. Each training is a plain task with its own folder: a finished one is not run again.
"""

from __future__ import annotations

import hashlib
import logging
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from igmsweep import data as datasets
from igmsweep import methods
from igmsweep.analysis.ranking import winner
from igmsweep.analysis.tables import best_config
from igmsweep.config import TrainConfig
from igmsweep.data.base import SearchData
from igmsweep.errors import DataError, NothingCompleted, UserError, nearest
from igmsweep.frame import Sweep, read_sweep
from igmsweep.lines import BARE
from igmsweep.plugin import Trust
from igmsweep.record.failures import classify, one_line
from igmsweep.record.json_files import read_object
from igmsweep.record.openings import append_opening, read_openings
from igmsweep.record.paths import EVALUATION, RESULT, SCHEMA
from igmsweep.record.predictions import kept, write_predictions
from igmsweep.record.results import write_result
from igmsweep.record.stamps import now
from igmsweep.record.states import State
from igmsweep.record.training import output_to, write_config
from igmsweep.sweep.resources import Allotment, Machine, allot, this_machine
from igmsweep.sweep.trial import prepare_process

logger = logging.getLogger(__name__)

TrainOn = Literal["all", "train"]
"""`all` is train and validation data together; `train` leaves validation data where it was in the search."""


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

    Raises:
        UserError: not confirmed, no sweep, or a Python file is named there that is not trusted.
        NothingCompleted: no trial has completed, or no training of this evaluation has.
        DataError: the test split's files are missing or unreadable, or the data is not the sweep's; this is not counted.
        ResourceError: a training could never be given these CPUs and GPUs.
    """
    if not confirm_test:
        raise UserError(
            "--confirm-test: missing; evaluate opens the test split, which is counted in test_eval.json. "
            "Finish every choice on validation first"
        )
    if seeds < 1:
        raise UserError(f"--seeds: found {seeds}, expected at least 1")
    if train_on not in ("all", "train"):
        raise UserError(f"--train-on: found {train_on!r}, expected all or train{nearest(train_on, ['all', 'train'])}")
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
    allotment = allot(_machine(address), cpus_per_trial, gpus_per_trial, max_concurrent)
    data_config = chosen[0]["config"].data
    found = datasets.load_search(data_config)
    _same_data(sweep, found)
    test = datasets.load_test(data_config)
    test_hash = hashlib.sha256("\n".join([test.digest, *test.ids]).encode()).hexdigest()[:12]
    first = first_fresh_seed(sweep) if first_seed is None else first_seed
    tasks = [
        {
            "candidate": number,
            "seed": seed,
            "config": (config := candidate["config"].override({"seed": seed})).to_dict(),
            "key": (key := f"{config.hash()}-{test_hash}{'' if train_on == 'all' else '-train'}"),
            "folder": str(place / EVALUATION / f"{candidate['slug']}-seed{seed}-{key}"),
            "train_on": train_on,
            "threads": max(1, int(cpus_per_trial)),
            "gpus": allotment.gpus,
        }
        for number, candidate in enumerate(chosen)
        for seed in range(first, first + seeds)
    ]
    waiting = [task for task in tasks if _finished(task) is None]
    opening = {
        "time": now(),
        "seeds": seeds,
        "samples": len(test),
        "trained": len(waiting),
        "reused": len(tasks) - len(waiting),
    }
    count = append_opening(place, "openings", opening)
    logger.info(
        f"the test set ({len(test)} samples) is being opened, time {count} for this sweep; "
        f"{len(waiting)} trainings to run, {len(tasks) - len(waiting)} done before"
    )
    run = _run_here(waiting) if local else _run_with_ray(waiting, cpus_per_trial, allotment, address)
    for result in run:
        label = f"{chosen[result['candidate']]['name']}, seed {result['seed']}"
        if result["state"] == "complete":
            shown = "  ".join(f"{name} {value:.4f}" for name, value in result["test"].items() if "/" not in name)
            logger.info(f"{label}: {shown}  ({result['seconds']:.0f} s)", extra=BARE)
        else:
            logger.warning(f"{label}: failed, {result['error']['class']}: {result['error']['message']}", extra=BARE)
    outcome = {"time": now(), "test_hash": test_hash, "train_on": train_on, **summarise(chosen, tasks, sweep.metric)}
    if winner_only:
        outcome["comparison"] = None
    if not any(candidate["seeds"] for candidate in outcome["candidates"]):
        raise NothingCompleted(f"{place}: no training of this evaluation has completed")
    append_opening(place, "evaluations", outcome)
    return outcome | {"count": count}


def candidates(
    sweep: Sweep, root: Path | str | None = None, trust: Trust | None = None, trial: int | None = None
) -> list[dict[str, Any]]:
    """The winner by validation, or a `trial` in its place, and the paper's default with the same data and fixed settings, where it is another
    configuration: `name`, `slug`, `trial` (None: never run), `config`.

    Raises:
        UserError: a configuration names a Python file that is not trusted.
    """
    trust = trust or Trust()
    trial = winner(sweep) if trial is None else trial
    found = best_config(sweep, trial)
    trust.check(found, sweep.dir)
    best = TrainConfig(**found)
    default = paper_default(sweep, trust)
    out: list[dict[str, Any]] = [
        {"name": f"best trial, {trial}", "slug": f"trial{trial}", "trial": trial, "config": best}
    ]
    if default is not None and default.override({"seed": best.seed}).hash() != best.hash():
        chosen = default.method.preset
        given = sweep.trials.loc[sweep.trials["source"].astype(str) == f"enqueue:{chosen}", "trial"]
        out.append(
            {
                "name": "paper's default" if chosen == "paper" else f"preset {chosen}",
                "slug": "paper",
                "trial": int(given.iloc[0]) if len(given) else None,
                "config": default,
            }
        )
    changes = {} if root is None else {"data.root": str(Path(root).expanduser().resolve())}
    return [candidate | {"config": candidate["config"].override(changes)} for candidate in out]


def paper_default(sweep: Sweep, trust: Trust | None = None) -> TrainConfig | None:
    """The paper's values (or those of the preset that was chosen) over what a sweep left fixed; a searched parameter for which there
    is none stays as the sweep's base configuration has it. None where the sweep knows no such values.

    Raises:
        UserError: the configuration names a Python file that is not trusted.
    """
    base, paper = sweep.spec.get("base_config"), sweep.paper
    if not isinstance(base, dict) or not paper:
        return None
    (trust or Trust()).check(base, sweep.dir / "sweep.yaml")
    default = TrainConfig(**base)
    known = default.paths()
    return default.override({path: value for path, value in paper.items() if path in known})


def run_task(task: Mapping[str, Any]) -> dict[str, Any]:
    """Train one candidate with one seed, score it on the test split and write `result.json`; a failure is a result."""
    from igmsweep.train import train

    folder = Path(task["folder"])
    config = TrainConfig(**task["config"])
    write_config(folder, config.to_yaml())
    result: dict[str, Any] = {
        "schema": SCHEMA,
        "candidate": task["candidate"],
        "seed": task["seed"],
        "key": task["key"],
    }
    with output_to(folder):
        try:
            prepare_process(int(task["threads"]), float(task["gpus"]))
            found = datasets.load_search(config.data)
            trained = train(config, data=everything(found) if task["train_on"] == "all" else found)
            test, predictions = trained.predict(datasets.load_test(config.data))
            if kept("auto", *predictions.probabilities.shape):
                write_predictions(folder, predictions)
            result |= {
                "state": State.COMPLETE,
                "test": {name: float(value) for name, value in test.items()},
                "seconds": trained.seconds,
                "config_hash": trained.config.hash(),
                "config": trained.config.to_dict(),
            }
        except Exception as error:
            result |= {"state": State.FAILED, "error": {"class": classify(error), "message": one_line(error)}}
    result["finished"] = now()
    write_result(folder, result)
    return result


def everything(found: SearchData) -> SearchData:
    """Train and validation as one training partition. What the loop still calls validation is seen in training, so its
    scores mean nothing and are not kept."""
    return replace(found, train=found.train.joined(found.val), split="train + validation")


def summarise(chosen: Sequence[Mapping[str, Any]], tasks: Sequence[Mapping[str, Any]], metric: str) -> dict[str, Any]:
    """`candidates` with `seeds`, scores `per_seed`, `mean` and sample standard deviation `sd` of each test metric, and
    the `comparison` of the two: a t-test paired by seed."""
    out = []
    for number, candidate in enumerate(chosen):
        done = [result for task in tasks if task["candidate"] == number and (result := _finished(task)) is not None]
        names = list(done[0]["test"]) if done else []
        columns = {name: [result["test"][name] for result in done] for name in names}
        out.append(
            {
                "name": candidate["name"],
                "trial": candidate["trial"],
                "config_hash": candidate["config"].hash(),
                "seeds": [result["seed"] for result in done],
                "per_seed": columns,
                "mean": {name: sum(values) / len(values) for name, values in columns.items()},
                "sd": {name: _sd(values) for name, values in columns.items()},
            }
        )
    return {"candidates": out, "comparison": _compared(out, metric.rsplit("/", 1)[-1])}


def _compared(candidates: list[dict[str, Any]], name: str) -> dict[str, Any] | None:
    """Best minus paper's default by the sweep's own metric, paired by seed."""
    if len(candidates) < 2:
        return {"words": "The best trial is the paper's default itself, or there is none: nothing to compare it with."}
    best, paper = candidates[0], candidates[1]
    both = [seed for seed in best["seeds"] if seed in paper["seeds"]]
    if not both or name not in best["per_seed"]:
        return None
    differences = [
        best["per_seed"][name][best["seeds"].index(seed)] - paper["per_seed"][name][paper["seeds"].index(seed)]
        for seed in both
    ]
    mean, spread = sum(differences) / len(differences), _sd(differences)
    out: dict[str, Any] = {
        "metric": name,
        "n": len(both),
        "mean": mean,
        "sd": spread,
        "test": "paired t-test over seeds",
    }
    p = None
    if len(both) > 1:
        from scipy import stats

        p = float(stats.ttest_1samp(differences, 0.0).pvalue) if spread else float(mean == 0)
        half = float(stats.t.ppf(0.975, len(both) - 1)) * (spread or 0.0) / math.sqrt(len(both))
        out |= {"p": p, "interval": [mean - half, mean + half]}
    share = name in ("acc", "map", "f1")
    shown = f"{100 * mean:+.2f} points of test {name}" if share else f"{mean:+.4g} of test {name}"
    out["words"] = f"Best trial minus {paper['name']}: {shown} (n = {len(both)} seeds)"
    if p is None:
        out["words"] += "; one seed says nothing about chance."
    else:
        verdict = "a difference beyond chance" if p < 0.05 else "not told apart from chance"
        out["words"] += f", paired t-test p = {p:.2g}: {verdict}."
    return out


def _sd(values: Sequence[float]) -> float | None:
    if len(values) < 2:
        return None
    mean = sum(values) / len(values)
    return math.sqrt(sum((value - mean) ** 2 for value in values) / (len(values) - 1))


def _finished(task: Mapping[str, Any]) -> dict[str, Any] | None:
    """The result of a task that has completed before, else None."""
    result = read_object(Path(task["folder"]) / RESULT)
    complete = result is not None and result.get("state") == State.COMPLETE and result.get("key") == task["key"]
    return result if complete else None


def _run_here(tasks: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    for task in tasks:
        yield run_task(task)


def _machine(address: str | None) -> Machine:
    if address is None:
        return this_machine()
    from igmsweep.sweep.ray_runner import cluster_machine

    return cluster_machine(address)


def first_fresh_seed(sweep: Sweep) -> int:
    """The first seed that a sweep has not trained with: the search has trained with its own seed, and with the following ones where it repeated the best."""
    base = (sweep.spec.get("base_config") or {}).get("seed")
    used = max(int(seed or 0) for seed in (sweep.spec.get("seed"), base))
    sessions = sweep.meta.get("sessions") or []
    repeats = [session.get("seeds") for session in sessions if isinstance(session, dict)]
    return used + max(int(seeds or 1) for seeds in (*repeats, sweep.spec.get("seeds"), 1))


@contextmanager
def connected(address: str | None) -> Iterator[None]:
    """Ray, started here unless it runs already, and stopped by whoever has started it."""
    if address is None:  # as run_sweep does: Ray reads it when it is imported, and stays on the loopback address
        os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
    import ray

    from igmsweep.sweep.ray_runner import connect

    started_here = not ray.is_initialized()
    connect(address)
    try:
        yield
    finally:
        if started_here:
            ray.shutdown()


def _run_with_ray(
    tasks: Sequence[Mapping[str, Any]], cpus: float, allotment: Allotment, address: str | None
) -> Iterator[dict[str, Any]]:
    """The tasks as Ray tasks, as many at a time as fit; results as they come. A dead worker fails its task alone."""
    if not tasks:
        return
    with connected(address):
        import ray

        remote = ray.remote(num_cpus=cpus, num_gpus=allotment.gpus, max_retries=1)(run_task)
        waiting = list(tasks)
        open_tasks: dict[Any, Mapping[str, Any]] = {}
        while waiting or open_tasks:
            while waiting and len(open_tasks) < allotment.concurrent:
                task = waiting.pop(0)
                open_tasks[remote.remote(dict(task))] = task
            (ready,), _ = ray.wait(list(open_tasks), num_returns=1)
            task = open_tasks.pop(ready)
            try:
                yield ray.get(ready)
            except ray.exceptions.RayError as error:
                message = " ".join(str(error).split())[:200]
                failure = {"class": "worker", "message": message}
                yield {"candidate": task["candidate"], "seed": task["seed"], "state": State.FAILED, "error": failure}


def _same_data(sweep: Sweep, found: SearchData) -> None:
    before = sweep.data.get("data_hash")
    if before is not None and before != found.data_hash:
        raise DataError(
            f"{sweep.dir}: data_hash is now {found.data_hash}, the sweep ran on {before}: the data has changed"
        )
