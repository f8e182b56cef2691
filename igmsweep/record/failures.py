"""What can go wrong with a trial: the classes, which of them pass by themselves, and how they are told to a person."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol

from igmsweep import disk
from igmsweep.errors import DataError, Diverged, UserError


class FailureClass(StrEnum):
    """Why a trial failed, in the ledger's words."""

    OOM = "oom"
    NAN = "nan"
    DATA = "data"
    TIMEOUT = "timeout"
    WORKER = "worker"
    NODE = "node"
    DISK = "disk"
    BUG = "bug"


TRANSIENT = (FailureClass.WORKER, FailureClass.NODE)
"""Nothing is wrong with the configuration: the trial goes on from its checkpoint, at most `--retries` times."""

UNKNOWN = "unknown"
"""Stands for the class of a failure that has none."""

MEANING: Mapping[str, str] = {
    FailureClass.OOM: "out of memory",
    FailureClass.NAN: "the loss or a metric was not finite",
    FailureClass.DATA: "data missing or unreadable",
    FailureClass.TIMEOUT: "took longer than allowed",
    FailureClass.WORKER: "its process died",
    FailureClass.NODE: "its machine was lost",
    FailureClass.DISK: "its folder could not be written",
    FailureClass.BUG: "an error in the code or configuration",
}


def meaning(kind: str) -> str:
    """What a class of failures means, also of one that only a later version knows."""
    return MEANING.get(kind, "not classified")


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a trial failed: `kind` is a FailureClass, or a word of a later version; `message` is one line."""

    kind: str
    message: str

    @classmethod
    def read(cls, found: Any) -> Failure | None:
        """Of the ledger's `error`; None when it is none."""
        if not isinstance(found, Mapping):
            return None
        return cls(str(found.get("class", UNKNOWN)), str(found.get("message", "")))

    @classmethod
    def of(cls, error: BaseException) -> Failure:
        """Of what a training has raised."""
        return cls(classify(error), one_line(error))

    def plain(self) -> dict[str, str]:
        """As the ledger and `result.json` have it."""
        return {"class": str(self.kind), "message": self.message}


class TrialTimeout(Exception):
    """A trial took longer than `--trial-timeout`."""


class SweepFailed(UserError):
    """A sweep that cannot go on: the same bug in its first trials, or a folder that cannot be written."""

    exit_code = 1


class TrialsFail(SweepFailed):
    """The first trials of a sweep all failed by a bug, or for want of data."""


def classify(error: BaseException) -> FailureClass:
    """`nan`, `oom`, `data`, `timeout`, `disk` or `bug`; who sees a worker or a node die says so itself."""
    if isinstance(error, Diverged):
        return FailureClass.NAN
    if isinstance(error, TrialTimeout):
        return FailureClass.TIMEOUT
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError" or "out of memory" in str(error):
        return FailureClass.OOM
    if isinstance(error, DataError):
        return FailureClass.DATA
    full = isinstance(error, OSError) and error.errno in disk.FULL
    return FailureClass.DISK if full else FailureClass.BUG


def one_line(error: BaseException) -> str:
    """Type and message on one line, at most 300 characters."""
    text = " ".join(str(error).split()) or type(error).__name__
    plain = isinstance(error, Diverged | UserError | TrialTimeout)
    return (text if plain else f"{type(error).__name__}: {text}")[:300]


class Told(Protocol):
    """What is looked at of a trial."""

    @property
    def trial(self) -> int: ...
    @property
    def failed(self) -> bool: ...
    @property
    def error(self) -> Failure | None: ...


def summary(rows: Iterable[Told]) -> list[str]:
    """A line a class: how many trials failed so, what it means, and the first message."""
    by_kind: dict[str, list[tuple[int, str]]] = {}
    for row in rows:
        if row.failed:
            error = row.error or Failure(UNKNOWN, "")
            by_kind.setdefault(str(error.kind), []).append((row.trial, error.message))
    return [
        f"{len(found)} failed as {kind} ({meaning(kind)}), first #{found[0][0]}: {found[0][1]}"
        for kind, found in sorted(by_kind.items(), key=lambda item: -len(item[1]))
    ]
