"""Batches from maps: the same ones with and without gathering ahead, on every run of an epoch."""

from __future__ import annotations

from pathlib import Path

import pytest
import slow_set
import torch

from igmsweep.data import cache
from igmsweep.data.loader import Loader


@pytest.mark.parametrize("training", [True, False])
def test_gathering_ahead_changes_no_batch(tmp_path: Path, training: bool) -> None:
    part = cache.partition(slow_set.SLOW, slow_set.write(tmp_path / "data", 50), "train", tmp_path / "cache")
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
    part = cache.partition(slow_set.SLOW, slow_set.write(tmp_path / "data", 50), "train", tmp_path / "cache")
    loader = Loader(slow_set.SLOW, part, 8, torch.device("cpu"))
    loader._resident, loader.prefetch = None, True
    assert next(iter(loader)).labels.shape == (8,)
    assert len(list(loader)) == 7
