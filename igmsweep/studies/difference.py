"""The difference between two configurations trained with the same seeds, with its interval."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Difference:
    """Of two means over the same seeds.

    Attributes:
        mean: of the differences by seed, in the score's own unit.
        low, high: its 95 % t interval.
        n: seeds.
    """

    one: str
    other: str
    mean: float
    low: float
    high: float
    n: int
    unit: str = "points"
    """`points` of a share, or whatever the numbers are in, which are then told as they are."""

    @property
    def sign(self) -> int:
        """1 where the interval lies above 0, -1 below, 0 where it holds 0 or has no width: scores move in steps of a sample, so
        that a few equal differences are chance and no certainty."""
        if self.high - self.low <= 1e-9 * abs(self.mean):
            return 0
        return 1 if self.low > 0 else -1 if self.high < 0 else 0

    @property
    def words(self) -> str:
        """One sentence."""
        told = "" if self.sign else ": not told apart"
        mean, interval = self.numbers.split(" ", 1)
        return f"{self.one} − {self.other}: {mean} {self.unit} {interval}, {self.n} seeds{told}"

    @property
    def numbers(self) -> str:
        """The mean and its interval, of points or in the unit."""
        if self.unit == "points":
            return f"{100 * self.mean:+.1f} [{100 * self.low:+.1f}, {100 * self.high:+.1f}]"
        return f"{self.mean:+.3g} [{self.low:+.3g}, {self.high:+.3g}]"


def difference(
    one: str, ours: Mapping[int, float], other: str, theirs: Mapping[int, float], unit: str = "points"
) -> Difference | None:
    """The mean difference by seed; None where fewer than two seeds have both.

    Args:
        one, other: what the two are called.
        ours, theirs: seed -> score.
    """
    from scipy import stats

    seeds = [seed for seed in ours if seed in theirs]
    if len(seeds) < 2:
        return None
    gaps = [ours[seed] - theirs[seed] for seed in seeds]
    mean = sum(gaps) / len(gaps)
    spread = math.sqrt(sum((gap - mean) ** 2 for gap in gaps) / (len(gaps) - 1))
    half = float(stats.t.ppf(0.975, len(gaps) - 1)) * spread / math.sqrt(len(gaps))
    return Difference(one, other, mean, mean - half, mean + half, len(gaps), unit)
