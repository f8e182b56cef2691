"""Paths that somebody typed, or that a file names."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from igmsweep.errors import UserError
from igmsweep.legible import quoted


def full(path: Path | str, key: str = "") -> Path:
    """A path from the root, with `~` and links resolved; there need be nothing at it.

    Args:
        key: what names it, for the message.

    Raises:
        UserError: a user that is not known, a circle of links, a name longer than names may be, a NUL.
    """
    try:
        found = Path(path).expanduser().resolve()
        os.lstat(found)
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return found
    except (OSError, RuntimeError, ValueError) as error:
        told = getattr(error, "strerror", None) or str(error)
        raise UserError(f"{key}{': ' if key else ''}{quoted(str(path))} is no path here ({told})") from None
    return found


def links_out(folder: Path) -> Iterator[Path]:
    """The symbolic links below a folder that lead out of it, in the order of their names; of links to folders, the links themselves."""
    home = folder.resolve()
    for place, folders, files in os.walk(home):
        folders.sort()
        for name in sorted([*folders, *files]):
            path = Path(place, name)
            if path.is_symlink() and not _target(path).is_relative_to(home):
                yield path


def _target(link: Path) -> Path:
    try:
        return link.resolve()
    except (OSError, RuntimeError):  # a circle leads nowhere
        return Path("/")
