"""The cache of decoded arrays: built once, never read half-written, and blind to test files."""

from __future__ import annotations

import logging
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import slow_set

from igmsweep import data
from igmsweep.data import cache
from igmsweep.data.avdigits import AVDIGITS, make
from igmsweep.data.base import Sample
from igmsweep.data.rows import Rows
from igmsweep.errors import DataError
from igmsweep.schema.sections import DataConfig

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
    logger = logging.getLogger("igmsweep")
    logger.addHandler(logging.FileHandler(log))
    logger.setLevel(logging.INFO)
    found = data.load_search(DataConfig(name="avdigits", root=root, cache=folder))
    return found.data_hash, found.split_hash, float(found.train.arrays["audio"].sum())


@pytest.mark.slow
def test_processes_that_start_together_build_once_and_agree(root: Path, tmp_path: Path) -> None:
    logs = [tmp_path / f"log{number}" for number in range(4)]
    with multiprocessing.get_context("spawn").Pool(4) as pool:
        results = pool.starmap(search, [(root, tmp_path / "cache", log) for log in logs])
    assert len(set(results)) == 1
    said = "".join(log.read_text() for log in logs if log.exists())
    assert said.count("decoding") == 2  # train and validation
    folders = [path.name for path in (tmp_path / "cache").iterdir() if path.is_dir()]
    assert sorted(name.split("-")[1] for name in folders) == ["train", "val"]


@pytest.mark.slow
def test_arrays_are_mapped_and_equal_what_the_reader_gives(root: Path, tmp_path: Path) -> None:
    part = cache.decoded(AVDIGITS, root, "val", tmp_path / "cache")
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
    config = DataConfig(name="avdigits", root=root, cache=tmp_path / "cache")
    for _ in range(2):  # built, and from the cache
        with pytest.raises(DataError, match=rf"{victim.name}.*data\.bad_files"):
            data.load(config, "val")
    victim.write_bytes(whole)
    assert len(data.load(config, "val")["val"]) == COUNTS[1]


def test_a_reader_that_contradicts_itself_leaves_no_cache(root: Path, tmp_path: Path) -> None:
    class Odd(type(AVDIGITS)):  # type: ignore[misc]
        def read(self, sample: Sample) -> dict[str, np.ndarray]:
            arrays = super().read(sample)
            return arrays if int(sample.id[-1]) else {name: array[:, :5] for name, array in arrays.items()}

    with pytest.raises(DataError, match="has shape"):
        cache.decoded(Odd(), root, "val", tmp_path / "cache")
    assert not [path for path in (tmp_path / "cache").iterdir() if path.is_dir()]


def test_a_folder_without_its_marker_is_built_again_and_a_damaged_map_is_refused(root: Path, tmp_path: Path) -> None:
    first = cache.decoded(AVDIGITS, root, "val", tmp_path / "cache")
    expected = np.array(first.arrays["image"])
    (folder,) = (path for path in (tmp_path / "cache").iterdir() if path.is_dir())
    (folder / "index.json").unlink()
    (folder / "image.npy").write_bytes(b"half")
    again = cache.decoded(AVDIGITS, root, "val", tmp_path / "cache")
    assert np.array_equal(again.arrays["image"], expected)
    (folder / "image.npy").write_bytes(b"half")
    with pytest.raises(DataError, match="damaged"):
        cache.decoded(AVDIGITS, root, "val", tmp_path / "cache")


def test_a_changed_file_changes_the_key(root: Path, tmp_path: Path) -> None:
    cache.decoded(AVDIGITS, root, "val", tmp_path / "cache")
    samples = AVDIGITS.index(root, "val")
    shutil.copyfile(samples[1].files["image"] / "00000.png", samples[0].files["image"] / "00000.png")
    part = cache.decoded(AVDIGITS, root, "val", tmp_path / "cache")
    assert np.array_equal(part.arrays["image"][0], part.arrays["image"][1])


BUILD = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[3])
from igmsweep.data import cache
from slow_set import SLOW
cache.SHARD = 8
part = cache.decoded(SLOW, Path(sys.argv[1]), "train", Path(sys.argv[2]), jobs=2)
print(part.digest, float(part.arrays["x"].sum()))
"""


@pytest.mark.slow
@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGINT])
def test_a_build_that_was_killed_goes_on_where_it_stopped(tmp_path: Path, end: signal.Signals) -> None:
    root, folder, reads = slow_set.write(tmp_path / "data", 200), tmp_path / "cache", tmp_path / "reads"
    command = [sys.executable, "-c", BUILD, str(root), str(folder), str(Path(__file__).parent)]
    process = subprocess.Popen(
        command, env=os.environ | {"READS": str(reads)}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    journals: list[Path] = []
    while not journals or journals[0].read_text().count("done") < 3:
        assert process.poll() is None, process.communicate()
        journals = list(folder.glob(".*.building/journal.jsonl"))
        time.sleep(0.01)
    process.send_signal(end)
    process.communicate()
    assert process.returncode != 0
    assert not list(folder.glob("slow-train-*/index.json"))
    before = len(reads.read_text().splitlines())
    assert before < 200
    with journals[0].open("a") as file:
        file.write('{"done": 1')  # a line that was being written
    done = subprocess.run(command, env=os.environ | {"READS": str(reads)}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    again = len(reads.read_text().splitlines()) - before
    assert again <= 200 - 3 * 8
    whole = cache.decoded(slow_set.SLOW, root, "train", folder)
    assert np.array_equal(np.array(whole.arrays["x"])[:, 0, 0, 0], np.arange(200))
    assert done.stdout.split() == [whole.digest, str(float(whole.arrays["x"].sum()))]
    assert not list(folder.glob(".*.building"))


@pytest.mark.slow
def test_four_processes_on_an_empty_cache_read_every_file_once(tmp_path: Path) -> None:
    root, folder, reads = slow_set.write(tmp_path / "data", 60), tmp_path / "cache", tmp_path / "reads"
    command = [sys.executable, "-c", BUILD, str(root), str(folder), str(Path(__file__).parent)]
    several = [
        subprocess.Popen(command, env=os.environ | {"READS": str(reads)}, stdout=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    printed = {process.communicate()[0] for process in several}
    assert len(printed) == 1
    ids = reads.read_text().splitlines()
    assert len(set(ids)) == 60
    assert len(ids) <= 61  # the first is read for its shape, and again in its place


def test_what_was_moved_or_touched_is_not_decoded_again_and_a_changed_recipe_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, folder, reads = slow_set.write(tmp_path / "data", 20), tmp_path / "cache", tmp_path / "reads"
    first = cache.decoded(slow_set.SLOW, root, "train", folder)
    monkeypatch.setenv("READS", str(reads))
    moved = Path(shutil.copytree(root, tmp_path / "elsewhere"))
    shutil.rmtree(root)
    assert cache.decoded(slow_set.SLOW, moved, "train", folder).digest == first.digest
    os.utime(moved / "train" / "0003.npy")
    assert cache.decoded(slow_set.SLOW, moved, "train", folder).digest == first.digest
    assert not reads.exists()
    monkeypatch.setattr(slow_set.Slow, "recipe", lambda self: {"version": 2})
    assert cache.decoded(slow_set.SLOW, moved, "train", folder).digest != first.digest
    assert len(set(reads.read_text().splitlines())) == 20


def test_a_carved_split_copies_no_row(tmp_path: Path) -> None:
    root = slow_set.write(tmp_path / "data", 40)
    part = cache.decoded(slow_set.SLOW, root, "train", tmp_path / "cache")
    some = part.take(np.array([5, 3, 30]))
    both = some.joined(part.take(np.array([0, 1])))
    rows = both.arrays["x"]
    assert isinstance(rows, Rows)
    assert all(isinstance(source, np.memmap) for source in rows.sources)
    assert rows[np.arange(5)][:, 0, 0, 0].tolist() == [5, 3, 30, 0, 1]
    assert rows[1][0, 0, 0] == 3
    assert (len(rows), rows.shape, rows.nbytes) == (5, (5, 1, 4, 4), 5 * 64)


@pytest.mark.slow
def test_the_oldest_caches_go_when_the_limit_is_reached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "cache"
    avdigits = tmp_path / "avdigits"
    make(avdigits, counts=COUNTS)
    cache.decoded(AVDIGITS, avdigits, "val", folder)
    monkeypatch.setenv("IGMSWEEP_CACHE_LIMIT", "0.00001")
    cache.decoded(slow_set.SLOW, slow_set.write(tmp_path / "data", 20), "train", folder)
    assert [entry.dataset for entry in cache.entries(folder)] == ["slow"]


def test_a_build_without_a_single_usable_sample_says_the_first_reason(tmp_path: Path) -> None:
    root = slow_set.write(tmp_path / "data", 3)
    for path in (root / "train").iterdir():
        path.write_bytes(b"x")
    with pytest.raises(DataError, match="not one of 3 samples has a usable x"):
        cache.decoded(slow_set.SLOW, root, "train", tmp_path / "cache")
    assert not list((tmp_path / "cache").glob("*slow*/"))


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
