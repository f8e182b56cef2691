"""The same sweep without Ray: one trial after the other in this process."""

from __future__ import annotations

from igmsweep.sweep.runner import Sweep
from igmsweep.sweep.trial import run_trial


def run(sweep: Sweep) -> None:
    """Run trials until there is none left, the budget is used up, or Ctrl-C."""
    while (task := sweep.next_task()) is not None:
        try:
            sweep.training = True
            run_trial(task)
        except KeyboardInterrupt:
            sweep.stop_code = sweep.stop_code or 130
            return
        finally:
            sweep.training = False
        sweep.ended(task["number"])
