"""Which trials keep their checkpoint: those of losers are removed as a sweep goes on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from igmsweep.record.paths import CHECKPOINT, trial_folder
from igmsweep.record.rows import TrialRow


class Checkpoints:
    """The checkpoints of a sweep's finished trials. `keep`: `all`, `none`, or `best`, those that may still win."""

    def __init__(self, folder: Path, keep: str) -> None:
        self.folder, self.keep = folder, keep
        self._kept: set[int] = set()

    def tidy(self, rows: Mapping[int, TrialRow], finished: int | None, worth: Callable[[], Iterable[int]]) -> None:
        """Remove what is not worth its space.

        Args:
            finished: the trial that has just ended; None looks at all of them.
            worth: the trials that may still win; asked only where the best are kept, as a ranking takes its time.
        """
        if self.keep == "all":
            return
        kept = set(worth()) if self.keep == "best" else set()
        for other in (set(rows) if finished is None else self._kept | {finished}) - kept:
            if rows[other].finished:
                (trial_folder(self.folder, other) / CHECKPOINT).unlink(missing_ok=True)
        self._kept = kept
