"""The same sweep without Ray: one trial after the other in this process."""

from __future__ import annotations

from igmsweep.sweep.runner import Driver, Outline
from igmsweep.sweep.signals import INTERRUPTED, Signals
from igmsweep.sweep.trial import run_trial


def run(sweep: Driver, outline: Outline, signals: Signals) -> None:
    """Run trials until there is none left, the budget is used up, or Ctrl-C."""
    while (task := sweep.next_task()) is not None:
        number = task["handle"]

        def report(cycle: int, metrics: dict[str, float], number: int = number) -> bool:
            if sweep.reported(number, cycle, metrics):
                return True
            if sweep.stopping:  # the time budget is over
                raise KeyboardInterrupt
            return False

        try:
            with signals.training():
                run_trial(task, report)
        except KeyboardInterrupt:
            if not sweep.stopping:
                sweep.stop(INTERRUPTED)
            return
        sweep.ended(number)
