"""The lists and files of Kinetics-Sounds in circulation: which clips a list names, and where a clip's sound and frames lie.

A clip is called ID, ID_000058_000068 or ID_58, by its YouTube id of 11 characters and its seconds; lists and files need
not call it the same.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from igmsweep.data.audio import CONTAINERS, SOUNDS
from igmsweep.data.base import Part
from igmsweep.data.files import read_text
from igmsweep.data.layouts import ListNames, first_there
from igmsweep.errors import DataError, nearest
from igmsweep.legible import first_few, quoted

SPELLINGS: dict[Part, tuple[str, ...]] = {
    "train": ("train",),
    "val": ("valid", "val", "validate", "validation"),
    "test": ("test",),
}
LISTS: dict[Part, tuple[ListNames, ...]] = {
    part: tuple(
        ListNames(tuple(form.format(name) for name in names), ("annotations", "."))
        for form in ("{}.csv", "my_{}.txt", "kinetics-400_{}.csv")
    )
    for part, names in SPELLINGS.items()
}
"""CSV files with a header, OGM-GE's lists, ActivityNet's CSV files."""
SOUND_FOLDERS = ("{0}_wav/{0}", "{0}_wav", "audio/{0}")
FRAME_FOLDERS = (
    "{0}_img/Image-01-FPS",
    "{0}_img",
    "{0}-frames-1fps/{0}",
    "{0}-frames-1fps",
    "visual/{0}",
)
NAME = re.compile(r"(.{11})(?:[-_—]+(\d{1,6}))?(?:[-_—]+\d{1,6})?")
"""A clip's name: its id, the second at which it begins, the second at which it ends."""


@dataclass(frozen=True)
class Clip:
    """A row of a list; `timed` says that the list has seconds in columns of their own."""

    name: str
    label: str
    timed: bool = False

    @property
    def youtube(self) -> str:
        """The id on YouTube, as far as the name tells."""
        return _parsed(self.name)[0]


def plain(label: str) -> str:
    """A class name as lists and folders spell it: `playing_guitar`, `Playing Guitar` and `playing guitar` are one."""
    return re.sub(r"[\s_]+", " ", label.strip().strip('"').lower())


def read_list(path: Path, classes: Sequence[str]) -> list[Clip]:
    """The clips of a CSV file with a header, or of a text file that has a name and a label on each line.

    Args:
        classes: what a label's number in a text file counts.

    Raises:
        DataError: a column is missing, a row is too short, or a label's number is no class.
    """
    return _numbered(path, classes) if path.suffix == ".txt" else _with_header(path)


def videos(folder: Path) -> list[Path]:
    """Videos of a folder and of its class folders, by name."""
    found = [path for path in folder.glob("*") if path.suffix.lower() in CONTAINERS]
    found += [path for path in folder.glob("*/*") if path.suffix.lower() in CONTAINERS]
    return sorted(found, key=lambda path: path.name)


def part_folder(root: Path, part: Part) -> Path | None:
    """The folder that bears a part's name."""
    return first_there(root, SPELLINGS[part])


class Media:
    """Sounds, frames and videos of a part, found once.

    Sounds and frames lie in folders of their own, or in a folder a clip; else both are in videos.
    """

    def __init__(self, root: Path, part: Part) -> None:
        folder = part_folder(root, part)
        sounds_in = first_there(root, _spelled(SOUND_FOLDERS, part))
        frames_in = first_there(root, _spelled(FRAME_FOLDERS, part)) or root / FRAME_FOLDERS[0].format(part)
        found = videos(folder) if folder is not None and sounds_in is None else []
        sounds = list(sounds_in.glob("*")) if sounds_in is not None else []
        if folder is not None and sounds_in is None and not found:
            sounds = [path for path in folder.glob("*/*") if path.suffix.lower() in SOUNDS]
            if sounds:
                sounds_in = frames_in = folder
        self._videos_in, self._sounds_in, self._frames_in = folder or root / part, sounds_in, frames_in
        self._videos = _Named((path.stem, path) for path in found)
        self._sounds = _Named((path.stem, path) for path in sounds if path.suffix.lower() in SOUNDS)
        self._frames = _Named((path.name, path) for path in frames_in.glob("*") if sounds_in is not None)

    def files(self, clip: Clip) -> dict[str, Path]:
        """The files of `audio` and `video`; where they are not there, where they should be."""
        if self._sounds_in is None:
            video = self._videos.get(clip.name) or self._videos_in / f"{clip.name}.mp4"
            return {"audio": video, "video": video}
        return {
            "audio": self._sounds.get(clip.name) or self._sounds_in / f"{clip.name}.wav",
            "video": self._frames.get(clip.name) or self._frames_in / clip.name,
        }


class _Named:
    """Paths by a clip's name; by id and first second where a list calls it otherwise and one path alone fits."""

    def __init__(self, paths: Iterable[tuple[str, Path]]) -> None:
        self._exact = dict(paths)
        self._loose: dict[str, list[tuple[int | None, Path]]] = {}
        for name, path in self._exact.items():
            youtube, start = _parsed(name)
            self._loose.setdefault(youtube, []).append((start, path))

    def get(self, name: str) -> Path | None:
        """The path of a clip."""
        if name in self._exact:
            return self._exact[name]
        youtube, start = _parsed(name)
        fitting = [path for begins, path in self._loose.get(youtube, ()) if None in (start, begins) or start == begins]
        return fitting[0] if len(fitting) == 1 else None


def _spelled(forms: Sequence[str], part: Part) -> list[str]:
    return [form.format(name) for form in forms for name in SPELLINGS[part]]


def _parsed(name: str) -> tuple[str, int | None]:
    match = NAME.fullmatch(name)
    if match is None:
        return name[:11], None
    return match[1], None if match[2] is None else int(match[2])


def _with_header(path: Path) -> list[Clip]:
    rows = list(csv.reader(io.StringIO(read_text(path))))
    header = [name.strip().lower() for name in rows[0]]
    for column in ("youtube_id", "label"):
        if column not in header:
            raise DataError(f"{path}: found the columns {first_few(header)}, expected {column} among them")
    clips = []
    for number, row in enumerate(rows[1:], start=2):
        if not any(field.strip() for field in row):
            continue
        if len(row) < len(header):
            raise DataError(f"{path}: line {number}: found {len(row)} fields, expected {len(header)}")
        fields = dict(zip(header, (field.strip() for field in row), strict=False))
        name, timed = fields["youtube_id"], bool(fields.get("time_start") and fields.get("time_end"))
        if timed:
            try:
                start, end = (int(float(fields[column])) for column in ("time_start", "time_end"))
            except ValueError:
                raise DataError(
                    f"{path}: line {number}: found the times {quoted(fields['time_start'])} and {quoted(fields['time_end'])}, "
                    "expected seconds"
                ) from None
            name = f"{name}_{start:06d}_{end:06d}"
        clips.append(Clip(name, plain(fields["label"]), timed))
    return clips


def _numbered(path: Path, classes: Sequence[str]) -> list[Clip]:
    """`NAME,SECONDS,LABEL`, or `PATH LABEL`: the last field is the label, a number from 0 or a name."""
    clips = []
    for number, line in enumerate(read_text(path).splitlines(), start=1):
        if not line.strip():
            continue
        fields = line.strip().split(",") if "," in line else line.strip().rsplit(maxsplit=1)
        if len(fields) < 2:
            raise DataError(f"{path}: line {number}: found '{line[:60]}', expected a name and a label")
        label = plain(fields[-1])
        if label.isdigit():
            if int(label) >= len(classes):
                raise DataError(f"{path}: line {number}: found label {label}, expected 0 to {len(classes) - 1}")
            label = classes[int(label)]
        elif label not in classes:
            raise DataError(f"{path}: line {number}: found label '{label}'{nearest(label, classes)}, expected a number")
        name = Path(fields[0].strip()).name
        endings = (*CONTAINERS, *SOUNDS, ".npy")
        clips.append(Clip(Path(name).stem if Path(name).suffix.lower() in endings else name, label))
    return clips
