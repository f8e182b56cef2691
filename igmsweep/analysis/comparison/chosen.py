"""What a search of this budget chooses, and how far its score depends on luck: that of the search and that of the samples.

The choice is repeated inside the bootstrap. A replicate draws the validation samples again, the same for all sweeps of a data set
(their differences are paired), ranks the trials by the drawn samples, draws the trials again, takes the best of those, and scores it on
the samples that were not drawn, which had no part in the choice. All drawings of trials are summed up exactly: only ranks matter.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from scipy.special import gammaln

REPLICATES = 200
FEWEST = 4
"""Trials below which nothing is known of the luck of a search."""
AGAIN = 2
"""A replicate draws this many times the trials there are: as often, it misses the best one in 37 % of drawings and falls behind what
the search really found; twice as often, in 14 %."""
DOUBT = 4
"""Trials for one degree of freedom of the luck of a search, which hangs on the few best. Measured, not derived."""


@dataclass(frozen=True, eq=False)
class Candidates:
    """The trials of one sweep that can be chosen.

    Attributes:
        scores: (candidates,) by which the search chooses, the higher the better.
        values: (candidates,) what is asked about; the same scores, or another metric.
        trials: of the whole search, those without a score too; at least as many as candidates.
        first: (candidates,) bool: whether it stands before all others, as configurations trained with several seeds do.
        choice: (candidates, samples) what each sample contributes to `scores`; None where predictions were not kept.
        told: (candidates, samples) the same to `values`.
        error: standard error of a value over samples, where predictions were not kept; NaN for not known.
        samples: a hash of the samples: sweeps with the same one are paired.
    """

    scores: np.ndarray
    values: np.ndarray
    trials: int
    first: np.ndarray
    choice: np.ndarray | None = None
    told: np.ndarray | None = None
    error: float = math.nan
    samples: str = ""


@dataclass(frozen=True, eq=False)
class Chosen:
    """What one sweep chooses.

    Attributes:
        value: its expected score, on samples that had no part in the choice where predictions were kept.
        search: variance of that by the luck of the search; training noise enters with it. NaN for not known.
        error: standard error over samples. NaN for not known.
        freedom: degrees of freedom of `search`.
        parts: (samples,) each sample's part in the value; None where predictions were not kept.
        samples: a hash of the samples: sweeps with the same one are paired.
    """

    value: float
    search: float
    error: float
    freedom: float
    parts: np.ndarray | None = None
    samples: str = ""


def choose(group: Sequence[Candidates], seed: int = 0, replicates: int = REPLICATES) -> list[Chosen]:
    """What each sweep of a group chooses: all by their predictions, or all by their scores alone where one has no predictions, as
    scores still hold the luck of the choice. Sweeps that were scored on the same samples are drawn together."""
    if any(each.choice is None for each in group):
        return [_by_scores(each) for each in group]
    drawn: dict[str, tuple[np.ndarray, np.ndarray]] = {}
    for each in group:
        if each.choice is not None and each.samples not in drawn:
            drawn[each.samples] = _draw(each.choice.shape[1], seed + len(drawn), replicates)
    return [_held_out(each, *drawn[each.samples]) for each in group]


def _draw(samples: int, seed: int, replicates: int) -> tuple[np.ndarray, np.ndarray]:
    """(replicates, samples) float32: how often each sample is drawn, and 1 for one that is not."""
    weights = np.random.default_rng(seed).multinomial(samples, np.full(samples, 1 / samples), replicates)
    return weights.astype(np.float32), (weights == 0).astype(np.float32)


def _held_out(each: Candidates, drawn: np.ndarray, left: np.ndarray) -> Chosen:
    assert each.choice is not None and each.told is not None
    choice, told = each.choice.astype(np.float32), each.told.astype(np.float32)
    order = _order(drawn @ choice.T / choice.shape[1], each.first)
    share = _spread(order, rank_shares(each.trials)[0])
    value = (left @ told.T / left.sum(axis=1, keepdims=True)).mean(axis=0)
    own = ((left.T @ share) * told.T).sum(axis=1) / left.sum(axis=0).clip(1)
    search = _search_luck(value.astype(np.float64), order, each.trials)
    n = len(own)
    error = float(own.std(ddof=1) / math.sqrt(n)) if n > 1 else math.nan
    return Chosen(float(own.mean()), search, error, each.trials / DOUBT, own.astype(np.float64), each.samples)


def _by_scores(each: Candidates) -> Chosen:
    order = _order(each.scores[None, :], each.first)
    share = _spread(order, rank_shares(each.trials)[0])[0]
    search = _search_luck(each.values, order, each.trials)
    return Chosen(float(share @ each.values), search, each.error, each.trials / DOUBT)


def _order(scores: np.ndarray, first: np.ndarray) -> np.ndarray:
    """(replicates, candidates): the candidates from the best to the worst; those of `first` before all others."""
    return np.lexsort((-scores, np.broadcast_to(~first, scores.shape)))


def _spread(order: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """(replicates, candidates) float32: the share of each candidate, from the share of each rank."""
    share = shares[: order.shape[1]] / shares[: order.shape[1]].sum()
    out = np.empty(order.shape, np.float32)
    np.put_along_axis(out, order, np.broadcast_to(share.astype(np.float32), order.shape), axis=1)
    return out


def _search_luck(value: np.ndarray, order: np.ndarray, trials: int) -> float:
    """The variance of the chosen one's value by the luck of the search.

    The mean of two estimates: the bootstrap's, which is too small for a maximum (Bickel and Freedman 1981), and the delete-half
    jackknife's (Shao and Wu 1989), which is too large where the best few are alike.
    """
    if trials < FEWEST:
        return math.nan
    _, once, half = rank_shares(trials)
    share = _spread(order, once).mean(axis=0).astype(np.float64)
    share /= share.sum()
    again = float(share @ value**2 - (share @ value) ** 2)
    ranked = value[order]
    kept = half[: order.shape[1]] / half[: order.shape[1]].sum()
    deleted = float(np.mean((ranked - ranked[:, :1]) ** 2 @ kept)) * (trials // 2) / (trials - trials // 2)
    return (max(again, 0.0) + deleted) / 2


@cache
def rank_shares(trials: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(trials,) each: how often the best of a drawing has the rank 1, 2, ... among all trials, where `AGAIN` times the trials are drawn
    with replacement, where as many are, and where half of them are drawn without."""
    place = np.arange(trials + 1)
    worse = (trials - place) / trials
    half = trials // 2
    with np.errstate(invalid="ignore"):
        log = gammaln(trials - place + 1) - gammaln(np.maximum(trials - place - half, 0) + 1)
    missed = np.where(trials - place >= half, np.exp(log - log[0]), 0.0)
    twice, once, without = (-np.diff(tail) for tail in (worse ** (AGAIN * trials), worse**trials, missed))
    return twice, once, without
