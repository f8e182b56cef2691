"""What is said of an effect's draws, on draws that are written by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from igmsweep.statistics.flatness import INSIDE, flatness

VALUES = np.linspace(0, 1, 6)


def draws(curve: list[float], spread: float = 0.01, n: int = 400) -> np.ndarray:
    return np.array(curve) + spread * np.random.default_rng(0).standard_normal((n, len(curve)))


def test_a_plateau_between_cliffs_is_found_and_no_more() -> None:
    found = flatness(draws([0.5, 0.9, 0.91, 0.9, 0.905, 0.6]), VALUES, False, 0.05, 1)
    assert found.told and (found.low, found.high) == (VALUES[1], VALUES[4]) and not found.whole


def test_the_whole_of_a_flat_curve_is_flat_and_not_told() -> None:
    found = flatness(draws([0.9] * 6), VALUES, False, 0.05, 3)
    assert not found.told and found.whole and (found.low, found.high) == (0, 1)
    assert found.level == pytest.approx(0.05 / 3)


def test_where_the_draws_disagree_nothing_is_vouched_for() -> None:
    found = flatness(draws([0.9] * 6, spread=0.2), VALUES, False, 0.05, 1)
    assert not found.found and np.isnan(found.low) and found.most > 0.3


def test_p_is_that_of_the_best_against_the_worst_value() -> None:
    effect = draws([0.90, 0.91, 0.92, 0.9, 0.9, 0.9], spread=0.005, n=5000)
    difference = effect[:, 2] - effect[:, [int(effect.mean(axis=0).argmin())]][:, 0]
    found = flatness(effect, VALUES, False, 0.05, 1)
    assert found.p == pytest.approx(2 * stats.norm.sf(difference.mean() / difference.std()))


def test_choices_have_no_order() -> None:
    found = flatness(draws([0.9, 0.5, 0.91, 0.6]), np.array([0.0, 1.0, 2.0, 3.0]), True, 0.05, 1)
    assert found.choices == (0, 2) and found.told and found.found and not found.whole


@given(st.lists(st.floats(0, 1), min_size=3, max_size=8), st.floats(0.01, 0.5), st.floats(0.001, 0.1))
def test_every_value_of_a_range_is_near_in_enough_draws_all_at_once(
    curve: list[float], delta: float, spread: float
) -> None:
    effect = draws(curve, spread)
    values = np.arange(len(curve), dtype=float)
    found = flatness(effect, values, False, delta, 2)
    if np.isnan(found.low):
        return
    inside = (values >= found.low) & (values <= found.high)
    best = effect[:, [int(effect.mean(axis=0).argmax())]]
    assert ((best - effect[:, inside] <= delta).all(axis=1)).mean() >= INSIDE
    wider = flatness(effect, values, False, 2 * delta, 2)
    assert wider.high - wider.low >= found.high - found.low
