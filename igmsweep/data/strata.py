"""Seeded shares of rows in which every class has its part."""

from __future__ import annotations

import numpy as np


def allot(counts: np.ndarray, total: int, least: np.ndarray, most: np.ndarray) -> np.ndarray:
    """How many of each class make `total`, in proportion to `counts` by largest remainders, within bounds.

    A bound that `total` cannot meet gives way: `least` becomes 0, `most` the class's count.

    Args:
        counts: (classes,) samples of each class; `total` is at most their sum.
        least, most: (classes,) bounds, 0 <= least <= most <= counts.

    >>> allot(np.array([70, 25, 5]), 10, np.array([1, 1, 1]), np.array([70, 25, 5])).tolist()
    [7, 2, 1]
    """
    if total < least.sum():
        least = np.zeros_like(counts)
    if total > most.sum():
        most = counts
    quota = counts * (total / max(1, int(counts.sum())))
    given = np.clip(np.floor(quota).astype(np.int64), least, most)
    while given.sum() < total:
        given[np.argmax(np.where(given < most, quota - given, -np.inf))] += 1
    while given.sum() > total:
        given[np.argmin(np.where(given > least, quota - given, np.inf))] -= 1
    return given


def share_of(labels: np.ndarray, share: float, seed: int) -> np.ndarray:
    """Positions of `share` of the labels, at least one, in a seeded order; a class is left out only where they are too few.

    Args:
        labels: (n,) integers, n at least 1.
        share: in (0, 1].
    """
    order, kinds, counts = _shuffled(labels, seed)
    total = min(len(labels), max(1, round(share * len(labels))))
    return order[_first(kinds, allot(counts, total, np.minimum(counts, 1), counts))]


def cut(labels: np.ndarray, share: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Positions of `1 - share` and of `share` of the labels, neither empty, each in a seeded order.

    A class of two samples or more stands on both sides where their sizes allow.

    Raises:
        ValueError: fewer than two labels.
    """
    if len(labels) < 2:
        raise ValueError(f"cannot cut {len(labels)} samples in two")
    order, kinds, counts = _shuffled(labels, seed)
    total = min(len(labels) - 1, max(1, round(share * len(labels))))
    several = counts > 1
    held = _first(kinds, allot(counts, total, several.astype(np.int64), np.where(several, counts - 1, counts)))
    return order[~held], order[held]


def _shuffled(labels: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A seeded permutation, the class of each position in it, numbered from 0, and the classes' counts."""
    order = np.random.default_rng(seed).permutation(len(labels))
    _, kinds, counts = np.unique(np.asarray(labels)[order], return_inverse=True, return_counts=True)
    return order, kinds, counts


def _first(kinds: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Whether each is among the first `wanted` of its class."""
    chosen = np.zeros(len(kinds), dtype=bool)
    for kind, count in enumerate(wanted):
        chosen[np.flatnonzero(kinds == kind)[:count]] = True
    return chosen
