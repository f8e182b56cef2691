"""The difference between two configurations, in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from igmsweep.statistics.crossed import LEVEL, Interval, difference_of
from igmsweep.statistics.influence import scored


@dataclass(frozen=True)
class Difference:
    """Of two means.

    Attributes:
        mean: in the score's own unit.
        low, high: its interval of the confidence 1 - `level`.
        n: trainings of each.
        unit: `points` of a share, or whatever the numbers are in, which are then told as they are.
        samples: how many the interval knows the luck of; None: it knows that of the trainings alone.
    """

    one: str
    other: str
    mean: float
    low: float
    high: float
    n: int
    unit: str = "points"
    samples: int | None = None
    level: float = LEVEL

    @property
    def sign(self) -> int:
        """1 where the interval lies above 0, -1 below; 0 where it holds 0, has no width (scores move in steps of a sample, so that a
        few equal differences are chance and no certainty), or is of one training each, which says nothing of another."""
        if self.n < 2 or self.high - self.low <= 1e-9 * abs(self.mean):
            return 0
        return 1 if self.low > 0 else -1 if self.high < 0 else 0

    @property
    def words(self) -> str:
        """One sentence."""
        told = "" if self.sign else ": not told apart"
        mean, interval = self.numbers.split(" ", 1)
        level = "" if self.level == LEVEL else f" at {100 * (1 - self.level):.6g} %"
        return f"{self.one} − {self.other}: {mean} {self.unit} {interval}{level}, {self.over}{told}"

    @property
    def over(self) -> str:
        """What the interval is over."""
        seeds = f"{self.n} seeds"
        if self.samples is None:
            return seeds
        samples = f"{self.samples} samples"
        return f"{seeds} and {samples}" if self.n > 1 else f"{samples}, one training only"

    @property
    def numbers(self) -> str:
        """The mean and its interval, of points or in the unit."""
        if self.unit.startswith("points"):
            return f"{100 * self.mean:+.1f} [{100 * self.low:+.1f}, {100 * self.high:+.1f}]"
        return f"{self.mean:+.3g} [{self.low:+.3g}, {self.high:+.3g}]"


def unpaired(
    one: str,
    ours: Mapping[int, float],
    other: str,
    theirs: Mapping[int, float],
    unit: str = "points",
    level: float = LEVEL,
) -> Difference | None:
    """Of configurations whose trainings have nothing in common but their samples; None where nothing is known of chance.

    Args:
        one: what the first is called.
        ours: its scores, seed -> score; with `BySeed` also over samples.
        other: what the second is called.
        theirs: its scores, likewise.
    """
    if not ours or not theirs:
        return None
    return _told(one, other, unit, difference_of(scored(ours), scored(theirs), level))


def paired(
    one: str, ours: Mapping[int, float], other: str, theirs: Mapping[int, float], unit: str = "points"
) -> Difference | None:
    """The same by seed, of variants of one method: they start from the same weights and see the data in the same order, so that
    their scores go together (those of different methods do not). None also where fewer than two seeds have both."""
    seeds = [seed for seed in ours if seed in theirs]
    if len(seeds) < 2:
        return None
    return _told(one, other, unit, difference_of(scored(ours, seeds), scored(theirs, seeds), paired=True))


def _told(one: str, other: str, unit: str, found: Interval | None) -> Difference | None:
    if found is None:
        return None
    return Difference(one, other, found.mean, found.low, found.high, found.trainings, unit, found.samples, found.level)
