"""The ledger: what happened to each trial, append-only, flushed to disk line by line. It is the truth of a sweep."""

from __future__ import annotations

import datetime
import json
import math
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

SCHEMA = 1

FINISHED = ("complete", "pruned", "failed")
"""States in which nothing is left to do for a trial. The others: running, waiting (to be run again), interrupted."""

OUTCOME = ("metrics", "stderr", "folds", "error", "seconds", "epochs")
"""Fields that belong to the end of an attempt: a trial that runs again has none of them."""


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
        """Write one line and wait until it is on disk. Raises OSError, and then leaves no half of a line behind."""
        row = {"schema": SCHEMA, "time": now(), "trial": trial, "state": state, **fields}
        line = json.dumps(row, allow_nan=False) + "\n"
        with self.path.open("a+b", buffering=0) as file:
            size = file.seek(0, os.SEEK_END)
            if size:
                file.seek(-1, os.SEEK_END)
                if file.read(1) != b"\n":  # a line that a crash has cut must not swallow this one
                    line = "\n" + line
            content = line.encode()
            try:
                if file.write(content) != len(content):
                    raise OSError(28, "No space left on device", str(self.path))
                os.fsync(file.fileno())
            except OSError:
                os.ftruncate(file.fileno(), size)
                raise
        return row

    def lines(self) -> Iterator[dict[str, Any]]:
        """Every readable line in the order written; a cut or damaged one is passed over."""
        if not self.path.exists():
            return
        for line in self.path.read_text(encoding="utf-8", errors="replace").splitlines():
            try:
                row = json.loads(line)
                row["trial"] = int(row["trial"])
            except (ValueError, KeyError, TypeError):
                continue
            yield row

    def rows(self) -> dict[int, dict[str, Any]]:
        """Each trial's merged fields, later lines over earlier ones; an attempt that starts drops the last outcome."""
        merged: dict[int, dict[str, Any]] = {}
        for row in self.lines():
            known = merged.setdefault(row["trial"], {})
            if row.get("state") in ("running", "waiting"):
                for key in OUTCOME:
                    known.pop(key, None)
            known.update(row)
        return merged


def trial_folder(sweep: Path, number: int) -> Path:
    """`trials/00017`."""
    return sweep / "trials" / f"{number:05d}"


def write_atomically(path: Path, text: str) -> None:
    """A reader sees the old content or the whole new one, also after a crash."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with partial.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
    except OSError:
        partial.unlink(missing_ok=True)
        raise


def read_result(folder: Path) -> dict[str, Any] | None:
    """A trial's `result.json`, or None when there is none that can be read."""
    try:
        found = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) and found.get("state") in FINISHED else None
