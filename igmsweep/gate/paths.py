"""Paths that somebody typed, or that a file names."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from igmsweep.errors import UserError
from igmsweep.gate.files import is_folder, kind
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
    """Look for links through which what is written into a folder would land outside it, and for pipes and devices, at which a
    process that opens them waits.

    Args:
        part: look only at this part of it.
        otherwise: what to do but to remove it, for the message.

    Raises:
        UserError: there is one, or a folder that may not be read; it is named.
    """
    found = next(astray(folder, part), None)
    if found is None:
        return
    mode = found.lstat().st_mode
    if stat.S_ISLNK(mode):
        raise UserError(
            f"{found}: is a link out of its folder, to {quoted(os.readlink(found))}: what is written there would land outside; "
            f"remove it{otherwise}"
        )
    if stat.S_ISDIR(mode):
        raise UserError(f"{found}: is a folder that may not be read; make it readable, or remove it")
    raise UserError(f"{found}: is {kind(mode)}, expected a file or a folder; remove it")


def astray(folder: Path, part: str = "") -> Iterator[Path]:
    """What in a folder, or in a part of it, is neither a file nor a folder of its own: symbolic links that lead out of the folder, none of
    which is followed, pipes, devices, and folders that may not be read."""
    home = folder.resolve()
    start = home / part
    if start.is_symlink() and not _target(start).is_relative_to(home):
        yield start
    waiting = [start] if is_folder(start) and (start == home or not start.is_symlink()) else []
    while waiting:
        place = waiting.pop(0)
        try:
            with os.scandir(place) as found:
                entries = sorted(found, key=lambda entry: entry.name)
        except PermissionError:
            yield place
            continue
        for entry in entries:
            if entry.is_symlink():
                if not _target(Path(entry.path)).is_relative_to(home):
                    yield Path(entry.path)
            elif entry.is_dir(follow_symlinks=False):
                waiting.append(Path(entry.path))
            elif not entry.is_file(follow_symlinks=False):
                yield Path(entry.path)


def _target(link: Path) -> Path:
    try:
        return link.resolve()
    except (OSError, RuntimeError):  # a circle leads nowhere
        return Path("/")
