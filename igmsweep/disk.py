"""Files that survive a crash: written whole or not at all, and by one process at a time."""

from __future__ import annotations

import errno
import fcntl
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

FULL = (errno.ENOSPC, errno.EROFS, errno.EDQUOT)
"""A disk that takes nothing more."""


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A path to write to, which takes the place of `path` at the end: a reader sees the old file or the whole new one.

    When the block raises, `path` stays as it was and nothing is left behind.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}")
    try:
        yield partial
        with partial.open("rb") as file:
            os.fsync(file.fileno())
        os.replace(partial, path)
    except BaseException:
        with suppress(OSError):
            partial.unlink()
        raise


def write_atomically(path: Path, text: str) -> None:
    """Write UTF-8 text that is on disk when this returns. Raises OSError, and then `path` is as it was."""
    with replacing(path) as partial:
        partial.write_text(text, encoding="utf-8")


@contextmanager
def exclusive(path: Path, wait: bool = True) -> Iterator[None]:
    """The kernel's lock on a file, made when it is missing, or on a folder that is there. It falls with its process.

    Args:
        wait: for another process that holds it.

    Raises:
        BlockingIOError: another process holds it, and `wait` is false.
        OSError: the file cannot be opened, or its file system has no locks.
    """
    # a link would have a file made elsewhere
    flags = os.O_RDONLY if path.is_dir() else os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW
    handle = os.open(path, flags, 0o666)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        yield
    finally:
        os.close(handle)
