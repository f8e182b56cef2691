"""Text files: ordinary ones, of a size that makes sense, in UTF-8."""

from __future__ import annotations

import stat
from pathlib import Path

from igmsweep.errors import UserError

MIB = 2**20


def regular(path: Path) -> bool:
    """Whether a path is that of an ordinary file, or of a link to one: no folder, device or pipe, which may never end."""
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except (OSError, ValueError):  # not there, a name longer than names are, a NUL in it
        return False


def is_folder(path: Path) -> bool:
    """Whether a path is that of a folder, or of a link to one."""
    try:
        return stat.S_ISDIR(path.stat().st_mode)
    except (OSError, ValueError):
        return False


def inside(path: Path) -> list[Path]:
    """What lies in a folder, in no order; nothing where there is no folder, or one that may not be read."""
    try:
        return list(path.iterdir())
    except (OSError, ValueError):
        return []


def read_bytes(path: Path, most: int) -> bytes:
    """An ordinary file's content.

    Args:
        most: bytes.

    Raises:
        UserError: no such file, another thing than a file, one that may not be read, or a larger one.
    """
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise UserError(f"{path}: found {kind(status.st_mode)}, expected a file")
        with path.open("rb") as file:
            content = file.read(most + 1)
    except FileNotFoundError:
        raise UserError(f"{path}: no such file") from None
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: cannot be read ({getattr(error, 'strerror', None) or error})") from None
    if len(content) > most:
        raise UserError(f"{path}: holds more than {most / MIB:.3g} MiB, the most that such a file may have")
    return content


def read_text(path: Path, most: int) -> str:
    """An ordinary file's text, without a byte order mark.

    Args:
        most: bytes.

    Raises:
        UserError: as `read_bytes`, or it is not UTF-8; the message names the line.
    """
    content = read_bytes(path, most)
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise UserError(f"{path}: line {line} is not UTF-8, the encoding that text files have here") from None


def kind(mode: int) -> str:
    """What a thing on disk is that is no ordinary file, in words, by its `st_mode`."""
    kinds = {stat.S_IFDIR: "a folder", stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket"}
    return kinds.get(stat.S_IFMT(mode), "a device")
