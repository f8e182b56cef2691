"""What can go wrong with a trial: the classes, which of them pass by themselves, and how they are told to a person."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from igmsweep.errors import DataError, Diverged, UserError

TRANSIENT = ("worker", "node")
"""Nothing is wrong with the configuration: the trial goes on from its checkpoint, at most `--retries` times."""

MEANING = {
    "oom": "out of memory",
    "nan": "diverged",
    "data": "data cannot be used",
    "timeout": "over --trial-timeout",
    "worker": "its process died",
    "node": "its node was lost",
    "disk": "could not be written",
    "bug": "an error in the code or configuration",
}


class TrialTimeout(Exception):
    """A trial took longer than `--trial-timeout`."""


class SweepFailed(UserError):
    """A sweep that cannot go on: the same bug in its first trials, or a folder that cannot be written."""

    exit_code = 1


def classify(error: BaseException) -> str:
    """`nan`, `oom`, `data`, `timeout`, `disk` or `bug`."""
    if isinstance(error, Diverged):
        return "nan"
    if isinstance(error, TrialTimeout):
        return "timeout"
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError" or "out of memory" in str(error):
        return "oom"
    if isinstance(error, DataError):
        return "data"
    return "disk" if isinstance(error, OSError) and error.errno in DISK_ERRORS else "bug"


DISK_ERRORS = (28, 30, 122)
"""ENOSPC, EROFS, EDQUOT."""


def one_line(error: BaseException) -> str:
    """Type and message on one line, at most 300 characters."""
    text = " ".join(str(error).split()) or type(error).__name__
    plain = isinstance(error, Diverged | UserError | TrialTimeout)
    return (text if plain else f"{type(error).__name__}: {text}")[:300]


def summary(rows: Iterable[Mapping[str, Any]]) -> list[str]:
    """A line a class: how many, what it means and the first message."""
    first: dict[str, tuple[int, Mapping[str, Any]]] = {}
    for row in rows:
        if row.get("state") == "failed":
            name = str((row.get("error") or {}).get("class", "bug"))
            count, earliest = first.get(name, (0, row))
            first[name] = (count + 1, earliest)
    return [
        f"{count} failed as {name} ({MEANING.get(name, 'unknown')}), first #{row['trial']}: "
        f"{(row.get('error') or {}).get('message', '')}"
        for name, (count, row) in sorted(first.items(), key=lambda item: -item[1][0])
    ]
