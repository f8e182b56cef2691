"""Batches from maps: the same ones with and without gathering ahead, on every run of an epoch."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import slow_set
import torch

from igmsweep.data import cache
from igmsweep.data.loader import Loader


@pytest.mark.parametrize("training", [True, False])
def test_gathering_ahead_changes_no_batch(tmp_path: Path, training: bool) -> None:
    part = cache.decoded(slow_set.SLOW, slow_set.write(tmp_path / "data", 50), "train", tmp_path / "cache")
    seen = []
    for resident, prefetch in ((True, False), (False, False), (False, True)):
        loader = Loader(slow_set.SLOW, part, 8, torch.device("cpu"), seed=3, training=training)
        loader.epoch, loader.prefetch = 2, prefetch
        if not resident:
            loader._resident = None
        seen.append([(batch.index, batch.inputs["x"], batch.labels) for batch in loader])
    for other in seen[1:]:
        assert len(other) == len(seen[0]) == 7
        for one, two in zip(seen[0], other, strict=True):
            assert all(torch.equal(a, b) for a, b in zip(one, two, strict=True))
    for index, x, labels in seen[0]:
        assert torch.equal(x[:, 0, 0, 0].long(), index)
        assert torch.equal(labels, index % 2)


def test_an_epoch_that_is_left_early_ends(tmp_path: Path) -> None:
    part = cache.decoded(slow_set.SLOW, slow_set.write(tmp_path / "data", 50), "train", tmp_path / "cache")
    loader = Loader(slow_set.SLOW, part, 8, torch.device("cpu"))
    loader._resident, loader.prefetch = None, True
    assert next(iter(loader)).labels.shape == (8,)
    assert len(list(loader)) == 7


@pytest.fixture
def loader(tmp_path: Path) -> Loader:
    """50 samples of two classes, in turn."""
    part = cache.decoded(slow_set.SLOW, slow_set.write(tmp_path / "data", 50), "train", tmp_path / "cache")
    return Loader(slow_set.SLOW, part, 8, torch.device("cpu"), seed=3, training=True)


def rows_of(loader: Loader) -> list[int]:
    return torch.cat([batch.index for batch in loader]).tolist()


def test_a_clean_pass_is_whole_and_in_order_or_a_share_of_every_class(loader: Loader) -> None:
    assert rows_of(loader.clean(1.0, 0)) == list(range(50))
    some = rows_of(loader.clean(0.2, 0))
    assert len(some) == 10
    assert sum(row % 2 for row in some) == 5
    assert some != sorted(some)
    assert some == rows_of(loader.clean(0.2, 0)) != rows_of(loader.clean(0.2, 1))
    assert not loader.clean(0.2, 0).training


def test_a_shuffled_pass_has_the_same_rows_each_time_in_one_seeded_order(loader: Loader) -> None:
    mixed = loader.shuffled(0)
    order = rows_of(mixed)
    mixed.epoch = 7
    assert sorted(order) == list(range(50)) != order
    assert order == rows_of(mixed) == rows_of(loader.shuffled(0)) != rows_of(loader.shuffled(1))
    assert not mixed.training
    assert sorted(rows_of(loader.clean(0.2, 0).shuffled(5))) == sorted(rows_of(loader.clean(0.2, 0)))


def test_a_cut_keeps_classes_in_proportion_and_augments_the_larger_side_alone(loader: Loader) -> None:
    kept, held = loader.cut(0.2, 0)
    assert (len(kept.rows), len(held.rows)) == (40, 10)
    assert loader.partition.labels[held.rows].sum() == 5
    assert not set(kept.rows) & set(held.rows)
    assert (kept.training, held.training) == (True, False)
    again = loader.cut(0.2, 0)
    assert np.array_equal(again[0].rows, kept.rows)
    assert np.array_equal(again[1].rows, held.rows)
    assert [len(side.rows) for side in loader.cut(0.999, 0)] == [1, 49]


def test_a_batch_says_which_of_its_samples_have_a_modality(loader: Loader) -> None:
    generator = torch.Generator()
    rows, present = np.array([4, 9, 2]), np.array([True, False, True])
    plain = loader.batch(rows, generator)
    assert plain.mask is None
    batch = loader.batch(rows, generator, {"x": present})
    assert batch.mask is not None
    assert batch.mask["x"].tolist() == [True, False, True]
    assert torch.equal(batch.inputs["x"], plain.inputs["x"])  # what is absent is gathered all the same
    twice = batch.masked({"x": torch.tensor([False, True, True])})
    assert twice.mask is not None
    assert twice.mask["x"].tolist() == [False, False, True]
    assert batch.mask["x"].tolist() == [True, False, True]
    assert batch.only(["x"]).mask == batch.mask
    assert batch.only([]).mask is None
    for wrong in (torch.tensor([1, 0, 1]), torch.tensor([True, False])):
        with pytest.raises(ValueError, match="mask of x: found"):
            plain.masked({"x": wrong})
    with pytest.raises(ValueError, match="'y' is not among the batch's x"):
        loader.batch(rows, generator, {"y": present})


def test_the_transform_does_not_see_what_is_ready(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    part = cache.decoded(slow_set.SLOW, slow_set.write(tmp_path / "data", 20), "train", tmp_path / "cache")
    features = np.arange(20.0)[:, None]
    both = replace(part, arrays={**part.arrays, "text": features}, ready=frozenset({"text"}))
    seen: list[list[str]] = []

    def transform(self: object, inputs: dict[str, torch.Tensor], *_: object) -> dict[str, torch.Tensor]:
        seen.append(list(inputs))
        return {name: -x for name, x in inputs.items()}

    monkeypatch.setattr(slow_set.Slow, "transform", transform)
    some = both.take(np.array([7, 3]))
    (batch,) = Loader(slow_set.SLOW, some, 8, torch.device("cpu"))
    assert batch.inputs["text"].flatten().tolist() == [7, 3]
    assert batch.inputs["x"][:, 0, 0, 0].tolist() == [-7, -3]
    assert seen == [["x"]]
    assert both.take(np.arange(5)).joined(some).ready == {"text"}
    with pytest.raises(ValueError, match="cannot be joined"):
        both.joined(part)
