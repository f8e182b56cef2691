"""Training what a path needs, a step after the other; the same call goes on where it stopped."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from igmsweep.ablation.changes import Ends, changes
from igmsweep.ablation.folder import AblationFolder
from igmsweep.ablation.outcome import Ablation, amount
from igmsweep.ablation.path import MOST_GREEDY, Order, configurations
from igmsweep.ablation.render import write_ablation
from igmsweep.ablation.surrogate import MINIMUM, Model, model_of
from igmsweep.ablation.view import START, View
from igmsweep.analysis.ranking import winner
from igmsweep.errors import NothingCompleted, UserError, nearest
from igmsweep.evaluate import candidates, connected, first_fresh_seed, paper_default
from igmsweep.frame import Sweep, read_sweep
from igmsweep.lines import BARE, CLOSING
from igmsweep.plugin import Trust
from igmsweep.record.paths import ABLATION
from igmsweep.record.wording import duration
from igmsweep.sweep import ResumeRequest, announce, run_sweeps
from igmsweep.sweep.controller import Controller
from igmsweep.sweep.options import resumed
from igmsweep.sweep.plan import Plan, read_plan
from igmsweep.sweep.session import allotted

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class AblationRequest:
    """What a person asks of an ablation.

    Attributes:
        folder: a sweep's, with at least one completed trial.
        seeds: trainings of each configuration, the same seeds for all; more of them later add to what is there.
        order: None: greedy up to `MOST_GREEDY` changes.
        trial: the other end of the path; None: the winner by validation.
        root: folder of the data set, where it has moved since the sweep.
        trust: which Python files the sweep's folder may have run.
        options: of a resumed sweep, by name (`local`, `max_concurrent`, `time_budget_s`, ...); what is left out is as in the sweep.
    """

    folder: Path
    seeds: int = 3
    order: Order | None = None
    trial: int | None = None
    root: Path | None = None
    trust: Trust = field(default_factory=Trust)
    options: Mapping[str, Any] = field(default_factory=dict)


def ablate(request: AblationRequest) -> Ablation:
    """Train what is missing of a path, and write its page and tables; what has been trained is not trained again.

    Raises:
        UserError: no sweep, no paper's values in it, nothing that differs, a folder of another path, an untrusted Python file.
        NothingCompleted: no trial of the sweep has completed, or no training of the ablation has.
        ResourceError: a training could never be given what it asks for.
    """
    run, began = _Run(request), time.monotonic()
    code = run.train()
    found = run.outcome(code)
    page = write_ablation(run.folder.path, found)
    logger.log(CLOSING, f"{found.trained} trainings, {duration(time.monotonic() - began)}: {page}")
    if not found.trained and not found.left:
        raise NothingCompleted(f"{run.folder.path}: no training has completed; {page} says what there is")
    return found


def dry(request: AblationRequest) -> list[str]:
    """What would be trained, and about how long that takes by the sweep's own trials."""
    return _Run(request).plan()


class _Run:
    """A request, checked and resolved; nothing is trained yet."""

    def __init__(self, request: AblationRequest) -> None:
        self.request = request
        if request.seeds < 1:
            raise UserError(f"--seeds: found {request.seeds}, expected at least 1")
        if request.order not in (None, "greedy", "surrogate"):
            near = nearest(request.order, ["greedy", "surrogate"])
            raise UserError(f"--order: found '{request.order}', expected greedy or surrogate{near}")
        self.sweep = read_sweep(request.folder)
        self.trial = _end(self.sweep, request.trial)
        self.plan_of_sweep: Plan = read_plan(self.sweep.dir, request.trust)
        space = self.plan_of_sweep.space
        default = paper_default(self.sweep, request.trust)
        if default is None:
            raise UserError(
                f"{self.sweep.dir}: its sweep.yaml has no paper's values, so there is no default to begin at"
            )
        end = candidates(self.sweep, request.root, request.trust, self.trial)[0]["config"]
        start = default.override({"data.root": end.data.root, "data.bad_share": self.plan_of_sweep.base.data.bad_share})
        self.ends = Ends(space, start, changes(space, start, end))
        count = len(self.ends.changes)
        if not count:
            raise UserError(f"{self.sweep.dir}: trial {self.trial} is {START} itself, so there is no step between them")
        self.order: Order = request.order or ("greedy" if count <= MOST_GREEDY else "surrogate")
        self.model: Model | None = model_of(self.sweep)
        if self.order == "surrogate" and self.model is None:
            raise UserError(
                f"--order surrogate: {self.sweep.dir} has {len(self.sweep.completed())} completed trials, expected at least "
                f"{MINIMUM} to learn from; take --order greedy"
            )
        place = self.sweep.dir.resolve() / ABLATION / f"trial{self.trial}"
        described = self.plan_of_sweep.spec
        self.folder = AblationFolder(place, self.ends, described, first_fresh_seed(self.sweep), request.trust)
        self.seeds = tuple(range(self.folder.seed, self.folder.seed + request.seeds))
        self.options = resumed(described, {}, request.options)
        self.options.check()

    def view(self) -> View:
        """What there is now."""
        return View(self.ends, self.folder, self.seeds, self.order, self.model, self.sweep.metric, self.sweep.maximise)

    def plan(self) -> list[str]:
        """What would be trained."""
        count, left = configurations(len(self.ends.changes), self.order), self.view().left
        resources = self.plan_of_sweep.spec.get("resources") or {}
        _, allotment = allotted(self.options, self.plan_of_sweep, False, resources.get("asked") or {}, resources)
        seconds = self.sweep.completed()["seconds"].to_numpy(dtype=float)
        about = f", about {duration(math.ceil(left / allotment.concurrent) * float(np.median(seconds)))}"
        return [
            f"{self.sweep.name}: from {START} to trial {self.trial}, {self.order}, in {len(self.ends.changes)} steps:",
            *(f"  {change.words}" for change in self.ends.changes),
            f"{count} configurations, {len(self.seeds)} seeds each: {left} trainings are left, "
            f"{allotment.concurrent} at a time{about}",
        ]

    def train(self) -> int:
        """Train a step's configurations after the other's, until the path is whole or the time budget is over.

        Returns:
            0, or the exit code of the signal that ended it.
        """
        view, told = self.view(), 1
        announce.data([self.plan_of_sweep] if view.todo else [])
        budget = self.options.time_budget_s
        deadline = None if budget is None else time.monotonic() + budget
        ray_needed = view.todo and not self.options.local
        with connected(self.options.address) if ray_needed else nullcontext():  # one start of Ray for all steps
            progress = _Progress(view.left)
            while view.todo:
                left = None if deadline is None else deadline - time.monotonic()
                if left is not None and left <= 0:
                    logger.warning("the time budget ended it; the same command goes on")
                    return 0
                total = self.folder.append(view.todo, len(self.seeds))
                options = {**self.request.options, "trials": total, "seeds": len(self.seeds), "time_budget_s": left}
                again = ResumeRequest(self.folder.path, trust=self.request.trust, quiet=True, **options)
                (result,) = run_sweeps([again], progress)
                if result.interrupted:
                    return result.interrupted
                view = self.view()
                for place, point in enumerate(view.points()[told:], told):
                    gives = "" if point.gain is None else f" gives {amount(point.gain)}"
                    logger.info(f"step {place}: {point.name}{gives}", extra=BARE)
                told, progress.left = max(told, len(view.path)), view.left
        return 0

    def outcome(self, interrupted: int) -> Ablation:
        """What has been found so far."""
        view, done = self.view(), self.sweep.completed()
        return Ablation(
            sweep=self.sweep.name,
            data=str(self.sweep.data.get("name", "")),
            method=self.sweep.method,
            trial=self.trial,
            metric=self.sweep.metric,
            order=self.order,
            seeds=self.seeds,
            points=view.points(),
            changes=len(self.ends.changes),
            chosen=float(done.loc[done["trial"] == self.trial, f"metrics.{self.sweep.metric}"].iloc[0]),
            left=view.left,
            trained=view.trained,
            learnt=0 if self.model is None else self.model.trials,
            explained=None if self.model is None else self.model.explained,
            interrupted=interrupted,
        )


@dataclass
class _Progress:
    """A line for every training that ends. `left`: trainings that are missing."""

    left: int
    done: int = 0
    began: float = field(default_factory=time.monotonic)

    def __call__(self, sweeps: Sequence[Controller]) -> None:
        self.done, self.left = self.done + 1, max(0, self.left - 1)
        about = duration((time.monotonic() - self.began) / self.done * self.left)
        logger.info("ablate: %d trained, %d left, about %s", self.done, self.left, about, extra=BARE)


def _end(sweep: Sweep, asked: int | None) -> int:
    """The trial that the path leads to. Raises UserError for one that has not completed."""
    best = winner(sweep)
    if asked is not None and asked not in set(sweep.completed()["trial"]):
        raise UserError(f"--trial: found {asked}, expected a completed trial of {sweep.name}, such as {best}")
    return best if asked is None else asked
