"""Kinetics-Sounds (Arandjelovic and Zisserman, 2017): 31 classes of Kinetics-400 that one can see and hear.

There is no official archive. Three forms are read, told apart by what lies in the folder:

    prepared       annotations/{train,valid,test}.csv  {train,valid,test}_wav/ID.wav
                   {train,valid,test}_img/Image-01-FPS/ID/*.jpg          header youtube_id,label in any order
    Kinetics-400   {train,val,test}.csv  {train,val,test}/ID_000010_000020.mp4, also in folders of their class
                   header label,youtube_id,time_start,time_end,split; rows of other classes are left out
    class folders  {train,val,test}/playing_guitar/*.mp4                 no list

Clips without sound or with three frames or fewer are left out, as the field does (`data.bad_files: skip`); the data check
and the sweep say how many.
"""

from __future__ import annotations

import copy
import csv
import io
import re
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from igmsweep.data.audio import CONTAINERS
from igmsweep.data.audiovisual import AudioVisual, AudioVisualOptions
from igmsweep.data.base import PARTS, DataSet, Part, Sample
from igmsweep.data.files import read_text
from igmsweep.data.official import together
from igmsweep.errors import DataError, nearest

CLASSES = (
    "blowing nose",
    "blowing out candles",
    "bowling",
    "chopping wood",
    "dribbling basketball",
    "laughing",
    "mowing lawn",
    "playing accordion",
    "playing bagpipes",
    "playing bass guitar",
    "playing clarinet",
    "playing drums",
    "playing guitar",
    "playing harmonica",
    "playing keyboard",
    "playing organ",
    "playing piano",
    "playing saxophone",
    "playing trombone",
    "playing trumpet",
    "playing violin",
    "playing xylophone",
    "ripping paper",
    "shoveling snow",
    "shuffling cards",
    "singing",
    "stomping grapes",
    "tap dancing",
    "tapping guitar",
    "tapping pen",
    "tickling",
)
"""Sorted, so that a label's number does not depend on a list's order."""

MOST = 60
"""More classes than any copy of Kinetics-Sounds has."""

SPELLINGS: dict[Part, tuple[str, ...]] = {
    "train": ("train",),
    "val": ("valid", "val", "validate", "validation"),
    "test": ("test",),
}
KINETICS_NAME = re.compile(r"(.{11})_\d{6}_\d{6}")


class KineticsSoundsOptions(AudioVisualOptions):
    """Ten seconds of sound and three frames."""

    frontend: Literal["stft22k", "stft35k", "stft16k", "fbank128"] = "stft35k"
    frames: int = Field(3, ge=1, le=64)
    frame_pool: int = Field(9, ge=1, le=64)


class KineticsSounds(AudioVisual):
    """`audio` is the log spectrogram of ten seconds, `video` three frames of them."""

    name = "kinetics_sounds"
    classes: tuple[str, ...] = CLASSES
    metrics = ("acc", "map")
    grouping = fold_group = "video"
    expected = {"train": 15_000, "val": 1_900, "test": 1_900}
    rounded = 0.05  # the paper's are round numbers, and videos have gone from YouTube since
    presets = {"igm.released": {"method.rho": 1e-10}}  # one value for both, where the paper has two
    Options = KineticsSoundsOptions
    least_frames = 4
    usual_seconds = (1.0, 15.0)

    def defaults(self, method: str) -> dict[str, Any]:
        """The paper's optimiser (Sec. 4.2) and the released code's stages: (25, 50) epochs, twice."""
        return {
            "data": {"bad_files": "skip"},
            "model": {"head": [256, 64]},
            "optim": {"name": "sgd", "lr": 0.01, "momentum": 0.9, "weight_decay": 1e-4, "batch_size": 12}
            | {"schedule": "plateau", "factor": 0.1},
            "stages": {"cycles": 2, "epochs": {"audio": 25, "video": 50}},
        }

    def index(self, root: Path, part: Part) -> list[Sample]:
        together(root, {each: _list(root, each) for each in PARTS})
        annotations = _list(root, part)
        folder = next((root / name for name in SPELLINGS[part] if (root / name).is_dir()), None)
        if annotations is not None:
            return _listed(root, part, annotations, folder, self.classes)
        if folder is not None:
            return _in_class_folders(folder, self.classes)
        if part == "val":
            return []
        raise DataError(
            f"{root}: has no {part} part of Kinetics-Sounds: found neither annotations/{part}.csv, {part}.csv nor {part}/"
        )

    def at(self, root: Path) -> DataSet:
        """With the classes of the copy's train part: copies of 29 to 34 classes circulate.

        Of a list or folder of the whole Kinetics-400 only the 31 are taken.
        """
        labels = set(_labels(root))
        found = labels & set(CLASSES) if len(labels) > MOST or _is_kinetics_400(root) else labels
        if not found or found == set(self.classes):
            return self
        twin = copy.copy(self)
        twin.classes = tuple(sorted(found))
        return twin

    def notes(self, root: Path) -> list[str]:
        left_out = set(_labels(root)) - set(self.classes)
        return [f"rows of {len(left_out)} other classes are left out: {_some(left_out)}"] if left_out else []

    def departures(self, root: Path, part: Part) -> list[str]:
        if part == "train":
            lacking, others = set(CLASSES) - set(self.classes), set(self.classes) - set(CLASSES)
            named = [f"{word} {_some(names)}" for word, names in (("without", lacking), ("with", others)) if names]
            return [f"{len(self.classes)} classes, {len(CLASSES)} published: {', '.join(named)}"] if named else []
        strange = (
            [] if _is_kinetics_400(root) else [label for label in _labels(root, part) if label not in self.classes]
        )
        if not strange:
            return []
        return [f"{part}: {len(strange):,} rows are left out, of classes that train has not: {_some(set(strange))}"]


KINETICS_SOUNDS = KineticsSounds()


def plain(label: str) -> str:
    """A class name as lists and folders spell it: `playing_guitar`, `Playing Guitar` and `playing guitar` are one."""
    return re.sub(r"[\s_]+", " ", label.strip().strip('"').lower())


def read_list(path: Path) -> list[tuple[str, str, str | None]]:
    """(youtube id, label, the stem of a Kinetics-400 file name where the list gives times) of a CSV with a header.

    Raises:
        DataError: a column is missing, or a row is shorter than the header.
    """
    rows = list(csv.reader(io.StringIO(read_text(path))))
    header = [name.strip().lower() for name in rows[0]]
    for column in ("youtube_id", "label"):
        if column not in header:
            raise DataError(f"{path}: found the columns {', '.join(header)}, expected {column} among them")
    found: list[tuple[str, str, str | None]] = []
    for number, row in enumerate(rows[1:], start=2):
        if not any(field.strip() for field in row):
            continue
        if len(row) < len(header):
            raise DataError(f"{path}: line {number}: found {len(row)} fields, expected {len(header)}")
        fields = dict(zip(header, (field.strip() for field in row), strict=False))
        stem = None
        if fields.get("time_start") and fields.get("time_end"):
            try:
                times = [int(float(fields[name])) for name in ("time_start", "time_end")]
            except ValueError:
                raise DataError(
                    f"{path}: line {number}: found the times {fields['time_start']!r} and {fields['time_end']!r}, "
                    "expected seconds"
                ) from None
            stem = f"{fields['youtube_id']}_{times[0]:06d}_{times[1]:06d}"
        found.append((fields["youtube_id"], plain(fields["label"]), stem))
    return found


def _some(names: set[str]) -> str:
    shown = ", ".join(sorted(names)[:3])
    return f"{shown} and {len(names) - 3} more" if len(names) > 3 else shown


def _is_kinetics_400(root: Path) -> bool:
    annotations = _list(root, "train")
    return annotations is not None and any(stem is not None for _, _, stem in read_list(annotations))


def _labels(root: Path, part: Part = "train") -> list[str]:
    """The class name of each row of a part."""
    annotations = _list(root, part)
    if annotations is not None:
        return [label for _, label, _ in read_list(annotations)]
    folder = next((root / name for name in SPELLINGS[part] if (root / name).is_dir()), None)
    return [plain(path.parent.name) for path in _videos(folder) if path.parent != folder] if folder else []


def _list(root: Path, part: Part) -> Path | None:
    paths = [root / folder / f"{name}.csv" for folder in ("annotations", ".") for name in SPELLINGS[part]]
    return next((path for path in paths if path.is_file()), None)


def _listed(root: Path, part: Part, annotations: Path, folder: Path | None, classes: tuple[str, ...]) -> list[Sample]:
    rows = [row for row in read_list(annotations) if row[1] in classes]
    if not rows:
        labels = sorted({label for _, label, _ in read_list(annotations)})
        shown = f"'{labels[0]}'{nearest(labels[0], classes)}" if labels else "no rows"
        raise DataError(f"{annotations}: names none of the {len(classes)} classes of Kinetics-Sounds; found {shown}")
    sounds = next((root / f"{name}_wav" for name in SPELLINGS[part] if (root / f"{name}_wav").is_dir()), None)
    pictures = next((root / f"{name}_img" for name in SPELLINGS[part] if (root / f"{name}_img").is_dir()), None)
    videos = {path.stem: path for path in _videos(folder)} if folder is not None and sounds is None else {}
    samples = []
    seen: set[str] = set()
    for youtube, label, stem in rows:
        name = stem or youtube
        if name in seen:
            raise DataError(f"{annotations}: {name} stands in the list twice")
        seen.add(name)
        if sounds is not None:
            frames = (pictures or root / f"{part}_img") / "Image-01-FPS" / youtube
            files = {"audio": sounds / f"{youtube}.wav", "video": frames}
        else:
            missing = (folder or root / part) / f"{name}.mp4"
            video = videos.get(name) or videos.get(youtube) or missing
            files = {"audio": video, "video": video}
        samples.append(Sample(name, classes.index(label), files, _youtube(youtube)))
    return samples


def _in_class_folders(folder: Path, classes: tuple[str, ...]) -> list[Sample]:
    samples = []
    for path in _videos(folder):
        label = plain(path.parent.name)
        if label in classes:
            samples.append(Sample(path.stem, classes.index(label), {"audio": path, "video": path}, _youtube(path.stem)))
    if not samples:
        found = sorted(path.name for path in folder.iterdir() if path.is_dir())
        hint = f"'{found[0]}'{nearest(plain(found[0]), classes)}" if found else "no folder"
        raise DataError(f"{folder}: expected folders named after the classes of Kinetics-Sounds, found {hint}")
    return samples


def _videos(folder: Path) -> list[Path]:
    """Videos of a folder and of its class folders, by name."""
    found = [path for path in folder.glob("*") if path.suffix.lower() in CONTAINERS]
    found += [path for path in folder.glob("*/*") if path.suffix.lower() in CONTAINERS]
    return sorted(found, key=lambda path: path.name)


def _youtube(name: str) -> str:
    match = KINETICS_NAME.fullmatch(name)
    return match[1] if match else name[:11]
