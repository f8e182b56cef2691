"""Proposing configurations: an Optuna study in a journal file, told the truth about every trial.

`Proposer` is what both runners ask. It answers exact duplicates from what is known, leaves no trial RUNNING after a
failure (a zombie would bias a sampler that assumes the worst of running trials), and never proposes what the space
forbids.

Every proposal has a sampler of its own, seeded by (seed, number of the proposal). A proposal then depends on nothing but
the trials before it, so a study that is rebuilt from the ledger goes on with exactly the configurations that the
uninterrupted search would have tried.
"""

from __future__ import annotations

import hashlib
import itertools
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import optuna
from optuna.storages.journal import JournalFileBackend
from optuna.trial import TrialState

from igmsweep.errors import UserError
from igmsweep.record.rows import TrialRow, repeated_trial
from igmsweep.record.states import State
from igmsweep.spaces.design import sobol_design
from igmsweep.spaces.space import SearchSpace, canonical

MAX_REDRAWS = 200
FITTED = 10
"""A model is fitted once so many trials have ended, at the latest."""


@dataclass
class Proposal:
    """A configuration to try. `known` is the ledger's row of an equal trial that has finished already."""

    number: int
    params: dict[str, Any]
    source: str
    extra: dict[str, Any] = field(default_factory=dict)
    """Other configuration values that an enqueued preset brings along, or the seed of a repeated training."""
    duplicate_of: int | None = None
    known: TrialRow | None = None

    @property
    def repeats(self) -> bool:
        """Whether it trains an earlier configuration again, with another seed; the study hears nothing of it."""
        return repeated_trial(self.source) is not None


@dataclass
class Enqueued:
    """A configuration to try before the sampler's own proposals."""

    params: dict[str, Any]
    source: str
    extra: dict[str, Any] = field(default_factory=dict)


class Proposer:
    """Asks Optuna for `limit` configurations in all and tells it how they went.

    Args:
        space: what is searched.
        sampler: tpe, random, sobol, sobol+tpe, grid, gp or cmaes.
        limit: configurations in all.
        seed: of the sampler.
        startup: what comes before a model's choices, as `startup_trials` has it.
        journal: the study's file, written anew; the ledger is the truth, so an old one is not read.
        enqueued: configurations that come first.
        warm: finished trials of earlier sweeps, with `params`, `value` and `source`.
    """

    def __init__(
        self,
        space: SearchSpace,
        sampler: str,
        limit: int,
        seed: int,
        startup: int,
        journal: Path,
        enqueued: list[Enqueued],
        warm: list[dict[str, Any]] | None = None,
        grid_points: int = 6,
    ) -> None:
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)
        check_sampler(sampler)
        self.space, self.seed, self.startup = space, seed, startup
        self.sampler_name = "tpe" if sampler == "sobol+tpe" else sampler
        """Who chooses what is neither enqueued nor designed."""
        for leftover in (journal, Path(f"{journal}.lock")):  # Optuna's lock outlives a killed driver
            leftover.unlink(missing_ok=True)
        storage = optuna.storages.JournalStorage(JournalFileBackend(str(journal)))
        self.study = optuna.create_study(
            study_name=journal.parent.name,
            storage=storage,
            sampler=self._sampler(0, 0),
            direction="maximize" if space.mode == "max" else "minimize",
        )
        queue = list(enqueued)
        if sampler == "grid":
            # a grid of many parameters would not fit into memory; one more than needed tells that it was cut
            points = itertools.islice(space.grid(grid_points), max(0, limit - len(queue)) + 1)
            queue += [Enqueued(values, "grid") for values in points]
        self.cut = sampler == "grid" and len(queue) > limit
        """Whether a grid has more configurations than there are trials."""
        self.limit = min(limit, len(queue)) if sampler == "grid" else limit
        self._queue = queue
        self._design: Iterator[dict[str, Any]] = iter(())
        """What comes after the queue, whatever the scores are."""
        if sampler in ("sobol", "sobol+tpe"):
            self._design = sobol_design(space, self._seed_of("sobol"))
        if sampler == "sobol+tpe":
            self._design = itertools.islice(self._design, startup)
        self._trials: dict[int, optuna.trial.Trial] = {}
        self._finished: dict[str, TrialRow] = {}
        self._keys: dict[int, str] = {}
        self.proposed = 0
        """Configurations proposed so far; repeated trainings are not proposals."""
        self.next_number = 0
        for entry in warm or []:
            self.study.add_trial(
                optuna.trial.create_trial(
                    params=entry["params"],
                    distributions=self._distributions(entry["params"]),
                    value=entry["value"],
                    user_attrs={"source": entry["source"]},
                )
            )

    def restore(self, rows: Mapping[int, TrialRow]) -> tuple[list[Proposal], dict[int, str]]:
        """Rebuild the study from the ledger's rows.

        Returns:
            The trials that have not finished, to be gone on with; and those that are no configurations of this space, which
            the sampler is not told of, with the reason.
        """
        unfinished, unfit = [], {}
        for number in sorted(rows):
            row = rows[number]
            self.next_number = number + 1
            wrong = self.space.unfit(row.params)
            if wrong is not None:
                unfit[number] = wrong
                self.proposed += not row.is_repeat
                continue
            proposal = Proposal(number, dict(row.params), row.source, dict(row.fixed_overrides))
            if not proposal.repeats:
                self.proposed += 1
                self._keys[number] = canonical({"params": proposal.params, "extra": proposal.extra})
            if not row.finished:
                if not proposal.repeats:
                    self._reopen(proposal, row)
                unfinished.append(proposal)
            elif not proposal.repeats and self.sampler_name == "cmaes":
                self._reopen(proposal, row)
                self.tell(row)
            elif not proposal.repeats:
                self._add(row)
        return unfinished, unfit

    def ask(self) -> Proposal | None:
        """The next configuration, or None when all have been proposed."""
        if self.proposed >= self.limit:
            return None
        trial, params, source, extra = self._draw(self.proposed)
        number = self.number()
        self.proposed += 1
        trial.set_user_attr("trial", number)
        trial.set_user_attr("source", source)
        self._trials[number] = trial
        key = canonical({"params": params, "extra": extra})
        self._keys[number] = key
        proposal = Proposal(number, params, source, extra)
        if key in self._finished:
            proposal.known = self._finished[key]
            proposal.duplicate_of = proposal.known.trial
        return proposal

    def number(self) -> int:
        """A number for a new trial."""
        self.next_number += 1
        return self.next_number - 1

    def report(self, number: int, cycle: int, value: float) -> None:
        """A score at the end of a cycle, for the study's intermediate values."""
        trial = self._trials.get(number)
        if trial is not None:
            trial.report(value, step=cycle)

    def tell(self, row: TrialRow) -> None:
        """A trial ended as its row says: complete, pruned, or anything else, which is a failure."""
        trial = self._trials.pop(row.trial, None)
        if trial is None:
            return
        value = row.score(self.space.metric)
        if row.state is State.PRUNED and value is not None:
            self.study.tell(trial, state=TrialState.PRUNED)
        elif row.state is State.COMPLETE and value is not None:
            for name, item in row.metrics.items():
                trial.set_user_attr(name, item)
            self.study.tell(trial, value)
            self._remember(row)
        else:
            self.study.tell(trial, state=TrialState.FAIL)

    def abandon(self) -> None:
        """Mark what is still open as failed, so that nobody who opens the journal finds a trial running for ever."""
        for trial in self._trials.values():
            self.study.tell(trial, state=TrialState.FAIL)
        self._trials.clear()

    def _draw(self, index: int) -> tuple[optuna.trial.Trial, dict[str, Any], str, dict[str, Any]]:
        """The proposal number `index`: an Optuna trial, its parameters, their source and what a preset brings along."""
        for redraw in range(MAX_REDRAWS):
            source, extra = self.sampler_name, {}
            self.study.sampler = self._sampler(index, redraw)
            entry = self._planned(index) if redraw == 0 else None
            if entry is not None:
                self.study.enqueue_trial(entry.params)
                source, extra = entry.source, entry.extra
            trial = self.study.ask()
            params = self.space(trial)
            if not self.space.forbidden(params):
                return trial, params, source, extra
            trial.set_user_attr("forbidden", True)
            self.study.tell(trial, state=TrialState.FAIL)
        raise UserError(f"{self.space.source}: forbid: {MAX_REDRAWS} proposals in a row were forbidden")

    def _planned(self, index: int) -> Enqueued | None:
        """The configuration that has the place `index` whatever the scores are; None where the sampler chooses."""
        missing = max(0, index + 1 - len(self._queue))
        self._queue += [Enqueued(values, "sobol") for values in itertools.islice(self._design, missing)]
        return self._queue[index] if index < len(self._queue) else None

    def _sampler(self, number: int, redraw: int) -> optuna.samplers.BaseSampler:
        return make_sampler(self.sampler_name, self._seed_of(f"{number}/{redraw}"), self.startup)

    def _seed_of(self, what: str) -> int:
        return int.from_bytes(hashlib.sha256(f"{self.seed}/{what}".encode()).digest()[:4], "big")

    def _remember(self, row: TrialRow) -> None:
        if not row.is_duplicate:
            self._finished.setdefault(self._keys[row.trial], row)

    def _distributions(self, params: Mapping[str, Any]) -> dict[str, optuna.distributions.BaseDistribution]:
        return {param.path: param.distribution() for param in self.space.params if param.path in params}

    def _reopen(self, proposal: Proposal, row: TrialRow) -> None:
        trial = None
        if self.sampler_name == "cmaes":  # its state lies in the trials that it was asked for, so it is asked again
            trial, params, _, _ = self._draw(self.proposed - 1)
            if params != proposal.params:
                self.study.tell(trial, state=TrialState.FAIL)
                trial = None
        if trial is None:
            self.study.enqueue_trial(proposal.params)
            trial = self.study.ask()
            self.space(trial)
        trial.set_user_attr("trial", proposal.number)
        trial.set_user_attr("source", proposal.source)
        self._trials[proposal.number] = trial
        for cycle, score in row.rungs.items():
            trial.report(score, step=cycle)

    def _add(self, row: TrialRow) -> None:
        value, state = row.score(self.space.metric), TrialState.FAIL
        if value is not None and row.state is State.COMPLETE:
            state = TrialState.COMPLETE
            self._remember(row)
        elif value is not None and row.state is State.PRUNED:
            state = TrialState.PRUNED
        self.study.add_trial(
            optuna.trial.create_trial(
                state=state,
                params=dict(row.params),
                distributions=self._distributions(row.params),
                value=None if state == TrialState.FAIL else value,
                intermediate_values=dict(row.rungs),
                user_attrs={"trial": row.trial, "source": row.source, **row.metrics},
            )
        )


def check_sampler(name: str) -> None:
    """Raise UserError for a sampler whose package is missing."""
    if name == "cmaes" and find_spec("cmaes") is None:
        raise UserError("--sampler cmaes: needs the package `cmaes`; install it, or take --sampler tpe")


def startup_trials(sampler: str, trials: int) -> int:
    """What comes before a model's choices: random configurations, a third of a small search, at most 10. Of `sobol+tpe`:
    points of the design, half of all trials; `sweep.yaml` keeps the number, so a sweep that is extended is split as before.
    """
    random = max(4, min(FITTED, trials // 3))
    return max(random, trials // 2) if sampler == "sobol+tpe" else random


def make_sampler(name: str, seed: int, startup: int) -> optuna.samplers.BaseSampler:
    """An Optuna sampler by igmsweep's name."""
    startup = min(startup, FITTED)  # half of a design may be more, and some of it may fail
    if name == "tpe":
        # `group` keeps the joint model where conditional parameters come and go
        return optuna.samplers.TPESampler(
            multivariate=True, group=True, constant_liar=True, seed=seed, n_startup_trials=startup
        )
    if name in ("random", "sobol", "grid"):
        return optuna.samplers.RandomSampler(seed=seed)
    if name == "gp":
        return optuna.samplers.GPSampler(seed=seed, n_startup_trials=startup)
    return optuna.samplers.CmaEsSampler(seed=seed, n_startup_trials=startup)
