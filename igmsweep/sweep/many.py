"""Several sweeps as one to the runner: they go on evenly, workers go from one to the next, none waits for another's last trial."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from igmsweep.record.failures import TrialsFail
from igmsweep.sweep.controller import Controller

EACH = 1_000_000
"""A task's handle is its sweep's place times this, and its number."""


class Many:
    """A driver (`igmsweep.sweep.runner.Driver`) of drivers. The sweep that the least of has been begun comes first, so that all
    are about as far when time is over, and trainings that are compared for their time have run under the same load.

    Args:
        sweeps: one at least.
        progress: called after every training that ended.
    """

    def __init__(self, sweeps: Sequence[Controller], progress: Callable[[Sequence[Controller]], None]) -> None:
        self.sweeps, self._progress = list(sweeps), progress

    @property
    def stopping(self) -> bool:
        """Whether the driver has a fault, a signal was heard, or all of them are stopping. One whose trials all fail is left
        out, and the others go on."""
        ended = any(each.stop_code or not isinstance(each.fault, TrialsFail | None) for each in self.sweeps)
        return ended or all(each.stopping for each in self.sweeps)

    @property
    def busy(self) -> bool:
        """Whether a running trial of any may still bring new work."""
        return any(each.busy for each in self.sweeps)

    def next_task(self) -> dict[str, Any] | None:
        """The next trial of the sweep that is furthest behind and has one; one that must run alone waits for those of all sweeps."""
        if self.stopping or any(each.runs_alone for each in self.sweeps):
            return None
        for place in sorted(range(len(self.sweeps)), key=lambda place: self.sweeps[place].share):
            sweep = self.sweeps[place]
            task = sweep.next_task(any(other.busy for other in self.sweeps if other is not sweep))
            if task is not None:
                return {**task, "handle": place * EACH + task["number"]}
        return None

    def reported(self, handle: int, cycle: int, metrics: Mapping[str, float]) -> bool:
        """As the sweep decides that the trial belongs to."""
        sweep, number = self._of(handle)
        stops = sweep.reported(number, cycle, metrics)
        if stops:
            self._progress(self.sweeps)
        return stops

    def ended(self, handle: int, lost: str = "worker") -> None:
        """Told to the sweep that the trial belongs to."""
        sweep, number = self._of(handle)
        sweep.ended(number, lost)
        self._progress(self.sweeps)

    def no_room(self, message: str) -> None:
        """A full disk ends all of them."""
        self.sweeps[0].no_room(message)

    def fail(self, error: Exception) -> None:
        """Something went wrong in the driver itself; `stopping` follows from one sweep's fault."""
        self.sweeps[0].fail(error)

    def stop(self, code: int) -> None:
        """End all of them in order."""
        for each in self.sweeps:
            each.stop(code)

    def _of(self, handle: int) -> tuple[Controller, int]:
        place, number = divmod(handle, EACH)
        return self.sweeps[place], number
