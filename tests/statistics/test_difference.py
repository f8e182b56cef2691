"""What a difference is called, and what it is over."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from igmsweep.record.predictions import Predictions, write_predictions
from igmsweep.statistics.difference import Difference, paired, unpaired
from igmsweep.statistics.influence import BySeed


def kept(place: Path, rights: dict[int, int], samples: int = 100) -> BySeed:
    """Trainings by seed that get so many of the samples right, the first ones."""
    labels = np.zeros(samples, dtype=int)
    folders = {seed: place / str(seed) for seed in rights}
    for seed, right in rights.items():
        folders[seed].mkdir(parents=True)
        sure = np.where(np.arange(samples) < right, 0.9, 0.1)
        write_predictions(folders[seed], Predictions(np.stack([sure, 1 - sure], axis=1), labels, "test"))
    return BySeed({seed: right / samples for seed, right in rights.items()}, "acc", folders, samples)


def test_it_says_what_it_is_over(tmp_path: Path) -> None:
    one, other = kept(tmp_path / "one", {0: 93, 1: 95, 2: 94}), kept(tmp_path / "other", {0: 71, 1: 70, 2: 74})
    found = unpaired("a", one, "b", other)
    assert found is not None and found.sign == 1
    assert found.words.startswith("a − b: +22.3 points [+") and found.words.endswith("], 3 seeds and 100 samples")
    shared = unpaired("a", one, "b", other, level=0.005)
    assert shared is not None and " at 99.5 %, 3 seeds and 100 samples" in shared.words
    assert shared.low < found.low and shared.high > found.high
    alone = unpaired("a", dict(one), "b", dict(other))
    assert alone is not None and alone.words.endswith("], 3 seeds") and alone.samples is None
    by_seed = paired("a", one, "b", other)
    assert by_seed is not None and by_seed.mean == pytest.approx(found.mean) and by_seed.samples == 100


def test_one_training_each_is_never_told_apart(tmp_path: Path) -> None:
    found = unpaired("a", kept(tmp_path / "one", {0: 95}), "b", kept(tmp_path / "other", {0: 20}))
    assert found is not None and found.low > 0 and found.sign == 0
    assert found.words.endswith("100 samples, one training only: not told apart")


def test_nothing_to_compare_or_nothing_known_of_chance(tmp_path: Path) -> None:
    assert unpaired("a", {}, "b", {0: 0.5, 1: 0.6}) is None
    assert unpaired("a", {0: 0.5}, "b", {0: 0.5}) is None
    assert paired("a", {0: 0.5, 1: 0.6}, "b", {1: 0.5, 2: 0.4}) is None


def test_losses_are_told_as_they_are() -> None:
    found = Difference("a", "b", -0.1234, -0.2, -0.05, 5, "of test loss")
    assert found.words == "a − b: -0.123 of test loss [-0.2, -0.05], 5 seeds" and found.sign == -1
