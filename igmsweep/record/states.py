"""The states of a trial."""

from __future__ import annotations

from enum import StrEnum


class State(StrEnum):
    """What a trial is doing, or how it has ended, in the ledger's words."""

    RUNNING = "running"
    WAITING = "waiting"
    """To be run again."""
    INTERRUPTED = "interrupted"
    """Cut off by the end of its driver; it goes on from its checkpoint."""
    COMPLETE = "complete"
    PRUNED = "pruned"
    """Stopped early, at the end of a cycle."""
    FAILED = "failed"


FINISHED = (State.COMPLETE, State.PRUNED, State.FAILED)
"""States in which nothing is left to do for a trial."""

UNDER_WAY = (State.RUNNING, State.WAITING)
"""States of a trial that has, or will have, another attempt: how the last one ended counts no more."""
