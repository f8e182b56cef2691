"""The expected best validation score within k trials, from one search: Dodge et al. 2019 ("Show your work"), by the unbiased estimator
of Tang et al. 2020 ("Showing your work doesn't always work"): the mean over all sets of k of the trials, which draws none twice.

That is sound where trials do not depend on each other. For a sampler that learns from scores the running best is shown, as the one
draw that it is.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pandas as pd
from scipy import stats
from scipy.special import gammaln

from igmsweep.analysis.comparison.footing import ended, learners
from igmsweep.analysis.sensitivity import sampler_of
from igmsweep.analysis.tables import is_share
from igmsweep.frame import Sweep

COVERED = 0.90
"""Of the interval, at each k alone."""
REPLICATES = 400
POINTS = 100
"""Budgets k at which the curve is computed, at most."""
FEWEST = 4
"""Trials below which no interval is given."""


@dataclass(frozen=True, eq=False)
class Expected:
    """`curve`: a row a budget: `trials` k, `expected`, `low`, `high` (NaN: none). `one_draw`: whether it is the running best of a
    sampler that learns, which says nothing of another search."""

    curve: pd.DataFrame
    one_draw: bool


def expected_best(sweep: Sweep) -> Expected:
    """The curve of one sweep, cut to its budget. Enqueued configurations come first, as in the search."""
    frame = ended(sweep)
    column = f"metrics.{sweep.metric}"
    scores = frame[column].where(frame["state"] == "complete").to_numpy(dtype=float) * (1 if sweep.maximise else -1)
    given = (frame["source"].map(sampler_of) == "given").to_numpy()
    learns = bool(learners(sweep))
    curve = running_best(scores) if learns else expected_curve(scores[~given], scores[given])
    if not sweep.maximise:
        curve = curve.assign(expected=-curve["expected"], low=-curve["high"], high=-curve["low"])
    if is_share(sweep.metric):
        curve[["low", "high"]] = curve[["low", "high"]].clip(0, 1)
    return Expected(curve, learns)


def running_best(scores: np.ndarray) -> pd.DataFrame:
    """The best so far at each trial, NaN before the first that has a score."""
    best = pd.Series(scores).cummax().ffill()
    return pd.DataFrame({"trials": range(1, len(scores) + 1), "expected": best, "low": math.nan, "high": math.nan})


def expected_curve(scores: np.ndarray, given: np.ndarray | None = None, seed: int = 0) -> pd.DataFrame:
    """The expected best within k trials, for k up to all of them, the higher the better.

    The standard error is the delete-half jackknife's (Shao and Wu 1989), beyond half of the trials with the gap that the second half
    closed added to it; the interval is a t interval with 2 T / k degrees of freedom, as T trials hold T / k searches of k.

    Args:
        scores: (T,) of the trials that were drawn; NaN for one without a score, which is spent all the same. The curve is the mean
            over those sets of k that hold a score.
        given: of enqueued trials, which come before all others.
    """
    given = np.array([]) if given is None else given
    lead = running_best(given)
    floor = float(np.nanmax(given)) if np.isfinite(given).any() else math.nan
    values = np.where(np.isfinite(scores), np.fmax(scores, floor), floor)
    total = len(values)
    if not total or not np.isfinite(values).any():
        return lead
    budgets = (
        np.unique(np.geomspace(1, total, POINTS).round().astype(int)) if total > POINTS else np.arange(1, total + 1)
    )
    best = subset_best(values, budgets)
    spread = np.full(len(budgets), math.nan)
    half = total // 2
    if total >= FEWEST:
        generator = np.random.default_rng(seed)
        within = np.minimum(budgets, half)
        drawn = np.array([subset_best(generator.permutation(values)[:half], within) for _ in range(REPLICATES)])
        again = np.nanvar(drawn, axis=0) * half / (total - half)
        spread = np.sqrt(again + np.where(budgets > half, best - subset_best(values, within), 0.0) ** 2)
        spread[spread == 0] = (
            math.nan
        )  # an enqueued trial is better than all that were drawn: one training, not many searches
    reach = stats.t.ppf((1 + COVERED) / 2, 2 * total / budgets) * spread
    curve = pd.DataFrame({"trials": budgets + len(given), "expected": best, "low": best - reach, "high": best + reach})
    if math.isfinite(floor):
        curve["low"] = curve["low"].clip(lower=floor)
    return pd.concat([part for part in (lead, curve) if len(part)], ignore_index=True)


def subset_best(values: np.ndarray, budgets: np.ndarray) -> np.ndarray:
    """(budgets,) the mean of the best over all sets of k values that hold one at all; NaN is none."""
    have = int(np.isfinite(values).sum())
    return np.asarray(
        _shares(len(values) - have, have, tuple(budgets.tolist())) @ np.sort(values)[:have]
    )  # NaN stand last


@lru_cache(maxsize=256)
def _shares(none: int, have: int, budgets: tuple[int, ...]) -> np.ndarray:
    """(budgets, have): in what share of the sets of k the best is the one of a rank, from the worst to the best."""
    place, k = none + np.arange(1, have + 1)[None, :], np.array(budgets)[:, None]
    log = gammaln(place) - gammaln(k) - gammaln(np.maximum(place - k, 0) + 1)
    share = np.exp(
        np.where(place >= k, log - log.max(axis=1, keepdims=True, where=place >= k, initial=-np.inf), -np.inf)
    )
    return np.asarray(share / share.sum(axis=1, keepdims=True))
