"""avdigits on disk: CREMA-D's layout, equal bytes for equal seeds, and clear errors for what is not it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
from PIL import Image

from igmsweep.data.avdigits import AVDIGITS, CLASSES, make
from igmsweep.errors import DataError

COUNTS = (30, 20, 20)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("avdigits") / "avdigits"
    make(folder, counts=COUNTS)
    return folder


def contents(root: Path) -> dict[str, bytes]:
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


@pytest.mark.slow
def test_files_stand_in_crema_d_layout(root: Path) -> None:
    rows = (root / "annotations" / "train.csv").read_text(encoding="utf-8").splitlines()
    assert len(rows) == COUNTS[0]
    name, label = rows[0].split(",")
    assert label in CLASSES
    wave, rate = soundfile.read(root / "AudioWAV" / f"{name}.wav")
    assert (rate, len(wave)) == (8000, 7200)
    assert 0 < np.abs(wave).max() <= 1
    with Image.open(next((root / "Image-01-FPS" / name).iterdir())) as picture:
        assert (picture.mode, picture.size) == ("L", (28, 28))


@pytest.mark.slow
def test_equal_seeds_write_equal_bytes_and_other_seeds_do_not(root: Path, tmp_path: Path) -> None:
    make(tmp_path / "again", counts=COUNTS)
    make(tmp_path / "other", counts=COUNTS, seed=1)
    assert contents(tmp_path / "again") == contents(root)
    assert contents(tmp_path / "other") != contents(root)


def test_parts_share_no_clip_and_no_speaker(root: Path) -> None:
    parts = [AVDIGITS.index(root, part) for part in ("train", "val", "test")]
    for field in ("id", "group"):
        sets = [{getattr(sample, field) for sample in part} for part in parts]
        assert not (sets[0] & sets[1] or sets[0] & sets[2] or sets[1] & sets[2])


def test_a_sample_reads_as_its_modalities_say_and_transforms_to_finite_floats(root: Path) -> None:
    import torch

    sample = AVDIGITS.index(root, "train")[0]
    first, second = AVDIGITS.read(sample), AVDIGITS.read(sample)
    for name in AVDIGITS.modalities:
        assert np.array_equal(first[name], second[name])
    raw = {name: torch.from_numpy(np.stack([array] * 8)) for name, array in first.items()}
    plain = AVDIGITS.transform(raw, False, torch.Generator())
    moved = [AVDIGITS.transform(raw, True, torch.Generator().manual_seed(3)) for _ in range(2)]
    for name, modality in AVDIGITS.modalities.items():
        assert plain[name].shape == (8, *modality.shape)
        assert plain[name].dtype == torch.float32
        assert bool(torch.isfinite(plain[name]).all())
        assert torch.equal(plain[name][0], plain[name][1])
        assert not torch.equal(moved[0][name], plain[name])
        assert torch.equal(moved[0][name], moved[1][name])


def test_ensure_makes_nothing_in_a_foreign_folder(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(DataError, match=str(tmp_path)):
        AVDIGITS.ensure(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_an_interrupted_make_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("igmsweep.data.avdigits.drawn", interrupted)
    with pytest.raises(KeyboardInterrupt):
        make(tmp_path / "avdigits", counts=COUNTS)
    assert list(tmp_path.iterdir()) == []
