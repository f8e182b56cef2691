"""Shapley values of a game whose every coalition has a known value: what a player adds, averaged over all orders in which the players may
join (Shapley 1953)."""

from __future__ import annotations

from functools import lru_cache
from math import factorial

import numpy as np


def weight(before: int, players: int) -> float:
    """The share of all orders in which a given `before` of the other players come first and a given player next."""
    return factorial(before) * factorial(players - before - 1) / factorial(players)


def coalitions(players: int) -> np.ndarray:
    """(2^players, players) bool: who is in each coalition. Player i is in those whose number has bit i; the first is empty."""
    return (np.arange(2**players)[:, None] >> np.arange(players)) % 2 == 1


@lru_cache(maxsize=16)
def weights(players: int) -> np.ndarray:
    """(players, 2^players) of each coalition's value in each player's Shapley value: `weights(n) @ values` are the exact ones of all."""
    inside = coalitions(players)
    size = inside.sum(axis=1)
    share = np.array([weight(before, players) for before in range(players)])
    signed = np.where(inside, share[size[:, None] - 1], -share[np.minimum(size, players - 1)][:, None])
    return np.asarray(signed.T)
