"""The same sweep without Ray: one trial after the other in this process."""

from __future__ import annotations

from igmsweep.sweep.controller import Controller
from igmsweep.sweep.trial import run_trial


def run(sweep: Controller) -> None:
    """Run trials until there is none left, the budget is used up, or Ctrl-C."""
    while (task := sweep.next_task()) is not None:
        number = task["number"]

        def progress(cycle: int, metrics: dict[str, float], number: int = number) -> bool:
            if sweep.reported(number, cycle, metrics):
                return True
            if sweep.stopping:  # the time budget is over
                raise KeyboardInterrupt
            return False

        try:
            sweep.training = True
            run_trial(task, progress)
        except KeyboardInterrupt:
            if not sweep.stopping:
                sweep.stop_code = 130
            return
        finally:
            sweep.training = False
        sweep.ended(number)
