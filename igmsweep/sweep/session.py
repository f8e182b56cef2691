"""Running a sweep: check everything, prepare the data once, write the plan down, run the trials, say what came out."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from igmsweep import __version__
from igmsweep import data as datasets
from igmsweep.errors import UserError
from igmsweep.gate.paths import full
from igmsweep.legible import VALUE, clean, shortened
from igmsweep.plugin import Trust
from igmsweep.record.paths import CONFIGSPACE, JOURNAL, SPEC, TRIALS, WARM_START
from igmsweep.record.sessions import Session, last_session
from igmsweep.schema.paths import UNBOUND
from igmsweep.spaces.configspace import configspace
from igmsweep.sweep import announce
from igmsweep.sweep.check import check_sweeps
from igmsweep.sweep.controller import Controller
from igmsweep.sweep.folder import (
    check_free,
    check_total,
    create,
    held,
    place_of,
    write,
    writing,
)
from igmsweep.sweep.options import SweepOptions
from igmsweep.sweep.options import resumed as resumed_options
from igmsweep.sweep.plan import Plan, described_data, make_plan, probe_data, read_plan, same_sweep
from igmsweep.sweep.prepared import Prepared, announced, conduct
from igmsweep.sweep.request import ResumeRequest, SweepRequest
from igmsweep.sweep.resources import Allotment, Machine, allot, share_of_gpu, this_machine
from igmsweep.sweep.result import SweepResult
from igmsweep.sweep.search import Proposer
from igmsweep.sweep.stopping import make_stopping
from igmsweep.sweep.warm_start import read_warm, take_over

logger = logging.getLogger(__name__)


def run_sweep(request: SweepRequest) -> SweepResult | None:
    """Run a sweep to its end, or until a signal or the time budget ends it. A dry run logs the plan: None.

    Raises:
        UserError: anything in the request that cannot work, before a trial has started.
        ResourceError: a request that this machine can never grant.
    """
    if request.dry_run:
        plan = make_plan(request)
        _loggers(request)
        place_of(request)
        announce.dry_run(plan, request, allotted(request, plan, probe=False)[1])
        return None
    with ExitStack() as stack:
        return _driven(*prepare([request], stack))


def run_sweeps(
    requests: Sequence[SweepRequest | ResumeRequest],
    progress: Callable[[Sequence[Controller]], None],
    ready: Callable[[], None] = lambda: None,
) -> list[SweepResult]:
    """Run several sweeps side by side: one start of Ray, and workers that are used again across sweeps.

    Args:
        requests: one at least, of the same runner and resources; each is its own folder, resumable by itself, and may be there already.
        progress: called after every training that ended.
        ready: called once when all are prepared, before the first training.

    Raises:
        UserError, ResourceError: as `run_sweep`, before a trial of any has started.
    """
    with ExitStack() as stack:
        sweeps = prepare(requests, stack)
        announce.data(
            [each.plan for each, request in zip(sweeps, requests, strict=True) if isinstance(request, SweepRequest)]
        )
        ready()
        with writing(sweeps[0].folder.parent):
            conduct(sweeps, progress)
        return [each.result() for each in sweeps]


def prepare(requests: Sequence[SweepRequest | ResumeRequest], stack: ExitStack) -> list[Prepared]:
    """Check requests, read their data, and make their folders ready, which are held until `stack` is closed.

    Whatever can be refused without decoding a sample is refused before any of any request is decoded.

    Raises:
        UserError, ResourceError: as `run_sweep` or `resume_sweep`.
    """
    planned = [_planned(request) for request in requests]
    check_sweeps([plan for plan, _ in planned])
    return [
        _taken_up(request, plan, stack)
        if isinstance(request, ResumeRequest)
        else _started(request, plan, granted, stack)
        for request, (plan, granted) in zip(requests, planned, strict=True)
    ]


def _planned(request: SweepRequest | ResumeRequest) -> tuple[Plan, tuple[Machine, Allotment] | None]:
    """The plan of a request, and what a new sweep's trials get here, unless that must be measured: what cannot begin is refused before
    avdigits is made for it."""
    if isinstance(request, ResumeRequest):
        return read_plan(full(request.folder), request.trust, request.root), None
    plan = make_plan(request)
    _loggers(request)
    granted = allotted(request, plan, probe=False)
    return plan, None if request.gpus_per_trial == "auto" else granted


def _started(
    request: SweepRequest, plan: Plan, granted: tuple[Machine, Allotment] | None, stack: ExitStack
) -> Prepared:
    """`prepare` for a new sweep, or one that goes on under its name."""
    folder = place_of(request)
    machine, allotment = allotted(request, plan) if granted is None else granted
    announce.data_read(plan, request.quiet)
    found = datasets.load_search(probe_data(plan.base, request.folds))
    plan.spec["data"] = described_data(found, plan.base, request.folds)
    plan.spec["name"] = folder.name
    plan.spec["resources"] = _resources(allotment, request) | {
        "asked": {"max_concurrent": request.max_concurrent, "gpus_per_trial": request.gpus_per_trial}
    }
    if request.resume and (folder / SPEC).exists():
        root = request.overrides.get("data.root")
        before = read_plan(folder, Trust(request.method, request.data), None if root is None else Path(root))
        same_sweep(folder, before.spec, plan.spec)
        check_total(folder, request.trials)
        if request.warm_start:
            raise UserError("--warm-start: found with --resume; only a new sweep can take over trials of others")
        # the data was read where and as this request says, which may be another place than at the start
        places = {path: plan.base.get(path) for path in UNBOUND}
        before = replace(before, base=before.base.override(places))
        stack.enter_context(held(folder))
        return _prepared(folder, before, machine, allotment, request, resumed=True)
    warm = take_over(request.warm_start, plan.space, plan.spec)
    create(folder)
    stack.enter_context(held(folder))
    check_free(folder)  # another driver may have started one while the data was read
    if warm:
        write(folder / WARM_START, "".join(json.dumps(entry) + "\n" for entry in warm))
        logger.info("%d finished trials of earlier sweeps are taken over", len(warm))
    write(folder / SPEC, yaml.safe_dump(plan.spec, sort_keys=False))
    return _prepared(folder, plan, machine, allotment, request)


def resume_sweep(request: ResumeRequest) -> SweepResult:
    """Go on with a sweep from its ledger, or extend it: finished trials stay, unfinished ones continue, new ones follow.

    Raises:
        UserError: no sweep there, another driver has it, its data is no longer the same, or it names a Python file that
            the request does not trust.
    """
    with ExitStack() as stack:
        return _driven(*prepare([request], stack))


def _taken_up(request: ResumeRequest, plan: Plan, stack: ExitStack) -> Prepared:
    """`prepare` for a sweep that is there."""
    folder = full(request.folder)
    options = resumed_options(plan.spec, last_session(folder), request.given)
    options.check()
    if "trials" in request.given:
        check_total(folder, options.trials)
    found = datasets.load_search(probe_data(plan.base, plan.spec["folds"]))
    for key, value in (("data_hash", found.data_hash), ("split_hash", found.split_hash)):
        if plan.spec["data"].get(key) != value:
            raise UserError(
                f"{folder}: data.{key} was {plan.spec['data'].get(key)} and is now {value}: the data of "
                f"{plan.base.data.name} has changed, so old and new trials could not be compared"
            )
    ran = (last_session(folder).get("versions") or {}).get("igmsweep")
    if ran is not None and ran != __version__:
        logger.warning(
            f"{folder.name} ran with igmsweep {clean(shortened(str(ran), VALUE))}, this is {__version__}: new trials may train differently, see CHANGELOG.md"
        )
    _loggers(options)
    resources = plan.spec.get("resources") or {}
    machine, allotment = allotted(options, plan, asked=resources.get("asked") or {}, before=resources)
    stack.enter_context(held(folder))
    return _prepared(folder, plan, machine, allotment, options, resumed=True, retry_failed=request.retry_failed)


def _prepared(
    folder: Path,
    plan: Plan,
    machine: Machine,
    allotment: Allotment,
    options: SweepOptions,
    resumed: bool = False,
    retry_failed: bool = False,
) -> Prepared:
    """Rebuild the search from the ledger; the caller holds the lock."""
    spec, space = plan.spec, plan.space
    with writing(folder):
        session = Session.begin(folder, machine, options.of_session(), _resources(allotment, options))
        (folder / TRIALS).mkdir(exist_ok=True)
        described = configspace(space, (entry.params for entry in plan.enqueued))
        write(folder / CONFIGSPACE, json.dumps(described, indent=1) + "\n")
        proposer = Proposer(
            space,
            spec["sampler"],
            options.trials,
            spec["seed"],
            spec["startup"],
            folder / JOURNAL,
            list(plan.enqueued),
            read_warm(folder, space),
        )
        stopping = make_stopping(
            spec["scheduler"],
            **{"mode": space.mode, **spec["stopping"]},  # type: ignore[arg-type]
        )
        sweep = Controller(folder, plan.base, space, proposer, stopping, allotment, options)
        sweep.restore(retry_failed)
        announce.opening(sweep, plan, resumed)
    return Prepared(folder, plan, options, sweep, session)


def _driven(sweep: Prepared) -> SweepResult:
    """Run what is left of one sweep."""
    with writing(sweep.folder):
        conduct([sweep])
    controller = sweep.controller
    proposed, wanted = controller.proposer.proposed, controller.proposer.limit
    if controller.deadline is not None and proposed < wanted and not controller.stop_code:
        logger.warning("the time budget ended it after %d of %d trials", proposed, wanted)
    return announced(sweep)


def allotted(
    options: SweepOptions,
    plan: Plan,
    probe: bool = True,
    asked: Mapping[str, Any] | None = None,
    before: Mapping[str, Any] | None = None,
) -> tuple[Machine, Allotment]:
    """What each trial gets here. A resumed sweep keeps what was `asked` for, as far as this machine has it."""
    machine = this_machine() if options.address is None else _cluster(options.address)
    gpus, concurrent = options.gpus_per_trial, options.max_concurrent
    if gpus is None and asked and asked.get("gpus_per_trial") is not None and machine.gpus:
        gpus = (before or {}).get("gpus_per_trial")
    if gpus == "auto":
        if options.address is not None:
            raise UserError("--gpus-per-trial auto: measures this machine's GPU, not a cluster's; name a fraction")
        gpus = share_of_gpu(plan.base, machine) if probe and machine.gpu_memory else None
    if concurrent is None and asked and asked.get("max_concurrent"):
        concurrent = min(asked["max_concurrent"], allot(machine, options.cpus_per_trial, gpus, None).concurrent)
    allotment = allot(machine, options.cpus_per_trial, gpus, concurrent)
    return machine, Allotment(allotment.cpus, allotment.gpus, 1) if options.local else allotment


def _cluster(address: str) -> Machine:
    from igmsweep.sweep.ray_runner import cluster_machine

    return cluster_machine(address)


def _resources(allotment: Allotment, options: SweepOptions) -> dict[str, Any]:
    return {
        "runner": "local" if options.local else "ray",
        "max_concurrent": allotment.concurrent,
        "cpus_per_trial": allotment.cpus,
        "gpus_per_trial": allotment.gpus,
    }


def _loggers(options: SweepOptions) -> None:
    if options.loggers:
        from igmsweep.sweep.ray_loggers import callbacks

        callbacks(options.loggers, "check")
