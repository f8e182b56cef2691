"""What a CSV file's columns hold, by their fields: sounds, pictures, videos or folders of frames, arrays, or text."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from igmsweep.data import audio, frames
from igmsweep.errors import DataError, UserError
from igmsweep.legible import quoted

SUFFIXES = {
    suffix: kind
    for kind, suffixes in {
        "audio": audio.SOUNDS,
        "image": frames.SUFFIXES,
        "video": audio.CONTAINERS,
        "array": (".npy",),
    }.items()
    for suffix in suffixes
}
WORDS = {"audio": "a sound", "image": "a picture", "video": "a video or a folder of frames", "array": "an array"}
HEARD = ("audio", "sound")
"""Names of columns in which a video stands for its sound."""


def media(field: str) -> str | None:
    """What a path's suffix says that a file is: `audio`, `image`, `video` or `array`."""
    return SUFFIXES.get(os.path.splitext(field)[1].lower())


def column_kind(path: Path, home: Path, column: str, rows: Sequence[tuple[int, Mapping[str, str]]]) -> str:
    """The kind of a column: media where at least half of its fields that are not empty say so, else text.

    Args:
        path: the table, for messages.
        home: what its paths are relative to.
        rows: numbers of lines, and fields by column.

    Raises:
        UserError: the column is empty, or names files that are not read, or addresses.
        DataError: fields of a column of media are of another kind.
    """
    fields = [(number, row[column]) for number, row in rows if row[column]]
    if not fields:
        raise UserError(f"{path}: the column {column} is empty in every row; take it out")
    kinds = [_kind(column, field) for _, field in fields]
    counts = Counter(kind for kind in kinds if kind is not None)
    first = home / fields[0][1]
    if 2 * counts.total() < len(fields):
        if os.path.isfile(first):
            raise UserError(
                f"{path}: the column {column} names files that are not read, such as {quoted(fields[0][1])}; expected one of "
                f"{', '.join(SUFFIXES)}"
            )
        return "video" if os.path.isdir(first) else "text"
    found = max(counts, key=lambda kind: counts[kind])
    example = fields[kinds.index(found)][1]
    if re.match(r"[a-z][a-z\d+.-]*://", example):
        raise UserError(
            f"{path}: the column {column} holds the address {quoted(example)}, expected a file on this machine"
        )
    for (number, field), kind in zip(fields, kinds, strict=True):
        if kind != found and not (found == "video" and os.path.isdir(home / field)):
            raise DataError(
                f"{path}: line {number}: found {quoted(field)} in the column {column}, expected {WORDS[found]} such as "
                f"{quoted(example)}, or nothing where there is none"
            )
    return found


def _kind(column: str, field: str) -> str | None:
    kind = media(field)
    return "audio" if kind == "video" and column.lower() in HEARD else kind
