"""Kinetics-Sounds (Arandjelovic and Zisserman, 2017): 31 classes of Kinetics-400 that one can see and hear.

There is no official archive. These forms are read, told apart by what lies in the folder:

    prepared       annotations/{train,valid,test}.csv  {train,valid,test}_wav/ID.wav
                   {train,valid,test}_img/Image-01-FPS/ID/*.jpg          header youtube_id,label in any order
    OGM-GE         my_{train,test}.txt: ID_000058_000068,10,4 or PATH 4, the label's place among the sorted class names
    Kinetics-400   {train,val,test}.csv, also kinetics-400_{train,val}.csv  {train,val,test}/ID_000010_000020.mp4, also in
                   folders of their class
                   header label,youtube_id,time_start,time_end,split; rows of other classes are left out
    class folders  {train,val,test}/playing_guitar/*.mp4                 no list

Sounds, frames and videos are found with and without the times in their names, whichever way the list has them
(`igmsweep.data.kinetics_layout`).

Clips without sound or with three frames or fewer are left out, as the field does (`data.bad_files: skip`); the data check
and the sweep say how many.
"""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from igmsweep.data import layouts
from igmsweep.data.audiovisual import AudioVisual, AudioVisualOptions
from igmsweep.data.base import DataSet, Part, Sample
from igmsweep.data.kinetics_layout import LISTS, Clip, Media, part_folder, plain, read_list, videos
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
        annotations = layouts.lists_of(root, LISTS)[part]
        folder = part_folder(root, part)
        if annotations is not None:
            return _listed(root, part, annotations, self.classes)
        if folder is not None and (part == "train" or any(folder.glob("*/*"))):
            return _in_class_folders(folder, self.classes)
        if part == "val":
            return []
        if part == "test" and part_folder(root, "train") is not None:
            raise DataError(
                f"{root}: has no test part of Kinetics-Sounds: there is train/, but neither test/ nor a list"
            )
        raise layouts.absent(root, "Kinetics-Sounds", part, LISTS, (f"{part}/playing_guitar/*.mp4",))

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

    def validation(self, root: Path) -> str:
        return "the copy's own list"  # nobody has published one

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


def _some(names: set[str]) -> str:
    shown = ", ".join(sorted(names)[:3])
    return f"{shown} and {len(names) - 3} more" if len(names) > 3 else shown


def _clips(root: Path, part: Part) -> list[Clip]:
    """The rows of a part's list; none where there is no list."""
    annotations = layouts.lists_of(root, LISTS)[part]
    return [] if annotations is None else read_list(annotations, CLASSES)


def _is_kinetics_400(root: Path) -> bool:
    return any(clip.timed for clip in _clips(root, "train"))


def _labels(root: Path, part: Part = "train") -> list[str]:
    """The class name of each row of a part."""
    clips, folder = _clips(root, part), part_folder(root, part)
    if clips or folder is None:
        return [clip.label for clip in clips]
    return [plain(path.parent.name) for path in videos(folder) if path.parent != folder]


def _listed(root: Path, part: Part, annotations: Path, classes: tuple[str, ...]) -> list[Sample]:
    clips = read_list(annotations, CLASSES)
    rows = [clip for clip in clips if clip.label in classes]
    if not rows:
        labels = sorted({clip.label for clip in clips})
        shown = f"'{labels[0]}'{nearest(labels[0], classes)}" if labels else "no rows"
        raise DataError(f"{annotations}: names none of the {len(classes)} classes of Kinetics-Sounds; found {shown}")
    media = Media(root, part)
    samples = []
    seen: set[str] = set()
    for clip in rows:
        if clip.name in seen:
            raise DataError(f"{annotations}: {clip.name} stands in the list twice")
        seen.add(clip.name)
        samples.append(Sample(clip.name, classes.index(clip.label), media.files(clip), clip.youtube))
    return samples


def _in_class_folders(folder: Path, classes: tuple[str, ...]) -> list[Sample]:
    samples = []
    for path in videos(folder):
        label = plain(path.parent.name)
        if label in classes:
            files = {"audio": path, "video": path}
            samples.append(Sample(path.stem, classes.index(label), files, Clip(path.stem, label).youtube))
    if not samples:
        found = sorted(path.name for path in folder.iterdir() if path.is_dir())
        hint = f"'{found[0]}'{nearest(plain(found[0]), classes)}" if found else "no folder"
        raise DataError(f"{folder}: expected folders named after the classes of Kinetics-Sounds, found {hint}")
    return samples
