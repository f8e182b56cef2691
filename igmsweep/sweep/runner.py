"""What the driver of a sweep is to the runner that trains its trials: with Ray, or one after the other in this process."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol


@dataclass(frozen=True)
class Outline:
    """What a runner needs to know of a sweep."""

    folder: Path
    metric: str
    mode: str
    """`max` or `min`."""
    concurrent: int
    """Trials at a time."""
    address: str | None = None
    """Of a running Ray cluster to join."""
    loggers: Mapping[str, str] = field(default_factory=dict)
    """Ray's own callbacks by name."""


class Driver(Protocol):
    """Decides what is trained and writes down how it went; a runner asks for tasks and tells what happens to them."""

    @property
    def stopping(self) -> bool:
        """Whether the sweep is to end: a signal, a fault, or the time budget."""

    @property
    def busy(self) -> bool:
        """Whether a running trial may still bring new work."""

    def next_task(self) -> dict[str, Any] | None:
        """A trial to train, as plain data for `run_trial` and the `handle` by which the runner calls it; None when there is
        none now."""

    def reported(self, handle: int, cycle: int, metrics: Mapping[str, float]) -> bool:
        """A stage of a trial ended; `cycle` is 0 inside a cycle. Returns whether the trial stops here."""

    def ended(self, handle: int, lost: str = "worker") -> None:
        """A trial's worker has returned or died; `lost` (`worker` or `node`) is what died when it left no result."""

    def no_room(self, message: str) -> None:
        """A trial could not write: the sweep ends."""

    def fail(self, error: Exception) -> None:
        """Something went wrong in the driver itself; the sweep ends, and the first of these is raised at its end."""

    def stop(self, code: int) -> None:
        """End the sweep in order; `code` is the exit code that says why."""
