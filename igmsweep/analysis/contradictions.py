"""Configurations whose repeats contradict the model: a narrow peak that a smooth response takes for luck."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

from igmsweep.analysis.noise import training_noise
from igmsweep.analysis.surrogate import surrogate, trainings
from igmsweep.frame import Sweep
from igmsweep.statistics.gaussian_process import EACH

TOO_FAR = 3.0
"""Standard errors between what the model expects and what the repeats say from which on they are believed, and not the model."""


@lru_cache(maxsize=32)
def contradictions(sweep: Sweep, metric: str) -> dict[int, tuple[float, float]]:
    """Trial -> mean and standard error of its repeats with other seeds, of configurations with two or more that lie too far from what
    the model expects. The first training is no part of it: it was chosen for its score."""
    found, column = surrogate(sweep, metric), f"metrics.{metric}"
    if found is None:
        return {}
    noise, out = training_noise(sweep, metric), {}
    for trial, scores in trainings(sweep, column).items():
        fresh = np.array(scores[1:])
        place = np.flatnonzero(found.trials == trial)
        if len(fresh) < 2 or not len(place):
            continue
        possible = found.process.draws(found.x[place], EACH, np.random.default_rng(0))
        spread = max(noise, float(fresh.std(ddof=1)))
        error = spread / math.sqrt(len(fresh))
        doubt = math.sqrt(float(possible.var()) + error**2)
        if abs(float(fresh.mean()) - found.sign * float(possible.mean())) > TOO_FAR * doubt:
            out[trial] = (float(fresh.mean()), error)
    return out
