"""Official splits are never made anew in silence: each data set's lists belong together, or it says so in one line."""

from __future__ import annotations

from pathlib import Path

import pytest
import text_and_gesture_trees as trees
from av_trees import kinetics_folders

from igmsweep.data.base import PARTS
from igmsweep.data.cremad import CREMAD
from igmsweep.data.kinetics_sounds import KINETICS_SOUNDS
from igmsweep.data.nvgesture import NVGESTURE
from igmsweep.data.sarcasm import SARCASM
from igmsweep.data.table_memory import read_table
from igmsweep.data.twitter2015 import TWITTER2015
from igmsweep.errors import DataError


def refused(dataset, root: Path, match: str) -> None:
    for part in PARTS:
        with pytest.raises(DataError, match=match) as error:
            dataset.index(root, part)
        assert "\n" not in str(error.value)


def cremad_sounds(root: Path) -> list[str]:
    names = [
        f"{1001 + number // 6}_IEO_{('NEU', 'HAP', 'SAD', 'FEA', 'DIS', 'ANG')[number % 6]}_XX" for number in range(60)
    ]
    (root / "AudioWAV").mkdir(parents=True)
    for name in names:
        (root / "AudioWAV" / f"{name}.wav").touch()
    return names


def test_cremad_s_test_list_without_its_train_list_puts_no_test_clip_into_train(tmp_path: Path) -> None:
    names = cremad_sounds(tmp_path)
    (tmp_path / "annotations").mkdir()
    (tmp_path / "annotations" / "test.csv").write_text("".join(f"{name},{name.split('_')[2]}\n" for name in names[:12]))
    refused(
        CREMAD,
        tmp_path,
        r"annotations/test\.csv: is there, but no train list beside it; the test samples must not be trained on",
    )
    own = CREMAD.with_options({"split": "emotion"})  # who says so may cut anew
    assert len(own.index(tmp_path, "train")) + len(own.index(tmp_path, "test")) == 60


def test_cremad_without_any_list_says_what_it_made(tmp_path: Path) -> None:
    cremad_sounds(tmp_path)
    (line,) = CREMAD.departures(tmp_path, "train")
    assert "no annotations/train.csv" in line and "scores are not on the same test" in line
    assert CREMAD.departures(tmp_path, "val") == []
    assert CREMAD.with_options({"split": "emotion"}).departures(tmp_path, "train") == []
    assert CREMAD.with_options({"split": "speaker"}).expected == {}


def test_kinetics_class_folders_do_not_stand_in_for_a_train_list(tmp_path: Path) -> None:
    root = kinetics_folders(tmp_path / "ks", {"train": 4, "test": 2})
    (root / "test.csv").write_text("youtube_id,label\nx,singing\n")
    refused(KINETICS_SOUNDS, root, r"test\.csv: is there, but no train list")


def test_kinetics_rows_of_classes_that_train_has_not_are_told(tmp_path: Path) -> None:
    (tmp_path / "annotations").mkdir()
    (tmp_path / "annotations" / "train.csv").write_text("youtube_id,label\na,singing\nb,tickling\n")
    (tmp_path / "annotations" / "valid.csv").write_text("youtube_id,label\nc,singing\nd,juggling\ne,juggling\n")
    found = KINETICS_SOUNDS.at(tmp_path)
    assert len(found.index(tmp_path, "val")) == 1
    assert found.departures(tmp_path, "val") == ["val: 2 rows are left out, of classes that train has not: juggling"]
    (line,) = found.departures(tmp_path, "train")
    assert line.startswith("2 classes, 31 published: without ")


def test_twitter_s_lists_are_all_of_one_folder(tmp_path: Path) -> None:
    root = trees.twitter2015(tmp_path / "t")
    folder = root / "absa_data" / "twitter2015"
    (root / "train.tsv").write_bytes((folder / "train.tsv").read_bytes())  # of whatever source
    refused(
        TWITTER2015,
        root,
        r"the train list is train\.tsv, the val list absa_data/twitter2015/dev\.tsv; expected both in one folder",
    )


def test_sarcasm_s_lists_are_all_of_one_form(tmp_path: Path) -> None:
    root = trees.sarcasm(tmp_path / "s")
    (root / "text" / "test2.txt").unlink()
    (root / "annotations").mkdir()
    (root / "annotations" / "test.json").write_text("[]")
    refused(SARCASM, root, r"the train list is text/train\.txt, the test list annotations/test\.json")


def test_nvgesture_s_validation_is_never_made_anew_by_chance(tmp_path: Path) -> None:
    row = "path:./Video_data/class_01/subject{0}_r0 depth:sk_depth:0:80 color:sk_color:0:80 label:1\n"
    path = tmp_path / "nvgesture_train_correct_cvpr2016.lst"
    path.write_text("".join(row.format(subject) for subject in (1, 3)))
    with pytest.raises(DataError, match="the train list has no clip of subject 7, 12"):  # else a tenth at random
        NVGESTURE.index(tmp_path, "val")
    assert NVGESTURE.with_options({"val_subjects": ()}).index(tmp_path, "val") == []
    (line,) = NVGESTURE.departures(tmp_path, "train")
    assert "first version" in line and "nvgesture_train_correct_cvpr2016_v2.lst" in line
    (tmp_path / "nvgesture_valid_correct_v2.lst").write_text(row.format(3))
    assert NVGESTURE.at(tmp_path).expected == {"test": 482}  # a validation list is the user's own


def test_a_csv_row_without_a_split_is_not_taken_for_training(tmp_path: Path) -> None:
    (tmp_path / "samples.csv").write_text("label,split,note\na,train,x\nb,,y\na,test,z\nb,,v\n")
    with pytest.raises(
        DataError, match=r"line 3: its split is empty, as are those of 1 more rows; expected train, val or test"
    ):
        read_table(tmp_path / "samples.csv")
