"""What differs between the two ends of a path, as changes that can be made one at a time."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from igmsweep.analysis.names import value_text
from igmsweep.config import TrainConfig
from igmsweep.errors import UserError
from igmsweep.schema.paths import UNBOUND
from igmsweep.spaces.conditions import holds
from igmsweep.spaces.space import SearchSpace
from igmsweep.studies.base import same

ASIDE = (*UNBOUND, "seed", "method.preset", "data.folds", "data.fold")
"""Paths in which two configurations may differ and train the same: where, with which seed or fold, and what a preset is called."""

Made = frozenset[int]
"""The changes that a configuration on the way has, as places in `Ends.changes`; empty: the start."""


@dataclass(frozen=True)
class Change:
    """Values that are changed together.

    Attributes:
        values: path -> its value at the start and at the end.
        asleep: paths that do not act at the start, for want of another value of this change.
        searched: whether the sweep searched them, so that its trials say something of them.
    """

    values: Mapping[str, tuple[Any, Any]]
    asleep: frozenset[str] = frozenset()
    searched: bool = True

    @property
    def words(self) -> str:
        """`method.sam off → on, method.rho.image – → 0.02`."""
        return ", ".join(
            f"{path} {'–' if path in self.asleep else value_text(old)} → {value_text(new)}"
            for path, (old, new) in self.values.items()
        )


@dataclass(frozen=True)
class Ends:
    """Where a path begins, and the changes that lead to its other end, which is allowed whatever the space forbids."""

    space: SearchSpace
    start: TrainConfig
    changes: tuple[Change, ...]

    @cached_property
    def all(self) -> Made:
        """The other end."""
        return frozenset(range(len(self.changes)))

    def values(self, made: Made) -> dict[str, Any]:
        """The value of every path that differs between the ends."""
        return {
            path: pair[place in made]
            for place, change in enumerate(self.changes)
            for path, pair in change.values.items()
        }

    def config(self, made: Made) -> TrainConfig:
        """The configuration. Raises UserError for values that are legal one by one and not together."""
        return self.start.override(self.values(made))

    def acting(self, made: Made) -> dict[str, Any]:
        """The searched parameters that act, and their values."""
        return acting(self.space, self.config(made))

    def options(self, made: Made) -> list[Made]:
        """What may come next: one change more; where the space forbids or the method refuses all of these, two more, and so on."""
        left = sorted(self.all - made)
        for size in range(1, len(left) + 1):
            found = [made.union(more) for more in itertools.combinations(left, size)]
            allowed = [each for each in found if each == self.all or self._allowed(each)]
            if allowed:
                return allowed
        return []

    def between(self, before: Made, after: Made) -> Change:
        """What leads from one configuration to another that has more changes, as one."""
        made = [self.changes[place] for place in sorted(after - before)]
        values = {path: pair for change in made for path, pair in change.values.items()}
        return Change(values, frozenset().union(*(each.asleep for each in made)), all(each.searched for each in made))

    def _allowed(self, made: Made) -> bool:
        try:
            return not self.space.forbidden(self.acting(made))
        except UserError:
            return False


def acting(space: SearchSpace, config: TrainConfig) -> dict[str, Any]:
    """The searched parameters that act in a configuration, and their values."""
    return space.active(config.paths())


def changes(space: SearchSpace, start: TrainConfig, end: TrainConfig) -> tuple[Change, ...]:
    """The changes from `start` to `end`, in the space's order; what the space does not search (a preset's other settings) is the
    last one. None where both train the same.

    A parameter that acts only after the change of others moves together with those; one that does not act at the end is left as it is.
    """
    before, after = start.paths(), end.paths()
    differing = [path for path in after if path not in ASIDE and not same(before.get(path), after[path])]
    own = [param.path for param in space.params]
    first, last = acting(space, start), acting(space, end)
    moving = [path for path in own if path in differing and path in last]
    group: dict[str, tuple[str, ...]] = {path: (path,) for path in moving}
    for path in moving:
        for other in () if path in first else _wakers(space, path, moving, first):
            together = tuple(each for each in moving if each in group[path] or each in group[other])
            group |= dict.fromkeys(together, together)
    found = [
        Change(
            {path: (before[path], after[path]) for path in together},
            frozenset(path for path in together if path not in first),
        )
        for together in dict.fromkeys(group.values())
    ]
    rest = {path: (before.get(path), after[path]) for path in differing if path not in own}
    return (*found, *([Change(rest, searched=False)] if rest else []))


def _wakers(space: SearchSpace, path: str, moving: Sequence[str], first: Mapping[str, Any]) -> Iterator[str]:
    """The moving parameters by whose change one comes to act that does not act among the `first` values."""
    (when,) = (param.when or {} for param in space.params if param.path == path)
    for other, wanted in when.items():
        if holds({other: wanted}, first):
            continue
        if other in moving:
            yield other
        else:  # its value stays, so it must come to act itself
            yield from _wakers(space, other, moving, first)
