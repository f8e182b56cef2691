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
from igmsweep.analysis.sensitivity import is_number
from igmsweep.frame import DESIGNED, Sweep

ZONE = 0.15
"""Share of a range, on its own scale, that counts as its edge: wide enough to hold several of the best by more than luck."""
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


def edges(sweep: Sweep) -> list[Edge]:
    """The ends of numeric ranges at which good trials crowd while the score still rises towards them: more of the best lie
    there than the edge's share of the range explains (binomial), and in the half of the range beside it scores rise towards
    it (rank correlation; for samplers that look at scores, given the trial's number, as late trials are better anyhow).
    The flat end of a plateau fails the second test. Natural bounds, such as 0 and 1 of a share, are no edges."""
    best = best_trials(sweep)
    ends = [(path, upper, at) for path, entry in sweep.space.items() for upper, at in _ends(entry)]
    level = (RISING if sweep.sampler in DESIGNED else RISING_ADAPTIVE) / max(1, len(ends))
    found = (_edge(sweep, best, path, upper, at, level) for path, upper, at in ends)
    return [edge for edge in found if edge is not None]


def at_the_edge(sweep: Sweep) -> Advice | None:
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


def _ends(entry: dict[str, Any]) -> list[tuple[bool, float]]:
    """Upper or lower, and how far to extend it; none of a parameter without a range."""
    low, high = entry.get("low"), entry.get("high")
    if entry.get("type") == "categorical" or not (is_number(low) and is_number(high)) or not low < high:
        return []
    log = bool(entry.get("log")) and low > 0
    width = high - low
    out = []
    if not (low == 0 or (entry.get("type") == "int" and low <= 1)):
        out.append((False, low / 10 if log else max(0.0, low - width) if low > 0 else low - width))
    if not (high == 1 and low >= 0):
        out.append((True, high * 10 if log else high + width))
    if entry.get("type") == "int":
        out = [(upper, float(max(1, round(at)))) for upper, at in out]
    return out


def _edge(sweep: Sweep, best: pd.DataFrame, path: str, upper: bool, extend: float, level: float) -> Edge | None:
    column, entry, done = f"params.{path}", sweep.space[path], sweep.completed()
    if column not in done.columns:
        return None
    done = done[done[column].notna()]
    acting = best[best[column].notna()]
    if len(done) < FEWEST or not len(acting) or not pd.api.types.is_numeric_dtype(done[column]):
        return None

    def inwards(values: pd.Series) -> np.ndarray:
        """Distance from the edge as a share of the range."""
        low, high = (float(entry[key]) for key in ("low", "high"))
        numbers = values.to_numpy(dtype=float)
        if entry.get("log") and low > 0:
            low, high, numbers = math.log(low), math.log(high), np.log(np.clip(numbers, 1e-300, None))
        return (high - numbers if upper else numbers - low) / (high - low)

    held = int((inwards(acting[column]) <= ZONE).sum())
    if 2 * held < len(acting) or stats.binom.sf(held - 1, len(acting), ZONE) >= CROWDED:
        return None
    beside = done[inwards(done[column]) <= 0.5]
    if len(beside) < FEWEST_NEAR:
        return None
    score = beside[f"metrics.{sweep.metric}"] * (1 if sweep.maximise else -1)
    given = None if sweep.sampler in DESIGNED else beside["trial"].to_numpy()
    if _rises(-inwards(beside[column]), score.to_numpy(), given) >= level:
        return None
    low, high, log = entry["low"], entry["high"], bool(entry.get("log")) and entry["low"] > 0
    share = 1 - ZONE if upper else ZONE
    border = low * (high / low) ** share if log else low + share * (high - low)
    return Edge(path, upper, held, len(acting), border, extend)


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
