"""What the model of a sweep's trials takes a configuration's score to be, without training it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from igmsweep.analysis.surrogate import FEWEST, Surrogate, surrogate

if TYPE_CHECKING:
    from igmsweep.frame import Sweep

MINIMUM = FEWEST
"""Completed trials below which there is no model."""


class Model:
    """The model that the report's sentences come from, of the sweep's own metric.

    Attributes:
        trials: how many it has learnt from.
        explained: the share of the variance of scores that it explains in trials that are left out one at a time, at most 1; a model that
            knows nothing has 0 or less.
    """

    def __init__(self, found: Surrogate) -> None:
        self._found = found
        process = found.process
        self.trials = len(process.z)
        scores = process.scores
        missed = scores - process.scale.back(process.left_out()[0])
        self.explained = 1 - float((missed**2).mean() / scores.var())

    def predict(self, values: Mapping[str, Any]) -> float:
        """The score of the configuration whose acting parameters have these values, by path."""
        at = np.array([[axis.coordinate(values.get(axis.path)) for axis in self._found.axes]])
        return self._found.sign * float(self._found.process.expected(at)[0])


def model_of(sweep: Sweep) -> Model | None:
    """The model of a sweep; None where too few trials have completed, or nothing differs among them."""
    found = surrogate(sweep, sweep.metric)
    return None if found is None else Model(found)
