"""Which configuration is best: the one ranking, of the driver, of `status` and of the report.

Configurations that were trained again with other seeds stand first, by the mean of their trainings: they are the best
few of a search, and their means carry less of the luck for which they were chosen (the training that was chosen counts among them).
The others follow by their one score. Of equal ones the one with the lower validation loss is better, then the one with the higher MAP,
then the one that was tried first.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from igmsweep.gate.numbers import finite
from igmsweep.record.rows import TrialRow


@dataclass(frozen=True, slots=True)
class Place:
    """A configuration in the ranking. `scores`: of its own training, then of its repeats with other seeds."""

    trial: int
    scores: tuple[float, ...]
    among_equals: tuple[float, ...] = ()
    """See `among_equals`."""

    @property
    def repeated(self) -> bool:
        return len(self.scores) > 1

    @property
    def mean(self) -> float:
        return sum(self.scores) / len(self.scores)


def among_equals(metrics: Mapping[str, Any]) -> tuple[float, float]:
    """The order of trials with equal scores, the smaller the better: by validation loss, then by MAP; a missing one comes last."""
    loss, precision = finite(metrics.get("val/loss")), finite(metrics.get("val/map"))
    return math.inf if loss is None else loss, math.inf if precision is None else -precision


def ordered(
    own: Mapping[int, float],
    repeats: Mapping[int, Sequence[float]],
    maximise: bool,
    equals: Mapping[int, tuple[float, ...]] | None = None,
) -> list[Place]:
    """Configurations, best first.

    Args:
        own: trial -> its score.
        repeats: trial -> the scores of its repeats; those of a trial that has no score itself count for nothing.
        equals: trial -> `among_equals` of its metrics.
    """
    return sorted(_places(own, repeats, equals or {}, own), key=_key(maximise))


def scored(rows: Mapping[int, TrialRow], metric: str) -> dict[int, float]:
    """Trial -> score of every complete configuration; copies of an earlier one and repeats are none of their own."""
    return {
        row.trial: score
        for row in rows.values()
        if row.complete and not row.is_duplicate and not row.is_repeat and (score := row.score(metric)) is not None
    }


def repeated(rows: Mapping[int, TrialRow], metric: str) -> dict[int, list[float]]:
    """Trial -> the scores of its complete repeats with other seeds."""
    found: dict[int, list[float]] = {}
    for row in rows.values():
        if not row.is_repeat or not row.complete:
            continue
        trial, score = row.repeat_of, row.score(metric)
        if trial is not None and score is not None:
            found.setdefault(trial, []).append(score)
    return found


def ranking(rows: Mapping[int, TrialRow], metric: str, mode: str) -> list[Place]:
    """The complete configurations of a sweep, best first."""
    return ordered(scored(rows, metric), repeated(rows, metric), mode != "min", _equals(rows))


def best(rows: Mapping[int, TrialRow], metric: str, mode: str) -> Place | None:
    """The first of the ranking, or None when nothing has completed."""
    own, repeats = scored(rows, metric), repeated(rows, metric)
    again = [trial for trial in repeats if trial in own]  # one of these, where there are any
    return min(_places(own, repeats, _equals(rows), again or own), key=_key(mode != "min"), default=None)


def to_repeat(rows: Mapping[int, TrialRow], metric: str, mode: str, top: int) -> list[int]:
    """The trials whose configurations are worth another seed: the best few by their own score, best first.

    Repeats have no say here, so that the choice does not change while they run.
    """
    return [place.trial for place in ordered(scored(rows, metric), {}, mode != "min", _equals(rows))[:top]]


def _equals(rows: Mapping[int, TrialRow]) -> dict[int, tuple[float, ...]]:
    return {trial: among_equals(row.metrics) for trial, row in rows.items()}


def _places(
    own: Mapping[int, float],
    repeats: Mapping[int, Sequence[float]],
    equals: Mapping[int, tuple[float, ...]],
    trials: Iterable[int],
) -> Iterator[Place]:
    return (Place(trial, (own[trial], *repeats.get(trial, ())), equals.get(trial, ())) for trial in trials)


def _key(maximise: bool) -> Callable[[Place], tuple[bool, float, tuple[float, ...], int]]:
    """The order of places: repeated ones first, then by mean, then as `among_equals` says, then as tried."""
    sign = -1.0 if maximise else 1.0
    return lambda place: (not place.repeated, sign * place.mean, place.among_equals, place.trial)
