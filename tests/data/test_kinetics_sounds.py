"""Kinetics-Sounds in the three forms that circulate."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from av_trees import KINETICS, jpegs, kinetics_400, kinetics_folders, kinetics_ogm, kinetics_prepared, tone, video, wav

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


def test_ogms_lists_are_read_and_their_names_find_files_that_are_named_otherwise(tmp_path: Path) -> None:
    root = kinetics_ogm(tmp_path / "ks", {"train": 6, "test": 3})
    dataset = KINETICS_SOUNDS.at(root)
    assert dataset.classes == tuple(sorted(KINETICS))
    for part, count in (("train", 6), ("test", 3)):
        samples = dataset.index(root, part)  # type: ignore[arg-type]
        assert [dataset.classes[sample.label] for sample in samples] == [KINETICS[row % 3] for row in range(count)]
        assert all(path.exists() for sample in samples for path in sample.files.values())
        assert all(len(sample.group or "") == 11 for sample in samples)
    assert dataset.index(root, "val") == []


def listed(root: Path, name: str, text: str) -> Path:
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).write_text(text, encoding="utf-8")
    return root


def test_a_line_may_be_a_path_and_a_number(tmp_path: Path) -> None:
    root = listed(tmp_path, "my_train.txt", "videos/train/-a_12345678_000001_000011.mp4 25\n_b-12345678 2\n")
    (tmp_path / "train_wav" / "train").mkdir(parents=True)
    (tmp_path / "train_wav" / "train" / "-a_12345678.wav").touch()
    dataset = KINETICS_SOUNDS.at(root)
    first, second = dataset.index(root, "train")
    assert [dataset.classes[sample.label] for sample in (first, second)] == ["singing", "bowling"]
    assert first.files["audio"].name == "-a_12345678.wav"
    assert second.files["audio"].name == "_b-12345678.wav"  # where it should be
    listed(tmp_path, "my_train.txt", "_b-12345678 31\n")
    with pytest.raises(DataError, match=r"my_train\.txt: line 1: found label 31, expected 0 to 30"):
        KINETICS_SOUNDS.index(tmp_path, "train")


def test_a_clip_of_another_second_of_the_same_video_is_not_taken(tmp_path: Path) -> None:
    root = listed(tmp_path, "my_train.txt", "-a_12345678_000058_000068,10,4\n")
    (tmp_path / "train").mkdir()
    (tmp_path / "train" / "-a_12345678_000010_000020.mp4").touch()
    (sample,) = KINETICS_SOUNDS.at(root).index(root, "train")
    assert sample.files["video"] == tmp_path / "train" / "-a_12345678_000058_000068.mp4"
    assert not sample.files["video"].exists()


def test_activitynets_names_of_the_csv_files_are_read_with_sounds_named_by_their_times(tmp_path: Path) -> None:
    for part in ("train", "val"):
        header = "label,youtube_id,time_start,time_end,split,is_cc\n"
        rows = f"singing,-a_1234567{part[0]},10,20,{part},0\ntestifying,---QUuC4vJs,84,94,{part},0\n"
        listed(tmp_path, f"kinetics-400_{part}.csv", header + rows)
        wav(tmp_path / f"{part}_wav" / f"-a_1234567{part[0]}_000010_000020.wav", tone(0))
    dataset = KINETICS_SOUNDS.at(tmp_path)
    for part in ("train", "val"):
        (sample,) = dataset.index(tmp_path, part)  # type: ignore[arg-type]
        assert sample.files["audio"].exists()
        assert sample.id == f"-a_1234567{part[0]}_000010_000020"
    with pytest.raises(
        DataError, match=r"has no test list of Kinetics-Sounds: .*; there are kinetics-400_train\.csv and"
    ):
        dataset.index(tmp_path, "test")


def test_ogms_folder_a_clip_holds_sound_and_frames(tmp_path: Path) -> None:
    root = listed(tmp_path, "my_train.txt", "-a_12345678_000001_000011,10,2\n")
    folder = tmp_path / "train" / "-a_12345678_000001_000011"
    jpegs(folder, 0, ["frame_00001.jpg"])
    wav(folder / f"{folder.name}.wav", tone(0))
    (sample,) = KINETICS_SOUNDS.at(root).index(root, "train")
    assert sample.files == {"audio": folder / f"{folder.name}.wav", "video": folder}


def test_of_two_kinds_of_lists_one_is_taken_and_none_mixed(tmp_path: Path) -> None:
    for part in ("train", "test"):
        listed(tmp_path, f"my_{part}.txt", "-a_12345678,10,4\n")
        listed(tmp_path, f"kinetics-400_{part}.csv", "label,youtube_id,time_start,time_end\nsinging,_b-12345678,1,11\n")
    listed(tmp_path, "kinetics-400_val.csv", "label,youtube_id,time_start,time_end\nsinging,_c-12345678,1,11\n")
    with pytest.raises(DataError, match=r"the train list is my_train\.txt, the val list kinetics-400_val\.csv"):
        KINETICS_SOUNDS.index(tmp_path, "test")
    (tmp_path / "kinetics-400_val.csv").unlink()
    assert [KINETICS_SOUNDS.index(tmp_path, part)[0].id for part in ("train", "test")] == ["-a_12345678"] * 2  # type: ignore[arg-type]


def test_an_unknown_folder_is_refused_with_what_was_looked_for(tmp_path: Path) -> None:
    listed(tmp_path, "lists/my_trian.txt", "")
    with pytest.raises(DataError) as caught:
        KINETICS_SOUNDS.index(tmp_path, "train")
    message = str(caught.value)
    for part in (
        "train.csv in annotations/ or .",
        "my_train.txt",
        "kinetics-400_train.csv",
        "train/playing_guitar/*.mp4",
    ):
        assert part in message
    assert message.endswith("found lists/; the nearest is lists/my_trian.txt")
