"""Reading JSON that a crash may have cut: what can be read is returned, the rest is counted or passed over."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

TAIL = 16384
"""Bytes; more than a line of `metrics.jsonl` has."""


def read_object(path: Path) -> dict[str, Any] | None:
    """The object in a JSON file, or None when there is none that can be read."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def read_lines(path: Path) -> tuple[list[dict[str, Any]], int]:
    """The objects of a file with one a line, and how many lines were none; nothing where there is no file."""
    if not path.is_file():
        return [], 0
    lines = [line for line in path.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    found = [record for line in lines if (record := _object(line)) is not None]
    return found, len(lines) - len(found)


def last_line(path: Path) -> dict[str, Any]:
    """The last object of such a file, without reading the whole of it; empty where there is none."""
    try:
        with path.open("rb") as file:
            file.seek(0, 2)
            file.seek(max(0, file.tell() - TAIL))
            tail = file.read().decode(errors="replace").splitlines()
    except OSError:
        return {}
    return next((record for line in reversed(tail) if (record := _object(line)) is not None), {})


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


def _object(line: str) -> dict[str, Any] | None:
    try:
        found = json.loads(line)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None
