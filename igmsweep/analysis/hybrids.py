"""Configurations between a sweep's default and others: some parameters as in another configuration, the rest as in the default."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from igmsweep.analysis.names import value_text
from igmsweep.analysis.surrogate import Surrogate, is_number
from igmsweep.frame import Sweep
from igmsweep.schema.paths import leaves
from igmsweep.spaces.conditions import holds


def default_values(sweep: Sweep) -> dict[str, Any]:
    """The default's value of every searched parameter, acting or not: the paper's (or the chosen preset's), else that of the sweep's base
    configuration, as for `igmsweep ablate`. Empty where the sweep knows no paper's values."""
    if not sweep.paper:
        return {}
    base = sweep.spec.get("base_config")
    known = {**(dict(leaves(base, "")) if isinstance(base, dict) else {}), **sweep.paper}
    return {path: known[path] for path in sweep.space if known.get(path) is not None}


class Hybrids:
    """What the model is asked about a mixture of the default and another configuration, and which parameters act in it.

    A parameter that a mixture switches on has the value of the configuration that it is taken from; where it does not act there, the
    default's; where the default has none, the winner's, or else the middle of its range or its first choice.

    Args:
        winner: (d,) coordinates of the best configuration, NaN where a parameter does not act.
    """

    def __init__(self, sweep: Sweep, found: Surrogate, winner: np.ndarray) -> None:
        self._axes, self._values = found.axes, default_values(sweep)
        self._rules = [_rule(sweep.space[axis.path].get("when")) for axis in self._axes]
        space = sweep.spec.get("space")
        forbid = space.get("forbid") if isinstance(space, Mapping) else None
        self._forbid = [_rule(rule) for rule in forbid or () if _rule(rule)]
        asked = dict.fromkeys(path for rule in [*self._rules, *self._forbid] for path in rule)
        self._conditions = {path: _rule(sweep.space.get(path, {}).get("when")) for path in asked}
        self._asked = [place for place, axis in enumerate(self._axes) if axis.path in asked]
        self._choices = [
            {value_text(choice): choice for choice in sweep.space[axis.path].get("choices") or ()}
            for axis in self._axes
        ]
        own = np.array([self._coordinate(place) for place in range(len(self._axes))])
        middle = [0.0 if axis.categorical else 0.5 for axis in self._axes]
        self.default = np.where(np.isnan(own), np.where(np.isnan(winner), middle, winner), own)

    def mixed(self, own: np.ndarray, other: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The default with some values of others.

        Args:
            own: (..., d) bool, which parameters are as in `other`.
            other: (..., d) coordinates, NaN where a parameter does not act.

        Returns:
            (..., d) coordinates as the model's, and (...) bool, whether the space forbids the configuration.
        """
        every = np.where(own & ~np.isnan(other), other, self.default)
        rows = every.reshape(-1, every.shape[-1])
        kinds, kind = np.unique(rows[:, self._asked], axis=0, return_inverse=True)
        answers = [self._acting(each.tolist()) for each in kinds]
        acting = np.array([each for each, _ in answers])[kind.ravel()]
        forbidden = np.array([each for _, each in answers])[kind.ravel()]
        missing = [axis.missing for axis in self._axes]
        return np.where(acting, rows, missing).reshape(every.shape), forbidden.reshape(every.shape[:-1])

    def acting(self, row: np.ndarray) -> list[bool]:
        """Which parameters act where all of them have these coordinates (d,)."""
        return self._acting(row[self._asked].tolist())[0]

    def _acting(self, asked: list[float]) -> tuple[list[bool], bool]:
        """Which parameters act where those that conditions ask for have these coordinates, and whether a rule forbids that."""
        given = {path: self._values[path] for path in self._conditions if path in self._values}
        given |= {self._axes[place].path: self._value(place, at) for place, at in zip(self._asked, asked, strict=True)}
        values: dict[str, Any] = {}
        while True:  # a condition may stand before what it refers to
            more = {path: value for path, value in given.items() if holds(self._conditions[path], values)}
            if len(more) == len(values):
                break
            values = more
        return [holds(rule, values) for rule in self._rules], any(holds(rule, values) for rule in self._forbid)

    def _value(self, place: int, coordinate: float) -> Any:
        """The value at a coordinate."""
        axis = self._axes[place]
        if not axis.categorical:
            return axis.value(coordinate)
        if coordinate >= len(axis.choices):  # the default's own, which no trial has had
            return self._values[axis.path]
        text = axis.choices[int(coordinate)]
        return self._choices[place].get(text, text)

    def _coordinate(self, place: int) -> float:
        """The default's; NaN where it has no value."""
        axis, value = self._axes[place], self._values.get(self._axes[place].path)
        return axis.coordinate(value) if value is not None and (axis.categorical or is_number(value)) else np.nan


def _rule(found: Any) -> Mapping[str, Any]:
    return found if isinstance(found, Mapping) else {}
