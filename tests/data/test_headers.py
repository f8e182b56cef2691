"""What headers vouch for: whatever they let pass, a decoder reads; whatever is broken at an end is handed to the decoder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from av_trees import POINTER, jpegs, kinetics_folders, tone, video, wav

from igmsweep.data import headers
from igmsweep.data.base import DataSet, Sample
from igmsweep.data.check import check
from igmsweep.data.digests import duplicates
from igmsweep.data.kinetics_sounds import KINETICS_SOUNDS
from igmsweep.data.nvgesture import NVGESTURE
from igmsweep.plugin import load_module

trees = load_module(Path(__file__).with_name("text_and_gesture_trees.py"), "tests")


def _flow(path: Path) -> None:
    np.save(path, np.zeros((4, 4, 2, 3), np.float32))


MAKERS: dict[str, Callable[[Path], None]] = {
    "a.wav": lambda path: wav(path, tone(0, 1.0)),
    "a.jpg": lambda path: jpegs(path.parent, 0, [path.name]),
    "a.png": lambda path: jpegs(path.parent, 0, [path.name]),
    "a.npy": _flow,
    "a.mp4": lambda path: video(path, 0, 2, "10", "libx264", "aac"),
    "a.flv": lambda path: video(path, 0, 2, "10", "flv1", "libmp3lame"),
    "a.avi": lambda path: video(path, 0, 2, "10", "libx264", "libmp3lame"),
}


@pytest.mark.parametrize("name", MAKERS)
@pytest.mark.parametrize("kind", ["audio", "image"])
def test_whole_files_are_vouched_for_and_others_are_not(tmp_path: Path, name: str, kind: str) -> None:
    path = tmp_path / name
    MAKERS[name](path)
    assert headers.vouched(path, kind)
    whole = path.read_bytes()
    # FLV says nowhere how long it is: one that was cut is read, by headers and decoder alike, as far as it goes
    cut = [] if path.suffix == ".flv" else [whole[: len(whole) * 2 // 3]]
    for content in (*cut, POINTER.encode(), b"", b"<html>404</html>"):
        path.write_bytes(content)
        assert not headers.vouched(path, kind)
    path.unlink()
    assert not headers.vouched(path, kind)


def test_a_video_without_sound_is_vouched_for_as_pictures_alone(tmp_path: Path) -> None:
    video(tmp_path / "mute.mp4", 0, 2, "10", "libx264", None)
    assert headers.vouched(tmp_path / "mute.mp4", "video")
    assert not headers.vouched(tmp_path / "mute.mp4", "audio")


def test_a_sound_that_is_silent_but_for_a_moment_is_left_to_the_decoder(tmp_path: Path) -> None:
    quiet = np.zeros(160_000, np.float32)
    wav(tmp_path / "silent.wav", quiet)
    assert not headers.vouched(tmp_path / "silent.wav", "audio")
    quiet[30_000] = 0.5  # between the places that are probed
    wav(tmp_path / "click.wav", quiet)
    (tmp_path / "frames").mkdir()
    jpegs(tmp_path / "frames", 0, [f"{number}.jpg" for number in range(4)])
    files = {"audio": tmp_path / "click.wav", "video": tmp_path / "frames"}
    assert KINETICS_SOUNDS.inspect(Sample("click", 0, files)) == []
    (remark,) = KINETICS_SOUNDS.inspect(Sample("silent", 0, files | {"audio": tmp_path / "silent.wav"}))
    assert remark.kind == "silent"


def kinetics(root: Path) -> DataSet:
    """Clips that are mute, short, empty and cut."""
    folder = kinetics_folders(root, {"train": 3, "test": 3}) / "train" / "playing_guitar"
    video(folder / "mute0000000.mp4", 0, 5, "4", "libx264", None)
    video(folder / "brief000000.mp4", 0, 2, "4", "libx264", "aac")
    (folder / "zero0000000.mp4").touch()
    whole = next(folder.glob("*Y_z*.mp4")).read_bytes()
    (folder / "cut00000000.mp4").write_bytes(whole[: len(whole) // 2])
    video(folder / "long0000000.mp4", 0, 20, "4", "libx264", "aac")
    return KINETICS_SOUNDS.at(root)


def nvgesture(root: Path) -> DataSet:
    """Clips of which one sensor is missing, a pointer, no video, or too short."""
    root.mkdir()
    trees.nvgesture(root, classes=4)
    dataset = NVGESTURE.with_options({"clip": 6, "frames": 4, "size": 32, "crop": 24})
    first, second, third, fourth = dataset.index(root, "train")[:4]
    first.files["rgb"].unlink()
    second.files["depth"].write_text(trees.POINTER)
    third.files["rgb"].write_bytes(b"RIFF nothing")
    trees.video(fourth.files["rgb"], trees.FIRST + 2, 1, (48, 32))
    return dataset


@pytest.mark.parametrize("make", [kinetics, nvgesture])
def test_headers_and_decoding_say_the_same_of_files_that_are_broken(
    tmp_path: Path, make: Callable[[Path], DataSet], monkeypatch: pytest.MonkeyPatch
) -> None:
    def computed(*_: object) -> None:
        raise AssertionError("optical flow is not computed to check files")

    root = tmp_path / "data"
    dataset = make(root)
    monkeypatch.setattr("igmsweep.data.nvgesture.optical_flow", computed)
    by_headers, decoded = check(dataset, root), check(dataset, root, decode=True)
    assert by_headers.parts == decoded.parts
    assert by_headers.unusable == 4
    remarks = by_headers.parts["train"].remarks
    assert len({remark.text for remark in remarks}) == len(remarks)  # each file's fault once, not once a modality


def test_sound_files_of_data_sets_are_not_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = kinetics_folders(tmp_path / "ks", {"train": 3, "test": 3})

    def decoded(*_: object) -> None:
        raise AssertionError("decoded")

    monkeypatch.setattr("igmsweep.data.video.read_track", decoded)
    monkeypatch.setattr("igmsweep.data.frames.read_frames", decoded)
    assert check(KINETICS_SOUNDS.at(root), root).sound


def test_flow_on_disk_is_looked_at_by_its_header(tmp_path: Path) -> None:
    root = tmp_path / "gestures"
    root.mkdir()
    trees.nvgesture(root, classes=2)
    dataset = NVGESTURE.with_options({"clip": 6, "frames": 4, "size": 32, "crop": 24, "flow": "npy"})
    sample, other = dataset.index(root, "train")[:2]
    sample.files["flow"].parent.mkdir(parents=True)
    _flow(sample.files["flow"])
    assert dataset.inspect(sample) == []
    np.save(other.files["flow"], np.zeros((3, 3), np.float32))
    (remark,) = dataset.inspect(other)
    assert "expected (height, width, 2, frames)" in remark.text


def test_files_of_one_size_and_equal_ends_are_compared_to_the_last_byte(tmp_path: Path) -> None:
    content = bytearray(30_000)
    for name, place in (("a", None), ("b", None), ("c", 15_000), ("d", 0)):
        changed = content.copy()
        if place is not None:
            changed[place] = 1
        (tmp_path / name).write_bytes(changed)
    (tmp_path / "e").touch()
    (tmp_path / "f").touch()
    found = duplicates(sorted(tmp_path.iterdir()))
    assert found == [[tmp_path / "a", tmp_path / "b"]]
