"""The rules of early stopping by the names that `--scheduler` knows."""

from __future__ import annotations

from typing import Literal

from igmsweep.errors import UserError, nearest
from igmsweep.record.stopping import Asha, Median, Never, Stopping

SCHEDULERS = ("none", "asha", "median")


def make_stopping(name: str, cycles: int, mode: Literal["max", "min"], grace: int = 1, reduction: int = 3) -> Stopping:
    """A rule by its name.

    Raises:
        UserError: an unknown name, or a training with too few cycles to stop anything.
    """
    if name not in SCHEDULERS:
        raise UserError(
            f"--scheduler: found '{name}', expected one of {', '.join(SCHEDULERS)}{nearest(name, SCHEDULERS)}"
        )
    if name == "none":
        return Never()
    if grace < 1:
        raise UserError(f"--grace: found {grace}, expected at least 1 cycle")
    if grace >= cycles:
        raise UserError(
            f"--scheduler {name}: a training has {cycles} cycle{'s' if cycles > 1 else ''} (stages.cycles), so nothing "
            f"can be stopped after {grace}; raise stages.cycles or take --scheduler none"
        )
    if name == "median":
        return Median(cycles, grace, mode=mode)
    if reduction < 2:
        raise UserError(f"--reduction: found {reduction}, expected at least 2")
    return Asha(cycles, grace, reduction, mode)
