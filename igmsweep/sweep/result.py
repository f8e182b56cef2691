"""What a sweep returns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import optuna
    import pandas as pd


def ranked(rows: Mapping[int, Mapping[str, Any]], metric: str, mode: str) -> list[dict[str, Any]]:
    """Complete trials by their validation score, best first; copies and repeated trainings stand for no trial."""
    complete = [
        dict(row)
        for row in rows.values()
        if row.get("state") == "complete"
        and row.get("duplicate_of") is None
        and not str(row.get("source", "")).startswith("repeat:")
        and metric in (row.get("metrics") or {})
    ]
    sign = -1.0 if mode == "max" else 1.0
    return sorted(complete, key=lambda row: (sign * row["metrics"][metric], row["trial"]))


def best_of(rows: Mapping[int, Mapping[str, Any]], metric: str, mode: str) -> dict[str, Any] | None:
    """The winner by validation, or None.

    Where configurations were trained again with other seeds, the winner is the one of them with the best mean: a
    single lucky score does not beat a mean. The row then has `mean` and `repeats`.
    """
    order = ranked(rows, metric, mode)
    if not order:
        return None
    scores: dict[int, list[float]] = {}
    for row in rows.values():
        source = str(row.get("source", ""))
        if source.startswith("repeat:") and row.get("state") == "complete":
            scores.setdefault(int(source.removeprefix("repeat:")), []).append(row["metrics"][metric])
    if not scores:
        return order[0]
    sign = -1.0 if mode == "max" else 1.0
    candidates = []
    for row in order:
        if row["trial"] in scores:
            values = [row["metrics"][metric], *scores[row["trial"]]]
            candidates.append(row | {"mean": sum(values) / len(values), "repeats": values})
    return min(candidates, key=lambda row: sign * row["mean"]) if candidates else order[0]


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
        """The ledger's row of the best complete trial by the validation metric, or None; see `best_of`."""
        return best_of(self.rows, self.metric, self.mode)

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
