"""The cache of decoded arrays: built once, never read half-written, and blind to test files."""

from __future__ import annotations

import multiprocessing
import shutil
from pathlib import Path

import numpy as np
import pytest

from igmsweep import data
from igmsweep.config import DataConfig
from igmsweep.data import cache
from igmsweep.data.avdigits import AVDIGITS, make
from igmsweep.data.base import Sample
from igmsweep.errors import DataError

COUNTS = (60, 30, 30)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("made") / "avdigits"
    make(root, counts=COUNTS)
    return root


@pytest.fixture
def root(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "avdigits"))


def search(root: Path, folder: Path, log: Path) -> tuple[str, str, float]:
    import contextlib

    with log.open("a") as file, contextlib.redirect_stderr(file):
        found = data.load_search(DataConfig(name="avdigits", root=root, cache=folder))
    return found.data_hash, found.split_hash, float(found.train.arrays["audio"].sum())


def test_processes_that_start_together_build_once_and_agree(root: Path, tmp_path: Path) -> None:
    logs = [tmp_path / f"log{number}" for number in range(4)]
    with multiprocessing.get_context("spawn").Pool(4) as pool:
        results = pool.starmap(search, [(root, tmp_path / "cache", log) for log in logs])
    assert len(set(results)) == 1
    assert sum(log.read_text().count("decoding") for log in logs) == 2  # train and validation
    folders = [path.name for path in (tmp_path / "cache").iterdir() if path.is_dir()]
    assert sorted(name.split("-")[1] for name in folders) == ["train", "val"]


def test_arrays_are_mapped_and_equal_what_the_reader_gives(root: Path, tmp_path: Path) -> None:
    part = cache.partition(AVDIGITS, root, "val", tmp_path / "cache")
    samples = AVDIGITS.index(root, "val")
    assert part.ids == tuple(sample.id for sample in samples)
    assert part.labels.tolist() == [sample.label for sample in samples]
    for name, array in AVDIGITS.read(samples[7]).items():
        assert isinstance(part.arrays[name], np.memmap)
        assert np.array_equal(part.arrays[name][7], array)


def test_a_bad_file_is_named_and_the_mended_one_is_read(root: Path, tmp_path: Path) -> None:
    victim = AVDIGITS.index(root, "val")[-1].files["audio"]
    whole = victim.read_bytes()
    victim.write_bytes(b"cut short")
    for _ in range(2):  # built, and from the cache
        with pytest.raises(DataError, match=rf"{victim.name}.*data\.bad_files"):
            cache.partition(AVDIGITS, root, "val", tmp_path / "cache")
    victim.write_bytes(whole)
    assert len(cache.partition(AVDIGITS, root, "val", tmp_path / "cache")) == COUNTS[1]


def test_a_reader_that_contradicts_itself_leaves_no_cache(root: Path, tmp_path: Path) -> None:
    class Odd(type(AVDIGITS)):  # type: ignore[misc]
        def read(self, sample: Sample) -> dict[str, np.ndarray]:
            arrays = super().read(sample)
            return arrays if int(sample.id[-1]) else {name: array[:, :5] for name, array in arrays.items()}

    with pytest.raises(DataError, match="has shape"):
        cache.partition(Odd(), root, "val", tmp_path / "cache")
    assert not [path for path in (tmp_path / "cache").iterdir() if path.is_dir()]


def test_a_folder_without_its_marker_is_built_again_and_a_damaged_map_is_refused(root: Path, tmp_path: Path) -> None:
    first = cache.partition(AVDIGITS, root, "val", tmp_path / "cache")
    expected = np.array(first.arrays["image"])
    (folder,) = (path for path in (tmp_path / "cache").iterdir() if path.is_dir())
    (folder / "index.json").unlink()
    (folder / "image.npy").write_bytes(b"half")
    again = cache.partition(AVDIGITS, root, "val", tmp_path / "cache")
    assert np.array_equal(again.arrays["image"], expected)
    (folder / "image.npy").write_bytes(b"half")
    with pytest.raises(DataError, match="damaged"):
        cache.partition(AVDIGITS, root, "val", tmp_path / "cache")


def test_a_changed_file_changes_the_key(root: Path, tmp_path: Path) -> None:
    cache.partition(AVDIGITS, root, "val", tmp_path / "cache")
    samples = AVDIGITS.index(root, "val")
    shutil.copyfile(samples[1].files["image"] / "00000.png", samples[0].files["image"] / "00000.png")
    part = cache.partition(AVDIGITS, root, "val", tmp_path / "cache")
    assert np.array_equal(part.arrays["image"][0], part.arrays["image"][1])


@pytest.mark.parametrize("folds", [None, 3])
def test_a_search_opens_no_test_file(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folds: int | None
) -> None:
    for sample in AVDIGITS.index(root, "test"):
        for path in sample.files.values():
            (path / "00000.png" if path.is_dir() else path).write_bytes(b"poison")
    (root / "annotations" / "test.csv").write_bytes(b"\xff poison")
    config = DataConfig(name="avdigits", root=root, cache=tmp_path / "cache", folds=folds)
    found = data.load_search(config)
    assert len(found.train) + len(found.val) == COUNTS[0] + COUNTS[1]
    assert not hasattr(found, "test")
    with pytest.raises((DataError, UnicodeDecodeError)):
        data.load_test(config)
