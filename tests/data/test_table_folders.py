"""Folders in the form of Hugging Face's imagefolder and audiofolder, read as a table."""

from __future__ import annotations

from pathlib import Path

import pytest
from av_trees import jpegs, tone, wav

from igmsweep import data
from igmsweep.config import TrainConfig
from igmsweep.errors import UserError


def folder(root: Path, header: str = "file_name,label,audio_file_name,caption") -> Path:
    """A part a folder, each with its own metadata.csv, whose paths are relative to it."""
    for part, rows in {"train": 8, "validation": 4, "test": 4}.items():
        lines = [header + "\n"]
        for number in range(rows):
            label = ("cat", "dog")[number % 2]
            jpegs(root / part / label, number % 2, [f"{number}.jpg"], number)
            wav(root / part / "sounds" / f"{number}.wav", tone(number % 2, 0.4, seed=number))
            fields = {
                "file_name": f"{label}/{number}.jpg",
                "label": label,
                "audio_file_name": f"sounds/{number}.wav",
                "caption": "a word or two",
            }
            lines.append(",".join(fields[name] for name in header.split(",")) + "\n")
        (root / part / "metadata.csv").write_text("".join(lines))
    return root


@pytest.mark.parametrize("inside", ["", "data"])
def test_a_metadata_file_in_each_part(tmp_path: Path, inside: str) -> None:
    folder(tmp_path / "pets" / inside)
    dataset = data.get(str(tmp_path / "pets"))
    assert (dataset.name, dataset.classes) == ("pets", ("cat", "dog"))
    kinds = {name: modality.kind for name, modality in dataset.modalities.items()}
    assert kinds == {"image": "image", "audio": "audio", "caption": "text"}
    config = TrainConfig(data=str(tmp_path / "pets"))
    root = data.root_of(config.data)
    assert [len(dataset.index(root, part)) for part in data.PARTS] == [8, 4, 4]
    sample = dataset.index(root, "val")[1]
    assert sample.files["image"] == tmp_path / "pets" / inside / "validation" / "dog" / "1.jpg"
    found = data.load_search(config.data)
    assert (len(found.train), len(found.val), found.split) == (8, 4, "your own list")


def test_one_metadata_file_for_all_parts_and_the_folder_as_label(tmp_path: Path) -> None:
    folder(tmp_path / "pets")
    lines = ["file_name\n"]
    for path in sorted((tmp_path / "pets").glob("*/[cd]*/*.jpg")):
        lines.append(path.relative_to(tmp_path / "pets").as_posix() + "\n")
    (tmp_path / "pets" / "metadata.csv").write_text("".join(lines))
    dataset = data.get(str(tmp_path / "pets"))
    assert dataset.classes == ("cat", "dog")
    assert [len(dataset.index(dataset.home, part)) for part in data.PARTS] == [8, 4, 4]
    ids = [sample.id for sample in dataset.index(dataset.home, "test")]
    assert ids[0] == "test/cat/0.jpg"


def test_parts_with_other_columns_and_folders_without_a_list_are_one_line(tmp_path: Path) -> None:
    folder(tmp_path / "pets")
    (tmp_path / "pets" / "test" / "metadata.csv").write_text("file_name,label\ncat/0.jpg,cat\n")
    with pytest.raises(UserError, match=r"test/metadata\.csv: found the columns image, expected image, audio, caption"):
        data.get(str(tmp_path / "pets"))
    with pytest.raises(UserError, match=r"expected one, or metadata\.csv in train/, validation/ and test/"):
        data.get(str(tmp_path / "pets" / "train" / "cat"))


def test_the_snippet_that_turns_an_unpacked_webdataset_into_a_table_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = (Path(__file__).parents[2] / "docs" / "your-own-data.md").read_text(encoding="utf-8")
    snippet = page.split("**WebDataset tars**")[1].split("```python\n")[1].split("```")[0]
    for number in range(4):
        wav(tmp_path / "mine" / f"{number:06d}.wav", tone(number % 2, 0.3, seed=number))
        jpegs(tmp_path / "mine", number % 2, [f"{number:06d}.png"], number)
        (tmp_path / "mine" / f"{number:06d}.cls").write_text(f"{number % 2}\n")
    monkeypatch.chdir(tmp_path)
    exec(compile(snippet, "docs/your-own-data.md", "exec"), {})
    dataset = data.get("mine/samples.csv")
    assert dataset.classes == ("0", "1") and list(dataset.modalities) == ["image", "audio"]
    assert all(path.is_file() for each in dataset.index(dataset.home, "train") for path in each.files.values())
