"""The script that builds AV-MNIST, on small sources in the real formats."""

from __future__ import annotations

import csv
import gzip
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from PIL import Image

from igmsweep.data import load_search
from igmsweep.schema.sections import DataConfig

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
from make_avmnist import Missing, build


@pytest.fixture
def sources(tmp_path: Path) -> tuple[Path, Path]:
    """Four speakers, two takes of each digit, and eight pictures of each; a picture's first pixel tells its number."""
    spoken, raw = tmp_path / "spoken", tmp_path / "mnist" / "MNIST" / "raw"
    (spoken / "recordings").mkdir(parents=True)
    raw.mkdir(parents=True)
    sound = np.random.default_rng(0).normal(0, 0.1, 3200)
    for digit in range(10):
        for speaker in ("george", "jackson", "lucas", "theo"):
            for take in range(2):
                soundfile.write(spoken / "recordings" / f"{digit}_{speaker}_{take}.wav", sound, 8000, subtype="PCM_16")
    labels = np.tile(np.arange(10, dtype=np.uint8), 8)
    pictures = np.zeros((80, 28, 28), np.uint8)
    pictures[:, 0, 0] = np.arange(80)
    header = b"\x00\x00\x08\x03" + np.array([80, 28, 28], ">u4").tobytes()
    (raw / "t10k-images-idx3-ubyte").write_bytes(header + pictures.tobytes())
    with gzip.open(raw / "t10k-labels-idx1-ubyte.gz", "wb") as file:
        file.write(b"\x00\x00\x08\x01" + np.array([80], ">u4").tobytes() + labels.tobytes())
    return spoken, tmp_path / "mnist"


def test_every_clip_has_a_picture_of_its_digit_and_no_two_the_same(sources: tuple[Path, Path], tmp_path: Path) -> None:
    out = tmp_path / "av"
    assert build(*sources, out) == 80
    rows = list(csv.DictReader((out / "samples.csv").open()))
    assert list(rows[0]) == ["id", "audio", "image", "label", "group", "split"]
    numbers = [int(np.asarray(Image.open(out / row["image"]))[0, 0]) for row in rows]
    assert [number % 10 for number in numbers] == [int(row["label"]) for row in rows]
    assert len(set(numbers)) == 80
    assert {row["group"]: row["split"] for row in rows} == {
        "george": "train", "jackson": "train", "lucas": "val", "theo": "test"
    }  # fmt: skip
    again = tmp_path / "again"
    build(*sources, again)
    files = sorted(path.relative_to(out) for path in out.rglob("*.*"))
    assert all((out / path).read_bytes() == (again / path).read_bytes() for path in files)
    found = load_search(DataConfig(name=str(out / "samples.csv"), cache=tmp_path / "cache"))
    assert (len(found.train), len(found.val)) == (40, 20)


def test_a_source_that_is_missing_or_too_small_is_one_line(sources: tuple[Path, Path], tmp_path: Path) -> None:
    spoken, written = sources
    with pytest.raises(Missing, match="found no recordings/"):
        build(written, written, tmp_path / "a")
    with pytest.raises(Missing, match="found no t10k-images"):
        build(spoken, spoken, tmp_path / "a")
    soundfile.write(spoken / "recordings" / "7_nicolas_0.wav", np.zeros(800), 8000)
    with pytest.raises(Missing, match="too few pictures of 7"):
        build(spoken, written, tmp_path / "a")
