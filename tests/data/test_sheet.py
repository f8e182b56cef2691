"""The picture of what a model sees."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from av_trees import jpegs, tone, wav
from PIL import Image

from igmsweep import data
from igmsweep.data.base import Sample
from igmsweep.data.sheet import caption, picture, strip, transformed, usable, write_sheet
from igmsweep.data.text import hashed
from igmsweep.errors import DataError, UserError

sys.path.insert(0, str(Path(__file__).parents[1]))
from toy import TOY2


@pytest.fixture
def mixed(tmp_path: Path) -> Path:
    """Sounds, pictures, folders of three frames and texts of two classes; one picture of the first is broken."""
    lines = ["label,split,sound,photo,clip,note\n"]
    for number in range(10):
        label = number % 2
        wav(tmp_path / f"{number}.wav", tone(label, 0.3, 8000, number), 8000)
        jpegs(tmp_path / "p", 4 * label, [f"{number}.jpg"], number)
        jpegs(tmp_path / f"c{number}", label, ["1.jpg", "2.jpg", "3.jpg"], number)
        part = "test" if number > 7 else "train"
        lines.append(f"{['cat', 'dog'][label]},{part},{number}.wav,p/{number}.jpg,c{number},a word or {number}\n")
    (tmp_path / "p" / "0.jpg").write_bytes(b"no picture")
    (tmp_path / "mixed.csv").write_text("".join(lines))
    return tmp_path / "mixed.csv"


@pytest.mark.parametrize("name", ["sheet.png", "folder/sheet.svg"])
def test_a_sheet_of_every_kind_of_column(mixed: Path, tmp_path: Path, name: str) -> None:
    dataset = data.get(str(mixed))
    write_sheet(dataset, mixed.parent, tmp_path / name, count=2)
    if name.endswith(".png"):
        with Image.open(tmp_path / name) as drawn:
            assert drawn.width > 600 and len(np.unique(np.asarray(drawn.convert("L")))) > 50
    else:
        text = (tmp_path / name).read_text(encoding="utf-8")
        assert text.count("<image") == 2 * 2 * 3  # of each class two sounds, pictures and clips; texts are no images
    with pytest.raises(UserError, match=r"expected a name in \.png, \.svg, \.pdf"):
        write_sheet(dataset, mixed.parent, tmp_path / "sheet.gif")


def test_it_shows_what_the_transform_gives_and_only_files_that_can_be_read(mixed: Path) -> None:
    dataset = data.get(str(mixed))
    cats = [sample for sample in dataset.index(mixed.parent, "train") if sample.label == 0]
    found = usable(dataset, cats, 3)
    assert [sample.id for sample, _ in found] == [
        "row6",
        "row8",
        "row4",
    ]  # evenly, then what stands in for the broken one
    shown = transformed(dataset, found, training=False, seed=0)
    assert {name: array.shape[1:] for name, array in shown.batch.items()} == {
        name: modality.shape for name, modality in dataset.modalities.items()
    }
    with pytest.raises(DataError, match=r"0\.jpg"):
        usable(dataset, cats[:1], 3)
    again = transformed(dataset, found, training=True, seed=1).batch["photo"]
    assert np.array_equal(again, transformed(dataset, found, training=True, seed=1).batch["photo"])
    assert not np.array_equal(again, shown.batch["photo"])


def test_data_sets_of_any_shape_are_drawn(tmp_path: Path) -> None:
    TOY2.ensure(tmp_path / "toy")
    write_sheet(TOY2, tmp_path / "toy", tmp_path / "toy.png", count=1)
    assert (tmp_path / "toy.png").stat().st_size > 5000


def test_without_a_sample_for_training_there_is_nothing_to_draw(tmp_path: Path) -> None:
    (tmp_path / "kept.csv").write_text("label,split,note\na,test,x\nb,test,y\n")
    with pytest.raises(DataError, match="kept: its train part has no sample of the classes to be drawn"):
        write_sheet(data.get(str(tmp_path / "kept.csv")), tmp_path, tmp_path / "sheet.png")


def test_pictures_are_stretched_and_clips_laid_out() -> None:
    x = np.linspace(-2, 3, 2 * 16).reshape(2, 4, 4)
    assert picture(x).shape == (4, 4, 3)  # two channels, such as optical flow
    assert picture(x[:1]).shape == (4, 4) and picture(x[:1]).min() == 0 and picture(x[:1]).max() == 1
    assert picture(np.zeros((3, 4, 4))).shape == (4, 4, 3)
    clip = np.arange(9)[None, :, None, None] * np.ones((1, 9, 2, 2))
    assert strip(clip)[0, 0].tolist() == [0, 0, 3, 3, 5, 5, 8, 8]


def test_a_text_says_how_much_of_it_fits() -> None:
    sample = Sample("a", 0, {}, text={"note": "one two three"})
    assert caption(sample, "note", hashed("one two three", 8, 64)) == "one two three\n[3 of 8 tokens]"
    assert caption(sample, "note", hashed("one two three", 2, 64)).endswith("[2 of 2 tokens, full]")
