"""Running a study: its arms as sweeps side by side on one set of workers; the same command goes on where it stopped."""

from __future__ import annotations

import json
import logging
import math
import time
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from igmsweep import methods
from igmsweep.config import TrainConfig
from igmsweep.data import check_test, load_test
from igmsweep.data.few import Few
from igmsweep.disk import write_atomically
from igmsweep.errors import Diverged, NothingCompleted, UserError, nearest
from igmsweep.evaluate import FREE, connected, evaluate, first_fresh_seed
from igmsweep.frame import read_sweep
from igmsweep.lines import BARE, CLOSING
from igmsweep.plugin import Trust
from igmsweep.record.failures import one_line
from igmsweep.record.json_files import plain
from igmsweep.record.openings import append_opening, finish_opening, plan_of, read_openings
from igmsweep.record.stamps import now
from igmsweep.record.wording import duration
from igmsweep.spaces import load_space
from igmsweep.spaces.conditions import holds
from igmsweep.spaces.space import overlap
from igmsweep.studies import get
from igmsweep.studies.base import FAILED, Arm, Found, Outcome, Setting, Study
from igmsweep.studies.found import read_found, unfinished
from igmsweep.studies.render import write_study
from igmsweep.studies.request import StudyRequest, check_remembered, remember, setting_of
from igmsweep.sweep import SweepRequest, run_sweeps
from igmsweep.sweep.announce import data_read
from igmsweep.sweep.check import check_sweeps
from igmsweep.sweep.controller import Controller
from igmsweep.sweep.estimate import DECODING, WITHIN, estimate, few_samples
from igmsweep.sweep.plan import make_plan
from igmsweep.sweep.session import allotted

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Made:
    """A study that was run: its page, and what it shows. `interrupted` is 0, or the exit code of the signal that ended it."""

    page: Path
    outcome: Outcome
    interrupted: int = 0


def run_study(request: StudyRequest) -> Made:
    """Train what is left of a study's arms and write its page.

    Raises:
        UserError, ResourceError: anything that cannot work, before a training has started; a folder of another request.
        NothingCompleted: no training has completed.
    """
    study, setting = get(request.name), setting_of(request.data, request.methods)
    arms = _arms(study, setting)
    check_overrides(request, arms)
    requests = [arm_request(request, study, arm) for arm in arms]
    check_remembered(request)
    first = make_plan(requests[0])
    if request.confirm_test:
        check_test(first.base.data)
    data_read(first, quiet=False)
    started = time.monotonic()
    before: int | None = None
    budget = request.options.get("time_budget_s")
    deadline = None if budget is None else started + budget

    def progress(sweeps: Sequence[Controller]) -> None:
        nonlocal before
        done, wanted = sum(each.progress.done for each in sweeps), sum(each.wanted for each in sweeps)
        before = done - 1 if before is None else before
        seconds = (time.monotonic() - started) / max(1, done - before) * (wanted - done)
        logger.info("%s: %d of %d trainings, about %s left", study.name, done, wanted, duration(seconds), extra=BARE)

    results = run_sweeps(requests, progress, lambda: remember(request))
    interrupted = next((each.interrupted for each in results if each.interrupted), 0)
    if study.measure is not None and not interrupted:
        _measure(study, read_found(request.folder, study, setting), Trust(data=request.data), deadline)
    closed = None
    if request.confirm_test and not interrupted:
        closed = _open_test(request, arms, setting, study)
    found = read_found(request.folder, study, setting)
    outcome = study.outcome(found)
    page = write_study(request.folder, study, outcome, found)
    trained = sum(len(each) for each in found.trainings.values())
    logger.log(CLOSING, f"{study.name}: {trained} trainings in {duration(time.monotonic() - started)}: {page}")
    if trained == 0 and not interrupted:
        raise NothingCompleted(f"{request.folder}: no training has completed; {page} says what there is")
    if closed is not None:
        raise closed
    return Made(page, outcome, interrupted)


def dry(request: StudyRequest) -> list[str]:
    """What would run here, and how long it would take, measured on a few steps of each method, within about a minute for all."""
    study, setting = get(request.name), setting_of(request.data, request.methods)
    seeds = request.trainings(study)
    arms = _arms(study, setting)
    check_overrides(request, arms)
    lines = [f"{study.title} on {request.data}: {study.question}"]
    trainings, seconds, concurrent = 0, 0.0, 1
    samples: dict[str, Few] = {}  # of each way to read the data, shared by the arms
    for arm in arms:
        sweep = arm_request(request, study, arm)
        plan = make_plan(sweep)
        allotment = allotted(sweep, plan, probe=False)[1]
        concurrent = allotment.concurrent
        count = sweep.trials + seeds if arm.searched else sweep.trials * seeds
        trainings += count
        what = f"{sweep.trials} trials" if arm.searched else f"{sweep.trials} configurations"
        lines.append(f"{arm.name}: {what} of {arm.method}, {seeds} seeds {'of the winner' if arm.searched else 'each'}")
        try:
            check_sweeps([plan])
            read = plan.base.data.model_dump_json()
            if read not in samples:
                samples[read] = few_samples(plan.base, WITHIN)
            share = WITHIN * (1 - DECODING) / len(arms)
            found = estimate(plan.base, few=samples[read], within=share, threads=allotment.threads)
        except (UserError, Diverged) as error:
            lines.append(f"  no estimate: {error}")
            continue
        lines += [f"  {line}" for line in found.lines()]
        seconds += found.once + count * found.trial
    told = f", at least {duration(seconds / concurrent)}" if seconds else ""
    lines.append(f"{study.name}: {trainings} trainings, {concurrent} at a time{told}")
    return lines


def settled(arm: Arm, request: StudyRequest) -> tuple[Arm, dict[str, Any]]:
    """An arm and the values of `--set` that it takes: what its configurations vary stays theirs, and what a search would have
    searched is taken out of its space."""
    overrides = {path: value for path, value in request.overrides.items() if has(arm.method, path)}
    if not arm.searched:
        own = arm.configurations[0]
        return arm, {path: value for path, value in overrides.items() if not any(overlap(path, each) for each in own)}
    if not overrides:
        return arm, overrides
    space = load_space(arm.space(), TrainConfig(data=request.data, method=arm.method))
    fixed = [param.path for param in space.params if any(overlap(param.path, path) for path in overrides)]
    if not fixed:
        return arm, overrides
    content = dict(arm.content or {"version": 2, "extends": arm.method})
    params = {**content.get("params", {}), **dict.fromkeys(fixed)}
    for param in space.params:  # conditions on what is fixed now hold, or never do
        on = {path: wanted for path, wanted in (param.when or {}).items() if path in fixed}
        if on and param.path not in fixed:
            left = {path: wanted for path, wanted in (param.when or {}).items() if path not in fixed}
            params[param.path] = {"when": left or None} if holds(on, overrides) else None
    return replace(arm, content={**content, "params": params}), overrides


def check_overrides(request: StudyRequest, arms: Sequence[Arm]) -> None:
    """Say which arms a method's setting is not for. Raises UserError where it is for none."""
    for path in request.overrides:
        without = [arm.method for arm in arms if not has(arm.method, path)]
        if without and len(without) == len(arms):
            known = [f"method.{name}" for arm in arms for name in methods.get(arm.method).Params.model_fields]
            raise UserError(
                f"--set {path}: no method of {request.name} has it ({', '.join(dict.fromkeys(without))})"
                f"{nearest('.'.join(path.split('.')[:2]), known)}"
            )
        if without:
            logger.info("%s has no %s, so it is left as it is", ", ".join(dict.fromkeys(without)), path)
        varied = [
            arm.name for arm in arms if not arm.searched and any(overlap(path, own) for own in arm.configurations[0])
        ]
        if varied:
            logger.info("%s: %s is what %s is about, so --set leaves it there", request.name, path, ", ".join(varied))


def has(method: str, path: str) -> bool:
    """Whether a configuration of a method has a path; of `method.*` alone it depends on the method."""
    section, _, rest = path.partition(".")
    return section != "method" or rest.partition(".")[0] in {"preset", *methods.get(method).Params.model_fields}


def arm_request(request: StudyRequest, study: Study, arm: Arm) -> SweepRequest:
    """The sweep of one arm: its configurations in their order, each trained with every seed; or a search, whose winner is."""
    seeds = request.trainings(study)
    arm, overrides = settled(arm, request)
    count = request.trials if arm.searched else len(arm.configurations)
    return SweepRequest(
        data=request.data,
        method=arm.method,
        space=arm.space(),
        sampler="tpe" if arm.searched else "random",
        trials=count,
        seeds=seeds + arm.searched,  # the training that won counts for nothing: it was chosen for its score
        repeat_top=1 if arm.searched else count,
        seed=request.seed,
        name=arm.name,
        out=request.folder,
        overrides={**arm.settings, **overrides},
        resume=True,
        quiet=True,
        keep_checkpoints="none" if study.measure is None else "all",
        **request.options,
    )


def _arms(study: Study, setting: Setting) -> list[Arm]:
    """The arms to run. Raises UserError for a method that the study has no arm for."""
    every = study.arms(replace(setting, methods=()))
    check_methods(setting.methods, words_of(every))
    return [arm for arm in every if setting.wants(arm)]


def words_of(arms: Sequence[Arm]) -> list[str]:
    """What `--methods` may name: arms and their methods."""
    return list(dict.fromkeys([*(arm.name for arm in arms), *(arm.method for arm in arms)]))


def check_methods(wanted: Sequence[str], known: Sequence[str]) -> None:
    """Raises UserError for a method, or an arm, that there is none of."""
    for name in wanted:
        if name not in known:
            raise UserError(f"--methods: found '{name}', expected some of {', '.join(known)}{nearest(name, known)}")


def _open_test(request: StudyRequest, arms: Sequence[Arm], setting: Setting, study: Study) -> UserError | None:
    """Score the winners of searches on the test split with the same seeds: one opening for all arms not scored so yet.

    A search that is not finished keeps it shut, one without a winner is left out; both are said. Returned is what kept the
    test split's files from being read.
    """
    places = {arm.name: request.folder / arm.name for arm in arms if arm.searched}
    if not places:
        return None
    left = unfinished(list(places.values()))
    if left:
        logger.warning("%s: the test set stays closed, as these are not finished: %s", study.name, ", ".join(left))
        return None
    found = read_found(request.folder, study, setting)
    for name in places.keys() - found.searches.keys():
        logger.warning("%s: %s has no winner to score on the test set", study.name, name)
    if not found.searches:
        return None
    first = max(first_fresh_seed(read_sweep(places[name])) for name in found.searches)
    wanted = set(range(first, first + request.trainings(study)))
    tried = [each for each in read_openings(request.folder)["openings"] if each.get("finished")]
    asked = {"first_seed": first, "seeds": len(wanted)}
    waiting = {
        name: search.trial
        for name, search in found.searches.items()
        if not any(each["arms"].get(name) == search.trial and asked.items() <= each.items() for each in tried)
        and not wanted <= set(next(iter(found.tests.get(name, {}).values()), {}))
    }
    if not waiting:
        return None
    some = read_sweep(places[next(iter(waiting))])
    allowed = {path: value for path, value in request.overrides.items() if path in FREE}
    try:  # where its files are missing, nothing is opened or counted
        load_test(TrainConfig(**some.spec["base_config"]).override(allowed).data)
    except UserError as error:
        return error
    winners = [f"{name} {search.trial}" for name, search in found.searches.items()]
    plan = plan_of([*winners, *(f"seed {seed}" for seed in wanted)])
    count = append_opening(request.folder, "openings", {"time": now(), "arms": waiting, "plan": plan, **asked})
    logger.warning(
        f"{study.name}: the test set is being opened for {len(waiting)} arms together, time {count} for this study"
    )
    options = request.options
    gpus = options.get("gpus_per_trial")
    local, address = bool(options.get("local")), options.get("address")
    with nullcontext() if local else connected(address):  # one start of Ray for all arms
        for name, trial in waiting.items():
            try:
                evaluate(
                    places[name],
                    True,
                    len(wanted),
                    local,
                    address,
                    options.get("cpus_per_trial") or 1.0,
                    None if gpus == "auto" else gpus,
                    train_on="train",
                    winner_only=True,
                    trust=Trust(data=request.data),
                    trial=trial,
                    first_seed=first,
                    max_concurrent=options.get("max_concurrent"),
                    overrides=allowed,
                )
            except UserError as error:
                logger.warning("%s: %s", study.name, error)
    finish_opening(request.folder)
    return None


def _measure(study: Study, found: Found, trust: Trust, deadline: float | None) -> None:
    """Measure every training that has not been measured, and keep what is found, or why nothing was, in its folder."""
    assert study.measure is not None
    waiting = [each for every in found.trainings.values() for each in every if each.measured is None]
    started = time.monotonic()
    for number, each in enumerate(waiting, 1):
        if deadline is not None and time.monotonic() > deadline:
            logger.warning(
                "%s: the time budget is over; %d trainings are not measured yet", study.name, len(waiting) - number + 1
            )
            return
        try:
            told = study.measure(each.folder, trust)
            reason = "not all of it is finite" if holes(told) else None
        except (
            UserError,
            RuntimeError,
            ValueError,
        ) as error:  # out of memory and unsupported operators are RuntimeErrors
            told, reason = {}, one_line(error)
        if reason is not None:
            logger.warning("%s: %s could not be measured: %s", study.name, each.folder, reason)
            told = {FAILED: reason}
        write_atomically(each.folder / f"{study.name}.json", json.dumps(plain(told), separators=(",", ":")))
        left = (time.monotonic() - started) / number * (len(waiting) - number)
        line = f"{study.name}: {number} of {len(waiting)} trainings measured, about {duration(left)} left"
        logger.info(line, extra=BARE)


def holes(told: Any) -> bool:
    """Whether something measured holds a number that is not finite."""
    if isinstance(told, Mapping):
        return any(map(holes, told.values()))
    if isinstance(told, list | tuple):
        return any(map(holes, told))
    return isinstance(told, float) and not math.isfinite(told)
