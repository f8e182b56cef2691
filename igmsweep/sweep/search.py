"""Proposing configurations: an Optuna study in a journal file, told the truth about every trial.

`Proposer` is what both runners ask. It answers exact duplicates from what is known, leaves no trial RUNNING after a
failure (a zombie would bias a sampler that assumes the worst of running trials), and never proposes what the space
forbids. `StudySearch` hands it to Ray Tune.
"""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import optuna

from igmsweep.errors import UserError
from igmsweep.sweep.space import SearchSpace, canonical

MAX_REDRAWS = 200


@dataclass
class Proposal:
    """A configuration to try. `known` holds the metrics when an equal one has finished already."""

    number: int
    params: dict[str, Any]
    source: str
    extra: dict[str, Any] = field(default_factory=dict)
    """Other configuration values that an enqueued preset brings along."""
    duplicate_of: int | None = None
    known: dict[str, float] | None = None


@dataclass
class Enqueued:
    """A configuration to try before the sampler's own proposals."""

    params: dict[str, Any]
    source: str
    extra: dict[str, Any] = field(default_factory=dict)


class Proposer:
    """Asks Optuna for `limit` configurations in all and tells it how they went."""

    def __init__(
        self,
        space: SearchSpace,
        sampler: str,
        limit: int,
        seed: int,
        journal: Path,
        enqueued: list[Enqueued],
        grid_points: int = 6,
    ) -> None:
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)
        self.space = space
        self.sampler_name = sampler
        self.limit = limit
        storage = optuna.storages.JournalStorage(optuna.storages.journal.JournalFileBackend(str(journal)))
        self.study = optuna.create_study(
            study_name=journal.parent.name,
            storage=storage,
            sampler=make_sampler(sampler, seed, limit),
            direction="maximize" if space.mode == "max" else "minimize",
        )
        queue = list(enqueued)
        if sampler == "grid":
            # a grid of many parameters would not fit into memory; one more than needed tells that it was cut
            points = itertools.islice(space.grid(grid_points), max(0, limit - len(queue)) + 1)
            queue += [Enqueued(values, "grid") for values in points]
            self.limit = min(limit, len(queue))
        self.cut = sampler == "grid" and len(queue) > limit
        """Whether a grid has more configurations than there are trials."""
        self._queue = queue[: self.limit]
        self._trials: dict[int, optuna.trial.Trial] = {}
        self._finished: dict[str, tuple[int, dict[str, float]]] = {}
        self._keys: dict[int, str] = {}
        self.count = 0

    def ask(self) -> Proposal | None:
        """The next configuration, or None when all have been proposed."""
        if self.count >= self.limit:
            return None
        for _ in range(MAX_REDRAWS):
            source, extra = self.sampler_name, {}
            if self._queue:
                entry = self._queue.pop(0)
                self.study.enqueue_trial(entry.params, user_attrs={"source": entry.source})
                source, extra = entry.source, entry.extra
            trial = self.study.ask()
            params = self.space(trial)
            if not self.space.forbidden(params):
                break
            trial.set_user_attr("forbidden", True)
            self.study.tell(trial, state=optuna.trial.TrialState.FAIL)
        else:
            raise UserError(f"{self.space.source}: forbid: {MAX_REDRAWS} proposals in a row were forbidden")
        number = self.count
        self.count += 1
        trial.set_user_attr("trial", number)
        trial.set_user_attr("source", source)
        self._trials[number] = trial
        key = canonical({"params": params, "extra": extra})
        self._keys[number] = key
        proposal = Proposal(number, params, source, extra)
        if key in self._finished:
            proposal.duplicate_of, proposal.known = self._finished[key]
        return proposal

    def tell(self, number: int, metrics: Mapping[str, float] | None) -> None:
        """A trial ended: with metrics, or None when it failed or was interrupted."""
        trial = self._trials.pop(number, None)
        if trial is None:
            return
        value = None if metrics is None else metrics.get(self.space.metric)
        if metrics is None or value is None or value != value:
            self.study.tell(trial, state=optuna.trial.TrialState.FAIL)
            return
        for name, item in metrics.items():
            trial.set_user_attr(name, item)
        self.study.tell(trial, value)
        self._finished.setdefault(self._keys[number], (number, dict(metrics)))

    def abandon(self) -> None:
        """Mark what is still open as failed, so that nobody who opens the journal finds a trial running for ever."""
        for number in list(self._trials):
            self.tell(number, None)


def make_sampler(name: str, seed: int, limit: int) -> optuna.samplers.BaseSampler:
    """An Optuna sampler by igmsweep's name. Raises UserError for one whose package is missing."""
    startup = max(4, min(10, limit // 3))
    if name == "tpe":
        # `group` keeps the joint model where conditional parameters come and go
        return optuna.samplers.TPESampler(
            multivariate=True, group=True, constant_liar=True, seed=seed, n_startup_trials=startup
        )
    if name in ("random", "grid"):
        return optuna.samplers.RandomSampler(seed=seed)
    if name == "gp":
        return optuna.samplers.GPSampler(seed=seed, n_startup_trials=startup)
    if find_spec("cmaes") is None:  # Optuna would find out after the start-up trials
        raise UserError("--sampler cmaes: needs the package `cmaes`; install it, or take --sampler tpe")
    return optuna.samplers.CmaEsSampler(seed=seed, n_startup_trials=startup, warn_independent_sampling=False)
