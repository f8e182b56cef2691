"""Early stopping at the ends of whole cycles: every modality has trained once more, so that scores are comparable.

A rule sees (trial, cycle, score) in the order in which the driver recorded them and answers whether the trial stops.
It holds nothing else, so replaying the ledger rebuilds it exactly: Ray Tune's own schedulers forget their rungs when
an experiment is taken up again.
"""

from __future__ import annotations

import bisect
import statistics
from typing import Literal, Protocol


class Stopping(Protocol):
    """A rule that may stop a trial at the end of a cycle. Cycles count from 1."""

    def report(self, trial: int, cycle: int, score: float) -> bool:
        """Record a score and say whether the trial stops here."""


class Never:
    """Every trial is trained to its end."""

    def report(self, trial: int, cycle: int, score: float) -> bool:
        return False


class Asha:
    """Asynchronous successive halving in its stopping form (Li et al. 2020, Sec. 3): at each rung a trial goes on when
    it is among the best 1/reduction of the scores recorded there so far, its own included.

    Args:
        cycles: cycles of a full training; its end is no rung.
        grace: the first rung, in cycles.
        reduction: ratio between two rungs, and between those who reach and those who pass one.
    """

    def __init__(self, cycles: int, grace: int = 1, reduction: int = 3, mode: Literal["max", "min"] = "max") -> None:
        self.sign = 1.0 if mode == "max" else -1.0
        self.reduction = reduction
        self.rungs: dict[int, dict[int, float]] = {}
        rung = grace
        while rung < cycles:
            self.rungs[rung] = {}
            rung *= reduction
        self._ordered: dict[int, list[float]] = {
            rung: [] for rung in self.rungs
        }  # so that ten thousand trials stay quick

    def report(self, trial: int, cycle: int, score: float) -> bool:
        if cycle not in self.rungs:
            return False
        scores, ordered = self.rungs[cycle], self._ordered[cycle]
        if trial in scores:
            ordered.remove(scores[trial])
        scores[trial] = self.sign * score
        bisect.insort(ordered, scores[trial])
        passing = max(1, len(scores) // self.reduction)
        return scores[trial] < ordered[-passing]


class Median:
    """Median stopping (Golovin et al. 2017, Sec. 3.2.2): stop a trial whose best score so far is below the median of
    the other trials' running means at the same cycle.

    Args:
        cycles: cycles of a full training; its end stops nothing.
        grace: cycles that every trial is given.
        others: trials that must have reached the cycle before.
    """

    def __init__(self, cycles: int, grace: int = 1, others: int = 4, mode: Literal["max", "min"] = "max") -> None:
        self.sign = 1.0 if mode == "max" else -1.0
        self.cycles, self.grace, self.others = cycles, grace, others
        self._scores: dict[int, dict[int, float]] = {}

    def report(self, trial: int, cycle: int, score: float) -> bool:
        self._scores.setdefault(trial, {})[cycle] = self.sign * score
        if cycle < self.grace or cycle >= self.cycles:
            return False
        means = [
            statistics.fmean(value for at, value in scores.items() if at <= cycle)
            for other, scores in self._scores.items()
            if other != trial and cycle in scores
        ]
        if len(means) < self.others:
            return False
        return max(self._scores[trial].values()) < statistics.median(means)
