"""What a search of this budget chooses, and how far its score depends on luck: that of the search and that of the samples.

The choice is repeated inside the bootstrap. A replicate draws the validation samples again, the same for all sweeps of a data set
(their differences are paired), ranks the trials by the drawn samples, draws the trials again, takes the best of those, and scores it on
the samples that were not drawn, which had no part in the choice. All drawings of trials are summed up exactly: only ranks matter.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

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
        drawn: trials of the search that were drawn, those without a score too; the others were enqueued.
        given: (candidates,) bool: whether it was enqueued, and so is part of every such search.
        first: (candidates,) bool: whether it stands before all others, as configurations trained with several seeds do.
        choice: (candidates, samples) what each sample contributes to `scores`; None where predictions were not kept.
        told: (candidates, samples) the same to `values`.
        error: standard error of a value over samples, where predictions were not kept; NaN for not known.
        samples: a hash of the samples: sweeps with the same one are paired.
        noise: variance of a repeated configuration's mean value by its seeds; NaN where none was repeated.
    """

    scores: np.ndarray
    values: np.ndarray
    drawn: int
    given: np.ndarray
    first: np.ndarray
    choice: np.ndarray | None = None
    told: np.ndarray | None = None
    error: float = math.nan
    samples: str = ""
    noise: float = math.nan

    @property
    def asks_for_seeds(self) -> bool:
        """Whether the best one was enqueued and trained once: how far its score is luck of the seed is then only roughly bounded."""
        return bool(self.given[_order(self.scores[None, :], self.first)[0, 0]]) and math.isnan(self.noise)


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
    share = _shares(order, each.given, tails(each.drawn)[0]).astype(np.float32)
    some = left[left.any(axis=1)]  # of a dozen samples, a draw may hold every one
    value = (some @ told.T / some.sum(axis=1, keepdims=True)).mean(axis=0)
    own = ((left.T @ share) * told.T).sum(axis=1) / left.sum(axis=0).clip(1)
    search = _search_luck(value.astype(np.float64), order, each)
    n = len(own)
    error = float(own.std(ddof=1) / math.sqrt(n)) if n > 1 else math.nan
    return Chosen(float(own.mean()), search, error, each.drawn / DOUBT, own.astype(np.float64), each.samples)


def _by_scores(each: Candidates) -> Chosen:
    order = _order(each.scores[None, :], each.first)
    share = _shares(order, each.given, tails(each.drawn)[0])[0]
    search = _search_luck(each.values, order, each)
    return Chosen(float(share @ each.values), search, each.error, each.drawn / DOUBT)


def _order(scores: np.ndarray, first: np.ndarray) -> np.ndarray:
    """(replicates, candidates): the candidates from the best to the worst; those of `first` before all others."""
    return np.lexsort((-scores, np.broadcast_to(~first, scores.shape)))


def _shares(order: np.ndarray, given: np.ndarray, tail: np.ndarray) -> np.ndarray:
    """(replicates, candidates): how often each is the best of a drawing; none behind a given one ever is.

    Args:
        tail: (drawn + 1,) how often a drawing holds none of the best 0, 1, ... of the trials that are drawn.
    """
    asked = given[order]
    missed = tail[np.cumsum(~asked, axis=1)] * (np.cumsum(asked, axis=1) == 0)
    share = -np.diff(missed, axis=1, prepend=1.0)
    out = np.empty(order.shape)
    np.put_along_axis(out, order, share / share.sum(axis=1, keepdims=True), axis=1)
    return out


def _search_luck(value: np.ndarray, order: np.ndarray, each: Candidates) -> float:
    """The variance of the chosen one's value by the luck of the search.

    A given configuration is no luck of the search, but its training is: for the share of drawings in which it is chosen, the noise of
    repeated trainings counts, and where none was repeated the luck among the drawn ones, which holds the noise of theirs and more.
    """
    if each.drawn < FEWEST or each.given.all():
        return math.nan
    luck = _luck(value, order, each.given, each.drawn)
    if not each.given.any():
        return luck
    fixed = float(_shares(order, each.given, tails(each.drawn)[1]).mean(axis=0)[each.given].sum())
    if math.isfinite(each.noise):
        return luck + fixed * each.noise
    rest = order[~each.given[order]].reshape(len(order), -1)
    places = np.cumsum(~each.given) - 1
    drawn = value[~each.given]
    return luck + fixed * _luck(drawn, places[rest], np.zeros(len(drawn), bool), each.drawn)


def _luck(value: np.ndarray, order: np.ndarray, given: np.ndarray, drawn: int) -> float:
    """A third of the bootstrap's estimate, which is too small for a maximum (Bickel and Freedman 1981), and two thirds of the delete-half
    jackknife's (Shao and Wu 1989), which is too large where the best few are alike: what kept false claims near 5 % in simulations."""
    _, once, half = tails(drawn)
    share = _shares(order, given, once).mean(axis=0)
    again = float(share @ value**2 - (share @ value) ** 2)
    gap = value[None, :] - value[order[:, :1]]
    deleted = float((_shares(order, given, half) * gap**2).sum(axis=1).mean()) * (drawn // 2) / (drawn - drawn // 2)
    return (max(again, 0.0) + 2 * deleted) / 3


@lru_cache(maxsize=64)
def tails(drawn: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(drawn + 1,) each: how often a drawing holds none of the best 0, 1, ... trials: of `AGAIN` times as many as there are with
    replacement, of as many, and of half of them without replacement."""
    place = np.arange(drawn + 1)
    worse = (drawn - place) / max(drawn, 1)
    half = drawn // 2
    log = gammaln(drawn - place + 1) - gammaln(np.maximum(drawn - place - half, 0) + 1)
    return worse ** (AGAIN * drawn), worse**drawn, np.where(drawn - place >= half, np.exp(log - log[0]), 0.0)
