"""The layout that CREMA-D and its relatives share, with the broken files that users have."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
from PIL import Image

from igmsweep.data import audio, cremad_layout, frames
from igmsweep.errors import DataError

CLASSES = ("NEU", "HAP")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "annotations").mkdir()
    (tmp_path / "AudioWAV").mkdir()
    for name in ("1001_IEO_NEU_XX", "1002_IEO_HAP_LO"):
        soundfile.write(tmp_path / "AudioWAV" / f"{name}.wav", np.full(1600, 0.25, np.float32), 16000)
        (tmp_path / "Image-01-FPS" / name).mkdir(parents=True)
        for frame in ("image_00002.jpg", "image_00001.jpg"):
            Image.new("RGB", (48, 36), (200, 0, 0)).save(tmp_path / "Image-01-FPS" / name / frame)
    rows = "1001_IEO_NEU_XX,NEU\n1002_IEO_HAP_LO,HAP\n"
    (tmp_path / "annotations" / "train.csv").write_bytes(b"\xef\xbb\xbf" + rows.encode())
    return tmp_path


def index(root: Path, part: str = "train") -> list:
    return cremad_layout.index(root, part, CLASSES, "audio", "video", lambda name: name[:4])  # type: ignore[arg-type]


def test_a_byte_order_mark_does_not_reach_the_first_name(root: Path) -> None:
    samples = index(root)
    expected = [("1001_IEO_NEU_XX", 0, "1001"), ("1002_IEO_HAP_LO", 1, "1002")]
    assert [(s.id, s.label, s.group) for s in samples] == expected
    assert frames.frame_files(samples[0].files["video"])[0].name == "image_00001.jpg"


def test_no_validation_list_is_an_empty_part_but_no_test_list_is_an_error(root: Path) -> None:
    assert index(root, "val") == []
    with pytest.raises(DataError, match=r"test\.csv"):
        index(root, "test")


@pytest.mark.parametrize(
    ("row", "expected"),
    [("1003_X,HPA", "did you mean 'HAP'"), ("1001_IEO_NEU_XX,NEU", "twice"), ("1001_IEO_NEU_XX", "line 3")],
)
def test_a_bad_row_is_named(root: Path, row: str, expected: str) -> None:
    with (root / "annotations" / "train.csv").open("a", encoding="utf-8") as file:
        file.write(row + "\n")
    with pytest.raises(DataError, match=expected):
        index(root)


def test_a_clip_without_pictures_is_named(root: Path) -> None:
    for path in (root / "Image-01-FPS" / "1002_IEO_HAP_LO").iterdir():
        path.unlink()
    with pytest.raises(DataError, match="1002_IEO_HAP_LO"):
        frames.frame_files(index(root)[1].files["video"])


def test_a_git_lfs_pointer_is_recognised_and_says_what_to_run(root: Path) -> None:
    path = root / "AudioWAV" / "1001_IEO_NEU_XX.wav"
    path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 80000\n")
    with pytest.raises(DataError, match="git lfs pull"):
        audio.read_wav(path, 16000)


def test_missing_truncated_and_wrong_files_are_data_errors_of_one_line(root: Path) -> None:
    picture = root / "Image-01-FPS" / "1001_IEO_NEU_XX" / "image_00001.jpg"
    picture.write_bytes(picture.read_bytes()[:200])
    noise = root / "AudioWAV" / "1001_IEO_NEU_XX.wav"
    noise.write_bytes(b"not a sound")
    attempts = [
        (picture, lambda: frames.read_picture(picture, (8, 8), 3)),
        (noise, lambda: audio.read_wav(noise, 16000)),
        (root / "none.wav", lambda: audio.read_wav(root / "none.wav", 16000)),
    ]
    for path, attempt in attempts:
        with pytest.raises(DataError) as caught:
            attempt()
        assert path.name in str(caught.value)
        assert "\n" not in str(caught.value)


def test_another_rate_is_resampled_and_a_short_sound_repeats(root: Path) -> None:
    wave = audio.read_wav(root / "AudioWAV" / "1001_IEO_NEU_XX.wav", 8000)
    assert len(wave) == 800
    assert np.abs(wave[100:-100] - 0.25).max() < 0.01
    assert audio.fit_length(np.asarray([1, 2, 3], np.float32), 7).tolist() == [1, 2, 3, 1, 2, 3, 1]


def test_a_tone_stands_in_its_own_band() -> None:
    tone = np.sin(2 * np.pi * 1000 * np.arange(8000) / 8000).astype(np.float32)
    assert audio.stft_magnitude(tone, 256, 128)[:, 20].argmax() == 32  # 1000 Hz in steps of 31.25 Hz
    assert audio.log_mel(tone, 8000, 256, 128, 40).shape == (40, 63)
