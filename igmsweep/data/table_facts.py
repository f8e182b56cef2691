"""What a CSV file's data are like: lengths, rates, sizes and colours, from the headers of a bounded sample of files.

The files are taken evenly from the rows of train and validation, so that the same file and folder give the same facts;
the test part's are not opened. Files that cannot be read are passed over: `data check` and the policies name them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np

from igmsweep.data import audio, frames, text, video
from igmsweep.errors import DataError

FILES = 256
"""Files of a column whose headers are read: a tenth of a second on a local disk."""
VIDEOS = 64
DECODED = 16
"""Pictures that are decoded to see whether one that could have colours has any."""
TEXTS = 20_000
LETTERS = 4096
"""Of a text whose words are counted: more than 512 words, the longest text that is read."""
CHARACTERS = 32_000_000
"""Of all texts; fewer are taken where they are longer, so that it is done in seconds."""
VOCABULARY = 2**15
"""Different words that are enough: no larger vocabulary is suggested."""

Found = TypeVar("Found")


@dataclass(frozen=True)
class Facts:
    """None where there is no such column, or none of its files can be read."""

    rate: int | None = None
    """The commonest rate of sounds, in Hz."""
    seconds: float | None = None
    """95 % of the sounds are at most this long."""
    side: int | None = None
    """The larger side of the median picture or video frame, in pixels; of the column with the largest."""
    grey: bool = False
    """No picture has a colour."""
    frames: int | None = None
    """Frames of the median clip, at one a second of a video."""
    words: int | None = None
    """95 % of the texts have at most so many words."""
    vocabulary: int | None = None
    """Different words, of those that were counted."""


def look(home: Path, rows: Sequence[Mapping[str, str]], kinds: Mapping[str, str]) -> Facts:
    """The facts of some rows.

    Args:
        home: what the fields' paths are relative to.
        rows: fields by column.
        kinds: `audio`, `image`, `video`, `array` or `text` of every modality's column.
    """

    def of(kind: str, most: int, read: Callable[[Path], Found]) -> list[list[Found]]:
        named = [[row[name] for row in rows if row[name]] for name in kinds if kinds[name] == kind]
        columns = [[home / field for field in evenly(fields, most)] for fields in named]
        return [found for paths in columns if (found := list(_readable(paths, read)))]

    sounds = [each for column in of("audio", FILES, audio.header) for each in column]
    pictures = of("image", FILES, lambda path: (path, *frames.header(path)))
    clips = of("video", VIDEOS, _clip)
    texts = [row[name] for row in evenly(rows, TEXTS) for name in kinds if kinds[name] == "text"]
    if (characters := sum(min(len(each), LETTERS) for each in texts)) > CHARACTERS:
        texts = evenly(texts, max(1, len(texts) * CHARACTERS // characters))
    words, vocabulary = _counted(texts)
    rates = [rate for rate, _ in sounds]
    sides = [[max(width, height) for _, width, height, _ in column] for column in pictures]
    sides += [[max(width, height) for width, height, _ in column] for column in clips]
    lengths = [count for column in clips for *_, count in column]
    return Facts(
        max(sorted(set(rates)), key=rates.count) if rates else None,
        float(np.percentile([seconds for _, seconds in sounds], 95)) if sounds else None,
        max((round(float(np.median(column))) for column in sides), default=None),
        bool(pictures) and not clips and all(map(_all_grey, pictures)),
        round(float(np.median(lengths))) if lengths else None,
        round(float(np.percentile(words, 95))) if words else None,
        vocabulary if words else None,
    )


def evenly(rows: Sequence[Found], most: int) -> list[Found]:
    """At most so many of the rows, from all over them."""
    return [rows[int(index)] for index in np.linspace(0, len(rows) - 1, min(most, len(rows))).round()]


def _counted(texts: Sequence[str]) -> tuple[list[int], int]:
    """Words of each text, and how many different ones there are."""
    lengths, different = [], set[str]()
    for each in texts:
        found = text.words(each[:LETTERS])
        lengths.append(len(found))
        if len(different) < VOCABULARY:
            different.update(found)
    return lengths, len(different)


def _readable(paths: Iterable[Path], read: Callable[[Path], Found]) -> Iterable[Found]:
    for path in paths:
        try:
            yield read(path)
        except DataError:
            continue


def _clip(path: Path) -> tuple[int, int, int]:
    """Width, height and frames of a video, at one a second, or of a folder of frames."""
    if path.suffix.lower() in audio.CONTAINERS:
        width, height, seconds = video.header(path)
        return width, height, max(1, round(seconds))
    files = frames.frame_files(path)
    width, height, _ = frames.header(files[0])
    return width, height, len(files)


def _all_grey(column: Sequence[tuple[Path, int, int, bool | None]]) -> bool:
    """Whether a column's pictures are grey; the first one with a colour ends the search."""
    unsaid = [path for path, _, _, grey in column if grey is None]
    return all(_readable(evenly(unsaid, DECODED), frames.looks_grey))
