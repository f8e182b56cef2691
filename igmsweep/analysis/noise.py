"""How much luck is in a score: of one training, and of the validation samples that all trainings share."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

from igmsweep.analysis.surrogate import surrogate, trainings
from igmsweep.frame import Sweep
from igmsweep.statistics.crossed import binomial_error, interaction
from igmsweep.statistics.influence import METRICS, values

ASKED = 5
"""Trials whose predictions say how much the samples matter; more would say the same."""
REPEATED = 6
"""Degrees of freedom among repeats from which on these alone tell a training's noise."""


@lru_cache(maxsize=32)
def training_noise(sweep: Sweep, metric: str) -> float:
    """Standard deviation of one training's score around what its configuration, a good one, scores on average on the same samples; NaN
    where nothing tells it. From the repeats of configurations (the first training was chosen for its score), else from how far trials lie from what their neighbours
    let expect (`Surrogate`)."""
    column = f"metrics.{metric}"
    if column not in sweep.trials.columns:
        return math.nan
    squares, freedom = 0.0, 0
    for scores in trainings(sweep, column).values():
        fresh = np.array(scores[1:])
        squares, freedom = squares + float(((fresh - fresh.mean()) ** 2).sum()), freedom + len(fresh) - 1
    found = surrogate(sweep, metric) if freedom < REPEATED else None
    if found is not None:
        return found.process.noise
    return math.sqrt(squares / freedom) if freedom else math.nan


@lru_cache(maxsize=32)
def sample_error(sweep: Sweep, metric: str) -> float:
    """Standard error of a score's level by the choice of validation samples, the same for all trainings: from a few trials'
    predictions, by what each sample adds to the metric on average over them (`statistics.influence`). Without predictions the binomial error of
    an accuracy, which is larger, as it holds a training's own part too. NaN where nothing tells it."""
    name = metric.removeprefix("val/")
    done = sweep.completed()
    better = done["trial"].head(max(ASKED, len(done) // 2)).tolist()
    found: dict[int, np.ndarray] = {}
    samples_of = None
    for trial in map(int, [*better[:: max(1, len(better) // ASKED)], *better]) if name in METRICS else ():
        each = None if trial in found else sweep.predictions(trial)
        if each is not None and samples_of in (None, each.samples):
            samples_of = each.samples
            found[trial] = values(
                each, name
            )  # of the predictions themselves, which may be large, one at a time is held
        if len(found) == ASKED:
            break
    if found:
        return _shared(np.stack(list(found.values())))
    samples = sweep.data.get("val")
    if not isinstance(samples, int) or isinstance(samples, bool) or samples < 1 or name.rsplit("/", 1)[-1] != "acc":
        return math.nan
    if sweep.folds["trial"].nunique():  # every fold validates on others
        samples *= int(sweep.folds["fold"].max()) + 1
    score = float(done[f"metrics.{metric}"].head(ASKED).median()) if f"metrics.{metric}" in done.columns else math.nan
    return binomial_error(score, samples)


def _shared(each: np.ndarray) -> float:
    """Standard error of the trainings' mean score by the samples' part that they share.

    Args:
        each: (trainings, samples) what each sample adds to a training's score.
    """
    count, samples = each.shape
    if samples < 2:
        return math.nan
    mean = each.mean(axis=0)
    variance = float(mean.var(ddof=1))
    if count > 1:
        variance -= interaction(each) / count
    return math.sqrt(max(variance, 0.0) / samples)
