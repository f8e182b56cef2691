"""What a sweep's completed trials say about configurations: a Gaussian process over its searched parameters.

A score that a configuration got once is its expected score plus luck: of the seed, and of how it meets these validation samples. The
process tells the two apart by what the neighbours say. How trials were chosen does not matter to it: given the scores so far, a
sampler's next proposal tells nothing more about the response (the ignorable design of Rubin 1976), so that trials of TPE count
as well as random ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd

from igmsweep.analysis.names import choice_texts, unit, value_text
from igmsweep.frame import Sweep
from igmsweep.record.states import State
from igmsweep.statistics.gaussian_process import EACH, GaussianProcess, fit
from igmsweep.statistics.scale import Scale, scales_of

FEWEST = 10
"""Below, there is nothing to fit."""
MOST = 400
"""Beyond, a random part of the trials and those that were trained several times: the work grows with the cube."""
MARGIN = 0.1
"""A value that was given from outside the searched range stands so far beyond it, at most."""
STEPS = 21
"""Places along a number's range at which its effect is looked at."""
SAMPLES = 500
"""Validation samples where nothing tells their number."""
SETTINGS = 16
"""Settings of the other parameters over which an effect is averaged."""
FAR = 3.0
"""Hopeless trials lie this many spreads of the better half below the median, and no further: a score at chance says no more than one that
is merely bad, and next to it all others would look alike."""


@dataclass(frozen=True)
class Axis:
    """A searched parameter as a coordinate: a number's place in its range, from 0 to 1, or a choice's number. Where the parameter
    does not act, it is in the middle, or -1."""

    path: str
    choices: tuple[str, ...] = ()
    low: float = 0.0
    high: float = 1.0
    log: bool = False
    missing: float = 0.5

    @property
    def categorical(self) -> bool:
        return bool(self.choices)

    def coordinate(self, value: Any) -> float:
        if value is None or value != value:
            return self.missing
        if self.choices:  # one that no trial has had is none of the others
            text = value_text(value)
            return float(self.choices.index(text) if text in self.choices else len(self.choices))
        number = float(value)
        if self.log:
            place = np.log(number / self.low) / np.log(self.high / self.low) if number > 0 else -MARGIN
        else:
            place = (number - self.low) / (self.high - self.low)
        return float(np.clip(place, -MARGIN, 1 + MARGIN))

    def value(self, coordinate: float) -> float:
        """The number at a coordinate."""
        if coordinate in (0.0, 1.0):
            return self.high if coordinate else self.low
        if self.log:
            return float(np.exp(np.log(self.low) + coordinate * np.log(self.high / self.low)))
        return self.low + coordinate * (self.high - self.low)


@dataclass(frozen=True, eq=False)
class Surrogate:
    """`process` on the columns `axes`, and the completed configurations that it may be asked about: `trials` (n,), `x` (n, d), `score`
    (n,), `active` (n, d), whether each parameter acts. `sign`: 1, or -1 where less is better (inside, more always is).
    `floor`: hopeless scores are taken to be no lower."""

    axes: tuple[Axis, ...]
    process: GaussianProcess
    trials: np.ndarray
    x: np.ndarray
    score: np.ndarray
    active: np.ndarray
    sign: float
    floor: float

    @property
    def worst(self) -> float:
        """What hopeless trials are taken to score, as the metric has it; NaN where there are none."""
        return self.sign * self.floor if bool((self.score < self.floor).any()) else np.nan

    def axis(self, path: str) -> int | None:
        """The column of a parameter; None where it was not varied."""
        return next((i for i, axis in enumerate(self.axes) if axis.path == path), None)

    def values(self, path: str) -> np.ndarray:
        """(v,) the coordinates at which a parameter's effect is looked at: an even grid, or every choice that was tried."""
        column = self.axis(path)
        assert column is not None
        axis = self.axes[column]
        if axis.categorical:
            return np.unique(self.x[self.acts(column), column])
        return np.linspace(0, 1, STEPS)

    def acts(self, column: int) -> np.ndarray:
        """(n,) bool: the trials in which a parameter acts."""
        return np.asarray(self.active[:, column])

    def effect(self, path: str, each: int = EACH) -> np.ndarray:
        """(draws, v) draws of the expected score at each of `values`, averaged over `SETTINGS` settings of the other parameters: those
        of trials in which it acts, drawn from the better half of them."""
        column = self.axis(path)
        assert column is not None
        own = np.flatnonzero(self.acts(column))
        better = own[np.argsort(-self.score[own], kind="stable")][: max(SETTINGS, len(own) // 2)]
        generator = np.random.default_rng(0)
        chosen = generator.choice(better, min(SETTINGS, len(better)), replace=False)
        values = self.values(path)
        parts = [self.with_value(self.x[chosen], self.active[chosen], column, value, generator)[0] for value in values]
        at = np.stack(parts)
        scores = self.process.draws(at.reshape(-1, at.shape[2]), each, generator)
        return np.asarray(scores.reshape(len(scores), len(values), len(chosen)).mean(axis=2))

    def with_value(
        self, at: np.ndarray, active: np.ndarray, column: int, value: float, generator: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        """Configurations (k, d), and which parameters act in them, once one parameter has a value. What acts with some of its choices and
        never with others begins to act, as in a trial with that choice, anywhere in its range; or ceases to."""
        at, active = at.copy(), active.copy()
        old = at[:, column].copy()
        at[:, column] = value
        if not self.axes[column].categorical:
            return at, active
        donors = np.flatnonzero(self.x[:, column] == value)
        for other, axis in enumerate(self.axes):
            acting = {choice: self.active[self.x[:, column] == choice, other].any() for choice in np.unique(old)}
            now = bool(len(donors) and self.active[donors, other].any())
            if other == column or all(acting[choice] == now for choice in acting):
                continue
            for row in np.flatnonzero([acting[choice] != now for choice in old]):
                donor = int(generator.choice(donors)) if now else -1
                active[row, other] = now and bool(self.active[donor, other])
                fresh = self.x[donor, other] if axis.categorical else generator.random()
                at[row, other] = fresh if active[row, other] else axis.missing
        return at, active


@lru_cache(maxsize=16)
def surrogate(sweep: Sweep, metric: str) -> Surrogate | None:
    """Fitted to the completed trials; None below ten, or where no parameter or no score varies."""
    done, column = sweep.completed(), f"metrics.{metric}"
    if column not in done.columns:
        return None
    done = done[done[column].notna()].sort_values("trial")
    sign = 1.0 if higher_is_better(sweep, metric) else -1.0
    axes = tuple(
        axis
        for path, entry in sweep.space.items()
        if f"params.{path}" in done.columns and (axis := axis_of(path, entry, done[f"params.{path}"])) is not None
    )
    if len(done) < FEWEST or not axes or done[column].nunique() < 2:
        return None
    x = np.column_stack([[axis.coordinate(v) for v in done[f"params.{axis.path}"]] for axis in axes])
    score, counts = means(sweep, done, column)
    scales = _scales(sweep, metric, sign * score)
    floor = max(float(scale.back(hopeless(scale.there(sign * score)))) for scale in scales)
    y = np.maximum(sign * score, floor)
    rows = np.arange(len(y))
    if len(rows) > MOST:
        drawn = np.random.default_rng(0).choice(rows, MOST, replace=False)
        rows = np.union1d(drawn, np.flatnonzero(counts > 1))
    categorical = np.array([axis.categorical for axis in axes])
    process = fit(x[rows], y[rows], categorical, counts[rows], scales)
    active = np.column_stack([done[f"params.{axis.path}"].notna() for axis in axes])
    return Surrogate(axes, process, done["trial"].to_numpy(), x, sign * score, active, sign, floor)


def _scales(sweep: Sweep, metric: str, score: np.ndarray) -> tuple[Scale, ...]:
    samples = sweep.data.get("val")
    if not isinstance(samples, int) or isinstance(samples, bool) or samples < 1:
        samples = SAMPLES
    return scales_of(score, bool(unit(metric)[1]), metric.rsplit("/", 1)[-1] == "loss", samples)


def means(sweep: Sweep, done: pd.DataFrame, column: str) -> tuple[np.ndarray, np.ndarray]:
    """Mean score over a configuration's trainings, and how many there are; (n,) each, in the order of `done`."""
    again = trainings(sweep, column)
    own = zip(done["trial"].tolist(), done[column].tolist(), strict=True)
    scores = [again.get(trial, [score]) for trial, score in own]
    return np.array([np.mean(each) for each in scores]), np.array([float(len(each)) for each in scores])


def trainings(sweep: Sweep, column: str) -> dict[int, list[float]]:
    """Trial -> scores of its own training, then of its repeats; of trials that have any."""
    frame = sweep.trials
    given = frame[(frame["state"] == State.COMPLETE) & frame[column].notna()]
    own = dict(zip(given["trial"].tolist(), given[column].tolist(), strict=True))
    found: dict[int, list[float]] = {}
    again = given[given["repeat_of"].notna()]
    for trial, score in zip(again["repeat_of"].astype(int).tolist(), again[column].tolist(), strict=True):
        if trial in own:
            found.setdefault(trial, [own[trial]]).append(score)
    return found


def hopeless(y: np.ndarray) -> np.ndarray:
    """`FAR` spreads of the better half (from the median to the top twentieth) below the median; what lies lower is taken to lie there."""
    median, top = np.quantile(y, [0.5, 0.95])
    return np.asarray(median - FAR * (top - median) if top > median else -np.inf)


def axis_of(path: str, entry: dict[str, Any], values: pd.Series) -> Axis | None:
    """A parameter's coordinate; None where all trials have the same value, and where null is a choice, which a table does not tell
    from not acting."""
    given = values[values.notna()].tolist()
    named = entry.get("choices") if isinstance(entry.get("choices"), list) else []
    if len({value_text(value) for value in given}) < 2 or None in (named or []):
        return None
    if entry.get("type") != "categorical" and all(is_number(value) for value in given):
        low, high = (
            float(entry[key] if is_number(entry.get(key)) else end)
            for key, end in (("low", min(given)), ("high", max(given)))
        )
        if low >= high:
            return None
        return Axis(path, (), low, high, bool(entry.get("log")) and low > 0)
    return Axis(path, choice_texts(entry, given), missing=-1.0)


def is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def higher_is_better(sweep: Sweep, metric: str) -> bool:
    return sweep.maximise if metric == sweep.metric else metric.rsplit("/", 1)[-1] != "loss"
