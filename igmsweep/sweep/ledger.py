"""The ledger: what happened to each trial, append-only, flushed to disk line by line. It is the truth of a sweep."""

from __future__ import annotations

import datetime
import json
import os
from pathlib import Path
from typing import Any

SCHEMA = 1


def now() -> str:
    """The time as ISO 8601 in UTC, to the second."""
    return datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class Ledger:
    """`trials.jsonl` of a sweep. A line per state change; the last line of a trial's number wins."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def append(self, trial: int, state: str, **fields: Any) -> dict[str, Any]:
        """Write one line and wait until it is on disk."""
        row = {"schema": SCHEMA, "time": now(), "trial": trial, "state": state, **fields}
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row, allow_nan=False) + "\n")
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
