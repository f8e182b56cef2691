"""Training the best configurations again with other seeds, so that the winner is not the luckiest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from igmsweep.record.ranking import to_repeat
from igmsweep.record.rows import TrialRow


@dataclass(frozen=True)
class Repeats:
    """What is to be repeated: `seeds` trainings in all of each of the `top` configurations, from `seed` on.

    Where `every` configuration is to be repeated, so is one whose first training failed: another seed may not."""

    metric: str
    mode: str
    top: int
    seeds: int
    seed: int
    every: bool = False

    def best(self, rows: Mapping[int, TrialRow]) -> list[int]:
        """The trials whose configurations are repeated, best first."""
        found = to_repeat(rows, self.metric, self.mode, self.top)
        if self.every:
            found += [row.trial for row in rows.values() if row.failed and not row.is_repeat and not row.is_duplicate]
        return found

    def missing(self, rows: Mapping[int, TrialRow]) -> tuple[TrialRow, int] | None:
        """A configuration and a seed that it has not been trained with, or None."""
        if self.seeds < 2:
            return None  # asked at the end of every trial, and a ranking of thousands takes its time
        trained = {(row.repeat_of, row.fixed_overrides.get("seed")) for row in rows.values() if row.is_repeat}
        for trial in self.best(rows):
            for seed in range(self.seed + 1, self.seed + self.seeds):
                if (trial, seed) not in trained:
                    return rows[trial], seed
        return None
