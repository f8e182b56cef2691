"""A random forest over a sweep's trials: what it takes a configuration's score to be, without training it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from igmsweep.analysis.names import value_text

if TYPE_CHECKING:
    from igmsweep.frame import Sweep

MINIMUM = 10
"""Completed trials below which no forest is grown."""
TREES = 300


class Surrogate:
    """A forest grown on the completed trials of a sweep, of its own metric.

    A parameter that does not act has a value of its own below its range; a choice that no trial has had is none of the others.

    Attributes:
        trials: how many it has learnt from.
        explained: the share of the variance of scores that it explains in trials that a tree has not seen (out of bag), at most 1; a
            forest that knows nothing has 0 or less.
    """

    def __init__(self, sweep: Sweep) -> None:
        from sklearn.ensemble import RandomForestRegressor

        done = sweep.completed()
        self._space = {path: entry for path, entry in sweep.space.items() if entry}
        rows = [
            {path: row[f"params.{path}"] for path in self._space if f"params.{path}" in row}
            for row in done.to_dict("records")
        ]
        self._choices = {
            path: list(dict.fromkeys(map(value_text, [*entry.get("choices", ()), *(row.get(path) for row in rows)])))
            for path, entry in self._space.items()
            if entry.get("type") == "categorical"
        }
        self.trials = len(rows)
        self._forest = RandomForestRegressor(TREES, oob_score=True, random_state=0)
        self._forest.fit(self._features(rows), done[f"metrics.{sweep.metric}"].to_numpy())
        self.explained = float(self._forest.oob_score_)

    def predict(self, values: Mapping[str, Any]) -> float:
        """The score of the configuration whose acting parameters have these values, by path."""
        return float(self._forest.predict(self._features([values]))[0])

    def _features(self, rows: Sequence[Mapping[str, Any]]) -> np.ndarray:
        columns: list[list[float]] = []
        for path, entry in self._space.items():
            given = [row.get(path) for row in rows]
            if path in self._choices:
                columns += [[float(value_text(value) == choice) for value in given] for choice in self._choices[path]]
                continue
            scale: Callable[[Any], float] = math.log10 if entry.get("log") else float
            low, high = scale(entry["low"]), scale(entry["high"])
            columns.append([2 * low - high if _missing(value) else scale(value) for value in given])
        return np.array(columns).T


def surrogate_of(sweep: Sweep) -> Surrogate | None:
    """The forest of a sweep; None where too few trials have completed."""
    return Surrogate(sweep) if len(sweep.completed()) >= MINIMUM else None


def _missing(value: Any) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))
