"""Shapley values: shares of what modalities reach together, by the four axioms and by hand."""

from __future__ import annotations

from itertools import combinations, permutations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from igmsweep.methods.shapley import shapley

NAMES = ("a", "b", "c", "d")


def subsets(names: tuple[str, ...]) -> list[tuple[str, ...]]:
    return [each for size in range(1, len(names) + 1) for each in combinations(names, size)]


@st.composite
def games(draw: st.DrawFn) -> tuple[dict[tuple[str, ...], torch.Tensor], tuple[str, ...]]:
    """Values of every subset of one to four modalities, (2,) each."""
    names = NAMES[: draw(st.integers(1, 4))]
    number = st.floats(-100, 100)
    return {each: torch.tensor(draw(st.tuples(number, number)), dtype=torch.float64) for each in subsets(names)}, names


@given(games())
def test_the_shares_sum_to_the_whole(game):
    values, names = game
    shares = shapley(values, names)
    assert tuple(shares) == names
    assert torch.allclose(torch.stack(list(shares.values())).sum(0), values[names], atol=1e-9)


@given(games())
def test_a_share_is_the_mean_gain_over_all_orders_of_joining(game):
    """The definition itself, which the formula with factorials sums up."""
    values, names = game
    gains = {name: torch.zeros(2, dtype=torch.float64) for name in names}
    orders = list(permutations(names))
    for order in orders:
        here: set[str] = set()
        for name in order:
            before = values[tuple(each for each in names if each in here)] if here else 0.0
            here.add(name)
            gains[name] = gains[name] + (values[tuple(each for each in names if each in here)] - before) / len(orders)
    shares = shapley(values, names)
    assert all(torch.allclose(shares[name], gains[name], atol=1e-9) for name in names)


@given(games(), games())
def test_shares_of_a_sum_are_sums_of_shares(one, other):
    names = one[1] if len(one[1]) < len(other[1]) else other[1]
    total = {each: one[0][each] + other[0][each] for each in subsets(names)}
    first, second = (shapley({each: game[0][each] for each in subsets(names)}, names) for game in (one, other))
    shares = shapley(total, names)
    assert all(torch.allclose(shares[name], first[name] + second[name], atol=1e-9) for name in names)


def test_who_adds_nothing_gets_nothing_and_equals_get_the_same():
    values = {each: torch.tensor(float(len(set(each) - {"c"}) ** 2)) for each in subsets(("a", "b", "c"))}
    shares = shapley(values, ("a", "b", "c"))
    assert shares["c"] == 0
    assert shares["a"] == shares["b"] == 2


@pytest.mark.parametrize("both", [0.0, 2.0])
def test_two_modalities_by_hand(both):
    """g_1 = 1/2 [f(12) - f(2) + f(1)]: values of 1 alone and 2 together share equally, and the sizes of the released
    valuation (v = |S| where S predicts y, else 0) give the shares -1/2, 0, 1/2, 1 and 3/2."""
    f1, f2 = torch.tensor(1.0), torch.tensor(0.0)
    shares = shapley({("a",): f1, ("b",): f2, ("a", "b"): torch.tensor(both)}, ("a", "b"))
    assert shares["a"] == 0.5 * (both - f2 + f1)
    assert shares["b"] == 0.5 * (both - f1 + f2)
