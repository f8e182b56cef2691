"""What there is of a path at one moment: as far as it is known, what it waits for, and what its trainings say."""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Sequence

from igmsweep.ablation.changes import Ends, Made
from igmsweep.ablation.folder import AblationFolder
from igmsweep.ablation.outcome import Point, gain
from igmsweep.ablation.path import Order, configurations, walk
from igmsweep.ablation.surrogate import Model

START = "the paper's default"


class View:
    """A path as its folder tells it now.

    Args:
        seeds: those that count; a configuration without all of them is not trained yet.
        model: must be there for the order `surrogate`.
        metric, maximise: the sweep's.

    Attributes:
        path: the start, then the configuration after each step, as far as they are known.
        options: what the next step waits for; empty where the path is known to its end.
    """

    def __init__(
        self,
        ends: Ends,
        folder: AblationFolder,
        seeds: Sequence[int],
        order: Order,
        model: Model | None,
        metric: str,
        maximise: bool,
    ) -> None:
        self._ends, self._folder, self._seeds, self._order, self._model = ends, folder, seeds, order, model
        self._metric, self._sign = metric, 1.0 if maximise else -1.0
        self._found = folder.scores(metric)
        self.path, self.options = walk(ends, self._rank)

    @property
    def todo(self) -> list[Made]:
        """The configurations to train now; those of both ends are, whatever the order will be."""
        wanted = dict.fromkeys([*self.path, self._ends.all, *self.options])
        return [made for made in wanted if len(self._of(made)) < len(self._seeds)]

    @property
    def left(self) -> int:
        """Trainings that are missing, as far as can be told: with more seeds, a path may turn to configurations that nobody has
        trained yet."""
        if not self.todo:
            return 0
        known = dict.fromkeys([*self.todo, *self._folder.known])
        now = sum(len(self._seeds) - len(self._of(made)) for made in known)
        step = len(self.path[-1]) + 1  # that is waited for
        after = len(self._ends.changes) - step
        later = configurations(after, self._order) - 2 if self.options and after > 0 else 0  # less both ends
        there = sum(step < len(made) < len(self._ends.changes) for made in known)
        return now + max(0, later - there) * len(self._seeds)

    @property
    def trained(self) -> int:
        """Trainings that have completed, with these seeds, on the path and beside it."""
        return sum(
            score is not None for each in self._found.values() for seed, score in each.items() if seed in self._seeds
        )

    def points(self) -> tuple[Point, ...]:
        """What is known of the path."""
        points = [self._point(Made(), None)]
        for before, made in itertools.pairwise(self.path):
            points.append(self._point(made, before, points[-1]))
        return tuple(points)

    def _point(self, made: Made, before: Made | None, last: Point | None = None) -> Point:
        found = self._of(made)
        scores = {seed: score for seed, score in found.items() if score is not None}
        guess = None if self._model is None else self._model.predict(self._ends.acting(made))
        failed = len(found) - len(scores)
        if before is None or last is None:
            return Point(START, scores, failed=failed, guess=guess)
        change = self._ends.between(before, made)
        passed = {
            self._ends.between(before, other).words: self._mean(other)
            for other in self._ends.options(before)
            if other != made and self._of(other)
        }
        return Point(
            change.words, scores, change, failed, gain(last, change.words, scores, self._metric), guess, passed
        )

    def _rank(self, made: Made) -> tuple[float, ...] | None:
        """By the model; or by what was trained: first how many trainings have not failed, then their mean."""
        if self._order == "surrogate":
            assert self._model is not None
            return (self._sign * self._model.predict(self._ends.acting(made)),)
        found = self._of(made)
        if len(found) < len(self._seeds):
            return None
        mean = self._mean(made)
        return (sum(score is not None for score in found.values()), 0.0 if mean is None else self._sign * mean)

    def _of(self, made: Made) -> dict[int, float | None]:
        """Seed -> score of the finished trainings of a configuration; None of one that has failed."""
        found = self._found.get(self._folder.key(made), {})
        return {seed: found[seed] for seed in self._seeds if seed in found}

    def _mean(self, made: Made) -> float | None:
        scores = [score for score in self._of(made).values() if score is not None]
        return statistics.mean(scores) if scores else None
