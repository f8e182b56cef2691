"""Files as users have them: sorted listings, and the commonest broken kind recognised by its first bytes."""

from __future__ import annotations

import re
import stat
from pathlib import Path

from igmsweep.errors import DataError, UserError
from igmsweep.gate import files

LIST = 256 * files.MIB
"""Bytes of a list of samples."""
MEDIUM = 4 * 2**30
"""Bytes of one file of a sample."""
_POINTER = b"version https://git-lfs.github.com/spec"

KINDS = {
    "missing": "no such file",
    "pointer": "a Git-LFS pointer in the file's place",
    "empty": "no bytes, no samples or no frames",
    "unreadable": "no decoder reads it",
    "truncated": "ends before its header says",
    "no audio": "a video without sound",
    "short": "too few frames to be used",
    "silent": "nothing but silence",
    "brief": "shorter than the data set's clips are",
    "long": "longer than the data set's clips are",
    "no words": "an empty text",
    "duplicate": "the same bytes as another sample's",
}
"""Kinds of remarks on files and what they mean; those from `silent` on do not keep a file from being used."""

USABLE = ("silent", "brief", "long", "no words", "duplicate")


class BadFile(DataError):
    """A file that cannot be used; `kind` is one of KINDS."""

    def __init__(self, kind: str, path: Path, text: str) -> None:
        super().__init__(f"{path}: {text}")
        self.kind, self.path, self.text = kind, path, text

    def __reduce__(self) -> tuple[object, ...]:
        return BadFile, (self.kind, self.path, self.text)


def refuse_pointer(path: Path) -> None:
    """Raise BadFile for a missing file, an empty or too large one, what is no ordinary file (a folder, a pipe, a device, which are
    not opened), or a Git-LFS pointer in a file's place."""
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise BadFile("unreadable", path, f"is {files.kind(status.st_mode)}, expected a file")
        if status.st_size > MEDIUM:
            raise BadFile("unreadable", path, f"holds more than {MEDIUM // 2**30} GiB, the most that one file may have")
        with path.open("rb") as file:
            first = file.read(len(_POINTER))
    except (FileNotFoundError, NotADirectoryError):
        raise BadFile("missing", path, "no such file") from None
    except (OSError, ValueError) as error:
        raise BadFile("unreadable", path, f"cannot be read ({getattr(error, 'strerror', None) or error})") from None
    if first == _POINTER:
        raise BadFile("pointer", path, "is a Git-LFS pointer, not the file itself; fetch the files with `git lfs pull`")
    if not first:
        raise BadFile("empty", path, "is empty")


def lacking(path: Path, root: Path) -> str:
    """What to say of a file of `root` that is not there: the file, and the folder where that is missing too."""
    return f"{path}: no such file" + (f", as there is no {folder}/ here" if (folder := absent(path, root)) else "")


def absent(path: Path, root: Path) -> str | None:
    """The outermost folder between `root` and a file that is not there, relative to `root`; None: all are."""
    if not path.is_relative_to(root):
        return None
    folders = [root / part for part in path.relative_to(root).parents]
    return next((each.relative_to(root).as_posix() for each in reversed(folders) if not each.is_dir()), None)


def natural(name: str) -> tuple[tuple[int, str], ...]:
    """A key that sorts `frame_2` before `frame_10`.

    >>> sorted(["frame_10.jpg", "frame_2.jpg"], key=natural)
    ['frame_2.jpg', 'frame_10.jpg']
    """
    return tuple((int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"([0-9]+)", name))


def reason(error: BaseException) -> str:
    """What a library's exception says, on one line and without paths twice."""
    return " ".join(str(error).split()) or type(error).__name__


def read_text(path: Path) -> str:
    """A UTF-8 text file with or without a byte-order mark.

    Raises:
        BadFile: the file is missing, empty, a Git-LFS pointer or not UTF-8.
    """
    refuse_pointer(path)
    try:
        return files.read_text(path, LIST)
    except UserError as error:
        raise BadFile("unreadable", path, str(error).removeprefix(f"{path}: ")) from None


def read_annotations(path: Path) -> list[tuple[str, str]]:
    """`NAME,LABEL` rows of a CSV without a header, UTF-8 with or without a byte-order mark.

    Raises:
        DataError: the file is missing, or a row has not two fields; the line is named.
    """
    rows = []
    for number, line in enumerate(read_text(path).splitlines(), start=1):
        if not line.strip():
            continue
        fields = [field.strip() for field in line.split(",")]
        if len(fields) != 2 or not all(fields):
            raise DataError(f"{path}: line {number}: found '{line[:60]}', expected NAME,LABEL")
        rows.append((fields[0], fields[1]))
    return rows
