"""Ray Tune runs the trials: actors that are used again, fractions of a GPU, nothing of ours in Ray's own files."""

from __future__ import annotations

import contextlib
import io
import logging
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("TUNE_DISABLE_AUTO_CALLBACK_LOGGERS", "1")  # the ledger and the trial folders are our log
os.environ.setdefault("TUNE_DISABLE_SIGINT_HANDLER", "1")  # signals are the runner's
os.environ.setdefault("TUNE_GLOBAL_CHECKPOINT_S", "86400")  # a sweep is taken up from its ledger, not from Ray's
os.environ.setdefault("RAY_CHDIR_TO_TRIAL_DIR", "0")
os.environ.setdefault("RAY_AIR_NEW_OUTPUT", "0")
os.environ.setdefault("TUNE_WARN_INSUFFICENT_RESOURCE_THRESHOLD_S", "0")
os.environ.setdefault("RAY_DEDUP_LOGS", "0")

import ray
from ray import tune
from ray.tune.schedulers import FIFOScheduler, TrialScheduler
from ray.tune.search import Searcher

from igmsweep.disk import FULL
from igmsweep.errors import ResourceError
from igmsweep.record.failures import SweepFailed, one_line
from igmsweep.record.json_files import read_object
from igmsweep.record.paths import WORKER
from igmsweep.sweep.ray_loggers import callbacks
from igmsweep.sweep.resources import Machine, this_machine
from igmsweep.sweep.runner import Driver, Outline
from igmsweep.sweep.signals import Signals
from igmsweep.sweep.trial import for_worker, run_trial

OBJECT_STORE = 200 * 2**20
"""Bytes; trials exchange small dictionaries, the data is mapped from the cache."""

NODE_LOSS_S = 20.0
"""A worker's death is heard before its node's; so long is waited for the second, where there are several nodes."""


def run(sweep: Driver, outline: Outline, signals: Signals) -> None:
    """Run the sweep's trials with Ray Tune until none is left or the sweep is stopping."""
    started_here = not ray.is_initialized()
    connect(outline.address)
    signals.arm()  # Ray's own handler of SIGTERM would abort the process
    try:
        tuner = tune.Tuner(
            tune.with_resources(_trial, _resources),
            tune_config=tune.TuneConfig(
                metric=outline.metric,
                mode=outline.mode,
                search_alg=StudySearch(sweep, outline),
                scheduler=CycleScheduler(sweep),
                num_samples=-1,
                max_concurrent_trials=outline.concurrent,
                reuse_actors=True,  # a fresh actor would import torch again for every trial
                trial_dirname_creator=lambda trial: trial.trial_id,
            ),
            run_config=tune.RunConfig(
                name="ray",
                storage_path=str(outline.folder),
                stop=_Stop(sweep),
                verbose=0,
                failure_config=tune.FailureConfig(max_failures=0),  # the driver decides what runs again
                callbacks=[*callbacks(outline.loggers, outline.folder.name)],
            ),
        )
        try:
            with _quiet():
                tuner.fit()
        except Exception as error:
            if not sweep.stopping:
                raise SweepFailed(
                    f"{outline.folder}: Ray stopped ({one_line(error)}); nothing recorded is lost, `igmsweep resume "
                    f"{outline.folder}` goes on"
                ) from error
    finally:
        if started_here:
            ray.shutdown()


def cluster_machine(address: str) -> Machine:
    """What a running Ray cluster holds; a trial must fit on one of its nodes. Raises ResourceError."""
    connect(address)
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    return Machine(
        int(sum(node.get("CPU", 0) for node in nodes)),
        int(sum(node.get("GPU", 0) for node in nodes)),
        largest_cpus=int(max((node.get("CPU", 0) for node in nodes), default=0)),
        largest_gpus=int(max((node.get("GPU", 0) for node in nodes), default=0)),
    )


def connect(address: str | None) -> None:
    """Start Ray on this machine, or join a cluster. Raises ResourceError when none answers."""
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
        text = " ".join(str(error).split())[:200]
        raise ResourceError(f"--address {address}: no Ray cluster answers there ({text})") from None


def _resources(task: dict[str, Any]) -> Any:
    """What a trial asks Ray for; one that runs alone asks for more."""
    return tune.PlacementGroupFactory([{"CPU": task["cpus"], "GPU": task["gpus"]}])


def _trial(task: dict[str, Any]) -> None:
    """What an actor runs. A failed training is a result, so that the actor lives on for the next one."""
    metric = task["metric"]

    def report(cycle: int, metrics: dict[str, Any]) -> bool:
        tune.report({metric: metrics[metric], "cycle": cycle, "metrics": metrics})  # does not return when it stops
        return False

    node = ray.get_runtime_context().get_node_id()
    try:
        result = run_trial({**task, "worker": True, "node": node}, report)
    except OSError as error:
        if error.errno not in FULL:
            raise
        tune.report({metric: float("nan"), "cycle": -1, "state": "disk", "message": str(error.strerror)})
        return
    final = (result.get("metrics") or {}).get(metric)
    tune.report({metric: float("nan") if final is None else final, "cycle": -1, "state": result["state"]})


class StudySearch(Searcher):
    """Ray Tune's view of the sweep. The study and the ledger live in the driver; Ray need not save them."""

    def __init__(self, sweep: Driver, outline: Outline) -> None:
        super().__init__(metric=outline.metric, mode=outline.mode)
        self._sweep = sweep
        self._tasks: dict[str, tuple[int, Path]] = {}

    def suggest(self, trial_id: str) -> Any:
        try:
            task = self._sweep.next_task()
        except Exception as error:
            self._sweep.fail(error)  # Ray would print it and go on without us
            return Searcher.FINISHED
        if task is None:
            # a running trial may have to run again, so the search is not over before the last one has ended
            return None if self._sweep.busy and not self._sweep.stopping else Searcher.FINISHED
        self._tasks[trial_id] = task["handle"], Path(task["folder"])
        return for_worker(task)

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        if trial_id not in self._tasks:
            return
        handle, folder = self._tasks.pop(trial_id)
        try:
            self._sweep.ended(handle, self._lost(folder) if error else "worker")
        except Exception as problem:
            self._sweep.fail(problem)

    @staticmethod
    def _lost(folder: Path) -> str:
        """Whether a dead worker took its node with it."""
        worker = read_object(folder / WORKER)
        if worker is None:
            return "worker"
        deadline = time.monotonic() + NODE_LOSS_S
        while True:
            nodes = ray.nodes()
            if worker.get("node") not in {node["NodeID"] for node in nodes if node["Alive"]}:
                return "node"
            if len(nodes) == 1 or time.monotonic() > deadline:
                return "worker"
            time.sleep(0.2)

    def save(self, checkpoint_path: str) -> None:
        """Nothing: a sweep is taken up again from its ledger."""

    def restore(self, checkpoint_path: str) -> None:
        """Nothing, see `save`."""

    def __getstate__(self) -> dict[str, Any]:
        return {"_metric": self._metric, "_mode": self._mode}


class CycleScheduler(FIFOScheduler):
    """Hands scores at stage ends to the driver, which decides at cycle ends."""

    def __init__(self, sweep: Driver | None) -> None:
        super().__init__()
        self._sweep = sweep

    def on_trial_result(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:
        sweep, cycle = self._sweep, int(result.get("cycle", -1))
        if sweep is not None and result.get("state") == "disk":
            sweep.no_room(str(result.get("message")))
            return str(TrialScheduler.STOP)
        if sweep is None or cycle < 0:
            return str(TrialScheduler.CONTINUE)
        try:
            # Ray flattens what a trial reports
            metrics = {
                key.removeprefix("metrics/"): value for key, value in result.items() if key.startswith("metrics/")
            }
            stops = sweep.reported(int(trial.config["handle"]), cycle, metrics)
        except Exception as error:
            sweep.fail(error)
            return str(TrialScheduler.STOP)
        return str(TrialScheduler.STOP if stops else TrialScheduler.CONTINUE)

    def __getstate__(self) -> dict[str, Any]:
        return {"_sweep": None}


class _Stop(tune.Stopper):
    """Ends the experiment when the sweep is stopping."""

    def __init__(self, sweep: Driver | None) -> None:
        self._sweep = sweep

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        return False

    def stop_all(self) -> bool:
        return self._sweep is not None and self._sweep.stopping

    def __getstate__(self) -> dict[str, Any]:
        return {"_sweep": None}


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Ray Tune's own prose would drown one line a trial; a worker's death would be a page of its stack."""
    logger = logging.getLogger("ray.tune")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        with contextlib.redirect_stdout(io.StringIO()):  # where the raylet reports deaths; ours goes to stderr
            yield
    finally:
        logger.setLevel(level)
