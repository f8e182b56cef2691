"""How much luck is in a score: of one training, and of the validation samples that all trainings share."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

from igmsweep.analysis.surrogate import surrogate
from igmsweep.frame import Sweep
from igmsweep.metrics import classification_metrics
from igmsweep.record.predictions import Predictions

GROUPS = 20
"""Of samples, left out one after the other."""
ASKED = 5
"""Trials whose predictions say how much the samples matter; more would say the same."""
REPEATED = 6
"""From so many trainings beyond the first of their configuration on, these alone tell a training's noise."""


@lru_cache(maxsize=32)
def training_noise(sweep: Sweep, metric: str) -> float:
    """Standard deviation of one training's score around what its configuration scores on average on the same samples; NaN where
    nothing tells it. From configurations that were trained several times, else from how far trials lie from what their neighbours
    let expect (`Surrogate`)."""
    column = f"metrics.{metric}"
    if column not in sweep.trials.columns:
        return math.nan
    squares, freedom = 0.0, 0
    for trial in sweep.trials["repeat_of"].dropna().unique():
        scores = sweep.repeats(int(trial))[column].dropna()
        if len(scores) > 1:
            squares, freedom = squares + float(scores.var() * (len(scores) - 1)), freedom + len(scores) - 1
    found = surrogate(sweep, metric) if freedom < REPEATED else None
    if found is not None:
        return float(np.sqrt(np.mean(found.process.noise**2)))
    return math.sqrt(squares / freedom) if freedom else math.nan


@lru_cache(maxsize=32)
def sample_error(sweep: Sweep, metric: str) -> float:
    """Standard error of a score's level by the choice of validation samples, the same for all trainings: from a few trials'
    predictions, by the jackknife over groups of samples (Efron and Stein 1981), for any metric. Without predictions the binomial error of an
    accuracy, which is larger, as it holds a training's own part too. NaN where nothing tells it."""
    name = metric.removeprefix("val/")
    done = sweep.completed()
    better = done["trial"].head(max(ASKED, len(done) // 2)).tolist()
    found = [each for trial in better if (each := sweep.predictions(int(trial))) is not None]
    if found and "/" not in name:
        same = [each for each in found if each.samples == found[0].samples]
        spread = same[:: max(1, len(same) // ASKED)][:ASKED]
        if np.unique(spread[0].labels, return_counts=True)[1].min() > 1:
            return jackknife(spread, name)
    samples = sweep.data.get("val")
    if not isinstance(samples, int) or isinstance(samples, bool) or samples < 1 or name.rsplit("/", 1)[-1] != "acc":
        return math.nan
    if sweep.folds["trial"].nunique():  # every fold validates on others
        samples *= int(sweep.folds["fold"].max()) + 1
    score = float(done[f"metrics.{metric}"].head(ASKED).median()) if f"metrics.{metric}" in done.columns else math.nan
    share = (min(max(score, 0.0), 1.0) * samples + 2) / (samples + 4)  # Agresti and Coull's: 100 % has an error too
    return math.sqrt(share * (1 - share) / (samples + 4))


def jackknife(found: list[Predictions], name: str) -> float:
    """Standard error of the trainings' mean of a metric over the choice of samples.

    Args:
        found: of the same samples, every class of which occurs twice or more.
    """
    count = len(found[0])
    order = np.random.default_rng(0).permutation(count)
    order = order[np.argsort(found[0].labels[order], kind="stable")]  # no group empties a class
    group = np.empty(count, dtype=int)
    group[order] = np.arange(count) % GROUPS
    groups = min(GROUPS, count)
    scores = np.array([_mean(found, name, group != left) for left in range(groups)])
    return float(np.sqrt((groups - 1) / groups * ((scores - scores.mean()) ** 2).sum()))


def _mean(found: list[Predictions], name: str, kept: np.ndarray) -> float:
    if name == "acc":
        return float(np.mean([each.correct[kept].mean() for each in found]))
    return float(
        np.mean(
            [classification_metrics(each.probabilities[kept].astype(float), each.labels[kept])[name] for each in found]
        )
    )
