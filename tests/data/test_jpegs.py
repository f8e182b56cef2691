"""Pictures kept as JPEG: close to what was decoded, whole after an interruption, and a cache of their own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from igmsweep import data
from igmsweep.data import cache, jpegs
from igmsweep.data.avdigits import AVDIGITS
from igmsweep.data.base import DataSet, Modality, Part, Sample
from igmsweep.data.jpegs import Jpegs
from igmsweep.data.rows import Rows
from igmsweep.errors import DataError
from igmsweep.schema.sections import DataConfig
from igmsweep.train import TrainConfig, train

CLOSE = 12
"""Levels of 255 by which a smooth picture at quality 95 may differ."""


def smooth(shape: tuple[int, ...], seed: int) -> np.ndarray:
    """Pictures without the noise that JPEG is made to lose; every plane its own."""
    rng = np.random.default_rng(seed)
    height, width = shape[-2:]
    y, x = np.mgrid[:height, :width] / max(height, width)
    low = rng.uniform(0, 120, (*shape[:-2], 1, 1))
    rise, across = rng.uniform(20, 60, (2, *shape[:-2], 1, 1))
    return (low + rise * y + across * x).astype(np.uint8)


def kept(arrays: list[np.ndarray], threads: int = 1) -> Jpegs:
    files = [jpegs.encode(array) for array in arrays]
    ends = np.cumsum([0] + [len(blob) for blobs in files for blob in blobs])
    pictures = len(files[0])
    bounds = np.stack([ends[i * pictures : (i + 1) * pictures + 1] for i in range(len(files))])
    return Jpegs(
        bounds, np.frombuffer(b"".join(blob for blobs in files for blob in blobs), np.uint8), arrays[0].shape, threads
    )


@pytest.mark.slow
@given(
    st.sampled_from([(3, 24, 40), (1, 24, 40), (5, 3, 32, 16), (3, 4, 24, 24), (2, 4, 24, 24), (1, 6, 16, 32)]),
    st.lists(st.integers(0, 4), max_size=6),
    st.integers(1, 3),
)
def test_any_rows_of_any_layout_come_back_close(shape: tuple[int, ...], rows: list[int], threads: int) -> None:
    raw = np.stack([smooth(shape, seed) for seed in range(5)])
    array = kept(list(raw), threads)
    assert array.shape == raw.shape and array.dtype == raw.dtype and array.nbytes == raw.nbytes
    assert array.ndim == raw.ndim and len(array) == 5 and jpegs.count(shape) + 1 == array._bounds.shape[1]
    chosen = np.array(rows, dtype=np.int64)
    for found, expected in ((array[chosen], raw[chosen]), (array[1:4], raw[1:4]), (array[2], raw[2])):
        assert found.shape == expected.shape
        assert np.abs(found.astype(int) - expected).max(initial=0) <= CLOSE
    view = Rows.of(array).take(np.array([4, 0])).joined(Rows.of(array))
    assert np.array_equal(view[np.array([0, 3])], array[np.array([4, 1])])


class Clips(DataSet):
    """Clips of colour frames beside sounds; stops with Ctrl-C at one sample."""

    name = "clips"
    classes = ("a", "b")
    modalities = {
        "video": Modality("video", "video", (3, 2, 64, 64), "resnet18"),
        "audio": Modality("audio", "audio", (1, 20, 20), "resnet18"),
    }
    stop_at = -1

    def index(self, root: Path, part: Part) -> list[Sample]:
        return [Sample(str(i), i % 2, {"video": root / "a"}) for i in range(300)] if part == "train" else []

    def read(self, sample: Sample) -> dict[str, np.ndarray]:
        number = int(sample.id)
        if number == self.stop_at:
            raise KeyboardInterrupt
        if number == 7:
            raise DataError("clip 7 cannot be read")
        audio = np.full((1, 20, 20), number, np.float32)
        return {"video": smooth((2, 3, 64, 64), number), "audio": audio}

    def blank(self, name: str) -> np.ndarray | None:
        return np.full((2, 3, 64, 64), 128, np.uint8) if name == "video" else None

    def recipe(self) -> dict[str, int]:
        return {"version": 1}

    def transform(self, inputs, training, generator):  # type: ignore[no-untyped-def]
        return inputs


def test_an_interrupted_build_goes_on_and_no_picture_is_lost(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("x")
    clips = Clips()
    clips.stop_at = 200
    with pytest.raises(KeyboardInterrupt):
        cache.decoded(clips, tmp_path, "train", tmp_path / "cache", 2, "jpeg")
    building = next((tmp_path / "cache").glob(".clips-train-*.building"))
    with (building / "video.jpegs").open("ab") as file:
        file.write(b"half a picture")
    clips.stop_at = -1
    part = cache.decoded(clips, tmp_path, "train", tmp_path / "cache", 2, "jpeg")
    whole = cache.decoded(clips, tmp_path, "train", tmp_path / "other", 2, "jpeg")
    assert part.digest == whole.digest
    video = part.arrays["video"]
    assert isinstance(video, Jpegs) and np.array_equal(video[:], whole.arrays["video"][:])
    for row in (0, 127, 128, 199, 200, 299):
        assert np.abs(video[row].astype(int) - smooth((2, 3, 64, 64), row)).max() <= CLOSE
    assert (video[7] == 128).all()
    assert np.array_equal(np.asarray(part.arrays["audio"])[:, 0, 0, 0], [0.0 if i == 7 else i for i in range(300)])
    raw = cache.decoded(clips, tmp_path, "train", tmp_path / "cache", 2)
    assert raw.digest != part.digest  # other pixels, other data

    def size(folder: Path) -> int:
        return sum(file.stat().st_size for file in folder.glob("video*"))

    packed, plain = sorted(
        (folder for folder in (tmp_path / "cache").glob("clips-train-*") if folder.is_dir()), key=size
    )
    assert 4 * size(packed) < size(plain)


def test_a_cut_file_of_pictures_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("x")
    cache.decoded(Clips(), tmp_path, "train", tmp_path / "cache", 2, "jpeg")
    path = next((tmp_path / "cache").glob("clips-train-*/video.jpegs"))
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(DataError, match="the cache is damaged"):
        cache.decoded(Clips(), tmp_path, "train", tmp_path / "cache", 2, "jpeg")


def test_a_training_from_jpeg_sees_nearly_the_same_pictures(small_avdigits: Path, tmp_path: Path) -> None:
    at = {"name": "avdigits", "root": small_avdigits, "cache": tmp_path / "cache"}
    raw, packed = (data.load(DataConfig(**at, store=store), "train")["train"] for store in ("raw", "jpeg"))
    assert np.array_equal(raw.arrays["audio"][:], packed.arrays["audio"][:])
    difference = raw.arrays["image"][:].astype(int) - packed.arrays["image"][:]
    assert AVDIGITS.modalities["image"].shape[0] == 1 and np.abs(difference).mean() < 3
    small = {"data": {**at, "store": "jpeg"}, "model": {"width": 4}, "stages": {"cycles": 1, "epochs": 1}}
    assert 0 <= train(TrainConfig(**small)).metrics["val/acc"] <= 1
