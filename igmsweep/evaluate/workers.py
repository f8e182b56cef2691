"""Running the trainings of an evaluation: in this process, or as Ray tasks side by side."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from igmsweep.evaluate.training import run_task
from igmsweep.record.states import State
from igmsweep.sweep.resources import Allotment, Machine, this_machine


def machine(address: str | None) -> Machine:
    """What there is to run on. Raises ResourceError where a cluster cannot be reached."""
    if address is None:
        return this_machine()
    from igmsweep.sweep.ray_runner import cluster_machine

    return cluster_machine(address)


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


def run_here(tasks: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """One after the other; results as they come."""
    for task in tasks:
        yield run_task(task)


def run_with_ray(
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
