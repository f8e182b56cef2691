"""Sarcasm (Cai et al., 2019): whether a post on Twitter, a text and its picture, is meant sarcastically.

Layouts, told apart by what lies in the folder:

    text/train.txt             a Python literal a line: ['910308516510011393', 'text', 1]; also in text_data/
    text/{valid2,test2}.txt    ['id', 'text', label by hashtag, label by people]: the last is the label; also without 2
    {train,valid,test}.json    in annotations/, text_json_final/, text_json_clean/ or the folder itself, also as *_data.json:
                               [{"image": "ID.jpg", "text": ..., "label": 0}], or with "image_id": "ID"
    dataset_image/ID.jpg       or image_data/, images/, image/

The published counts come from leaving out posts with tell-tale words. As whole tokens of training posts (`filter: token`)
29,040 become 19,816; as substrings of all posts (`substring`) the parts hold 19,557, 2,387 and 2,373, the cleaned variant's.
"""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any, Literal

from igmsweep.data.base import Part, Sample
from igmsweep.data.files import read_text
from igmsweep.data.frames import SUFFIXES
from igmsweep.data.image_text import WARM_UP, ImageText, ImageTextOptions, lines_of, official_caption
from igmsweep.data.layouts import ListNames, find, first_there
from igmsweep.errors import DataError
from igmsweep.gate.json_text import NotJson, parse_json
from igmsweep.legible import quoted

CLASSES = ("not sarcastic", "sarcastic")
TELLING = frozenset(
    "exgag sarcasm sarcastic reposting <url> joke humour humor jokes irony ironic".split()  # noqa: SIM905
)
STEMS: dict[Part, tuple[str, ...]] = {"train": ("train",), "val": ("valid", "val"), "test": ("test",)}
TEXTS: dict[Part, ListNames] = {
    part: ListNames(
        tuple(f"{stem}{ending}.txt" for ending in (("",) if part == "train" else ("2", "")) for stem in stems),
        ("text", "text_data", "."),
    )
    for part, stems in STEMS.items()
}
JSONS: dict[Part, ListNames] = {
    part: ListNames(
        tuple(f"{stem}{ending}.json" for ending in ("", "_data") for stem in stems),
        ("annotations", "text_json_final", "text_json_clean", "."),
    )
    for part, stems in STEMS.items()
}
LISTS: dict[Part, tuple[ListNames, ...]] = {part: (TEXTS[part], JSONS[part]) for part in STEMS}
PICTURES = ("dataset_image", "image_data", "images", "image")


class SarcasmOptions(ImageTextOptions):
    """Also which posts are left out, and how texts are cleaned."""

    filter: Literal["token", "substring", "none"] = "token"
    """Which posts with a tell-tale word are left out: training posts that have it as a token, posts of all parts that have
    it anywhere, or none."""
    clean: Literal["none", "official"] = "none"
    """`official`: as in the authors' code: lower case, the punctuation , . ' ! ? " ( ) * # : ; ~ taken out, `-` and `/`
    made spaces."""


class Sarcasm(ImageText):
    """24,635 pairs of a text and a picture. `data.group: text` keeps posts of one text on one side."""

    name = "sarcasm"
    classes = CLASSES
    grouping = "text"
    presets = {
        "igm.released": {
            "data.options.words": 50,
            "model.encoder.image": "resnet50_logits",
            "model.project": 768,
            "optim.beta2": 0.99,
            **WARM_UP,
        }
    }
    Options = SarcasmOptions

    def settle(self) -> None:
        super().settle()
        options = self.options
        assert isinstance(options, SarcasmOptions)
        counts = {"token": (19816, 2410, 2409), "substring": (19557, 2387, 2373), "none": (29040, 2410, 2409)}
        train, val, test = counts[options.filter]
        self.expected = {"train": train, "val": val, "test": test}

    def defaults(self, method: str) -> dict[str, Any]:
        """The paper's, with the released code's stages: (2, 30) epochs, twice."""
        return super().defaults(method) | {"stages": {"cycles": 2, "epochs": {"text": 2, "image": 30}}}

    def index(self, root: Path, part: Part) -> list[Sample]:
        options = self.options
        assert isinstance(options, SarcasmOptions)
        pictures = first_there(root, PICTURES) or root / PICTURES[0]
        samples = []
        seen: set[str] = set()
        for name, words, label in _posts(root, part, pictures):
            if _telling(words, part, options.filter):
                continue
            if name.stem in seen:
                raise DataError(f"{root}: post {name.stem} stands in the {part} list twice")
            seen.add(name.stem)
            shown = official_caption(words) if options.clean == "official" else words
            samples.append(Sample(name.stem, label, {"image": name}, group=words, text={"text": shown}))
        return samples

    def recipe(self) -> dict[str, Any]:
        options = self.options
        assert isinstance(options, SarcasmOptions)
        return super().recipe() | {"clean": options.clean}

    def notes(self, root: Path) -> list[str]:
        """The known shortcut: how often a hashtag's sign, or a placeholder for an emoji, stands in posts of each class.

        Raises:
            DataError: the train list is missing or malformed.
        """
        train = self.index(root, "train")
        notes = []
        for sign in ("#", "emoji_"):
            shares = []
            for label in (1, 0):
                texts = [sample.group or "" for sample in train if sample.label == label]
                shares.append(sum(sign in each for each in texts) / max(1, len(texts)))
            notes.append(f"'{sign}' stands in {shares[0]:.0%} of sarcastic and {shares[1]:.0%} of other training posts")
        return notes


SARCASM = Sarcasm()

Post = tuple[Path, str, int]
"""Picture, text, label."""


def _posts(root: Path, part: Part, pictures: Path) -> list[Post]:
    path = find(root, "Sarcasm", part, LISTS)
    if path.suffix == ".json":
        return _json(path, root, pictures)
    return [_literal(path, number, line, pictures) for number, line in enumerate(lines_of(path), start=1)]


def _literal(path: Path, number: int, line: str, pictures: Path) -> Post:
    try:
        row = ast.literal_eval(line.strip())
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        raise DataError(
            f"{path}: line {number}: found {quoted(line[:40])}, expected a list such as ['id', 'text', 1]"
        ) from None
    valid = (
        isinstance(row, list)
        and len(row) in (3, 4)
        and isinstance(row[0], str | int)
        and isinstance(row[1], str)
        and all(label in (0, 1) for label in row[2:])
    )
    if not valid:
        raise DataError(
            f"{path}: line {number}: found {quoted(line[:40])}, expected ['id', 'text', label], labels 0 or 1"
        )
    return pictures / f"{row[0]}.jpg", row[1], int(row[-1])


def _json(path: Path, root: Path, pictures: Path) -> list[Post]:
    try:
        rows = parse_json(read_text(path))
    except NotJson as error:
        raise DataError(f"{path}: cannot be read ({error})") from None
    if not isinstance(rows, list):
        raise DataError(f"{path}: found {type(rows).__name__}, expected a list of posts")
    posts: list[Post] = []
    for number, row in enumerate(rows, start=1):
        named = row.get("image", row.get("image_id")) if isinstance(row, dict) else None
        if named is None or not {"text", "label"} <= row.keys():
            raise DataError(f"{path}: post {number}: found {quoted(row)}, expected image or image_id, text and label")
        if str(row["label"]) not in ("0", "1"):
            raise DataError(f"{path}: post {number}: found label {quoted(row['label'])}, expected 0 or 1")
        picture = Path(str(named) if Path(str(named)).suffix in SUFFIXES else f"{named}.jpg")
        where = root / picture if not picture.is_absolute() and (root / picture).is_file() else pictures / picture.name
        posts.append((where, str(row["text"]), int(row["label"])))
    return posts


def _telling(words: str, part: Part, kind: str) -> bool:
    if kind == "token":
        return part == "train" and not TELLING.isdisjoint(words.split())
    return kind == "substring" and any(word in words for word in TELLING)
