"""Shares of rows by class: largest remainders, no class lost where there is room, the same for the same seed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from igmsweep.data import strata

LABELS = st.lists(st.integers(0, 6), min_size=2, max_size=120).map(np.array)
SHARES = st.floats(0.001, 0.999)
SEEDS = st.integers(0, 2**32)


def counted(labels: np.ndarray) -> np.ndarray:
    return np.bincount(labels, minlength=7)


@settings(deadline=None)
@given(LABELS, SHARES, SEEDS)
def test_a_share_has_every_class_in_proportion(labels: np.ndarray, share: float, seed: int) -> None:
    rows = strata.share_of(labels, share, seed)
    assert len(rows) == len(set(rows.tolist())) == max(1, round(share * len(labels)))
    whole, taken = counted(labels), counted(labels[rows])
    quota = whole * len(rows) / len(labels)
    present = int((whole > 0).sum())
    if len(rows) >= present:
        assert (taken[whole > 0] >= 1).all()
    # the classes that had to be raised to one are paid for by the others, one each at the most
    assert (np.abs(taken - quota) < 1 + present).all()
    if (quota[whole > 0] >= 1).all():
        assert (np.abs(taken - quota) < 1).all()
    assert np.array_equal(rows, strata.share_of(labels, share, seed))


@settings(deadline=None)
@given(LABELS, SHARES, SEEDS)
def test_a_cut_puts_every_row_on_one_side_and_leaves_neither_empty(labels: np.ndarray, share: float, seed: int) -> None:
    kept, held = strata.cut(labels, share, seed)
    assert sorted([*kept, *held]) == list(range(len(labels)))
    assert min(len(kept), len(held)) >= 1
    assert len(held) == min(len(labels) - 1, max(1, round(share * len(labels))))
    several = counted(labels) > 1
    if len(held) >= several.sum() and len(kept) >= (counted(labels) > 0).sum():
        assert (counted(labels[held])[several] >= 1).all()
        assert (counted(labels[kept])[several] >= 1).all()
    again = strata.cut(labels, share, seed)
    assert np.array_equal(kept, again[0])
    assert np.array_equal(held, again[1])


def test_largest_remainders() -> None:
    # quotas of 10 from 46, 34, 20: 4.6, 3.4, 2.0
    counts = np.array([46, 34, 20])
    assert strata.allot(counts, 10, np.zeros(3, int), counts).tolist() == [5, 3, 2]


def test_another_seed_is_another_share_and_the_order_is_shuffled() -> None:
    labels = np.arange(200) % 4
    one, other = strata.share_of(labels, 0.3, 0), strata.share_of(labels, 0.3, 1)
    assert set(one.tolist()) != set(other.tolist())
    assert (np.diff(one) < 0).any()
    runs = np.diff(labels[one]) != 0
    assert runs.sum() > 20  # classes are mixed, not one after the other


def test_one_row_cannot_be_cut() -> None:
    with pytest.raises(ValueError, match="cannot cut 1 samples"):
        strata.cut(np.array([3]), 0.5, 0)
