"""What to expect of the winner: its score on the samples that chose it is the luckiest of many."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from igmsweep.analysis.contradictions import contradictions
from igmsweep.analysis.names import unit
from igmsweep.analysis.noise import sample_error
from igmsweep.analysis.surrogate import surrogate
from igmsweep.frame import Sweep

DRAWN = 0.97
"""The share of draws inside an interval that is said to hold with 95 %: settings and the samples' error are estimated, which draws do not know."""
EACH = 200
"""Draws for each setting of the process."""


@dataclass(frozen=True)
class Expectation:
    """`shown`: the score of the trainings that made a configuration the winner. `expected`: its mean over new trainings and new samples, with the
    95 % interval `low` to `high`; a single training scatters around that. `samples`: whether the interval knows of the choice of samples;
    else it is of new trainings on these."""

    trial: int
    metric: str
    shown: float
    expected: float
    low: float
    high: float
    samples: bool

    def words(self) -> str:
        factor, suffix = unit(self.metric)
        shown = f"{factor * self.shown:.1f} %" if suffix else f"{self.shown:.3f}"
        over = "over new trainings and samples" if self.samples else "over new trainings, on these samples"
        return f"{shown} on the samples that chose it; its mean {over} is about {self.brief()}{' %' if suffix else ''}"

    def brief(self) -> str:
        """`97.1 [95.0, 98.6]`."""
        factor, suffix = unit(self.metric)
        digits = 1 if suffix else 3
        expected, low, high = (f"{factor * each:.{digits}f}" for each in (self.expected, self.low, self.high))
        return f"{expected} [{low}, {high}]"


@lru_cache(maxsize=32)
def expectation(sweep: Sweep, trial: int, metric: str) -> Expectation | None:
    """Of one configuration, which may have been chosen for its score; None below ten trials, or where none differ.

    The process knows all trials, so what it expects of one is drawn towards what its neighbours have reached (an empirical Bayes
    estimate, which needs no correction for the choice: Efron 2011, "Tweedie's formula and selection bias"). Repeats that contradict it are
    believed in its place.
    """
    found = surrogate(sweep, metric)
    if found is None or trial not in found.trials:
        return None
    place = int(np.flatnonzero(found.trials == trial)[0])
    error = sample_error(sweep, metric)
    generator = np.random.default_rng(0)
    own = contradictions(sweep, metric).get(trial)
    if own is None:
        draws = found.sign * found.process.draws(found.x[place : place + 1], EACH, generator)[:, 0]
    else:
        draws = generator.normal(*own, EACH * len(found.process.theta))
    expected = float(draws.mean())
    if math.isfinite(error):
        draws = draws + error * generator.standard_normal(len(draws))
    low, high = np.quantile(draws, [(1 - DRAWN) / 2, (1 + DRAWN) / 2])
    if unit(metric)[1]:
        low, high, expected = (min(1.0, max(0.0, float(each))) for each in (low, high, expected))
    shown = found.sign * float(found.score[place])
    return Expectation(trial, metric, shown, expected, float(low), float(high), math.isfinite(error))
