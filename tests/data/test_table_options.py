"""Every option of a CSV data set does what it says to what an encoder is given."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from av_trees import tone, wav
from PIL import Image

from igmsweep.config import TrainConfig
from igmsweep.data import of
from igmsweep.data.table_options import TableOptions
from igmsweep.errors import UserError

GIVEN: dict[str, Any] = {
    **{"frontend": "mel", "rate": 8000, "seconds": 0.4, "bands": 40, "shift": 0.0},
    **{"frames": 2, "size": 20, "crop": 16, "area": 1.0, "flip": False, "colour": "rgb", "normalise": "imagenet"},
    **{"tokenizer": "words", "tokens": 8, "vocabulary": 1024, "split": "column", "outside": False},
}
"""All of them, so that nothing follows from the data."""


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sound, a picture, a folder of three frames and a text a row; the last two rows are the test part."""
    root = tmp_path_factory.mktemp("options")
    rng = np.random.default_rng(0)
    lines = ["label,split,sound,picture,clip,note"]
    for number in range(6):
        wav(root / f"{number}.wav", tone(number % 2, 0.5, 8000, number), 8000)
        (root / f"c{number}").mkdir()
        for path in (root / f"{number}.png", *(root / f"c{number}" / f"{frame}.png" for frame in range(3))):
            Image.fromarray(rng.integers(0, 255, (20, 20, 3), dtype=np.uint8)).save(path)
        part = "test" if number > 3 else "train"
        lines.append(f"{'ab'[number % 2]},{part},{number}.wav,{number}.png,c{number},one two three four five six")
    (root / "all.csv").write_text("\n".join(lines) + "\n")
    return root / "all.csv"


def seen(table: Path, training: bool = False, **options: Any) -> dict[str, np.ndarray]:
    """The first training sample as an encoder is given it."""
    given = {f"data.options.{key}": value for key, value in (GIVEN | options).items()}
    dataset = of(TrainConfig.new(str(table), "igm", given).data)
    arrays = dataset.read(dataset.index(table.parent, "train")[0])
    batch = {name: torch.from_numpy(array[None]) for name, array in arrays.items()}
    shapes = {name: modality.shape for name, modality in dataset.modalities.items()}
    found = {n: x[0].numpy() for n, x in dataset.transform(batch, training, torch.Generator().manual_seed(3)).items()}
    assert {name: x.shape for name, x in found.items()} == shapes
    return found


@pytest.mark.parametrize(
    ("options", "name", "shape"),
    [
        ({}, "sound", (1, 40, 26)),
        ({"rate": 4000}, "sound", (1, 40, 26)),  # windows are of a length in seconds
        ({"seconds": 0.2}, "sound", (1, 40, 13)),
        ({"bands": 64}, "sound", (1, 64, 26)),
        ({"frontend": "stft16k", "rate": 16000, "seconds": 0.5, "bands": None}, "sound", (1, 129, 63)),
        ({}, "clip", (3, 2, 16, 16)),
        ({"frames": 1}, "clip", (3, 16, 16)),
        ({"colour": "grey"}, "picture", (1, 16, 16)),
        ({"crop": 12}, "picture", (3, 12, 12)),
        ({"tokens": 4}, "note", (3, 4)),
    ],
)
def test_an_option_shapes_what_an_encoder_is_given(
    table: Path, options: dict[str, Any], name: str, shape: tuple[int, ...]
) -> None:
    assert seen(table, **options)[name].shape == shape


@pytest.mark.parametrize(
    ("options", "changed", "training"),
    [
        ({"rate": 4000}, {"sound"}, False),
        ({"shift": 0.3}, set(), False),
        ({"shift": 0.3}, {"sound"}, True),
        ({"size": 16}, {"picture", "clip"}, False),
        ({"area": 0.2}, set(), False),
        ({"area": 0.2}, {"picture", "clip"}, True),
        ({"flip": True}, set(), False),
        ({"normalise": "clip"}, {"picture", "clip"}, False),
        ({"vocabulary": 16}, {"note"}, False),
    ],
)
def test_what_an_option_changes_and_what_it_leaves(
    table: Path, options: dict[str, Any], changed: set[str], training: bool
) -> None:
    before, after = seen(table, training), seen(table, training, **options)
    assert {name for name in before if not np.array_equal(before[name], after[name])} == changed


def test_a_flip_mirrors_in_training_alone(table: Path) -> None:
    """No crop beside it, at `area` 1."""
    plain = seen(table)["picture"]
    given = {f"data.options.{key}": value for key, value in (GIVEN | {"flip": True}).items()}
    dataset = of(TrainConfig.new(str(table), "igm", given).data)
    array = torch.from_numpy(dataset.read(dataset.index(table.parent, "train")[0])["picture"])
    batch = {"picture": array[None].repeat(32, 1, 1, 1, 1)}
    drawn = dataset.transform(batch, True, torch.Generator().manual_seed(0))["picture"].numpy()
    mirrored = [bool(np.allclose(each, plain[..., ::-1], atol=1e-4)) for each in drawn]
    assert 4 < sum(mirrored) < 28
    assert all(np.allclose(each, plain, atol=1e-4) for each, turned in zip(drawn, mirrored, strict=True) if not turned)


def test_split_none_trains_on_every_row(table: Path) -> None:
    for split, counts in (("column", (4, 2)), ("none", (6, 0))):
        given = {f"data.options.{key}": value for key, value in (GIVEN | {"split": split}).items()}
        dataset = of(TrainConfig.new(str(table), "igm", given).data)
        assert tuple(len(dataset.index(table.parent, part)) for part in ("train", "test")) == counts  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"colour": "gray"}, r"data\.options\.colour: found 'gray', expected .*grey"),
        ({"frontend": "stft"}, r"data\.options\.frontend: found 'stft'"),
        ({"crop": 4}, r"data\.options\.crop: found 4, expected .*8"),
        ({"sise": 32}, r"unknown key 'data\.options\.sise'.*did you mean 'data\.options\.size'"),
        ({"seconds": 0}, r"data\.options\.seconds: found 0"),
    ],
)
def test_a_wrong_value_names_the_option(table: Path, options: dict[str, Any], words: str) -> None:
    with pytest.raises(UserError, match=words) as caught:
        seen(table, **options)
    assert "\n" not in str(caught.value)


def test_all_options_are_given_here() -> None:
    assert GIVEN.keys() == TableOptions.model_fields.keys()
