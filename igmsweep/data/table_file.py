"""The CSV file of a table: its columns and rows, checked, with one line for whatever is wrong."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path

from igmsweep.data.base import Part
from igmsweep.data.files import read_text
from igmsweep.errors import DataError, UserError, nearest

RESERVED = ("id", "label", "group", "split")
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


def csv_file(path: Path) -> Path:
    """The file itself, or the one CSV file of a folder. Raises UserError where there is none, or more than one."""
    if not path.is_dir():
        if not path.is_file():
            raise UserError(f"data: no such file or folder {path}")
        return path
    found = sorted(path.glob("*.csv"))
    if len(found) != 1:
        names = f": {', '.join(file.name for file in found[:5])}" if found else ""
        raise UserError(f"data: {path} holds {len(found)} CSV files{names}; expected one, or name the file itself")
    return found[0]


def read_rows(path: Path) -> tuple[list[tuple[int, dict[str, str]]], list[str]]:
    """Rows by column with the numbers of their lines, and the modality columns.

    Raises:
        UserError: a column is missing, unnamed, there twice or of an odd name; fewer than two labels.
        DataError: a row has too few fields, no label, an unknown split, none where others have one, or an id that stands there before.
    """
    reader = csv.reader(io.StringIO(read_text(path)))
    header = [name.strip() for name in next(reader, [])]
    lowered = [name.lower() if name.lower() in RESERVED else name for name in header]
    if "label" not in lowered:
        raise UserError(
            f"{path}: found the columns {', '.join(header)}, expected `label` among them{nearest('label', header)}"
        )
    if len(set(lowered)) < len(lowered) or not all(lowered):
        raise UserError(f"{path}: found the columns {', '.join(header)}, expected every name once and none empty")
    columns = [name for name in lowered if name not in RESERVED]
    if not columns:
        raise UserError(f"{path}: has no column besides {', '.join(header)}; expected one a modality")
    for name in columns:
        if not re.fullmatch(r"[A-Za-z_]\w*", name):
            raise UserError(f"{path}: found the column '{name}', expected a name of letters, digits and _")
    rows: list[tuple[int, dict[str, str]]] = []
    seen: set[str] = set()
    for fields in reader:
        number = reader.line_num
        if not any(field.strip() for field in fields):
            continue
        if len(fields) != len(header):
            raise DataError(f"{path}: line {number}: found {len(fields)} fields, expected {len(header)}")
        row = {name: field.strip() for name, field in zip(lowered, fields, strict=True)}
        if not row["label"]:
            raise DataError(f"{path}: line {number}: its label is empty")
        if row.get("split", "").lower() not in {"", *SPLITS}:
            raise DataError(
                f"{path}: line {number}: found the split '{row['split']}', expected train, val or test"
                f"{nearest(row['split'], SPLITS)}"
            )
        if row.get("split"):
            row["split"] = row["split"].lower()
        if row.get("id"):
            if row["id"] in seen:
                raise DataError(f"{path}: line {number}: the id {row['id']} stands in the file twice")
            seen.add(row["id"])
        rows.append((number, row))
    unsplit = [number for number, row in rows if not row.get("split")]
    if "split" in lowered and 0 < len(unsplit) < len(rows):
        more = f", as are those of {len(unsplit) - 1} more rows" if len(unsplit) > 1 else ""
        raise DataError(f"{path}: line {unsplit[0]}: its split is empty{more}; expected train, val or test")
    if len({row["label"] for _, row in rows}) < 2:
        raise UserError(f"{path}: holds {len(rows)} rows of fewer than two labels")
    return rows, columns
