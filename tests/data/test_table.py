"""A data set from a CSV file, without code."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from av_trees import jpegs, tone, video, wav

from igmsweep import data
from igmsweep.config import TrainConfig
from igmsweep.data.table_file import read_rows
from igmsweep.errors import DataError, UserError
from igmsweep.train import train


def table(root: Path, rows: int = 24, extra: str = "", texts: bool = True) -> Path:
    """Sounds and pictures of two labels and six groups; the last six rows are the test part."""
    lines = ["\ufefflabel,group,split,sound,picture,note\n"]
    for number in range(rows):
        label = number % 2
        wav(root / "s" / f"{number}.wav", tone(2 * label, 0.5, seed=number))
        jpegs(root / "p", 3 * label, [f"{number}.jpg"], number)
        part = "test" if number >= rows - 6 else "train"
        note = '"A quiet, even\nsound"' if label else "loud"
        lines.append(f"{['cat', 'dog'][label]},g{number // 4},{part},s/{number}.wav,p/{number}.jpg,{note}\n")
    if not texts:
        lines = [
            line.replace(",note", "").replace(',"A quiet, even\nsound"', "").replace(",loud", "") for line in lines
        ]
    path = root / "my samples.csv"
    path.write_text("".join(lines) + extra, encoding="utf-8")
    return path


def test_columns_become_modalities_of_their_kinds(tmp_path: Path) -> None:
    dataset = data.get(str(table(tmp_path)))
    assert dataset.classes == ("cat", "dog")
    assert {name: m.kind for name, m in dataset.modalities.items()} == {
        "sound": "audio",
        "picture": "image",
        "note": "text",
    }
    assert [len(dataset.index(tmp_path, part)) for part in data.PARTS] == [18, 0, 6]
    arrays = dataset.read(dataset.index(tmp_path, "train")[1])
    assert arrays["sound"].shape == (64, 32)  # half a second at 16 kHz
    assert arrays["picture"].shape == (1, 3, 48, 48)
    ids, mask, segments = arrays["note"]
    assert (arrays["note"].dtype, mask.sum(), segments.sum()) == (np.int32, 5, 0)  # a quiet , even sound
    assert (ids[:5] > 0).all()
    assert ids[5:].sum() == 0
    assert str(data.root_of(TrainConfig(data=str(tmp_path)).data)) == str(tmp_path)  # a folder with one CSV file


def test_it_trains_and_keeps_groups_together(tmp_path: Path) -> None:
    path = table(tmp_path, texts=False)
    config = TrainConfig(data=str(path)).override(
        {
            "data.group": "group",
            "data.options.size": 32,
            "data.options.crop": 24,
            "model.encoder": "resnet_mini",
            "model.width": 4,
            "optim.lr": 0.02,
            "optim.batch_size": 4,
            "stages.epochs": 1,
            "device": "cpu",
        }
    )
    found = data.load_search(config.data)
    assert not set(found.train.groups) & set(found.val.groups)
    assert "grouped by group" in found.split
    result = train(config)
    assert set(result.evaluate(data.load_test(config.data))) >= {"acc", "f1", "sound/acc", "picture/acc"}


def test_videos_folders_of_frames_and_arrays_are_columns_too(tmp_path: Path) -> None:
    lines = ["label,audio,clip,frames,vector\n"]
    for number in range(4):
        video(tmp_path / f"{number}.mp4", number % 2, 2, "4", "libx264", "aac", number)
        jpegs(tmp_path / f"f{number}", number, ["1.jpg", "2.jpg"], number)
        np.save(tmp_path / f"{number}.npy", np.arange(7) + number)
        lines.append(f"{number % 2},{number}.mp4,{number}.mp4,f{number},{number}.npy\n")
    (tmp_path / "all.csv").write_text("".join(lines))
    dataset = data.get(str(tmp_path / "all.csv")).with_options({"frames": 2, "size": 24, "crop": 16})
    shapes = {name: modality.shape for name, modality in dataset.modalities.items()}
    assert shapes == {"audio": (1, 64, 132), "clip": (3, 2, 16, 16), "frames": (3, 2, 16, 16), "vector": (1, 1, 7)}
    arrays = dataset.read(dataset.index(tmp_path, "train")[0])
    assert arrays["clip"].shape == arrays["frames"].shape == (2, 3, 24, 24)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Label_,a\n1,x.wav\n", "expected `label`"),
        ("label\n1\n2\n", "no column besides label"),
        ("label,a,a\n1,x,y\n", "the name 'a' twice among label, a, a, expected every name once"),
        ("label,a b\n1,x\n", "'a b'"),
        ("label,a\n1,x,y\n", "line 2: found 3 fields, expected 2"),
        ("label,split,a\n1,trian,x\n", "did you mean 'train'"),
        ("label,a\n1,x\n1,y\n", "2 rows of the one label '1'"),
        ("id,label,a\nq,1,x\nq,2,y\n", "line 3: the id 'q' stands in the file twice"),
        ("label,a\n,x\n", "line 2: its label is empty"),
    ],
)
def test_a_bad_file_is_one_line(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "bad.csv").write_text(text)
    with pytest.raises(UserError) as caught:
        data.get(str(tmp_path / "bad.csv"))
    assert words in str(caught.value)
    assert "bad.csv" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_missing_files_and_missing_tables_are_named(tmp_path: Path) -> None:
    path = table(tmp_path, extra="cat,g9,train,s/gone.wav,p/0.jpg,x\n")
    with pytest.raises(DataError, match=r"gone\.wav: no such file"):
        data.load_search(TrainConfig(data=str(path)).data)
    with pytest.raises(UserError, match="no such file or folder"):
        data.get(str(tmp_path / "nowhere.csv"))
    (tmp_path / "second.csv").touch()
    with pytest.raises(UserError, match="holds 2 CSV files"):
        data.get(str(tmp_path))


def test_ten_configurations_read_the_file_once_and_a_changed_file_is_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads: list[Path] = []

    def counted(files: Sequence[Path], home: Path) -> Any:
        reads.extend(files)
        return read_rows(files, home)

    monkeypatch.setattr("igmsweep.data.table.read_rows", counted)
    path = tmp_path / "words.csv"
    path.write_text("label,note\na,x\nb,y\n")
    config = TrainConfig(data=str(path))
    for seed in range(9):
        config = config.override({"seed": seed, "data.options.tokens": 8 + seed})
    assert TrainConfig(data=str(tmp_path)).data.name == str(tmp_path)  # the folder with the file
    assert len(reads) == 1
    path.write_text("label,note\na,x\nb,y\nc,z\n")
    assert data.get(str(path)).classes == ("a", "b", "c")
    assert len(reads) == 2
    os.utime(path, ns=(1, 1))  # another file of the same size, such as one that was copied over it
    data.get(str(path))
    assert len(reads) == 3


def test_a_file_that_shows_a_columns_kind_or_shape_is_looked_at_again(tmp_path: Path) -> None:
    path = tmp_path / "all.csv"
    path.write_text("label,clip,vector\na,f0,0.npy\nb,f1,1.npy\n")
    for number in range(2):
        np.save(tmp_path / f"{number}.npy", np.zeros(7))
    first = data.get(str(path)).modalities
    assert (first["clip"].kind, first["vector"].shape) == ("text", (1, 1, 7))
    for number in range(2):
        jpegs(tmp_path / f"f{number}", number, ["1.jpg"], number)
        np.save(tmp_path / f"{number}.npy", np.zeros(9))
    then = data.get(str(path)).modalities
    assert (then["clip"].kind, then["vector"].shape) == ("video", (1, 1, 9))
