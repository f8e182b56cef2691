"""Running a sweep: check everything, prepare the data once, write the request down, run the trials, say what came out."""

from __future__ import annotations

import datetime
import json
import os
import platform
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from typing import Any

import yaml

from igmsweep import __version__
from igmsweep.config import TrainConfig, preset, presets, with_absolute_paths
from igmsweep.errors import UserError, nearest
from igmsweep.sweep.ledger import SCHEMA, Ledger, now, trial_folder, write_atomically
from igmsweep.sweep.progress import Progress, shown_params
from igmsweep.sweep.request import SAMPLERS, SweepRequest
from igmsweep.sweep.resources import Allotment, Machine, allot, this_machine
from igmsweep.sweep.result import SweepResult
from igmsweep.sweep.search import Enqueued, Proposal, Proposer
from igmsweep.sweep.space import SearchSpace, find_space, space_names
from igmsweep.sweep.trial import log_line


class Sweep:
    """A sweep under way, as its runner sees it: ask for a task, tell how it ended."""

    def __init__(
        self,
        request: SweepRequest,
        folder: Path,
        base: TrainConfig,
        proposer: Proposer,
        allotment: Allotment,
        space: SearchSpace,
    ) -> None:
        self.request, self.folder, self.base, self.allotment, self.space = request, folder, base, allotment, space
        self.proposer = proposer
        self.ledger = Ledger(folder / "trials.jsonl")
        self.progress = Progress(space.metric, space.mode, proposer.limit, allotment.concurrent, request.quiet)
        self.stop_code = 0
        self.deadline = None if request.time_budget_s is None else time.monotonic() + request.time_budget_s
        self._open: dict[int, Proposal] = {}
        self.arm: Callable[[], None] = lambda: None
        """Installs the sweep's signal handlers; a runner calls it again after a library has put its own in place."""

    @property
    def stopping(self) -> bool:
        """Whether a signal or the time budget asks for an end."""
        return bool(self.stop_code) or (self.deadline is not None and time.monotonic() > self.deadline)

    def next_task(self) -> dict[str, Any] | None:
        """The next trial to train as plain data, or None when there is none left. Duplicates are answered here."""
        while not self.stopping:
            proposal = self.proposer.ask()
            if proposal is None:
                return None
            if proposal.known is not None:
                row = self.ledger.append(
                    proposal.number,
                    "complete",
                    source=proposal.source,
                    params=proposal.params,
                    metrics=proposal.known,
                    seconds=0.0,
                    epochs=0,
                    duplicate_of=proposal.duplicate_of,
                )
                self.proposer.tell(proposal.number, proposal.known)
                self.progress.finished(row)
                continue
            config = self.base.override({**proposal.extra, **proposal.params})
            self.ledger.append(
                proposal.number,
                "running",
                source=proposal.source,
                params=proposal.params,
                config_hash=config.hash(),
                **({"fixed_overrides": proposal.extra} if proposal.extra else {}),
            )
            self.progress.started(proposal.number, proposal.params)
            self._open[proposal.number] = proposal
            return {
                "number": proposal.number,
                "folder": str(trial_folder(self.folder, proposal.number)),
                "config": config.to_dict(),
                "params": proposal.params,
                "metric": self.space.metric,
                "trainable": self.request.trainable,
                "threads": self.allotment.threads,
                "gpus": self.allotment.gpus,
            }
        return None

    def ended(self, number: int) -> None:
        """A trial's worker has returned or died: what its folder says goes into the ledger and to the sampler."""
        proposal = self._open.pop(number, None)
        if proposal is None:
            return
        path = trial_folder(self.folder, number) / "result.json"
        try:
            result = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            if self.stopping:
                self._open[number] = proposal
                return
            result = {"state": "failed", "error": {"class": "worker", "message": "the worker process died"}}
        fields = {
            key: result[key]
            for key in ("config_hash", "metrics", "seconds", "epochs", "error")
            if result.get(key) is not None
        }
        row = self.ledger.append(number, result["state"], source=proposal.source, params=proposal.params, **fields)
        self.proposer.tell(number, result.get("metrics") if result["state"] == "complete" else None)
        self.progress.finished(row)

    def close(self) -> None:
        """Write down what was left unfinished."""
        for number, proposal in list(self._open.items()):
            if (trial_folder(self.folder, number) / "result.json").exists():
                self.ended(number)
            else:
                self.ledger.append(number, "interrupted", source=proposal.source, params=proposal.params)
        self.proposer.abandon()
        self.progress.close()


def run_sweep(request: SweepRequest) -> SweepResult | None:
    """Run a sweep to its end, or until a signal or the time budget ends it. A dry run prints the plan: None.

    Raises:
        UserError: anything in the request that cannot work, before a trial has started.
        ResourceError: a request that this machine can never grant.
    """
    from igmsweep import data as datasets

    if request.sampler not in SAMPLERS:
        raise UserError(
            f"--sampler: found '{request.sampler}', expected one of {', '.join(SAMPLERS)}{nearest(request.sampler, SAMPLERS)}"
        )
    if request.scheduler != "none":
        raise UserError(f"--scheduler: found '{request.scheduler}', expected none; every trial is trained to its end")
    base = TrainConfig(data=request.data, method=request.method)
    space = SearchSpace.load(request.space or default_space(request.data, request.method))
    space.check(base)
    base = base.override({**space.fixed, **request.overrides})
    for path in request.overrides:
        if path in {param.path for param in space.params}:
            raise UserError(f"--set {path}: is searched by {space.source}; fix it in a space of your own instead")
    base = base.override({"seed": request.seed} if "seed" not in request.overrides else {})
    enqueued, paper = _enqueued(space, base, request)
    machine = this_machine() if request.address is None else _cluster(request.address)
    allotment = allot(machine, request.cpus_per_trial, request.gpus_per_trial, request.max_concurrent)
    if request.local:
        allotment = Allotment(allotment.cpus, allotment.gpus, 1)
    if request.dry_run:
        _describe(request, space, base, enqueued, allotment)
        return None
    # a folder that was named is made absolute, as Ray changes the working directory; one that was not is each node's own
    base = with_absolute_paths(base)
    found = datasets.load_search(base.data)
    if any(weights != "none" for weights in base.model.weights.values()):
        from igmsweep.models.multimodal import from_config

        from_config(base, found.dataset)  # weights that are missing are one error here, not one a trial
    folder = _new_folder(request)
    described = {
        "schema": SCHEMA,
        "name": folder.name,
        "created": now(),
        "method": request.method,
        "data": {
            "name": request.data,
            "data_hash": found.data_hash,
            "split_hash": found.split_hash,
            "split": found.split,
            "group": base.data.group,
            "classes": list(found.dataset.classes),
            "modalities": list(base.modalities),
            "metrics": list(found.dataset.metrics),
            "train": len(found.train),
            "val": len(found.val),
            "skipped": [f"{remark.sample}: {remark.kind}" for remark in found.skipped],
            "replaced": [f"{remark.sample}: {remark.kind}" for remark in found.replaced],
        },
        "metric": {"name": space.metric, "mode": space.mode},
        "space": space.described(),
        "sampler": request.sampler,
        "scheduler": request.scheduler,
        "trials": request.trials,
        "seed": request.seed,
        "resources": {
            "runner": "local" if request.local else "ray",
            "max_concurrent": allotment.concurrent,
            "cpus_per_trial": allotment.cpus,
            "gpus_per_trial": allotment.gpus,
        },
        "base_config": base.to_dict(),
        "paper": paper,
    }
    write_atomically(folder / "sweep.yaml", yaml.safe_dump(described, sort_keys=False))
    meta = _meta(machine)
    write_atomically(folder / "meta.json", json.dumps(meta, indent=1))
    proposer = Proposer(space, request.sampler, request.trials, request.seed, folder / "study.journal", enqueued)
    if not request.quiet:
        log_line(
            f"igmsweep: {folder}: {proposer.limit} trials of {request.method} on {request.data}, "
            f"{allotment.concurrent} at a time, {allotment.cpus:g} CPUs and {allotment.gpus:g} GPUs each"
        )
    sweep = Sweep(request, folder, base, proposer, allotment, space)
    started = time.monotonic()
    with _signals(sweep):
        try:
            if request.local:
                from igmsweep.sweep.local import run
            else:
                from igmsweep.sweep.ray_runner import run
            run(sweep)
        finally:
            sweep.close()
            write_atomically(
                folder / "meta.json",
                json.dumps(
                    meta | {"finished": now(), "wall_seconds": time.monotonic() - started, "signal": sweep.stop_code},
                    indent=1,
                ),
            )
    result = SweepResult(
        folder, sweep.ledger.rows(), space.metric, space.mode, proposer.limit, proposer.study, sweep.stop_code
    )
    _closing(result, time.monotonic() - started)
    return result


def default_space(data: str, method: str) -> str:
    """The shipped space of a data set and method. Raises UserError when there is none."""
    name = data if method == "igm" else f"{data}-{method}"
    if name not in space_names():
        raise UserError(f"--space: no shipped space for {method} on {data} ('{name}'); name a file of your own")
    return str(find_space(name))


def _enqueued(space: SearchSpace, base: TrainConfig, request: SweepRequest) -> tuple[list[Enqueued], dict[str, Any]]:
    """The configurations that run first, and the paper's value of every searched path."""
    complete = presets(request.method, request.data)
    searched = [param.path for param in space.params]
    entries = []
    for number, entry in enumerate(space.enqueue):
        if isinstance(entry, Mapping):
            entries.append(Enqueued(space.admit(entry, f"{space.source}: enqueue[{number}]"), "enqueue"))
            continue
        if entry not in complete:
            raise UserError(
                f"{space.source}: enqueue[{number}]: unknown preset '{entry}', expected one of "
                f"{', '.join(complete)}{nearest(entry, complete)}"
            )
        values = {path: complete[entry][path] for path in searched if path in complete[entry]}
        where = f"{space.source}: enqueue[{number}] ({entry})"
        extra = {
            path: value
            for path, value in preset(request.method, entry, request.data).items()
            if path not in searched
            and path not in request.overrides
            and path not in space.fixed
            and base.paths().get(path) != value
        }
        entries.append(Enqueued(space.admit(values, where), f"enqueue:{entry}", extra))
    paper = {path: complete["paper"][path] for path in searched if path in complete.get("paper", {})}
    return entries, paper


def _new_folder(request: SweepRequest) -> Path:
    stamp = datetime.datetime.now().strftime("%Y%m%d-%H%M%S")
    name = request.name or f"{Path(request.data.split(':')[0]).stem}-{Path(request.method.split(':')[0]).stem}-{stamp}"
    folder = Path(request.out).expanduser().resolve() / name
    if folder.exists() and any(folder.iterdir()):
        raise UserError(f"{folder}: already holds a sweep; choose another --name")
    try:
        (folder / "trials").mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{folder}: cannot be written ({error.strerror})") from None
    return folder


def _cluster(address: str) -> Machine:
    from igmsweep.sweep.ray_runner import cluster_machine

    return cluster_machine(address)


@contextmanager
def _signals(sweep: Sweep) -> Iterator[None]:
    """The first Ctrl-C or SIGTERM asks for an orderly end; the second Ctrl-C ends at once."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(number: int, _: Any) -> None:
        if sweep.stop_code:
            raise KeyboardInterrupt
        sweep.stop_code = 130 if number == signal.SIGINT else 143
        log_line("igmsweep: stopping; what has finished is kept (Ctrl-C again to leave at once)")
        if sweep.request.local:
            raise KeyboardInterrupt

    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def arm() -> None:
        for number in before:
            signal.signal(number, stop)

    sweep.arm = arm
    arm()
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _meta(machine: Machine) -> dict[str, Any]:
    def version(package: str) -> str | None:
        try:
            return metadata.version(package)
        except metadata.PackageNotFoundError:
            return None

    def git(*arguments: str) -> str | None:
        try:
            done = subprocess.run(
                ["git", *arguments], capture_output=True, text=True, timeout=10, cwd=Path(__file__).parent
            )
        except (OSError, subprocess.TimeoutExpired):
            return None
        return done.stdout.strip() if done.returncode == 0 else None

    packages = ("torch", "torchvision", "ray", "optuna", "numpy", "scikit-learn", "pandas", "plotly")
    changes = git("status", "--porcelain", "--untracked-files=no")
    return {
        "schema": SCHEMA,
        "versions": {"igmsweep": __version__, "python": platform.python_version()}
        | {package: version(package) for package in packages},
        "git": {"revision": git("rev-parse", "HEAD"), "changed": bool(changes)},
        "command": [Path(sys.argv[0]).name, *sys.argv[1:]],
        "hardware": {
            "system": platform.platform(),
            "processor": platform.processor() or platform.machine(),
            "cpus": machine.cpus,
            "gpus": list(machine.gpu_names),
        },
        "pid": os.getpid(),
        "started": now(),
    }


def _describe(
    request: SweepRequest, space: SearchSpace, base: TrainConfig, enqueued: list[Enqueued], allotment: Allotment
) -> None:
    log_line(f"{request.trials} trials of {request.method} on {request.data}, sampler {request.sampler}")
    log_line(f"{allotment.concurrent} at a time, {allotment.cpus:g} CPUs and {allotment.gpus:g} GPUs each")
    log_line(f"space {space.source}, {space.mode} of {space.metric}:")
    for param in space.params:
        shown = param.described()
        log_line(f"  {param.path}: " + ", ".join(f"{key} {value}" for key, value in shown.items()))
    for entry in enqueued:
        log_line(f"first: {entry.source}: {shown_params(entry.params)}")
    log_line("the rest of the configuration:")
    searched = {param.path for param in space.params}
    for path, value in base.paths().items():
        if path not in searched:
            log_line(f"  {path}: {value}")


def _closing(result: SweepResult, seconds: float) -> None:
    from igmsweep.sweep.progress import duration

    counts = ", ".join(f"{count} {state}" for state, count in sorted(result.counts.items()))
    best = result.best
    if best is None:
        log_line(f"igmsweep: no trial completed ({counts or 'none started'}) in {duration(seconds)}: {result.dir}")
        for row in result.rows.values():
            if row.get("error"):
                log_line(f"igmsweep: first failure, #{row['trial']}: {row['error']['message']}")
                break
        return
    log_line(
        f"igmsweep: {counts} in {duration(seconds)}; best #{best['trial']} "
        f"{result.metric} {best['metrics'][result.metric]:.4f}: {shown_params(best['params'])}"
    )
    if result.interrupted or result.counts.get("interrupted"):
        log_line(f"igmsweep: interrupted; `igmsweep analyze {result.dir}` reads what there is")
