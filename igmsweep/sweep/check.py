"""Whether the trials of sweeps can begin, found out before any sample is decoded."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from igmsweep.errors import UserError
from igmsweep.spaces.space import SearchSpace, canonical
from igmsweep.sweep.plan import Plan

if TYPE_CHECKING:
    from igmsweep.train.check import TrainingCheck

BATCH = "optim.batch_size"
ENDS = 2
"""Values that are tried of a range: its ends."""


def check_sweeps(plans: Iterable[Plan]) -> None:
    """Raise for the first of some sweeps that has trials which could not begin.

    Looked at is everything that the search may try as far as it decides about the model or the size of its batches, on all folds,
    and what runs first.

    Raises:
        UserError, DataError: as `igmsweep.train.check.TrainingCheck`; it names the space where that holds what cannot work.
    """
    from igmsweep.train.check import TrainingCheck

    known: dict[str, TrainingCheck] = {}
    for plan in plans:
        data = plan.base.data
        key = data.model_dump_json()
        if key not in known:
            known[key] = TrainingCheck(data)
        for values in _tried(plan):
            _check(values, plan, known[key])


def _check(values: dict[str, Any], plan: Plan, check: TrainingCheck) -> None:
    folds: int = plan.spec["folds"] or 0
    parts: list[dict[str, Any]] = [{"data.folds": folds, "data.fold": fold} for fold in range(folds)]
    for part in parts or [{}]:
        try:
            check(plan.base.override({**values, **part}))
        except UserError as error:
            if str(error).partition(":")[0] not in values:
                raise
            raise type(error)(f"{plan.space.source}: {error}") from None


def _tried(plan: Plan) -> Iterator[dict[str, Any]]:
    """What trials will have in the place of the base configuration's values."""
    yield from ({**entry.params, **entry.extra} for entry in plan.enqueued)
    yield from variants(plan.space)


def variants(space: SearchSpace) -> Iterator[dict[str, Any]]:
    """The combinations of searched values that decide about the model or the size of its batches; of a range its ends.

    What the conditions of these parameters refer to is varied with them.
    """
    known = {param.path: param for param in space.params}
    wanted = [path for path in known if path.startswith("model.") or path == BATCH]
    needed, waiting = set(wanted), list(wanted)
    while waiting:
        further = set(known[waiting.pop()].when or {}) - needed
        needed |= further
        waiting += further
    part = replace(
        space,
        params=tuple(param for param in space.params if param.path in needed),
        forbid=tuple(rule for rule in space.forbid if needed >= rule.keys()),
    )
    seen = set()
    for values in part.grid(ENDS):
        own = {path: values[path] for path in wanted if path in values}
        if canonical(own) not in seen:
            seen.add(canonical(own))
            yield own
