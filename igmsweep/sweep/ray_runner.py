"""Ray Tune runs the trials: actors that are used again, fractions of a GPU, nothing of ours in Ray's own files."""

from __future__ import annotations

import contextlib
import logging
import os
from typing import Any

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("TUNE_DISABLE_AUTO_CALLBACK_LOGGERS", "1")  # the ledger and the trial folders are our log
os.environ.setdefault("TUNE_DISABLE_SIGINT_HANDLER", "1")  # signals are the runner's
os.environ.setdefault("RAY_CHDIR_TO_TRIAL_DIR", "0")
os.environ.setdefault("RAY_AIR_NEW_OUTPUT", "0")
os.environ.setdefault("TUNE_WARN_INSUFFICENT_RESOURCE_THRESHOLD_S", "0")
os.environ.setdefault("RAY_DEDUP_LOGS", "0")

import ray
from ray import tune
from ray.tune.search import Searcher

from igmsweep.errors import ResourceError
from igmsweep.sweep.resources import Machine, this_machine
from igmsweep.sweep.runner import Sweep
from igmsweep.sweep.trial import run_trial

OBJECT_STORE = 200 * 2**20
"""Bytes; trials exchange small dictionaries, the data is mapped from the cache."""


def run(sweep: Sweep) -> None:
    """Run the sweep's trials with Ray Tune until none is left or the sweep is stopping."""
    started_here = not ray.is_initialized()
    _init(sweep.request.address)
    sweep.arm()  # Ray's own handler of SIGTERM would abort the process
    try:
        tuner = tune.Tuner(
            tune.with_resources(_trial, {"cpu": sweep.allotment.cpus, "gpu": sweep.allotment.gpus}),
            tune_config=tune.TuneConfig(
                metric=sweep.space.metric,
                mode=sweep.space.mode,
                search_alg=StudySearch(sweep),
                num_samples=-1,
                max_concurrent_trials=sweep.allotment.concurrent,
                reuse_actors=True,  # a fresh actor would import torch again for every trial
                trial_dirname_creator=lambda trial: trial.trial_id,
            ),
            run_config=tune.RunConfig(
                name="ray",
                storage_path=str(sweep.folder),
                stop=_Stop(sweep),
                verbose=0,
                failure_config=tune.FailureConfig(max_failures=0),
            ),
        )
        with _quiet():
            tuner.fit()
        if sweep.fault is not None:
            raise sweep.fault
    finally:
        if started_here:
            ray.shutdown()


def cluster_machine(address: str) -> Machine:
    """What a running Ray cluster holds. Raises ResourceError when it cannot be reached."""
    _init(address)
    total = ray.cluster_resources()
    return Machine(int(total.get("CPU", 0)), int(total.get("GPU", 0)))


def _init(address: str | None) -> None:
    if ray.is_initialized():
        return
    logging.getLogger("ray").setLevel(logging.ERROR)
    try:
        if address is not None:
            ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
            return
        machine = this_machine()
        ray.init(
            address="local",
            include_dashboard=False,
            log_to_driver=False,
            logging_level=logging.ERROR,
            object_store_memory=OBJECT_STORE,
            # what was checked is what Ray grants: its own count may differ, and it would wait for the rest for ever
            num_cpus=machine.cpus,
            num_gpus=machine.gpus,
            _node_ip_address="127.0.0.1",
        )
    except (ConnectionError, ValueError) as error:
        raise ResourceError(f"--address {address}: no Ray cluster answers there ({error})") from None


def _trial(task: dict[str, Any]) -> None:
    """What an actor runs. A failed training is a result, so that the actor lives on for the next one."""
    metric = task["metric"]

    def progress(metrics: dict[str, Any]) -> None:
        if metric in metrics:
            tune.report({metric: metrics[metric], "epoch": metrics.get("epoch", 0)})

    result = run_trial(task, progress)
    final = result.get("metrics", {}).get(metric)
    tune.report({metric: float("nan") if final is None else final, "state": result["state"]})


class StudySearch(Searcher):
    """Ray Tune's view of the sweep. The study and the ledger live in the driver; Ray need not save them."""

    def __init__(self, sweep: Sweep) -> None:
        super().__init__(metric=sweep.space.metric, mode=sweep.space.mode)
        self._sweep = sweep
        self._numbers: dict[str, int] = {}

    def suggest(self, trial_id: str) -> Any:
        try:
            task = self._sweep.next_task()
        except Exception as error:
            self._sweep.fault = error  # Ray would print it and go on without us
            return Searcher.FINISHED
        if task is None:
            return Searcher.FINISHED
        self._numbers[trial_id] = task["number"]
        return task

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        number = self._numbers.pop(trial_id, None)
        if number is None:
            return
        try:
            self._sweep.ended(number)
        except Exception as error:
            self._sweep.fault = self._sweep.fault or error

    def save(self, checkpoint_path: str) -> None:
        """Nothing: a sweep is taken up again from its ledger."""

    def restore(self, checkpoint_path: str) -> None:
        """Nothing, see `save`."""

    def __getstate__(self) -> dict[str, Any]:
        return {"_metric": self._metric, "_mode": self._mode}


class _Stop(tune.Stopper):
    """Ends the experiment when the sweep is stopping."""

    def __init__(self, sweep: Sweep | None) -> None:
        self._sweep = sweep

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        return False

    def stop_all(self) -> bool:
        return self._sweep is not None and self._sweep.stopping

    def __getstate__(self) -> dict[str, Any]:
        return {"_sweep": None}


@contextlib.contextmanager
def _quiet() -> Any:
    """Ray Tune's own prose would drown one line a trial."""
    logger = logging.getLogger("ray.tune")
    level = logger.level
    logger.setLevel(
        logging.CRITICAL
    )  # a worker's death would be a page of Ray's own stack; the ledger says it in a line
    try:
        yield
    finally:
        logger.setLevel(level)
