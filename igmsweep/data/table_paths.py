"""Where the paths of a CSV file lead: below its folder, or below the root that was named, unless the user says otherwise."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from igmsweep.data.audio import CONTAINERS
from igmsweep.errors import DataError
from igmsweep.legible import quoted

NAME, PATH = 255, 4095
"""Bytes of a name, and of a path, that systems have."""
DEEP = 64
"""Folders of a path that are resolved one by one; of a deeper one all at once."""


def leading_out(
    table: Path, home: Path, rows: Sequence[tuple[int, Mapping[str, str]]], kinds: Mapping[str, str]
) -> str | None:
    """What to say of the first path that leads out of a folder, by `..`, as an absolute path or by a symbolic link; None: none does.

    No file is opened; a folder is resolved once for all that lies in it.

    Args:
        table: the CSV file, for messages.
        home: what the paths are relative to.
        rows: numbers of lines, and fields by column.
        kinds: of the columns; a `text` holds no paths.

    Raises:
        DataError: a path is longer than paths can be.
    """
    root = os.path.realpath(home)
    inside, known = root.rstrip("/") + "/", {root: root}
    columns = [name for name, kind in kinds.items() if kind != "text"]
    for number, row in rows:
        for name in columns:
            field = row[name]
            if len(field) > NAME // 4:
                _refuse_long(f"{table}: line {number}: its {name}", field, root)
            for path in _places(os.path.join(root, field), kinds[name]) if field else ():
                target = _real(path, known)
                if target != root and not target.startswith(inside):
                    return (
                        f"{table}: line {number}: its {name} {quoted(field)} leads out of {root}, to {quoted(target)}; name a folder "
                        "that holds all files with --root DIR, or allow it with --set data.options.outside=true"
                    )
    return None


def _places(path: str, kind: str) -> Iterator[str]:
    """The path itself, and the links in a folder of frames."""
    yield path
    if kind == "video" and not path.lower().endswith(CONTAINERS):
        try:
            with os.scandir(path) as entries:
                links = [entry.path for entry in entries if entry.is_symlink()]
        except OSError:  # it is told as a missing one when the sample is read
            return
        yield from links


def _real(path: str, known: dict[str, str]) -> str:
    """A path with its links resolved.

    Args:
        known: those of folders that have been resolved before.
    """
    found = known.get(path)
    if found is None:
        above, name = os.path.split(path)
        if name in ("", ".", "..") or path.count("/") > DEEP:
            found = os.path.realpath(path)
        else:
            plain = os.path.join(_real(above, known), name)
            found = os.path.realpath(plain) if os.path.islink(plain) else plain
        known[path] = found
    return found


def _refuse_long(where: str, field: str, root: str) -> None:
    longest = max(len(os.fsencode(part)) for part in field.split("/"))
    if longest > NAME:
        raise DataError(f"{where} {quoted(field)} has a name of {longest:,} bytes, expected at most {NAME}")
    if (length := len(os.fsencode(os.path.join(root, field)))) > PATH:
        raise DataError(f"{where} {quoted(field)} is a path of {length:,} bytes, expected at most {PATH:,}")
