"""Running a study: its arms as sweeps side by side on one set of workers; the same command goes on where it stopped."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml

from igmsweep import data as datasets
from igmsweep.disk import write_atomically
from igmsweep.errors import Diverged, NothingCompleted, UserError, nearest
from igmsweep.evaluate import evaluate
from igmsweep.lines import BARE, CLOSING
from igmsweep.plugin import Trust
from igmsweep.record.folder import SweepFolder, is_sweep
from igmsweep.record.json_files import plain, read_object
from igmsweep.record.openings import append_opening, read_openings
from igmsweep.record.paths import trial_folder
from igmsweep.record.ranking import to_repeat
from igmsweep.record.rows import TrialRow
from igmsweep.record.stamps import now
from igmsweep.record.states import FINISHED
from igmsweep.record.status import status as sweep_status
from igmsweep.record.wording import duration
from igmsweep.studies import get, names
from igmsweep.studies.base import Arm, Found, Setting, Study, Trained
from igmsweep.studies.render import write_study
from igmsweep.sweep import SweepRequest, run_sweeps
from igmsweep.sweep.controller import Controller
from igmsweep.sweep.estimate import estimate
from igmsweep.sweep.plan import make_plan

logger = logging.getLogger(__name__)

STUDY_FILE = "study.yaml"
METRIC = "val/acc"
"""What searches go by."""


@dataclass(frozen=True)
class StudyRequest:
    """What a person asks of a study.

    Attributes:
        name: of the study.
        data: as in a `SweepRequest`.
        seeds: trainings of each configuration; None: the study's own number.
        options: other options of a `SweepRequest`, the same for all arms.
        trials: of each search.
        methods: what a study of many methods is cut to; none for all.
        confirm_test: score winners on the test split in the end, which is opened once for all arms, and counted.
    """

    name: str
    data: str
    seeds: int | None = None
    seed: int = 0
    out: Path = Path("results")
    overrides: Mapping[str, Any] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    trials: int = 16
    methods: tuple[str, ...] = ()
    confirm_test: bool = False

    def trainings(self, study: Study) -> int:
        """Of each configuration: what was asked for, or the study's own number."""
        return study.seeds if self.seeds is None else self.seeds

    @property
    def folder(self) -> Path:
        """`<out>/<study>-<data>`."""
        return Path(self.out).expanduser().resolve() / f"{self.name}-{Path(self.data.split(':')[0]).stem}"


def setting_of(data: str, methods: tuple[str, ...] = ()) -> Setting:
    """What a study needs to know of a data set; nothing of it is read but its declaration."""
    dataset = datasets.get(data)
    kinds = {name: each.kind for name, each in dataset.modalities.items()}
    return Setting(data, tuple(kinds), kinds, tuple(dataset.metrics), methods)


def run_study(request: StudyRequest) -> Path:
    """Train what is left of a study's arms and write its page; return the page.

    Raises:
        UserError, ResourceError: anything that cannot work, before a training has started; a folder of another request.
        NothingCompleted: no training has completed.
    """
    study, setting = get(request.name), setting_of(request.data, request.methods)
    arms = _arms(study, setting)
    requests = [arm_request(request, study, arm) for arm in arms]
    _remember(request)
    started, before = time.monotonic(), None

    def progress(sweeps: Sequence[Controller]) -> None:
        nonlocal before
        done, wanted = sum(each.progress.done for each in sweeps), sum(each.wanted for each in sweeps)
        before = done - 1 if before is None else before
        seconds = (time.monotonic() - started) / max(1, done - before) * (wanted - done)
        logger.info("%s: %d of %d trainings, about %s left", study.name, done, wanted, duration(seconds), extra=BARE)

    results = run_sweeps(requests, progress)
    interrupted = next((each.interrupted for each in results if each.interrupted), 0)
    if study.measure is not None and not interrupted:
        _measure(study, read_found(request.folder, study, setting), Trust(data=request.data))
    if request.confirm_test and not interrupted:
        _open_test(request, study, arms, request.trainings(study))
    found = read_found(request.folder, study, setting)
    page = write_study(request.folder, study, study.outcome(found), found)
    trained = sum(len(each) for each in found.trainings.values())
    logger.log(CLOSING, f"{study.name}: {trained} trainings in {duration(time.monotonic() - started)}: {page}")
    if interrupted:
        raise SystemExit(interrupted)
    if trained == 0:
        raise NothingCompleted(f"{request.folder}: no training has completed; {page} says what there is")
    return page


def run_paper(request: StudyRequest) -> Path:
    """Every study, one after the other, in `<out>/paper-<data>`, and all claims in one table, `claims.md`; return it.

    A study that cannot be made for this data is left out, which is said.

    Raises:
        UserError, ResourceError: as `run_study`, of the first study.
    """
    place = request.folder
    lines = ["| study | claim | seen? | by |", "|---|---|---|---|"]
    for name in names():
        study, setting = get(name), setting_of(request.data)
        try:
            study.arms(setting)
        except UserError as error:
            logger.warning(str(error))
            continue
        methods = request.methods if name == "table1" else ()
        one = replace(request, name=name, out=place, methods=methods)
        run_study(one)
        for claim in study.outcome(read_found(one.folder, study, setting_of(request.data, methods))).claims:
            words = "–" if claim.difference is None else claim.difference.words
            lines.append(f"| {name} | {claim.paper} | {claim.verdict} | {words} |")
    write_atomically(place / "claims.md", "\n".join(lines) + "\n")
    logger.log(CLOSING, f"paper: {place / 'claims.md'}")
    return place / "claims.md"


def dry(request: StudyRequest) -> list[str]:
    """What would run here, and how long it would take, measured on a few steps of each method."""
    study, setting = get(request.name), setting_of(request.data, request.methods)
    seeds = request.trainings(study)
    lines = [f"{study.title} on {request.data}: {study.question}"]
    for arm in _arms(study, setting):
        sweep = arm_request(request, study, arm)
        plan = make_plan(sweep)
        count = sweep.trials + seeds if arm.searched else sweep.trials * seeds
        what = f"{sweep.trials} trials" if arm.searched else f"{sweep.trials} configurations"
        lines.append(f"{arm.name}: {what} of {arm.method}, {seeds} seeds {'of the winner' if arm.searched else 'each'}")
        try:
            lines += [f"  {line}" for line in estimate(plan.base).lines(count, sweep.max_concurrent or 1)]
        except (UserError, Diverged) as error:
            lines.append(f"  no estimate: {error}")
    return lines


def arm_request(request: StudyRequest, study: Study, arm: Arm) -> SweepRequest:
    """The sweep of one arm: its configurations in their order, each trained with every seed; or a search, whose winner is."""
    seeds = request.trainings(study)
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
        overrides={**arm.settings, **request.overrides},
        resume=True,
        quiet=True,
        keep_checkpoints="none" if study.measure is None else "all",
        **request.options,
    )


def read_found(folder: Path, study: Study, setting: Setting) -> Found:
    """What the folders of a study's arms hold."""
    trainings: dict[str, list[Trained]] = {}
    tests = {}
    for arm in study.arms(setting):
        place = folder / arm.name
        rows = list(SweepFolder.read(place).rows.values()) if is_sweep(place) else []
        if arm.searched:
            rows = fresh(rows)
            tests[arm.name] = tested(place)
        trainings[arm.name] = sorted(
            (
                Trained(
                    row.params,
                    row.seed,
                    row.metrics,
                    trial_folder(place, row.trial),
                    row.seconds,
                    read_object(trial_folder(place, row.trial) / f"{study.name}.json") if study.measure else None,
                )
                for row in rows
                if row.complete and row.seed is not None
            ),
            key=lambda each: each.seed,
        )
    return Found(setting, trainings, tests)


def fresh(rows: Sequence[TrialRow]) -> list[TrialRow]:
    """Of a search, the winner's trainings with other seeds than that it won with."""
    winner = to_repeat({row.trial: row for row in rows}, METRIC, "max", 1)
    return [row for row in rows if winner and row.repeat_of == winner[0]]


def tested(place: Path) -> dict[str, dict[int, float]]:
    """Metric -> seed -> test score of a search's winner, by its latest evaluation; empty where there is none."""
    evaluations = read_openings(place)["evaluations"]
    if not evaluations:
        return {}
    winner = evaluations[-1]["candidates"][0]
    return {name: dict(zip(winner["seeds"], scores, strict=True)) for name, scores in winner["per_seed"].items()}


def _arms(study: Study, setting: Setting) -> list[Arm]:
    """The arms to run. Raises UserError for a method that the study has no arm for."""
    every = study.arms(replace(setting, methods=()))
    known = dict.fromkeys([*(arm.name for arm in every), *(arm.method for arm in every)])
    for name in setting.methods:
        if name not in known:
            raise UserError(f"--methods: found '{name}', expected some of {', '.join(known)}{nearest(name, known)}")
    return [arm for arm in every if setting.wants(arm)]


def _open_test(request: StudyRequest, study: Study, arms: Sequence[Arm], seeds: int) -> None:
    """Score the winners of searches on the test split: one opening for all arms that have not been scored so yet."""
    places = [request.folder / arm.name for arm in arms if arm.searched]
    waiting = [place for place in places if len(next(iter(tested(place).values()), {})) < seeds]
    if not waiting:
        return
    count = append_opening(request.folder, "openings", {"time": now(), "arms": [place.name for place in waiting]})
    logger.warning(
        f"{study.name}: the test set is being opened for {len(waiting)} arms together, time {count} for this study"
    )
    local = bool(request.options.get("local"))
    for place in waiting:
        evaluate(place, True, seeds, local, train_on="train", winner_only=True, trust=Trust(data=request.data))


def _measure(study: Study, found: Found, trust: Trust) -> None:
    """Measure every training that has not been measured, and keep what is found in its folder."""
    assert study.measure is not None
    waiting = [each for every in found.trainings.values() for each in every if each.measured is None]
    started = time.monotonic()
    for number, each in enumerate(waiting, 1):
        told = study.measure(each.folder, trust)
        write_atomically(each.folder / f"{study.name}.json", json.dumps(plain(told), separators=(",", ":")))
        left = (time.monotonic() - started) / number * (len(waiting) - number)
        line = f"{study.name}: {number} of {len(waiting)} trainings measured, about {duration(left)} left"
        logger.info(line, extra=BARE)


def _remember(request: StudyRequest) -> None:
    """Write down what the study is, so that `resumed` finds it; what may change, such as the seeds, is written anew.

    Raises:
        UserError: the folder is of a study of another kind.
    """
    fixed = {"study": request.name, "data": request.data, "seed": request.seed, "overrides": dict(request.overrides)}
    path = request.folder / STUDY_FILE
    if path.is_file():
        before = _remembered(request.folder)
        for key, value in fixed.items():
            if before.get(key) != value:
                raise UserError(f"{path}: was made with {key} {before.get(key)}, now {value}; choose another --out")
    request.folder.mkdir(parents=True, exist_ok=True)
    kept = {name: value for name, value in request.options.items() if name not in ("time_budget_s", "address")}
    told = {
        **fixed,
        "seeds": request.seeds,
        "options": kept,
        "trials": request.trials,
        "methods": list(request.methods),
    }
    write_atomically(path, yaml.safe_dump(told, sort_keys=False))


def _remembered(folder: Path) -> dict[str, Any]:
    path = folder / STUDY_FILE
    if not path.is_file():
        raise UserError(f"{folder}: no study here; expected a folder with {STUDY_FILE}")
    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError):
        found = None
    if not isinstance(found, dict) or not {"study", "data", "seed", "overrides", "seeds", "options"} <= found.keys():
        raise UserError(f"{path}: cannot be read as what a study was asked")
    return found


def resumed(
    folder: Path, seeds: int | None = None, options: Mapping[str, Any] | None = None, trust: bool = False
) -> StudyRequest:
    """The request that a study's folder was made by, to go on with it.

    Args:
        seeds, options: in place of those of the last time.
        trust: whether a Python file may be run that the folder names as its data set.

    Raises:
        UserError: no study there, or it names a Python file and that is not trusted.
    """
    place = Path(folder).expanduser().resolve()
    told = _remembered(place)
    Trust(everything=trust).check({"data": {"name": told["data"]}}, place / STUDY_FILE)
    request = StudyRequest(
        str(told["study"]),
        str(told["data"]),
        told["seeds"] if seeds is None else seeds,
        int(told["seed"]),
        place.parent,
        dict(told["overrides"]),
        {**dict(told["options"]), **(options or {})},
        int(told.get("trials", 16)),
        tuple(told.get("methods", ())),
    )
    if request.folder != place:
        raise UserError(f"{place}: is named otherwise than {request.folder.name}, the folder that its study goes on in")
    return request


def status(folder: Path) -> list[str]:
    """How a study's arms stand, a line each and a last one for all."""
    place = Path(folder)
    study = get(str(_remembered(place)["study"]))
    lines, done, wanted = [], 0, 0
    for arm in sorted(path for path in place.iterdir() if is_sweep(path)):
        found = sweep_status(arm)
        finished = sum(count for state, count in found["counts"].items() if state in FINISHED)
        done, wanted = done + finished, wanted + found["wanted"]
        failed = found["counts"].get("failed", 0)
        lines.append(
            f"{arm.name}: {found['state']}, {finished} of {found['wanted']} trainings"
            + (f", {failed} failed" if failed else "")
        )
    last = f"{study.name}: {done} of {wanted} trainings; `igmsweep study resume {place}` goes on"
    return [*lines, last if done < wanted or not lines else f"{study.name}: all {wanted} trainings have ended"]
