"""Whether the best trials press against the edge of what was searched, so that better ones may lie beyond it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from igmsweep.analysis.checkup.advice import Advice, best_trials, tune_command
from igmsweep.analysis.names import label, value_text
from igmsweep.frame import DESIGNED, Sweep

ZONE = 0.15
"""Share of a range, on its own scale, that counts as its edge: wide enough to hold several of the best by more than luck."""
WIDEST = 2 * ZONE
"""Where by luck few trials lie there, the edge reaches inwards until it holds `ZONE` of the trials, but no further than this."""
CROWDED = 0.05
"""Of the test that the best trials crowd at an edge: the first of two signs, so not shared among the edges."""
RISING = 0.05
"""Of the test that scores rise towards an edge, shared among all edges that are looked at."""
RISING_ADAPTIVE = 0.005
"""The same for samplers that look at scores: they crowd somewhere along a parameter that does not matter, too."""
FEWEST = 20
"""Trials in which the parameter acts: with fewer, no edge holds enough of the best to tell."""
FEWEST_NEAR = 8
"""Trials in the half of the range beside the edge: with fewer, no trend is told."""


@dataclass(frozen=True)
class Edge:
    """A range's end at which the best trials lie: `held` of the best `best` are beyond `border`."""

    param: str
    upper: bool
    held: int
    best: int
    border: float
    extend: float

    def words(self) -> str:
        side = "above" if self.upper else "below"
        return (
            f"{self.held} of the best {self.best} trials have {label(self.param)} {side} {value_text(self.border)}, "
            f"at the {'upper' if self.upper else 'lower'} edge of its range"
        )


@dataclass(frozen=True)
class Range:
    """A numeric parameter's searched range."""

    low: float
    high: float
    log: bool
    whole: bool

    @classmethod
    def read(cls, entry: dict[str, Any]) -> Range | None:
        """Of an entry of the space; None where it has no range."""
        low, high = entry.get("low"), entry.get("high")
        if (
            entry.get("type") == "categorical"
            or not isinstance(low, (int, float))
            or not isinstance(high, (int, float))
        ):
            return None
        log = bool(entry.get("log")) and low > 0
        return cls(float(low), float(high), log, entry.get("type") == "int") if low < high else None

    def inwards(self, values: pd.Series, upper: bool) -> np.ndarray:
        """Distance from an end as a share of the range, on its own scale."""
        numbers = values.to_numpy(dtype=float)
        if self.log:
            place = np.log(numbers / self.low) / math.log(self.high / self.low)
        else:
            place = (numbers - self.low) / (self.high - self.low)
        return np.asarray(1 - place if upper else place)

    def border(self, upper: bool, zone: float) -> float:
        """Where an edge as wide as `zone`, a share of the range, begins."""
        share = 1 - zone if upper else zone
        return self.low * (self.high / self.low) ** share if self.log else self.low + share * (self.high - self.low)

    def extended(self, upper: bool) -> float | None:
        """How far to go beyond an end: a decade, or the range's width; None at a natural bound (0, 1 of a share, a count of 1)."""
        width = self.high - self.low
        if upper:
            if self.high == 1 and self.low >= 0:
                return None
            return self.high * 10 if self.log else self.high + width
        if self.low == 0 or (self.whole and self.low <= 1):
            return None
        below = self.low / 10 if self.log else self.low - width
        return below if self.low < 0 else max(float(self.whole), below)


def edges(sweep: Sweep) -> list[Edge]:
    """The ends of numeric ranges at which good trials crowd while the score still rises towards them: more of the best lie
    there than the edge's share of the range explains (binomial), and in the half of the range beside it scores rise towards
    it (rank correlation; for samplers that look at scores, given the trial's number, as late trials are better anyhow).
    The flat end of a plateau fails the second test. Natural bounds, such as 0 and 1 of a share, are no edges."""
    best = best_trials(sweep)
    ranges = {path: found for path, entry in sweep.space.items() if (found := Range.read(entry)) is not None}
    ends = [
        (path, upper) for path, found in ranges.items() for upper in (False, True) if found.extended(upper) is not None
    ]
    level = (RISING if sweep.sampler in DESIGNED else RISING_ADAPTIVE) / max(1, len(ends))
    looked_at = (_edge(sweep, best, path, ranges[path], upper, level) for path, upper in ends)
    return [edge for edge in looked_at if edge is not None]


def at_the_edge(sweep: Sweep) -> Advice | None:
    """Good trials at an edge of what was searched, and how far to extend it."""
    found = edges(sweep)
    if not found:
        return None
    seen = "; ".join(edge.words() for edge in found) + ", and scores still rise towards it."
    wider = " and ".join(
        f"{label(edge.param)} to {'high' if edge.upper else 'low'}: {value_text(edge.extend)}" for edge in found
    )
    return Advice(
        "edge", seen, f"Extend {wider} in a space of your own and go on from these trials:",
        tune_command(sweep, ("--space", "wider.yaml"), ("--warm-start", str(sweep.dir))),
    )  # fmt: skip


def _edge(sweep: Sweep, best: pd.DataFrame, path: str, searched: Range, upper: bool, level: float) -> Edge | None:
    column, done, extend = f"params.{path}", sweep.completed(), searched.extended(upper)
    if column not in done.columns or not pd.api.types.is_numeric_dtype(done[column]) or extend is None:
        return None
    done, acting = (frame[frame[column].notna()] for frame in (done, best))
    if len(done) < FEWEST or not len(acting):
        return None
    zone = float(np.clip(np.quantile(searched.inwards(done[column], upper), ZONE), ZONE, WIDEST))
    held = int((searched.inwards(acting[column], upper) <= zone).sum())
    if 2 * held < len(acting) or stats.binom.sf(held - 1, len(acting), ZONE) >= CROWDED:
        return None
    beside = done[searched.inwards(done[column], upper) <= 0.5]
    if len(beside) < FEWEST_NEAR:
        return None
    score = beside[f"metrics.{sweep.metric}"] * (1 if sweep.maximise else -1)
    given = None if sweep.sampler in DESIGNED else beside["trial"].to_numpy()
    if _rises(-searched.inwards(beside[column], upper), score.to_numpy(), given) >= level:
        return None
    return Edge(path, upper, held, len(acting), searched.border(upper, zone), extend)


def _rises(x: np.ndarray, y: np.ndarray, given: np.ndarray | None) -> float:
    """One-sided p of the rank correlation of x and y, the ranks of `given` taken out of both."""
    parts = [stats.rankdata(values) for values in (x, y)]
    freedom = len(x) - 2
    if given is not None:
        order = stats.rankdata(given)
        parts = [part - np.polyval(np.polyfit(order, part, 1), order) for part in parts]
        freedom -= 1
    if any(part.std() < 1e-9 for part in parts):
        return 1.0
    r = float(np.clip(np.corrcoef(parts[0], parts[1])[0, 1], -0.999999, 0.999999))
    return float(stats.t.sf(r * math.sqrt(freedom / (1 - r * r)), freedom))
