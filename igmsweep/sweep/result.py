"""What a sweep returns."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import optuna
    import pandas as pd


@dataclass
class SweepResult:
    """A finished or interrupted sweep. `interrupted` is 0, or the exit code of the signal that ended it."""

    dir: Path
    rows: dict[int, dict[str, Any]]
    metric: str
    mode: str
    wanted: int
    study: optuna.Study | None = None
    interrupted: int = 0

    @property
    def counts(self) -> Counter[str]:
        """Trials by state."""
        return Counter(str(row.get("state")) for row in self.rows.values())

    @property
    def best(self) -> dict[str, Any] | None:
        """The ledger's row of the best complete trial by the validation metric, or None."""
        complete = [row for row in self.rows.values() if row.get("state") == "complete"]
        if not complete:
            return None
        return (max if self.mode == "max" else min)(complete, key=lambda row: row["metrics"][self.metric])

    @property
    def trials(self) -> pd.DataFrame:
        """One row a trial: parameters as `params.*`, metrics as `metrics.*`, state and seconds."""
        from igmsweep.analysis.frame import load

        return load(self.dir)

    @property
    def exit_code(self) -> int:
        """0 when trials completed, 4 when none did, 130 or 143 after an interruption."""
        if self.interrupted:
            return self.interrupted
        return 0 if self.best is not None else 4
