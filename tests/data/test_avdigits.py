"""avdigits on disk: CREMA-D's layout, equal bytes for equal seeds, and clear errors for what is not it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
from PIL import Image

from igmsweep.data.avdigits import AVDIGITS, CLASSES, MARKER, make, settings, spoken
from igmsweep.data.base import PARTS
from igmsweep.data.synthesiser import Voice
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


def test_a_digit_that_comes_again_is_drawn_anew_and_stays_in_its_part_and_with_its_speaker(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("igmsweep.data.avdigits.DIGITS", (12, 6, 6))
    make(tmp_path / "avdigits", counts=(18, 9, 9))
    owners: dict[str, tuple[str, str]] = {}
    pictures: dict[str, set[bytes]] = {}
    for part in PARTS:
        for sample in AVDIGITS.index(tmp_path / "avdigits", part):
            assert sample.group is not None
            digit = sample.id.split("_")[2]
            assert owners.setdefault(digit, (part, sample.group)) == (part, sample.group)
            pictures.setdefault(digit, set()).add(AVDIGITS.read(sample)["image"].tobytes())
    assert len(pictures) == 24
    assert sum(map(len, pictures.values())) == 36


def test_a_clip_whose_word_is_lost_is_noise_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    voice = Voice.draw(np.random.default_rng(0))
    peaks = []
    for share in (0.0, 1.0):
        monkeypatch.setattr("igmsweep.data.avdigits.UNHEARD", share)
        power = [spoken("six", voice, np.random.default_rng(seed)).reshape(36, -1).var(axis=1) for seed in range(10)]
        peaks.append(np.mean([p.max() / p.min() for p in power]))
    assert peaks[0] > 3 * peaks[1]


def test_a_folder_of_another_version_is_refused(tmp_path: Path) -> None:
    old = {"version": 1, "snr_db": 6.0, "pixel_noise": 0.2, "speakers": [36, 8, 8], "size": 28}
    (tmp_path / MARKER).write_text(json.dumps({"settings": old, "seed": 0, "counts": [1257, 180, 360]}))
    with pytest.raises(DataError, match="another version of igmsweep") as refused:
        AVDIGITS.ensure(tmp_path)
    assert "\n" not in str(refused.value)
    (tmp_path / MARKER).write_text(json.dumps({"settings": settings(), "seed": 0, "counts": [1, 1, 1]}))
    AVDIGITS.ensure(tmp_path)  # this version's own settings, as they come back from the file, are accepted


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
