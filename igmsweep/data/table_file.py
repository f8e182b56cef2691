"""The CSV file of a table: its columns and rows, checked, with one line for whatever is wrong.

A folder in the form of Hugging Face's `imagefolder` and `audiofolder` is read the same way: `metadata.csv` with a column
`file_name` (and `NAME_file_name` for more files a row), in the folder or in each of `train/`, `validation/` and `test/`.
"""

from __future__ import annotations

import csv
import difflib
import io
import re
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath

from igmsweep.data.base import Part
from igmsweep.data.files import read_text
from igmsweep.data.table_kinds import media
from igmsweep.errors import DataError, UserError, nearest
from igmsweep.legible import clean, first_few, quoted

RESERVED = ("id", "label", "group", "split")
LABELS = ("class", "category", "target", "y")
"""What others call `label`."""
SEPARATORS = ",;\t"
COLUMNS = 1000
NAME = 200
"""Bytes of a column's name, which names files of the cache."""
LONGEST = {"id": 4096, "label": 256, "group": 256}
"""Characters; an id may be a path."""
METADATA = "metadata.csv"
FILE_NAME = "file_name"
INDEX = "(index)"
"""Stands for the name of a first column that has none and counts the rows; it is no modality."""
SPLITS: dict[str, Part] = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "dev": "val",
    "test": "test",
    "testing": "test",
}

Row = tuple[int, dict[str, str]]
"""The number of a row's line, and its fields by column."""


def sources(path: Path) -> tuple[Path, ...]:
    """The file itself, the one CSV file of a folder, or the `metadata.csv` of each part's folder in it.

    Raises:
        UserError: there is none, or more than one CSV file.
    """
    if not path.is_dir():
        if not path.is_file():
            raise UserError(f"data: no such file or folder {path}")
        return (path,)
    found = sorted(path.glob("*.csv"))
    if len(found) == 1:
        return (found[0],)
    parts = [each for folder in (path, path / "data") for each in sorted(folder.glob(f"*/{METADATA}"))]
    parts = [each for each in parts if each.parent.name.lower() in SPLITS]
    if found or not parts:
        names = f": {', '.join(file.name for file in found[:5])}" if found else ""
        raise UserError(
            f"data: {path} holds {len(found)} CSV files{names}; expected one, or {METADATA} in train/, validation/ and "
            "test/, or name the file itself"
        )
    order = list(dict.fromkeys(SPLITS.values()))
    return tuple(sorted(parts, key=lambda each: order.index(SPLITS[each.parent.name.lower()])))


def read_rows(files: Sequence[Path], home: Path) -> tuple[list[Row], list[str]]:
    """Rows by column with the numbers of their lines, and the modality columns.

    Args:
        files: from `sources`.
        home: what the paths in the rows are made relative to, where the files lie in folders of their own.

    Raises:
        UserError: a column is missing, unnamed, there twice or of an odd name, or differs between files; fewer than two
            labels.
        DataError: a row has too few fields, no label, an unknown split, none where others have one, or an id that stands
            there before.
    """
    rows: list[Row] = []
    columns: list[str] = []
    seen: set[str] = set()
    for path in files:
        header, found = _fields(path)
        if path.name.lower() == METADATA:
            header, found = _of_folder(path, home, header, found)
        own = _columns(path, header)
        if columns and set(own) != set(columns):
            raise UserError(
                f"{path}: found the columns {first_few(own)}, expected {first_few(columns)} as in {files[0]}"
            )
        columns = columns or own
        for number, row in found:
            _check(f"{path}: line {number}", row, seen)
        unsplit = [number for number, row in found if not row.get("split")]
        if 0 < len(unsplit) < len(found):
            more = f", as are those of {len(unsplit) - 1} more rows" if len(unsplit) > 1 else ""
            raise DataError(f"{path}: line {unsplit[0]}: its split is empty{more}; expected train, val or test")
        rows += found
    labels = {row["label"] for _, row in rows}
    if len(labels) < 2:
        has = f"{len(rows)} rows of the one label '{labels.pop()}'" if labels else "no row below its header"
        raise UserError(f"{files[0]}: has {has}, expected rows of two labels or more")
    return rows, columns


def _fields(path: Path) -> tuple[list[str], list[Row]]:
    """The names of the columns, and the rows that are not empty."""
    text = _text(path)
    separator = max(SEPARATORS, key=text.partition("\n")[0].count)  # the first of the commonest
    reader = csv.reader(io.StringIO(text), delimiter=separator, skipinitialspace=separator != "\t", strict=True)
    try:
        header = [" ".join(name.split()) for name in next(reader, [])]
        _refuse_columns(path, header)
        lines = [(reader.line_num, fields) for fields in reader if any(field.strip() for field in fields)]
    except csv.Error as error:
        raise DataError(
            f"{path}: line {reader.line_num}: {error}; expected quotes around whole fields, and two for one within, "
            f"and fields of at most {csv.field_size_limit():,} characters"
        ) from None
    lowered = [name.lower() if name.lower() in (*RESERVED, FILE_NAME) else name for name in header]
    if lowered and not lowered[0] and _counts(fields[0] for _, fields in lines):  # the index that pandas writes
        lowered[0] = INDEX
    if len(set(lowered)) < len(lowered) or not all(lowered):
        wrong = next(name for name in lowered if not name or lowered.count(name) > 1)
        told = f"the name {quoted(wrong)} twice" if wrong else "a column without a name"
        shown = first_few([name or "(no name)" for name in header])
        raise UserError(f"{path}: found {told} among {shown}, expected every name once and none empty")
    rows: list[Row] = []
    for number, fields in lines:
        if len(fields) != len(header):
            raise DataError(f"{path}: line {number}: found {len(fields)} fields, expected {len(header)}")
        rows.append((number, {name: field.strip() for name, field in zip(lowered, fields, strict=True)}))
    return [name for name in lowered if name != INDEX], rows


def _counts(fields: Iterable[str]) -> bool:
    """Whether fields are 0, 1, 2, ..."""
    return all(field == str(number) for number, field in enumerate(fields))


def _text(path: Path) -> str:
    """The file's text, its lines ended by a newline each. Raises DataError for a NUL byte."""
    text = read_text(path).replace("\r\n", "\n").replace("\r", "\n")
    if (place := text.find("\0")) >= 0:
        raise DataError(f"{path}: line {text.count(chr(10), 0, place) + 1} holds a NUL byte; save it as UTF-8 text")
    return text


def _refuse_columns(path: Path, header: Sequence[str]) -> None:
    """Raise UserError for more columns, or a longer name, than can be meant."""
    if len(header) > COLUMNS:
        raise UserError(f"{path}: line 1: found {len(header):,} columns, expected at most {COLUMNS:,}")
    for name in header:
        if len(name.encode()) > NAME:
            raise UserError(f"{path}: line 1: the column {quoted(name)} has a name of more than {NAME} bytes")


def _columns(path: Path, header: Sequence[str]) -> list[str]:
    """The columns that are modalities."""
    if "label" not in header:
        raise UserError(
            f"{path}: found the columns {first_few(header)}, expected `label` among them{_like_label(header)}"
        )
    columns = [name for name in header if name not in RESERVED]
    if not columns:
        raise UserError(f"{path}: has no column besides {', '.join(header)}; expected one a modality")
    for name in columns:
        if not name.isidentifier():
            able = re.sub(r"\W+|^(?=\d)", "_", name)
            raise UserError(
                f"{path}: found the column {quoted(name)}, expected letters, digits and _, such as {quoted(able)}"
            )
    return columns


def _like_label(header: Sequence[str]) -> str:
    """Which column may be the label under another name."""
    lowered = {name.lower(): name for name in header}
    near = [*difflib.get_close_matches("label", lowered, n=1), *(name for name in LABELS if name in lowered)]
    return f"; is it '{lowered[near[0]]}'? Rename that" if near else ""


def _check(where: str, row: dict[str, str], seen: set[str]) -> None:
    """Raise DataError for a row that cannot be used; its split is put in lower case, its id remembered."""
    if not row["label"]:
        raise DataError(f"{where}: its label is empty")
    for name, most in LONGEST.items():
        if len(row.get(name, "")) > most:
            raise DataError(f"{where}: its {name} has {len(row[name]):,} characters, expected at most {most:,}")
        if name in row:
            row[name] = clean(row[name])
    if row.get("split", "").lower() not in {"", *SPLITS}:
        raise DataError(
            f"{where}: found the split {quoted(row['split'])}, expected train, val or test{nearest(row['split'], SPLITS)}"
        )
    if row.get("split"):
        row["split"] = row["split"].lower()
    if row.get("id"):
        if row["id"] in seen:
            raise DataError(f"{where}: the id {quoted(row['id'])} stands in the file twice")
        seen.add(row["id"])


def _of_folder(path: Path, home: Path, header: list[str], rows: list[Row]) -> tuple[list[str], list[Row]]:
    """Columns and rows of a `metadata.csv` in the words of a table.

    `file_name` becomes a column named by its kind, `NAME_file_name` one called NAME; a part is known by the folder
    train/, validation/ or test/, an id by the file. Where there is no `label`, the folder that a file stands in is.
    """
    named = {name: name.removesuffix(f"_{FILE_NAME}") for name in header if name.endswith(f"_{FILE_NAME}")}
    if FILE_NAME in header:
        named[FILE_NAME] = media(next((row[FILE_NAME] for _, row in rows if row[FILE_NAME]), "")) or "file"
    if not named:
        return header, rows  # a table that is only called so
    prefix = path.parent.relative_to(home).as_posix() if path.parent.is_relative_to(home) else ""
    out: list[Row] = []
    for number, row in rows:
        files = {new: PurePosixPath(prefix, row[old]) for old, new in named.items() if row[old]}
        first = next(iter(files.values()), PurePosixPath())
        part = next((folder for folder in first.parts[:-1] if folder.lower() in SPLITS), "")
        label = first.parent.name if first.parent.name.lower() not in SPLITS else ""
        filled = {named.get(name, name): "" if name in named else row[name] for name in header}
        filled |= {"id": str(first), **{name: str(file) for name, file in files.items()}}
        out.append((number, {"split": part, "label": label, **filled}))
    labelled = "label" in header or any(row["label"] for _, row in out)
    return [
        *(["label"] if labelled and "label" not in header else []),
        *(named.get(name, name) for name in header),
    ], out
