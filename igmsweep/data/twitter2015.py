"""Twitter2015 (Yu and Jiang, 2019): the sentiment of a tweet and its picture towards a target named in it.

Layouts, told apart by what lies in the folder:

    {train,dev,test}.tsv     TomBERT's, in the folder itself, twitter2015/ or absa_data/twitter2015/: a header that is
                             wrong in places, then index, label, picture, sentence with $T$, target; quotes are literal
    the same with a header   Label, String, ImageID in any order, as the authors' code reads them: no target; also
                             annotations/{train,valid,test}_data.tsv
    {train,dev,test}.txt     four lines a sample: sentence with $T$, target, label -1, 0 or 1, picture

Pictures lie in twitter2015_images/, or IJCAI2019_data/twitter2015_images/. Labels are negative, neutral, positive. A tweet
stands in the lists once a target, with labels that differ: folds group by picture (`data.group: image`).
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Literal

from igmsweep.data.base import Part, Sample
from igmsweep.data.image_text import WARM_UP, ImageText, ImageTextOptions, lines_of, official_caption
from igmsweep.data.layouts import ListNames, find, first_there
from igmsweep.errors import DataError

CLASSES = ("negative", "neutral", "positive")
STEMS: dict[Part, tuple[str, ...]] = {"train": ("train",), "val": ("dev", "valid", "val"), "test": ("test",)}
FOLDERS = (".", "twitter2015", "absa_data/twitter2015", "annotations")
LISTS: dict[Part, tuple[ListNames, ...]] = {
    part: (
        ListNames(tuple(f"{stem}{ending}.tsv" for ending in ("", "_data") for stem in stems), FOLDERS),
        ListNames(tuple(f"{stem}.txt" for stem in stems), FOLDERS),
    )
    for part, stems in STEMS.items()
}
PICTURES = ("twitter2015_images", "IJCAI2019_data/twitter2015_images", "images")


class Twitter2015Options(ImageTextOptions):
    """Also what becomes of the target."""

    target: Literal["pair", "substitute", "official"] = "pair"
    """`pair`: BERT gets (sentence with $T$, target); `substitute`: the target stands in the sentence; `official`: words of
    the letters a to z alone are kept, in lower case, so that $T$ becomes t, `70th` goes and the target is lost, as in the
    authors' code."""


class Twitter2015(ImageText):
    """5,338 pairs of a text and a picture."""

    name = "twitter2015"
    classes = CLASSES
    grouping = "image"
    expected = {"train": 3179, "val": 1122, "test": 1037}
    presets = {
        "igm.released": {
            "method.mixup_alpha": 0.9,
            "model.encoder.image": "resnet50_logits",
            "model.project": 768,
            "optim.beta2": 0.99,
            "stages.handover_by": "acc",
            **WARM_UP,
        }
    }
    Options = Twitter2015Options

    def defaults(self, method: str) -> dict[str, Any]:
        """The paper's, with the released code's stages: (10, 30) epochs, twice."""
        return super().defaults(method) | {"stages": {"cycles": 2, "epochs": {"text": 10, "image": 30}}}

    def index(self, root: Path, part: Part) -> list[Sample]:
        options = self.options
        assert isinstance(options, Twitter2015Options)
        path = find(root, "Twitter2015", part, LISTS)
        pictures = first_there(root, PICTURES) or root / PICTURES[0]
        samples: list[Sample] = []
        for number, label, picture, sentence, target in _rows(path):
            if not isinstance(label, int) or not 0 <= label <= 2:
                raise DataError(f"{path}: line {number}: found label '{label}', expected 0, 1 or 2")
            name = Path(picture).name
            samples.append(
                Sample(
                    f"{part}-{len(samples):05d}",
                    label,
                    {"image": pictures / name},
                    group=name,
                    text=_text(sentence, target, options.target),
                )
            )
        return samples

    def recipe(self) -> dict[str, Any]:
        options = self.options
        assert isinstance(options, Twitter2015Options)
        return super().recipe() | {"target": options.target}


TWITTER2015 = Twitter2015()

Row = tuple[int, int | str, str, str, str]
"""Line, label, picture, sentence, target."""


def _rows(path: Path) -> list[Row]:
    lines = lines_of(path)
    if path.suffix == ".txt":
        return _fours(path, lines)
    header = [name.strip() for name in lines[0].split("\t")]
    if {"Label", "String", "ImageID"} <= set(header):
        columns = [header.index("Label"), header.index("ImageID"), header.index("String")]
    else:
        columns = [1, 2, 3, 4]  # by position: the test file's header names other columns than it has
    rows: list[Row] = []
    for number, line in enumerate(lines[1:], start=2):
        fields = line.split("\t")
        if len(fields) <= max(columns) or (len(columns) == 4 and len(fields) != 5):
            expected = "index, label, picture, sentence, target" if len(columns) == 4 else ", ".join(header)
            raise DataError(f"{path}: line {number}: found {len(fields)} columns, expected {expected}")
        values = [fields[column].strip() for column in columns]
        rows.append((number, _label(values[0]), values[1], values[2], values[3] if len(values) == 4 else ""))
    return rows


def _fours(path: Path, lines: list[str]) -> list[Row]:
    """Four lines a sample; labels are -1, 0, 1 here."""
    if len(lines) % 4:
        raise DataError(f"{path}: found {len(lines)} lines, expected four a sample: sentence, target, label, picture")
    rows: list[Row] = []
    for start in range(0, len(lines), 4):
        sentence, target, label, picture = (line.strip() for line in lines[start : start + 4])
        value = _label(label)
        if value not in (-1, 0, 1):
            raise DataError(f"{path}: line {start + 3}: found label '{label}', expected -1, 0 or 1")
        assert isinstance(value, int)
        rows.append((start + 3, value + 1, picture, sentence, target))
    return rows


def _label(text: str) -> int | str:
    return int(text) if re.fullmatch(r"-?\d", text) else text


def _text(sentence: str, target: str, kind: str) -> dict[str, str]:
    if kind == "official":
        return {"text": official_caption(" ".join(re.findall(r"\b[A-Za-z]+\b", sentence)))}
    if kind == "substitute" or not target:
        return {"text": sentence.replace("$T$", target) if target else sentence}
    return {"text": sentence, "pair": target}
