"""The ledger: what happened to each trial, append-only, flushed to disk line by line. It is the truth of a sweep."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from igmsweep.gate.numbers import whole
from igmsweep.record.json_files import SetAside, read_lines
from igmsweep.record.paths import SCHEMA
from igmsweep.record.rows import TrialRow, fault, folded
from igmsweep.record.stamps import now
from igmsweep.record.states import State


class Ledger:
    """`trials.jsonl` of a sweep. A line per state change; `rows.merged` is how they add up."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def append(self, trial: int, state: State | str, **fields: Any) -> dict[str, Any]:
        """Write one line, wait until it is on disk, and return it as it will be read.

        Raises:
            OSError: it cannot be written; then it leaves no half of a line behind.
            ValueError: a number that is not finite.
        """
        text = json.dumps(
            {"schema": SCHEMA, "time": now(), "trial": trial, "state": str(state), **fields}, allow_nan=False
        )
        line = text + "\n"
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
        found: dict[str, Any] = json.loads(text)
        return found

    def read(self) -> tuple[list[dict[str, Any]], SetAside | None]:
        """Every line that makes sense, in the order written, and what was set aside: cut, damaged, or no trial's."""
        lines, aside = read_lines(self.path, fault)
        for line in lines:
            line["trial"] = whole(line["trial"])
        return lines, aside

    def lines(self) -> list[dict[str, Any]]:
        """Every line that can be read, in the order written."""
        return self.read()[0]

    def rows(self) -> dict[int, TrialRow]:
        """What the lines say of each trial together."""
        return folded(self.lines())
