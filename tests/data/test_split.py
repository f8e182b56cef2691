"""Carved validation sets and folds."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from igmsweep.data import split
from igmsweep.errors import DataError, UserError


def config(**keys: Any) -> Any:
    empty = {"name": "toy", "group": "none", "folds": None, "fold": None, "val_fraction": None, "split_seed": 0}
    return SimpleNamespace(**(empty | keys))


def test_folds_hold_out_every_row_once_and_keep_the_classes_in_proportion() -> None:
    labels = np.repeat([0, 1, 2], [40, 20, 10])
    sides = split.folds(labels, 5, seed=3)
    assert sorted(np.concatenate([held for _, held in sides]).tolist()) == list(range(70))
    for train, held in sides:
        assert not set(train) & set(held)
        assert np.bincount(labels[held]).tolist() == [8, 4, 2]


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 9)), min_size=40, max_size=120), st.integers(0, 99))
def test_no_speaker_stands_on_two_sides(rows: list[tuple[int, int]], seed: int) -> None:
    labels = np.asarray([label for label, _ in rows] + [0, 1, 2] * 10)
    groups = [f"S{speaker}" for _, speaker in rows] + [f"S{speaker}" for speaker in range(10) for _ in range(3)]
    for train, held in split.folds(labels, 4, seed, groups):
        assert not {groups[row] for row in train} & {groups[row] for row in held}
        assert len(train) + len(held) == len(labels)


def test_the_seed_alone_decides() -> None:
    labels = np.tile([0, 1], 50)
    one, same, other = (split.carve(labels, [None] * 100, config(val_fraction=0.2, split_seed=s)) for s in (1, 1, 2))
    assert np.array_equal(one[1], same[1])
    assert not np.array_equal(one[1], other[1])


@pytest.mark.parametrize("fraction", [0.1, 0.25, 0.4, 0.7])
@pytest.mark.parametrize("group", ["none", "speaker"])
def test_the_fraction_asked_for_is_the_fraction_carved(fraction: float, group: str) -> None:
    labels = np.tile(np.arange(5), 200)
    groups = [f"S{row // 25}" for row in range(1000)]
    train, val, _ = split.carve(labels, groups, config(val_fraction=fraction, group=group))
    assert sorted([*train.tolist(), *val.tolist()]) == list(range(1000))
    assert abs(len(val) / 1000 - fraction) <= 0.03
    if group == "speaker":
        assert not {groups[row] for row in train} & {groups[row] for row in val}


def test_an_empty_class_is_named_with_its_split() -> None:
    with pytest.raises(DataError, match="'two' in the validation split"):
        split.check(np.asarray([0, 1]), ("zero", "one", "two"), "validation", "toy")


@pytest.mark.parametrize("keys", [{"folds": 3, "fold": 3}, {"fold": 1}, {"group": "speaker", "folds": 2}])
def test_a_split_that_cannot_be_is_a_user_error(keys: dict[str, Any]) -> None:
    with pytest.raises(UserError, match=r"data\.(fold|group)"):
        split.carve(np.tile([0, 1], 10), [None] * 20, config(**keys))


def test_the_hash_knows_sides_but_not_order() -> None:
    assert split.split_hash(["a", "b"], ["c"]) == split.split_hash(["b", "a"], ["c"])
    assert split.split_hash(["a", "b"], ["c"]) != split.split_hash(["a", "c"], ["b"])
