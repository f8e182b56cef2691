"""CREMA-D (Cao et al., 2014): 7,442 clips of 91 actors, each one of twelve sentences in one of six emotions.

Two layouts are read, told apart by what lies in the folder:

    as distributed        AudioWAV/NAME.wav  VideoFlash/NAME.flv
    as the field has it   annotations/{train,test}.csv (NAME,LABEL)  AudioWAV/NAME.wav  Image-01-FPS/NAME/*.jpg

Frames come from Image-01-FPS where it is there, else from the videos at the same rate. NAME is
ACTOR_SENTENCE_EMOTION_LEVEL, so labels need no list. Without any list a tenth of each emotion is the test part (744 clips),
the same one on every machine, which is said; the field's own lists hold another 744, and every actor is in its train and test.
A test list without a train list is an error.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Any, Literal

from igmsweep.data.audiovisual import AudioVisual, AudioVisualOptions
from igmsweep.data.base import Part, Sample
from igmsweep.data.files import read_annotations
from igmsweep.data.layouts import ListNames, find, lists_of, unknown
from igmsweep.errors import DataError, nearest

CLASSES = ("NEU", "HAP", "SAD", "FEA", "DIS", "ANG")
CSV_FILES: dict[Part, tuple[str, ...]] = {
    "train": ("train.csv",),
    "val": ("valid.csv", "val.csv"),
    "test": ("test.csv",),
}
LISTS: dict[Part, tuple[ListNames, ...]] = {
    part: (ListNames(names, ("annotations", ".")),) for part, names in CSV_FILES.items()
}
NAME = re.compile(r"(\d{4})_([A-Z]{3})_([A-Z]{3})_(LO|MD|HI|XX|X)")
ALIASES = {"1040_ITH_SAD_XX": "1040_ITH_SAD_X", "1040_ITH_SAD_X": "1040_ITH_SAD_XX"}
"""One clip had another name in old copies."""


class CremadOptions(AudioVisualOptions):
    """Also which clips are the test part."""

    split: Literal["lists", "emotion", "speaker"] = "lists"
    """`lists`: annotations/*.csv where they are, else as `emotion`; `emotion`: a tenth of each emotion is test;
    `speaker`: 73 actors train, 9 validate and 9 test."""


class Cremad(AudioVisual):
    """`audio` is the log spectrogram of the voice, `video` one frame of the face."""

    name = "cremad"
    classes = CLASSES
    metrics = ("acc", "map")
    grouping = "speaker"
    presets = {"igm.released": {"method.rho": 1e-10}}  # one value for both, where the paper has two
    Options = CremadOptions
    aspect = 480 / 360
    usual_seconds = (1.0, 6.0)

    @property
    def _split(self) -> str:
        assert isinstance(self.options, CremadOptions)
        return self.options.split

    def settle(self) -> None:
        super().settle()
        self.expected = {} if self._split == "speaker" else {"train": 6698, "test": 744}

    def defaults(self, method: str) -> dict[str, Any]:
        """The paper's optimiser (Sec. 4.2) and the released code's stages: (25, 50) epochs, six times."""
        return {
            "model": {"head": [256, 64]},
            "optim": {"name": "sgd", "lr": 0.01, "momentum": 0.9, "weight_decay": 1e-4, "batch_size": 12}
            | {"schedule": "plateau", "factor": 0.1},
            "stages": {"cycles": 6, "epochs": {"audio": 25, "video": 50}},
        }

    def index(self, root: Path, part: Part) -> list[Sample]:
        split = self._split
        rows = _listed(root, part) if split == "lists" and _has_lists(root) else _named(root, part, split)
        pictures = (root / "Image-01-FPS").is_dir()
        samples = []
        for name, label in rows:
            actor = name.split("_")[0]
            frames = root / "Image-01-FPS" / name if pictures else root / "VideoFlash" / f"{name}.flv"
            samples.append(
                Sample(
                    name,
                    CLASSES.index(label),
                    {"audio": _present(root / "AudioWAV" / f"{name}.wav"), "video": _present(frames)},
                    actor,
                )
            )
        return samples

    def validation(self, root: Path) -> str:
        return "a tenth of the speakers, by name" if self._split == "speaker" else super().validation(root)

    def notes(self, root: Path) -> list[str]:
        pictures = (root / "Image-01-FPS").is_dir()
        source = "Image-01-FPS/" if pictures else "VideoFlash/, at the field's rate of one a second"
        return [f"frames from {source}"]

    def departures(self, root: Path, part: Part) -> list[str]:
        if part != "train" or self._split != "lists" or _has_lists(root):
            return []
        return [
            "no annotations/train.csv and test.csv: a tenth of each emotion, chosen by name, is the test part; the field's own lists "
            "hold other clips, so scores are not on the same test (data.options.split=emotion says that this is meant)"
        ]


CREMAD = Cremad()


def _has_lists(root: Path) -> bool:
    """Whether the field's lists are there. Raises DataError where only some are."""
    return lists_of(root, LISTS)["train"] is not None


def _listed(root: Path, part: Part) -> list[tuple[str, str]]:
    """Rows of the field's list of a part; none for a validation list that is not there."""
    if part == "val" and lists_of(root, LISTS)["val"] is None:
        return []
    path = find(root, "CREMA-D", part, LISTS)
    rows = read_annotations(path)
    seen: set[str] = set()
    for name, label in rows:
        if label not in CLASSES:
            raise DataError(f"{path}: {name}: unknown label '{label}'{nearest(label, CLASSES)}")
        if name in seen:
            raise DataError(f"{path}: {name} stands in the list twice")
        seen.add(name)
    return rows


def _named(root: Path, part: Part, split: str) -> list[tuple[str, str]]:
    """Clips by the names of their sounds, in a split that depends on the names alone."""
    if not (root / "AudioWAV").is_dir():
        raise unknown(root, "CREMA-D", LISTS["train"], ("AudioWAV/",))
    clips: list[tuple[str, str, str]] = []
    for path in sorted((root / "AudioWAV").glob("*.wav")):
        match = NAME.fullmatch(path.stem)
        if match is None or match[3] not in CLASSES:
            raise DataError(f"{path}: found the name '{path.stem}', expected ACTOR_SENTENCE_EMOTION_LEVEL")
        clips.append((path.stem, match[3], match[1]))
    if not clips:
        raise DataError(f"{root / 'AudioWAV'}: holds no .wav file")
    if split == "speaker":
        actors = _shuffled({actor for _, _, actor in clips})
        tenth = max(1, round(len(actors) / 10))
        sides = {"test": set(actors[:tenth]), "val": set(actors[tenth : 2 * tenth]), "train": set(actors[2 * tenth :])}
        return [(name, label) for name, label, actor in clips if actor in sides[part]]
    if part == "val":
        return []
    test: set[str] = set()
    for emotion in CLASSES:
        names = _shuffled({name for name, label, _ in clips if label == emotion})
        test |= set(names[: max(1, round(len(names) / 10))] if names else [])
    return [(name, label) for name, label, _ in clips if (name in test) == (part == "test")]


def _shuffled(names: set[str]) -> list[str]:
    """In an order that looks random and depends on nothing but the names."""
    return sorted(names, key=lambda name: hashlib.sha256(name.encode()).digest())


def _present(path: Path) -> Path:
    """The path, or the one under the clip's other name where only that is there."""
    other = ALIASES.get(path.stem)
    if other is None or path.exists():
        return path
    twin = path.with_name(other + path.suffix)
    return twin if twin.exists() else path
