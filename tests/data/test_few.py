"""A few samples for a dry run: decoded into memory as the cache would hold them, and nothing else."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from igmsweep import data
from igmsweep.data.few import LEAST, MOST, decode_few
from igmsweep.errors import DataError
from igmsweep.schema.sections import DataConfig

TOY = Path(__file__).parent.parent / "toy.py"


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DataConfig:
    """Toy data in a folder of the test's own, and a cache that is not there."""
    monkeypatch.setenv("IGMSWEEP_CACHE", str(tmp_path / "cache"))
    return DataConfig(name=f"{TOY}:TOY2", root=tmp_path / "toy")


def test_they_are_what_the_cache_would_hold_and_nothing_is_written(toy: DataConfig, tmp_path: Path) -> None:
    few = decode_few(data.listed(toy), toy, 100.0)
    assert not (tmp_path / "cache").exists()
    assert (few.decoded, len(few.data.train), len(few.data.val)) == (64, MOST["train"], MOST["val"])
    assert (few.train, few.val, few.unusable) == (150, 60, 0)
    whole = data.load_search(toy)
    for side in ("train", "val"):
        some, every = getattr(few.data, side), getattr(whole, side)
        rows = [every.ids.index(name) for name in some.ids]
        assert len(set(rows)) == len(rows) and some.labels.tolist() == every.labels[rows].tolist()
        for name in ("m0", "m1"):
            np.testing.assert_array_equal(np.asarray(some.arrays[name]), every.arrays[name][rows])
    held = sum(file.stat().st_size for file in (tmp_path / "cache").glob("toy2-*/m?.npy"))
    assert few.all_bytes() == pytest.approx(held, rel=0.01)  # the files have headers


def test_in_no_time_only_the_least_are_decoded(toy: DataConfig) -> None:
    few = decode_few(data.listed(toy), toy, 0.0)
    assert len(few.data.train) >= LEAST["train"] and len(few.data.val) >= LEAST["val"]
    assert few.decoded < 30


def test_samples_that_cannot_be_used_are_counted_and_left_out(toy: DataConfig, tmp_path: Path) -> None:
    lists = data.listed(toy)
    for path in sorted((tmp_path / "toy" / "train").glob("*_m1.npy"))[::2]:
        path.write_bytes(b"no array")
    few = decode_few(lists, toy, 100.0)
    assert few.decoded == 64 and few.unusable == MOST["train"] - len(few.data.train) > 0
    assert all(int(name.removeprefix("train")) % 2 for name in few.data.train.ids)
    for path in (tmp_path / "toy" / "val").glob("*_m0.npy"):
        path.unlink()
    with pytest.raises(
        DataError, match=r"^toy2: none of the 16 samples of val that were tried can be used; the first: "
    ):
        decode_few(lists, toy, 100.0)


@pytest.mark.parametrize("store", ["raw", "jpeg"])
def test_all_of_them_take_what_the_cache_takes(store: str, small_avdigits: Path, tmp_path: Path) -> None:
    config = DataConfig(name="avdigits", root=small_avdigits, cache=tmp_path / "cache", store=store)
    few = decode_few(data.listed(config), config, 100.0)
    data.load_search(config)
    held = sum(file.stat().st_size for file in (tmp_path / "cache").glob("avdigits-*/*") if file.suffix != ".json")
    assert few.all_bytes() == pytest.approx(held, rel=0.15)
