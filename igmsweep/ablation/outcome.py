"""What an ablation has found: the score after every step, and what each step gives."""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Mapping
from dataclasses import dataclass, field

from igmsweep.ablation.changes import Change
from igmsweep.ablation.path import Order
from igmsweep.analysis.names import short_metric
from igmsweep.analysis.tables import is_share, score_text
from igmsweep.statistics.difference import Difference, paired


@dataclass(frozen=True)
class Point:
    """A configuration on the path.

    Attributes:
        name: the start's name, or what the step to it changed, in words.
        scores: seed -> validation score of its trainings that have completed.
        change: what the step changed; None: the start.
        failed: its trainings that have failed.
        gain: the difference to the point before, paired by seed; None below two common seeds.
        guess: the score that the model takes it to have, of what the sweep searched; None where there is no model.
        passed: what was trained for this step and not taken -> its mean score; None where all its trainings failed.
    """

    name: str
    scores: Mapping[int, float]
    change: Change | None = None
    failed: int = 0
    gain: Difference | None = None
    guess: float | None = None
    passed: Mapping[str, float | None] = field(default_factory=dict)

    @property
    def mean(self) -> float | None:
        """Of the scores; None without any."""
        return statistics.mean(self.scores.values()) if self.scores else None


@dataclass(frozen=True)
class Ablation:
    """The path from a sweep's default to one of its trials, as far as it is known.

    Attributes:
        points: the start, then the configuration after each step.
        changes: how many there are to make.
        chosen: the trial's own score in the search, for which it was chosen.
        left: trainings that are missing; 0: the path is whole.
        trained: trainings that have completed, those beside the path counted in.
        learnt: trials that the model has learnt from; 0: there is none.
        explained: what `Model.explained` says.
        interrupted: 0, or the exit code of the signal that ended it.
    """

    sweep: str
    data: str
    method: str
    trial: int
    metric: str
    order: Order
    seeds: tuple[int, ...]
    points: tuple[Point, ...]
    changes: int
    chosen: float
    left: int = 0
    trained: int = 0
    learnt: int = 0
    explained: float | None = None
    interrupted: int = 0

    @property
    def total(self) -> Difference | None:
        """What all steps together give; None while the path is not whole, or below two common seeds."""
        first, last = self.points[0], self.points[-1]
        return None if self.left else gain(first, last.name, last.scores, self.metric)

    def words(self) -> list[str]:
        """The finding, in a few sentences."""
        steps = self.points[1:]
        gains = [(step.name, step.gain) for step in steps if step.gain is not None]
        told = [f"{name} gives {amount(found)}" for name, found in gains if found.sign]
        idle = [name for name, found in gains if found.mean == found.low == found.high == 0]
        rest = [name for name, found in gains if not found.sign]
        out = [_sentence(told, rest), *(f"{name} changes no score at all." for name in idle)] if gains else []
        total = self.total
        if total is not None:
            single = "; more --seeds may tell which step does" if total.sign and not told and len(steps) > 1 else ""
            out.append(
                f"All steps together give {amount(total)}{single or ('' if total.sign else ', not told apart from nothing')}."
            )
        if len(self.seeds) < 2:
            out.append("One seed says nothing about chance: --seeds 3 adds two trainings of each configuration.")
        if not self.left and (end := self.points[-1].mean) is not None:
            out.append(
                f"Trial {self.trial} was chosen for {score_text(self.metric, self.chosen)} in the search; trained again "
                f"with {len(self.points[-1].scores)} fresh seeds it comes to {score_text(self.metric, end)}."
            )
        missed = [
            abs(guessed - step.gain.mean)
            for step, guessed in zip(steps, guesses(self.points), strict=True)
            if guessed is not None and step.gain is not None
        ]
        if missed:
            miss = Difference("", "", statistics.mean(missed), 0, 0, len(missed), unit(self.metric))
            size = miss.numbers.split(" ")[0].lstrip("+")
            out.append(
                f"The model misses what was trained by {size} {miss.unit} a step on average (of trials left out it explains "
                f"{max(0.0, self.explained or 0.0):.0%} of the variance of {self.learnt} trials' scores)."
            )
        if self.left:
            out.append(f"Not finished: {self.left} trainings are left; the same command goes on.")
        failed = sum(point.failed for point in self.points)
        if failed:
            out.append(
                f"{failed} trainings on the path failed; differences are over the seeds that both sides have, which "
                "flatters a side that fails."
            )
        return out


def gain(before: Point, name: str, scores: Mapping[int, float], metric: str) -> Difference | None:
    """What a step from a point gives, paired by seed; None below two common seeds."""
    return paired(name, scores, before.name, before.scores, unit(metric))


def unit(metric: str) -> str:
    """`points` of a share, else what the metric is called."""
    return "points" if is_share(metric) else f"of {short_metric(metric)}"


def amount(found: Difference) -> str:
    """`+2.1 points [+0.9, +3.3]`."""
    mean, interval = found.numbers.split(" ", 1)
    return f"{mean} {found.unit} {interval}"


def guesses(points: tuple[Point, ...]) -> list[float | None]:
    """What the model takes each step to give; None where it does not know."""
    return [
        None
        if before.guess is None or after.guess is None or after.change is None or not after.change.searched
        else after.guess - before.guess
        for before, after in itertools.pairwise(points)
    ]


def _sentence(told: list[str], rest: list[str]) -> str:
    """What is told apart from nothing, and what is not."""
    if not rest:
        return "; ".join(told) + "." if told else "No step is told apart from nothing."
    if not told:
        one = f"{rest[0]} is not" if len(rest) == 1 else f"None of the {len(rest)} steps is"
        return f"{one} told apart from nothing."
    others = "the other step is" if len(rest) == 1 else f"the other {len(rest)} steps are"
    return f"{'; '.join(told)}; {others} not told apart from nothing."
