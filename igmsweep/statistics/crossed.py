"""The mean score of a configuration, or the difference of two, with an interval over seeds and samples.

The score of the training with seed s on sample i is y(s, i) = m + a(s) + b(i) + e(s, i): the luck of the training, how hard the
sample is, and the rest (crossed random effects; Owen 2007, "The pigeonhole bootstrap", section 3). Two configurations share their
samples; their seeds are their own. The difference of means over S and S' seeds and the same n samples has the variance

    V(a) / S + V(a') / S' + V(b - b') / n + V(e) / (S n) + V(e') / (S' n)

The variance of scores between seeds estimates V(a) + V(e) / n, that of mean differences between samples V(b - b') + V(e) / S +
V(e') / S'. Their sum counts e twice, so the mean square of the interaction is taken off the seeds' part, which is never less
than 0. Degrees of freedom are Satterthwaite's. Bouthillier et al. 2021, "Accounting for variance in machine learning benchmarks",
show why one source alone does not do.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

LEVEL = 0.05
"""Chance of a false claim, where it is not shared."""
SHARES = ("acc", "map", "f1")
"""Metrics in [0, 1]."""


@dataclass(frozen=True, eq=False)
class Scored:
    """Trainings of one configuration, scored on the same samples.

    Attributes:
        metric: `acc`, `map`, `f1`, `loss`, or anything else that is measured.
        scores: (trainings,).
        values: (trainings, samples) what each sample adds to a score, by `influence.values`; None where it is not known.
        drawn: which samples those are; only equal ones are compared sample by sample.
        samples: how many there were, where `values` is None; it gives the binomial error of an accuracy.
    """

    metric: str
    scores: NDArray[np.float64]
    values: NDArray[np.float64] | None = None
    drawn: str = ""
    samples: int | None = None


@dataclass(frozen=True)
class Interval:
    """A mean with its interval of the confidence 1 - `level`.

    Attributes:
        mean, low, high: in the score's own unit.
        error: standard error of the mean. freedom: its degrees of freedom.
        trainings: of the configuration that has fewer; of 1, the interval does not know the luck of another training.
        samples: None: it does not know the luck of the samples.
    """

    mean: float
    low: float
    high: float
    error: float
    freedom: float
    trainings: int
    samples: int | None
    level: float = LEVEL

    @property
    def p(self) -> float:
        """Two-sided, of a mean of 0; 1 where there is no error: scores move in steps of a sample, so that a few equal ones are chance."""
        from scipy import stats

        return float(2 * stats.t.sf(abs(self.mean) / self.error, self.freedom)) if self.error else 1.0


class _Part(NamedTuple):
    """A part of a mean's variance: what was found, how much of it the samples' part holds too, its degrees of freedom."""

    found: float
    shared: float
    freedom: float


def mean_of(scored: Scored, level: float = LEVEL) -> Interval | None:
    """The mean score of one configuration; None where it has one training and nothing is known of its samples."""
    mean = centre = float(scored.scores.mean())
    seeds, samples, drawn = _seeds(scored.scores, scored.values), scored.samples, None
    # as if two samples more were right and two wrong (Agresti and Coull 1998)
    counted = 4 if scored.metric == "acc" else 0
    if scored.values is not None:
        each = np.concatenate([scored.values.mean(axis=0), np.resize([0.0, 1.0], counted)])
        samples, centre = scored.values.shape[1], float(each.mean())
        drawn = _Part(float(each.var()) / len(each), 0.0, samples - 1)
    elif counted and samples:
        centre = (samples * mean + counted / 2) / (samples + counted)
        drawn = _Part(centre * (1 - centre) / (samples + counted), 0.0, samples - 1)
    found = _interval(mean, centre, seeds, drawn, len(scored.scores), samples, level)
    return _within(found, 0.0, 1.0) if scored.metric in SHARES else found


def difference_of(one: Scored, other: Scored, level: float = LEVEL, paired: bool = False) -> Interval | None:
    """The mean of `one` less that of `other`; None where either has one training and nothing is known of the samples.

    Args:
        paired: trainings in the same place are alike in more than their samples, such as starting weights and the order of the
            data, and the configurations are alike enough for it to show. Both must have the same number.
    """
    mean, trainings = float(one.scores.mean() - other.scores.mean()), min(len(one.scores), len(other.scores))
    ours, theirs = (one.values, other.values) if one.drawn == other.drawn else (None, None)
    drawn, samples = None, None
    if ours is not None and theirs is not None:
        each = ours.mean(axis=0) - theirs.mean(axis=0)
        samples = len(each)
        # as if one of two samples more were right by one of the two alone (Agresti and Min 2005)
        count, squares = (samples + 2, 1.0) if one.metric == "acc" else (samples, 0.0)
        variance = (float((each**2).sum()) + squares) / count - (float(each.sum()) / count) ** 2
        drawn = _Part(max(variance, 0.0) / count, 0.0, samples - 1)
    elif one.metric == "acc" and one.samples and other.samples:  # as if each had samples of its own: too wide
        samples = min(one.samples, other.samples)
        shares = [(float(each.scores.mean()) * samples + 1) / (samples + 2) for each in (one, other)]
        drawn = _Part(sum(share * (1 - share) for share in shares) / (samples + 2), 0.0, samples - 1)
    if paired:
        seeds = _seeds(one.scores - other.scores, None if ours is None or theirs is None else ours - theirs)
    else:
        seeds = [*_seeds(one.scores, ours), *_seeds(other.scores, theirs)] if trainings > 1 else []
    found = _interval(mean, mean, seeds, drawn, trainings, samples, level)
    return _within(found, -1.0, 1.0) if one.metric in SHARES else found


def _seeds(scores: NDArray[np.float64], values: NDArray[np.float64] | None) -> list[_Part]:
    """The part of the trainings, where there are two or more."""
    count, shared = len(scores), 0.0
    if count < 2:
        return []
    if values is not None:
        shared = interaction(values) / (count * values.shape[1])
    return [_Part(float(scores.var(ddof=1)) / count, shared, count - 1)]


def interaction(values: NDArray[np.float64]) -> float:
    """The mean square of what neither the training nor the sample explains.

    Args:
        values: (trainings, samples), two or more of each.
    """
    trainings, samples = values.shape
    rest = values - values.mean(axis=1, keepdims=True) - values.mean(axis=0) + values.mean()
    return float((rest**2).sum()) / ((trainings - 1) * (samples - 1))


def binomial_error(share: float, samples: int) -> float:
    """Standard error of an accuracy by its samples, as if two more were right and two wrong (Agresti and Coull 1998): 100 % has one too."""
    share = (min(max(share, 0.0), 1.0) * samples + 2) / (samples + 4)
    return math.sqrt(share * (1 - share) / (samples + 4))


def _interval(
    mean: float,
    centre: float,
    seeds: Sequence[_Part],
    drawn: _Part | None,
    trainings: int,
    samples: int | None,
    level: float,
) -> Interval | None:
    from scipy import stats

    parts = [*seeds, *([drawn] if drawn else [])]
    if not parts:
        return None
    variance = max(sum(part.found - part.shared for part in parts), drawn.found if drawn else 0.0)
    weights = sum(part.found**2 / part.freedom for part in parts)
    least = min(part.freedom for part in parts)  # what was taken off must not leave fewer than a part alone has
    freedom = max(variance**2 / weights, least) if weights else math.inf
    error = math.sqrt(variance)
    half = float(stats.t.ppf(1 - level / 2, freedom)) * error
    return Interval(mean, centre - half, centre + half, error, freedom, trainings, samples if drawn else None, level)


def _within(found: Interval | None, least: float, most: float) -> Interval | None:
    """An interval of shares ends where they end, and holds its mean."""
    if found is None:
        return None
    return replace(found, low=max(min(found.low, found.mean), least), high=min(max(found.high, found.mean), most))
