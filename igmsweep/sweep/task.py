"""What a worker is told of the trial that it trains."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any


@dataclass(frozen=True)
class Task:
    """One attempt of a trial. `plain` is what crosses to another process, and what Ray logs as its configuration."""

    number: int
    folder: str
    config: Mapping[str, Any]
    """The whole configuration."""
    metric: str
    params: Mapping[str, Any] = field(default_factory=dict)
    """Searched path -> value."""
    attempt: int = 0
    threads: int = 1
    cpus: float = 1.0
    gpus: float = 0.0
    folds: int | None = None
    decided: int = 0
    """The last cycle whose score the driver has."""
    timeout: float | None = None
    """Seconds; None: no limit."""
    keep_predictions: str = "auto"
    """Whether the trial keeps what it predicts of each validation sample: `auto` where small, `all`, `none`."""
    worker: bool = False
    """Whether the process belongs to this trial alone."""
    node: str | None = None
    """Ray's name of the machine it runs on."""

    def plain(self) -> dict[str, Any]:
        """As plain data, with the `handle` that the runner and its driver call it by: the number, in a sweep of its own."""
        return {each.name: getattr(self, each.name) for each in fields(self)} | {"handle": self.number}

    @classmethod
    def from_plain(cls, found: Mapping[str, Any]) -> Task:
        """Of `plain`'s data; what it does not know is left out."""
        names = {each.name for each in fields(cls)}
        return cls(**{key: value for key, value in found.items() if key in names})
