"""Kinetics-Sounds in the three forms that circulate."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from av_trees import KINETICS, jpegs, kinetics_400, kinetics_folders, kinetics_prepared, tone, video, wav

from igmsweep import data
from igmsweep.config import TrainConfig
from igmsweep.data.kinetics_sounds import CLASSES, KINETICS_SOUNDS
from igmsweep.errors import DataError

COUNTS = {"train": 9, "valid": 3, "test": 3}


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return kinetics_prepared(tmp_path_factory.mktemp("prepared") / "ks", COUNTS)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("make", "counts"),
    [
        (kinetics_prepared, {"train": 6, "valid": 3, "test": 3}),
        (kinetics_400, {"train": 6, "val": 3, "test": 3}),
        (kinetics_folders, {"train": 6, "test": 3}),
    ],
)
def test_each_form_is_read(
    tmp_path: Path, make: Callable[[Path, dict[str, int]], Path], counts: dict[str, int]
) -> None:
    root = make(tmp_path / "ks", counts)
    dataset = KINETICS_SOUNDS.with_options({"size": 32, "crop": 24}).at(root)
    assert dataset.classes == tuple(sorted(KINETICS))
    for part, name in (("train", "train"), ("val", "val"), ("test", "test")):
        samples = dataset.index(root, part)  # type: ignore[arg-type]
        assert len(samples) == counts.get(name, counts.get("valid", 0) if name == "val" else 0)
        assert all(sample.group is not None and len(sample.group) == 11 for sample in samples)
    sample = dataset.index(root, "train")[0]
    assert dataset.classes[sample.label] == KINETICS[0]
    arrays = dataset.read(sample)
    assert arrays["audio"].shape == (257, 1003)
    assert arrays["video"].shape == (3, 3, 32, 32)


def test_labels_are_sorted_class_names_and_not_the_order_of_the_list(prepared: Path) -> None:
    assert list(CLASSES) == sorted(CLASSES)
    assert len(CLASSES) == 31
    dataset = KINETICS_SOUNDS.at(prepared)
    labels = {sample.id: sample.label for part in ("train", "val", "test") for sample in dataset.index(prepared, part)}  # type: ignore[arg-type]
    rows = (prepared / "annotations" / "test.csv").read_text().splitlines()[1:]
    assert [labels[row.split(",")[0]] for row in rows] == [sorted(KINETICS).index(row.split(",")[1]) for row in rows]


def test_columns_are_found_by_name_and_a_missing_one_is_named(prepared: Path, tmp_path: Path) -> None:
    (tmp_path / "annotations").mkdir()
    rows = "label,youtube_id\nplaying_guitar,-a_12345678\nsinging,_b-12345678\n"
    (tmp_path / "annotations" / "train.csv").write_text(rows)
    samples = KINETICS_SOUNDS.at(tmp_path).index(tmp_path, "train")
    assert [sample.id for sample in samples] == ["-a_12345678", "_b-12345678"]
    (tmp_path / "annotations" / "train.csv").write_text("id,label\nx,singing\n")
    with pytest.raises(DataError, match=r"train\.csv.*youtube_id"):
        KINETICS_SOUNDS.index(tmp_path, "train")
    (tmp_path / "annotations" / "train.csv").write_text("youtube_id,label\nx,singging\n")
    with pytest.raises(DataError, match="did you mean 'singing'"):
        KINETICS_SOUNDS.index(tmp_path, "train")


def test_the_whole_of_kinetics_400_is_narrowed_to_the_31_classes(tmp_path: Path) -> None:
    rows = [f"class {number},{number:011d},1,11,train" for number in range(369)]
    rows += [f"{label},{number:010d}k,1,11,train" for number, label in enumerate(CLASSES)]
    (tmp_path / "train.csv").write_text("label,youtube_id,time_start,time_end,split\n" + "\n".join(rows) + "\n")
    dataset = KINETICS_SOUNDS.at(tmp_path)
    assert dataset.classes == CLASSES
    samples = dataset.index(tmp_path, "train")
    assert len(samples) == 31
    assert samples[0].files["video"].name == f"{samples[0].group}_000001_000011.mp4"
    assert any("369 other classes" in note for note in dataset.notes(tmp_path))


@pytest.mark.slow
def test_clips_without_sound_or_with_three_frames_are_left_out_and_named(tmp_path: Path) -> None:
    root = kinetics_folders(tmp_path / "ks", {"train": 6, "test": 3})
    folder = root / "train" / "playing_guitar"
    video(folder / "mute0000000.mp4", 0, 5, "4", "libx264", None)
    video(folder / "brief000000.mp4", 0, 2, "4", "libx264", "aac")
    (folder / "zero0000000.mp4").touch()
    whole = (folder / "cut00000000.mp4", next(folder.glob("*.mp4")))
    whole[0].write_bytes(whole[1].read_bytes()[:900])
    config = TrainConfig(data="kinetics_sounds").override(
        {"data.root": str(root), "data.options.size": 32, "data.options.crop": 24}
    )
    assert config.data.bad_files == "skip"
    with pytest.raises(DataError, match=r"4 of 10 samples have a bad file .*--set data\.bad_share=0\.4$"):
        data.load(config.data, "train")
    config = config.override({"data.bad_share": 0.4})
    found = data.load(config.data, "train")["train"]
    assert {r.sample: r.kind for r in found.skipped} == {
        "mute0000000": "no audio",
        "brief000000": "short",
        "zero0000000": "empty",
        "cut00000000": "unreadable",
    }
    assert len(found) == 6


def test_frames_come_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    from igmsweep.data import frames

    jpegs(tmp_path / "clip", 1, [f"frame_{number}.jpg" for number in (10, 9, 1, 2)])
    names = [path.name for path in frames.frame_files(tmp_path / "clip")]
    assert names == ["frame_1.jpg", "frame_2.jpg", "frame_9.jpg", "frame_10.jpg"]


def test_a_longer_sound_is_cut_and_a_shorter_one_repeats(tmp_path: Path) -> None:
    wav(tmp_path / "short.wav", tone(0, 1.0), 35400)
    wav(tmp_path / "long.wav", tone(0, 12.0), 35400)
    from igmsweep.data.base import Sample

    for name in ("short", "long"):
        sample = Sample(name, 0, {"audio": tmp_path / f"{name}.wav"})
        assert KINETICS_SOUNDS.read_modality(sample, "audio").shape == (257, 1003)
    short = KINETICS_SOUNDS.read_modality(Sample("s", 0, {"audio": tmp_path / "short.wav"}), "audio")
    assert np.abs(short[:, 50] - short[:, 50 + 2 * 35400 * 1 // 353 // 2]).mean() < 2
