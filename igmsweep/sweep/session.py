"""Running a sweep: check everything, prepare the data once, write the plan down, run the trials, say what came out."""

from __future__ import annotations

import datetime
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from igmsweep.config import TrainConfig
from igmsweep.errors import Diverged, UserError
from igmsweep.record import sessions as meta
from igmsweep.record.failures import DISK_ERRORS, SweepFailed, summary
from igmsweep.record.ledger import Ledger, now, write_atomically
from igmsweep.record.lock import NAME as LOCK
from igmsweep.record.lock import Lock
from igmsweep.spaces.space import SearchSpace
from igmsweep.sweep.controller import Controller, Settings
from igmsweep.sweep.plan import Plan, check_options, described_data, make_plan, probe_data, read_plan, same_sweep
from igmsweep.sweep.progress import duration, shown_params
from igmsweep.sweep.request import ResumeRequest, SweepRequest
from igmsweep.sweep.resources import Allotment, Machine, allot, share_of_gpu, this_machine
from igmsweep.sweep.result import SweepResult
from igmsweep.sweep.search import Enqueued, Proposer
from igmsweep.sweep.stopping import make_stopping
from igmsweep.sweep.trial import log_line
from igmsweep.sweep.warm_start import read_warm, take_over

LEAVE_S = 20.0
"""After a signal, an end that takes longer has lost Ray's own processes; Ray would try for a minute and then abort."""


def run_sweep(request: SweepRequest) -> SweepResult | None:
    """Run a sweep to its end, or until a signal or the time budget ends it. A dry run prints the plan: None.

    Raises:
        UserError: anything in the request that cannot work, before a trial has started.
        ResourceError: a request that this machine can never grant.
    """
    from igmsweep import data as datasets

    plan = make_plan(request)
    _loggers(request)
    folder = _folder(request)
    machine, allotment = _allot(request, plan, probe=not request.dry_run)
    if request.dry_run:
        _describe(request, plan.space, plan.base, list(plan.enqueued), allotment)
        _estimate(plan, request, allotment)
        return None
    found = datasets.load_search(probe_data(plan.base, request.folds))
    if any(weights != "none" for weights in plan.base.model.weights.values()):
        from igmsweep.train import new_model

        new_model(plan.base, found.dataset)  # weights that are missing are one error here, not one a trial
    plan.spec["data"] = described_data(found, plan.base, request.folds)
    plan.spec["name"] = folder.name
    plan.spec["resources"] = _resources(allotment, request.local) | {
        "asked": {"max_concurrent": request.max_concurrent, "gpus_per_trial": request.gpus_per_trial}
    }
    settings = _settings(plan.spec, request)
    if request.resume and (folder / "sweep.yaml").exists():
        before = read_plan(folder)
        same_sweep(folder, before.spec, plan.spec)
        _not_less(folder, request.trials)
        if request.warm_start:
            raise UserError("--warm-start: found with --resume; only a new sweep can take over trials of others")
        # the data was read where this request says, which may be another place than at the start
        places = {path: plan.base.get(path) for path in ("data.root", "data.cache", "device")}
        before = replace(before, base=before.base.override(places))
        with _held(folder):
            return _drive(folder, before, machine, allotment, settings, resumed=True)
    warm = take_over(request.warm_start, plan.space, plan.spec)
    _create(folder)
    with _held(folder):
        _vacant(folder, replace(request, resume=False))  # another driver may have started one while the data was read
        if warm:
            text = "".join(json.dumps(entry) + "\n" for entry in warm)
            _write(folder / "warm_start.jsonl", text)
            log_line(f"igmsweep: {len(warm)} finished trials of earlier sweeps are taken over")
        _write(folder / "sweep.yaml", yaml.safe_dump(plan.spec, sort_keys=False))
        return _drive(folder, plan, machine, allotment, settings)


def resume_sweep(request: ResumeRequest) -> SweepResult:
    """Go on with a sweep from its ledger, or extend it: finished trials stay, unfinished ones continue, new ones follow.

    Raises:
        UserError: no sweep there, another driver has it, or its data is no longer the same.
    """
    from igmsweep import data as datasets

    folder = request.folder.expanduser().resolve()
    plan = read_plan(folder)
    found = datasets.load_search(probe_data(plan.base, plan.spec["folds"]))
    for key, value in (("data_hash", found.data_hash), ("split_hash", found.split_hash)):
        if plan.spec["data"].get(key) != value:
            raise UserError(
                f"{folder}: data.{key} was {plan.spec['data'].get(key)} and is now {value}: the data of "
                f"{plan.base.data.name} has changed, so old and new trials could not be compared"
            )
    resources = plan.spec.get("resources") or {}
    last = _sessions(folder)[-1] if _sessions(folder) else {}
    local = request.local if request.local is not None else resources.get("runner") == "local"
    as_request = SweepRequest(
        data=plan.base.data.name,
        method=plan.spec["method"],
        trials=int(last.get("trials") or plan.spec["trials"]) if request.trials is None else request.trials,
        time_budget_s=request.time_budget_s,
        trial_timeout_s=plan.spec["trial_timeout_s"] if request.trial_timeout_s is None else request.trial_timeout_s,
        max_concurrent=request.max_concurrent,
        cpus_per_trial=resources.get("cpus_per_trial", 1.0)
        if request.cpus_per_trial is None
        else request.cpus_per_trial,
        gpus_per_trial=request.gpus_per_trial,
        seeds=int(last.get("seeds") or plan.spec["seeds"]) if request.seeds is None else request.seeds,
        repeat_top=plan.spec["repeat_top"],
        retries=plan.spec["retries"] if request.retries is None else request.retries,
        keep_checkpoints=plan.spec["keep_checkpoints"],
        local=local,
        address=request.address,
        loggers=request.loggers,
        quiet=request.quiet,
    )
    check_options(as_request)
    if request.trials is not None:
        _not_less(folder, request.trials)
    _loggers(as_request)
    machine, allotment = _allot(as_request, plan, asked=resources.get("asked") or {}, before=resources)
    settings = _settings(plan.spec, as_request)
    with _held(folder):
        return _drive(folder, plan, machine, allotment, settings, resumed=True, retry_failed=request.retry_failed)


def _drive(
    folder: Path,
    plan: Plan,
    machine: Machine,
    allotment: Allotment,
    settings: Settings,
    resumed: bool = False,
    retry_failed: bool = False,
) -> SweepResult:
    """Rebuild the search from the ledger and run what is left; the caller holds the lock."""
    spec, space = plan.spec, plan.space
    started = time.monotonic()
    session: dict[str, Any] = {"started": now(), "pid": os.getpid(), "trials": settings.trials, "seeds": settings.seeds}
    with _disk(folder):
        described = meta.describe(machine)
        before = _read_meta(folder)
        described["started"] = before.get("started", described["started"])
        session |= {"git": described["git"], "versions": described["versions"]}  # a resume may bring others
        sessions = [*before.get("sessions", []), session | _resources(allotment, settings.local)]
        _write_meta(folder, described, sessions)
        (folder / "trials").mkdir(exist_ok=True)
        proposer = Proposer(
            space,
            spec["sampler"],
            settings.trials,
            spec["seed"],
            spec["startup"],
            folder / "study.journal",
            list(plan.enqueued),
            read_warm(folder),
        )
        stopping = make_stopping(
            spec["scheduler"],
            **{"mode": space.mode, **spec["stopping"]},  # type: ignore[arg-type]
        )
        sweep = Controller(folder, plan.base, space, proposer, stopping, allotment, settings)
        sweep.restore(retry_failed)
        _opening(sweep, plan, resumed)
        with _signals(sweep):
            try:
                _run(sweep)
            finally:
                sweep.close()
                sessions[-1] |= {
                    "finished": now(),
                    "wall_seconds": time.monotonic() - started,
                    "signal": sweep.stop_code,
                    "over": sweep.over,
                }
                if sweep.fault is None:
                    _write_meta(folder, described, sessions)
        if sweep.fault is not None:
            raise sweep.fault
    result = SweepResult(
        folder, sweep.ledger.rows(), space.metric, space.mode, proposer.limit, proposer.study, sweep.stop_code
    )
    if sweep.deadline is not None and proposer.proposed < proposer.limit and not sweep.stop_code:
        log_line(f"igmsweep: the time budget ended it after {proposer.proposed} of {proposer.limit} trials")
    _closing(result, time.monotonic() - started, left=not sweep.over)
    return result


@contextmanager
def _held(folder: Path) -> Iterator[None]:
    """The folder is this driver's alone."""
    lock = Lock(folder)
    with _disk(folder):
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _not_less(folder: Path, trials: int) -> None:
    """Raise UserError where a sweep has more trials already than it is to have in all."""
    rows = Ledger(folder / "trials.jsonl").rows().values()
    done = sum(not str(row.get("source", "")).startswith("repeat:") for row in rows)
    if trials < done:
        raise UserError(f"--trials: found {trials}, but {folder.name} has {done} trials already; it is the total")


def _run(sweep: Controller) -> None:
    if sweep.over:
        return
    if sweep.settings.local:
        from igmsweep.sweep.local import run
    else:
        if sweep.settings.address is None:
            # the only way to keep Ray off the network: it turns 127.0.0.1 into the machine's own address
            os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
        from igmsweep.sweep.ray_runner import run
    run(sweep)


def _settings(spec: Mapping[str, Any], request: SweepRequest) -> Settings:
    return Settings(
        trainable=spec["trainable"],
        trials=request.trials,
        folds=spec["folds"],
        seeds=request.seeds,
        repeat_top=request.repeat_top,
        retries=request.retries,
        keep_checkpoints=request.keep_checkpoints,
        time_budget_s=request.time_budget_s,
        trial_timeout_s=request.trial_timeout_s,
        local=request.local,
        address=request.address,
        loggers=request.loggers,
        quiet=request.quiet,
    )


def _allot(
    request: SweepRequest,
    plan: Plan,
    probe: bool = True,
    asked: Mapping[str, Any] | None = None,
    before: Mapping[str, Any] | None = None,
) -> tuple[Machine, Allotment]:
    """What each trial gets here. A resumed sweep keeps what was `asked` for, as far as this machine has it."""
    machine = this_machine() if request.address is None else _cluster(request.address)
    gpus, concurrent = request.gpus_per_trial, request.max_concurrent
    if gpus is None and asked and asked.get("gpus_per_trial") is not None and machine.gpus:
        gpus = (before or {}).get("gpus_per_trial")
    if gpus == "auto":
        if request.address is not None:
            raise UserError("--gpus-per-trial auto: measures this machine's GPU, not a cluster's; name a fraction")
        gpus = share_of_gpu(plan.base, machine) if probe and machine.gpu_memory else None
    if concurrent is None and asked and asked.get("max_concurrent"):
        concurrent = min(asked["max_concurrent"], allot(machine, request.cpus_per_trial, gpus, None).concurrent)
    allotment = allot(machine, request.cpus_per_trial, gpus, concurrent)
    return machine, Allotment(allotment.cpus, allotment.gpus, 1) if request.local else allotment


def _resources(allotment: Allotment, local: bool) -> dict[str, Any]:
    return {
        "runner": "local" if local else "ray",
        "max_concurrent": allotment.concurrent,
        "cpus_per_trial": allotment.cpus,
        "gpus_per_trial": allotment.gpus,
    }


def _loggers(request: SweepRequest) -> None:
    if request.loggers:
        from igmsweep.sweep.ray_runner import callbacks

        callbacks(request.loggers, "check")


def _folder(request: SweepRequest) -> Path:
    """Where the sweep goes. Raises UserError when another one, or anything else, lies there."""
    stamp = datetime.datetime.now().strftime("%Y%m%d-%H%M%S")
    name = request.name or f"{Path(request.data.split(':')[0]).stem}-{Path(request.method.split(':')[0]).stem}-{stamp}"
    return _vacant(Path(request.out).expanduser().resolve() / name, request)


def _vacant(folder: Path, request: SweepRequest) -> Path:
    # a start that was cut off before there was a sweep leaves an empty folder of trials, which is no sweep
    ours = ("trials", "warm_start.jsonl", LOCK)
    taken = folder.exists() and (
        not folder.is_dir()
        or any(path.name not in ours and not path.name.startswith(f".{LOCK}") for path in folder.iterdir())
    )
    if taken and not (request.resume and (folder / "sweep.yaml").exists()) and not request.dry_run:
        raise UserError(
            f"{folder}: already holds a sweep; choose another --name, or go on with `igmsweep resume {folder}`"
        )
    return folder


def _create(folder: Path) -> None:
    try:
        (folder / "trials").mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{folder}: cannot be written ({error.strerror})") from None


def _write(path: Path, text: str) -> None:
    with _disk(path.parent):
        write_atomically(path, text)


@contextmanager
def _disk(folder: Path) -> Iterator[None]:
    """A full disk or a folder that may not be written is one line; what is in the ledger is safe."""
    try:
        yield
    except OSError as error:
        if error.errno not in (*DISK_ERRORS, 13, 1):
            raise
        raise SweepFailed(
            f"{folder}: cannot be written ({error.strerror}); nothing recorded is lost, `igmsweep resume {folder}` goes on"
        ) from None


def _read_meta(folder: Path) -> dict[str, Any]:
    try:
        found = json.loads((folder / "meta.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _sessions(folder: Path) -> list[dict[str, Any]]:
    return list(_read_meta(folder).get("sessions") or [])


def _write_meta(folder: Path, described: Mapping[str, Any], sessions: list[dict[str, Any]]) -> None:
    total = sum(float(session.get("wall_seconds") or 0.0) for session in sessions)
    content: dict[str, Any] = {**described, "sessions": sessions, "wall_seconds": total}
    if "finished" in sessions[-1]:
        content |= {"finished": sessions[-1]["finished"], "signal": sessions[-1]["signal"]}
    write_atomically(folder / "meta.json", json.dumps(content, indent=1))


def _cluster(address: str) -> Machine:
    from igmsweep.sweep.ray_runner import cluster_machine

    return cluster_machine(address)


@contextmanager
def _signals(sweep: Controller) -> Iterator[None]:
    """The first Ctrl-C or SIGTERM asks for an orderly end; the second Ctrl-C ends at once."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(number: int, _: Any) -> None:
        if sweep.stop_code:
            raise KeyboardInterrupt
        sweep.stop_code = 130 if number == signal.SIGINT else 143
        print(
            "igmsweep: stopping; what has finished is kept (Ctrl-C again to leave at once)", file=terminal, flush=True
        )
        if sweep.training:
            raise KeyboardInterrupt
        if not sweep.settings.local:
            timer.start()

    def leave() -> None:
        """Ray does not answer: a signal to the whole process group has taken its daemons along."""
        print("igmsweep: Ray does not answer and is left", file=terminal, flush=True)
        sweep.close()
        Lock(sweep.folder).release()
        os._exit(sweep.stop_code)

    timer = threading.Timer(LEAVE_S, leave)
    timer.daemon = True
    terminal = sys.stderr  # a trial in this process sends sys.stderr to its log
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def arm() -> None:
        for number in before:
            signal.signal(number, stop)

    sweep.arm = arm
    arm()
    try:
        yield
    finally:
        timer.cancel()
        for number, handler in before.items():
            signal.signal(number, handler)


def _opening(sweep: Controller, plan: Plan, resumed: bool) -> None:
    settings, proposer, allotment = sweep.settings, sweep.proposer, sweep.allotment
    if not settings.quiet:
        done = f", {sweep.progress.done} of them finished before" if resumed else ""
        log_line(
            f"igmsweep: {sweep.folder}: {sweep.wanted} trials of {plan.spec['method']} on {plan.base.data.name}{done}, "
            f"{allotment.concurrent} at a time, {allotment.cpus:g} CPUs and {allotment.gpus:g} GPUs each"
        )
    if proposer.cut:
        log_line(
            f"igmsweep: the grid is larger than {proposer.limit} trials and will be cut; raise --trials to cover it"
        )


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


def _estimate(plan: Plan, request: SweepRequest, allotment: Allotment) -> None:
    """What a trial and the sweep would take here, measured on a few steps."""
    from igmsweep.sweep.estimate import estimate

    try:
        lines = estimate(plan.base).lines(request.trials * (request.folds or 1), allotment.concurrent)
    except (UserError, Diverged) as error:
        lines = [f"no estimate: {error}"]  # without data or weights there is a plan all the same
    for line in lines:
        log_line(line)


def _closing(result: SweepResult, seconds: float, left: bool) -> None:
    counts = ", ".join(f"{count} {state}" for state, count in sorted(result.counts.items()))
    best = result.best
    for line in summary(result.rows.values()):
        log_line(f"igmsweep: {line}")
    if best is None:
        log_line(f"igmsweep: no trial completed ({counts or 'none started'}) in {duration(seconds)}: {result.dir}")
    else:
        score = f"{result.metric} {best['metrics'][result.metric]:.4f}"
        if "mean" in best:
            score = f"{result.metric} {best['mean']:.4f} (mean of {len(best['repeats'])} seeds)"
        elif result.metric in (best.get("stderr") or {}):
            score += f" ± {best['stderr'][result.metric]:.4f}"
        log_line(
            f"igmsweep: {counts} in {duration(seconds)}; best #{best['trial']} {score}: {shown_params(best['params'])}"
        )
    if result.interrupted or left:
        why = "interrupted" if result.interrupted else "not finished"
        log_line(
            f"igmsweep: {why}; `igmsweep resume {result.dir}` goes on, `igmsweep analyze {result.dir}` reads what "
            "there is"
        )
