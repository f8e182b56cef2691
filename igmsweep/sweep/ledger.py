"""The ledger: what happened to each trial, append-only, flushed to disk line by line. It is the truth of a sweep."""

from __future__ import annotations

import datetime
import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

SCHEMA = 1


def now() -> str:
    """The time as ISO 8601 in UTC, to the second."""
    return datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def plain(value: Any) -> Any:
    """Strict JSON of what a training reports: null for numbers that are not finite, text for foreign objects."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if hasattr(value, "tolist"):  # NumPy and torch
        return plain(value.tolist())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if value is None or isinstance(value, str | int) else str(value)


class Ledger:
    """`trials.jsonl` of a sweep. A line per state change; the last line of a trial's number wins."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def append(self, trial: int, state: str, **fields: Any) -> dict[str, Any]:
        """Write one line and wait until it is on disk."""
        row = {"schema": SCHEMA, "time": now(), "trial": trial, "state": state, **fields}
        line = json.dumps(row, allow_nan=False) + "\n"
        with self.path.open("a+b") as file:
            if file.tell():
                file.seek(-1, os.SEEK_END)
                if file.read(1) != b"\n":  # a line that a crash has cut must not swallow this one
                    line = "\n" + line
            file.write(line.encode())
            file.flush()
            os.fsync(file.fileno())
        return row

    def rows(self) -> dict[int, dict[str, Any]]:
        """Each trial's merged fields, later lines over earlier ones; a cut last line is passed over."""
        merged: dict[int, dict[str, Any]] = {}
        if not self.path.exists():
            return merged
        for line in self.path.read_text(encoding="utf-8").splitlines():
            try:
                row = json.loads(line)
                merged.setdefault(int(row["trial"]), {}).update(row)
            except (ValueError, KeyError, TypeError):
                continue
        return merged


def trial_folder(sweep: Path, number: int) -> Path:
    """`trials/00017`."""
    return sweep / "trials" / f"{number:05d}"


def write_atomically(path: Path, text: str) -> None:
    """A reader sees the old content or the whole new one, also after a crash."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    with partial.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(partial, path)
