"""Files as users have them: sorted listings, and the commonest broken kind recognised by its first bytes."""

from __future__ import annotations

from pathlib import Path

from igmsweep.errors import DataError

_POINTER = b"version https://git-lfs.github.com/spec"


def refuse_pointer(path: Path) -> None:
    """Raise DataError for a missing file, an empty one, or a Git-LFS pointer in a file's place."""
    try:
        with path.open("rb") as file:
            first = file.read(len(_POINTER))
    except FileNotFoundError:
        raise DataError(f"{path}: no such file") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from None
    if first == _POINTER:
        raise DataError(f"{path}: is a Git-LFS pointer, not the file itself; fetch the files with `git lfs pull`")
    if not first:
        raise DataError(f"{path}: is empty")


def read_annotations(path: Path) -> list[tuple[str, str]]:
    """`NAME,LABEL` rows of a CSV without a header, UTF-8 with or without a byte-order mark.

    Raises:
        DataError: the file is missing, or a row has not two fields; the line is named.
    """
    refuse_pointer(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: is not UTF-8 text (byte {error.start})") from None
    rows = []
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        fields = [field.strip() for field in line.split(",")]
        if len(fields) != 2 or not all(fields):
            raise DataError(f"{path}: line {number}: found '{line[:60]}', expected NAME,LABEL")
        rows.append((fields[0], fields[1]))
    return rows
