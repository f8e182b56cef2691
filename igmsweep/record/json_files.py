"""Reading JSON that a crash may have cut, or somebody edited: what makes sense is returned, what does not is counted and named."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from igmsweep.errors import UserError
from igmsweep.gate.files import MIB, read_text, regular
from igmsweep.gate.json_text import NotJson, parse_json

OBJECT = 256 * MIB
"""Bytes of a file that is one object."""
LINE = 16 * MIB
"""Bytes of a line."""
TAIL = 16384
"""Bytes; more than a line of `metrics.jsonl` has."""


@dataclass(frozen=True)
class SetAside:
    """Lines of a file that make no sense: how many, and of the first its number, from 1, and why."""

    path: Path
    count: int
    first: int
    reason: str

    def words(self, name: Path | str | None = None) -> str:
        """One remark for all of them. `name`: of the file, where several have the same; None: its last part."""
        lines = "1 line makes no sense and is" if self.count == 1 else f"{self.count:,} lines make no sense and are"
        return f"{name or self.path.name}: {lines} set aside, {'it' if self.count == 1 else 'the first'} is line {self.first} ({self.reason})"


def read_object(path: Path) -> dict[str, Any] | None:
    """The object in a JSON file, or None when there is none that can be read."""
    try:
        found = parse_json(read_text(path, OBJECT))
    except (UserError, NotJson):
        return None
    return found if isinstance(found, dict) else None


def read_lines(
    path: Path, fault: Callable[[dict[str, Any]], str | None] = lambda _: None
) -> tuple[list[dict[str, Any]], SetAside | None]:
    """The objects of a file with one a line, and what was set aside; nothing where there is no file.

    Args:
        fault: what is wrong with an object that makes no sense here; None: nothing.
    """
    found: list[dict[str, Any]] = []
    aside, first, reason = 0, 0, ""
    for number, line in _lines(path):
        try:
            record = _object(line)
            wrong = fault(record)
        except NotJson as error:
            wrong = str(error)
        if wrong is None:
            found.append(record)
            continue
        aside += 1
        if aside == 1:
            first, reason = number, wrong
    return found, SetAside(path, aside, first, reason) if aside else None


def last_line(path: Path) -> dict[str, Any]:
    """The last object of such a file, without reading the whole of it; empty where there is none."""
    if not regular(path):
        return {}
    try:
        with path.open("rb") as file:
            file.seek(0, 2)
            file.seek(max(0, file.tell() - TAIL))
            tail = file.read().split(b"\n")
    except OSError:
        return {}
    for line in reversed(tail):
        try:
            return _object(line)
        except NotJson:
            continue
    return {}


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


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """Number and content of every line that is not empty; of one beyond LINE, its beginning."""
    if not regular(path):
        return
    try:
        with path.open("rb") as file:
            number = 0
            while line := file.readline(LINE):
                number += 1
                rest = line
                while len(rest) == LINE and not rest.endswith(b"\n"):  # the rest of a line that never ends
                    rest = file.readline(LINE)
                if line.strip():
                    yield number, line
    except OSError:
        return


def _object(line: bytes) -> dict[str, Any]:
    """The object on a line. Raises NotJson where there is none."""
    if len(line) >= LINE:
        raise NotJson(f"longer than {LINE // MIB} MiB")
    try:
        found = parse_json(line.decode("utf-8"))
    except UnicodeDecodeError:
        raise NotJson("not UTF-8") from None
    if not isinstance(found, dict):
        raise NotJson("not an object")
    return found
