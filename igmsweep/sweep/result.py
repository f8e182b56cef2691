"""What a sweep returns."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from igmsweep.record.ranking import best
from igmsweep.record.rows import TrialRow

if TYPE_CHECKING:
    import optuna
    import pandas as pd


@dataclass
class SweepResult:
    """A finished or interrupted sweep. `interrupted` is 0, or the exit code of the signal that ended it."""

    dir: Path
    rows: dict[int, TrialRow]
    metric: str
    mode: str
    wanted: int
    study: optuna.Study | None = None
    interrupted: int = 0

    @property
    def counts(self) -> Counter[str]:
        """Trials by state."""
        return Counter(str(row.state) for row in self.rows.values())

    @property
    def best(self) -> dict[str, Any] | None:
        """The ledger's fields of the best configuration's trial, or None when nothing has completed.

        Where configurations were trained again with other seeds, it is the one of them with the best mean: a single
        lucky score does not beat a mean. The fields then have `mean` and `repeats`, its scores.
        """
        place = best(self.rows, self.metric, self.mode)
        if place is None:
            return None
        found = self.rows[place.trial].plain()
        return found | ({"mean": place.mean, "repeats": list(place.scores)} if place.repeated else {})

    @property
    def trials(self) -> pd.DataFrame:
        """One row a trial: parameters as `params.*`, metrics as `metrics.*`, state and seconds."""
        from igmsweep.frame import load

        return load(self.dir)

    @property
    def exit_code(self) -> int:
        """0 when trials completed, 4 when none did, 130 or 143 after an interruption."""
        if self.interrupted:
            return self.interrupted
        return 0 if self.best is not None else 4
