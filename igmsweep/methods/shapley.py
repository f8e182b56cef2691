"""Shapley values of a game between modalities: fair shares of what they reach together (Shapley 1953)."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations
from typing import TYPE_CHECKING

from igmsweep.late import torch
from igmsweep.statistics.shapley import weight

if TYPE_CHECKING:
    from torch import Tensor


def subsets(modalities: tuple[str, ...]) -> list[tuple[str, ...]]:
    """Every subset but the empty one, small ones first, each in the modalities' order.

    >>> subsets(("a", "b"))
    [('a',), ('b',), ('a', 'b')]
    """
    return [subset for size in range(1, len(modalities) + 1) for subset in combinations(modalities, size)]


def shapley(values: Mapping[tuple[str, ...], Tensor], modalities: tuple[str, ...]) -> dict[str, Tensor]:
    """Each modality's Shapley value of a game that is 0 for nobody; they sum to the value of all.

    Args:
        values: of every one of `subsets`.
    """
    count = len(modalities)
    shares = {}
    for name in modalities:
        others = [each for each in modalities if each != name]
        share = torch.zeros_like(values[modalities])
        for size in range(count):
            for subset in combinations(others, size):
                joined = tuple(each for each in modalities if each in subset or each == name)
                gain = values[joined] - values[subset] if subset else values[joined]
                share = share + weight(size, count) * gain
        shares[name] = share
    return shares
