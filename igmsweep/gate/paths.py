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


def refuse_links(folder: Path, part: str = "", otherwise: str = "") -> None:
    """Look for links through which what is written into a folder would land outside it.

    Args:
        part: look only at this part of it.
        otherwise: what to do but to remove the link, for the message.

    Raises:
        UserError: there is one; it is named.
    """
    link = next(links_out(folder, part), None)
    if link is not None:
        raise UserError(
            f"{link}: is a link out of its folder, to {quoted(os.readlink(link))}: what is written there would land outside; "
            f"remove it{otherwise}"
        )


def links_out(folder: Path, part: str = "") -> Iterator[Path]:
    """The symbolic links in a folder, or in a part of it, that lead out of the folder; none of them is followed."""
    home = folder.resolve()
    if (home / part).is_symlink() and not _target(home / part).is_relative_to(home):
        yield home / part
        return
    waiting = [home / part] if (home / part).is_dir() else []
    while waiting:
        with os.scandir(waiting.pop(0)) as found:
            entries = sorted(found, key=lambda entry: entry.name)
        for entry in entries:
            if entry.is_symlink() and not _target(Path(entry.path)).is_relative_to(home):
                yield Path(entry.path)
            elif entry.is_dir(follow_symlinks=False):
                waiting.append(Path(entry.path))


def _target(link: Path) -> Path:
    try:
        return link.resolve()
    except (OSError, RuntimeError):  # a circle leads nowhere
        return Path("/")
