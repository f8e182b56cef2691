"""Methods over several data sets: mean ranks, Friedman's test, and Nemenyi's critical difference (Demšar 2006)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

LEVEL = 0.05
TESTED = 3
"""Data sets, and methods, from which on differences of ranks are tested."""
MANY = 10
"""Data sets below which the tests say little."""


@dataclass(frozen=True, eq=False)
class Ranks:
    """`table`: a row a method, the best first: `method`, `rank` (mean over data sets, 1 is best), then a column a data set with its rank
    there. `p`: Friedman's, NaN where it is not tested. `critical`: the critical difference of two mean ranks, NaN likewise. `data`: the
    number of data sets. `left_out`: methods that have no score on every data set."""

    table: pd.DataFrame
    p: float
    critical: float
    data: int
    left_out: tuple[str, ...]

    @property
    def groups(self) -> list[list[str]]:
        """Runs of methods, best first, that are not told apart: all of them where Friedman's test tells none apart. Only the longest."""
        names, ranks = self.table["method"].tolist(), self.table["rank"].to_numpy()
        if not math.isfinite(self.critical):
            return []
        if self.p >= LEVEL:
            return [names]
        found: list[tuple[int, int]] = []
        for start in range(len(names)):
            stop = int(np.searchsorted(ranks, ranks[start] + self.critical, side="right"))
            if stop - start > 1 and (not found or stop > found[-1][1]):
                found.append((start, stop))
        return [names[start:stop] for start, stop in found]

    @property
    def words(self) -> str:
        """What they say, in a sentence or two."""
        order = ", ".join(
            f"{name} {rank:.2f}" for name, rank in zip(self.table["method"], self.table["rank"], strict=True)
        )
        said = f"Mean ranks over {self.data} data sets: {order}."
        if not math.isfinite(self.p):
            return f"{said} Fewer than {TESTED} data sets or methods: differences of ranks are not tested."
        apart = "tells some apart" if self.p < LEVEL else "tells none apart"
        said += f" Friedman's test {apart} (p = {self.p:.2g}); critical difference of two ranks (Nemenyi, 5 %): {self.critical:.2f}."
        if self.data < MANY:
            said += f" {self.data} data sets are few: an order that is not told apart is no sign that the methods are alike."
        return said


def mean_ranks(scores: pd.DataFrame) -> Ranks | None:
    """Ranks of methods (rows) over data sets (columns) by scores, the higher the better; None for fewer than two of either that have a
    score everywhere."""
    whole = scores.dropna(axis=0)
    left = tuple(str(name) for name in scores.index.difference(whole.index, sort=False))
    methods, data = whole.shape
    if methods < 2 or data < 2:
        return None
    ranks = (-whole).rank(axis=0, method="average")
    table = ranks.assign(rank=ranks.mean(axis=1)).sort_values("rank", kind="stable")
    table = table[["rank", *ranks.columns]].rename_axis("method").reset_index()
    if min(methods, data) < TESTED:
        return Ranks(table, math.nan, math.nan, data, left)
    p = float(stats.friedmanchisquare(*whole.to_numpy()).pvalue)
    spread = float(stats.studentized_range.ppf(1 - LEVEL, methods, math.inf)) / math.sqrt(2)
    critical = spread * math.sqrt(methods * (methods + 1) / (6 * data))
    return Ranks(table, 1.0 if math.isnan(p) else p, critical, data, left)
