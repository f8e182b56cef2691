"""Shapley values of a game whose coalitions' values are all known: the definition, and the axioms."""

from __future__ import annotations

from itertools import permutations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from igmsweep.statistics.shapley import coalitions, weight, weights

NUMBER = st.floats(-100, 100)


@st.composite
def games(draw: st.DrawFn, most: int = 5) -> tuple[int, np.ndarray]:
    """Players, and two games' values of every coalition, (2, 2^players)."""
    players = draw(st.integers(1, most))
    values = draw(st.lists(NUMBER, min_size=2 * 2**players, max_size=2 * 2**players))
    return players, np.array(values).reshape(2, -1)


def shares(players: int, values: np.ndarray) -> np.ndarray:
    return values @ weights(players).T


@settings(deadline=None)
@given(games())
def test_a_share_is_the_mean_gain_over_all_orders_of_joining(game) -> None:
    players, values = game
    expected = np.zeros((2, players))
    orders = list(permutations(range(players)))
    for order in orders:
        here = 0
        for player in order:
            expected[:, player] += (values[:, here | 1 << player] - values[:, here]) / len(orders)
            here |= 1 << player
    np.testing.assert_allclose(shares(players, values), expected, atol=1e-9)


@settings(deadline=None)
@given(games(8))
def test_shares_sum_to_what_all_gain_over_nobody(game) -> None:
    players, values = game
    np.testing.assert_allclose(shares(players, values).sum(axis=1), values[:, -1] - values[:, 0], atol=1e-9)


@settings(deadline=None)
@given(games(), st.integers(0, 4), NUMBER)
def test_who_adds_the_same_to_every_coalition_gets_that(game, player: int, gain: float) -> None:
    players, values = game
    player %= players
    inside = coalitions(players)[:, player]
    without = np.arange(2**players) & ~(1 << player)
    values = values[:, without] + gain * inside
    np.testing.assert_allclose(shares(players, values)[:, player], gain, atol=1e-9)


@settings(deadline=None)
@given(games())
def test_who_are_interchangeable_get_the_same(game) -> None:
    players, values = game
    swapped = np.arange(2**players)
    if players > 1:
        first, second = swapped & 1, (swapped >> 1) & 1
        swapped = (swapped & ~3) | second | first << 1
    both = shares(players, values + values[:, swapped])
    np.testing.assert_allclose(both[:, 0], both[:, min(1, players - 1)], atol=1e-9)


def test_coalitions_are_numbered_by_their_players() -> None:
    assert coalitions(3)[0b101].tolist() == [True, False, True]
    assert [weight(before, 3) for before in range(3)] == [1 / 3, 1 / 6, 1 / 3]
