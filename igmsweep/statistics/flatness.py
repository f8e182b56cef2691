"""Whether a score answers to a parameter at all, and over which of its values the choice costs next to nothing.

Both are read from draws of the parameter's effect (`Surrogate.effect`): curves that the trials leave possible.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr

LEVEL = 0.05
"""Chance that any of a sweep's parameters is said to matter though none does; shared by all of them."""
CONFIDENCE = 0.9
"""Of a flat range, in words: how often it is what it is said to be."""
INSIDE = 0.95
"""The share of the possible curves that must stay inside it. A process draws weak effects weaker than they are, so it takes more than `CONFIDENCE`."""


@dataclass(frozen=True)
class Flat:
    """`told`: whether the score answers to the parameter: the best and the worst value of the mean curve differ with p below `level` (`LEVEL`
    shared by all searched parameters). `most`: no difference between two values beyond this is likely (95 %). `delta`: what counts as next to nothing.
    `low`, `high`: the widest run of values of which every one costs less than `delta`, all at once, with `CONFIDENCE`; NaN where
    the trials vouch for none. `choices`: the same, of a categorical parameter, with their `names` where somebody has given them."""

    told: bool
    p: float
    level: float
    most: float
    delta: float
    low: float = math.nan
    high: float = math.nan
    choices: tuple[int, ...] = ()
    names: tuple[str, ...] = ()
    whole: bool = False
    """Whether that is all that was searched."""

    @property
    def found(self) -> bool:
        """Whether there is a flat range of more than one value."""
        return math.isfinite(self.low) or len(self.choices) > 1


def flatness(effect: np.ndarray, values: np.ndarray, categorical: bool, delta: float, parameters: int) -> Flat:
    """Read an effect's draws.

    Args:
        effect: (draws, v) of the expected score, more is better.
        values: (v,) where.
        categorical: whether `values` are choices, which have no order.
        delta: in the scores' unit.
        parameters: searched ones, which share the level.
    """
    mean = effect.mean(axis=0)
    difference = effect[:, mean.argmax()] - effect[:, mean.argmin()]
    spread = float(difference.std())
    p = float(2 * ndtr(-abs(float(difference.mean())) / spread)) if spread > 0 else 1.0
    most = float(np.quantile(np.ptp(effect, axis=1), 0.95))
    near = effect[:, [mean.argmax()]] - effect <= delta  # the largest of each curve is the luckiest
    level = LEVEL / max(1, parameters)
    told = p < level
    if categorical:
        chosen = _choices(near, mean)
        kept = tuple(int(values[i]) for i in sorted(chosen))
        return Flat(told, p, level, most, delta, choices=kept, whole=len(kept) == len(values))
    run = _run(near)
    if run is None:
        return Flat(told, p, level, most, delta)
    whole = run == (0, len(values) - 1)
    return Flat(told, p, level, most, delta, float(values[run[0]]), float(values[run[1]]), whole=whole)


def _run(near: np.ndarray) -> tuple[int, int] | None:
    """First and last of the widest run of at least two values that lie near in enough draws, all at once."""
    widest = None
    for first in range(near.shape[1] - 1):
        together = np.logical_and.accumulate(near[:, first:], axis=1).mean(axis=0) >= INSIDE
        last = first + int(together.sum()) - 1  # the shares can only fall
        if last > first and (widest is None or last - first > widest[1] - widest[0]):
            widest = first, last
    return widest


def _choices(near: np.ndarray, mean: np.ndarray) -> list[int]:
    """As many choices, best first, as lie near in enough draws, all at once."""
    order = np.argsort(-mean, kind="stable")
    together = np.logical_and.accumulate(near[:, order], axis=1).mean(axis=0) >= INSIDE
    return [int(i) for i in order[: int(together.sum())]]
