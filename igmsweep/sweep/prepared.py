"""Sweeps that are ready to run, and running them: one, or several side by side on one set of workers."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from igmsweep.record.failures import TrialsFail
from igmsweep.record.lock import Lock
from igmsweep.record.sessions import Session
from igmsweep.sweep import announce, local
from igmsweep.sweep.controller import Controller
from igmsweep.sweep.many import Many
from igmsweep.sweep.options import SweepOptions
from igmsweep.sweep.plan import Plan
from igmsweep.sweep.result import SweepResult
from igmsweep.sweep.runner import Driver, Outline
from igmsweep.sweep.signals import Signals

logger = logging.getLogger(__name__)


@dataclass
class Prepared:
    """A sweep whose folder is held, whose search is rebuilt from the ledger, and whose session has begun."""

    folder: Path
    plan: Plan
    options: SweepOptions
    controller: Controller
    session: Session

    def close(self) -> None:
        """Write down what was left unfinished, and how this session ended."""
        self.controller.close()
        if self.controller.fault is None:
            self.session.end(self.controller.stop_code, self.controller.over)

    def leave(self) -> None:
        """The least that must be done before the process is left: Ray has stopped answering."""
        self.controller.close()
        Lock(self.folder).release()

    def result(self) -> SweepResult:
        """What the sweep has come to, after `close`."""
        sweep, space = self.controller, self.plan.space
        return SweepResult(
            self.folder,
            sweep.ledger.rows(),
            space.metric,
            space.mode,
            sweep.proposer.limit,
            sweep.proposer.study,
            sweep.stop_code,
        )


def conduct(sweeps: Sequence[Prepared], progress: Callable[[Sequence[Controller]], None] | None = None) -> None:
    """Run what is left of some sweeps, and close them. All have the options of the first.

    Args:
        progress: told of every training that ends, where there are several sweeps.

    Raises:
        Exception: the first fault of the driver; TrialsFail where the trials of all sweeps fail.
    """
    first = sweeps[0]
    controllers = [each.controller for each in sweeps]
    driver = controllers[0] if progress is None else Many(controllers, progress)

    def leave() -> None:
        for each in sweeps:
            each.leave()

    with Signals(driver.stop, None if first.options.local else leave) as signals:
        try:
            if not all(each.over for each in controllers):
                space, options = first.plan.space, first.options
                place = first.folder if progress is None else first.folder.parent
                concurrent = first.controller.allotment.concurrent
                outline = Outline(place, space.metric, space.mode, concurrent, options.address, options.loggers)
                _runner(options)(driver, outline, signals)
        finally:
            for each in sweeps:
                each.close()
    faults = [each.fault for each in controllers if each.fault is not None]
    for fault in faults:
        if len(faults) == len(controllers) or not isinstance(fault, TrialsFail):
            raise fault
        logger.warning(str(fault))  # the others have gone on


def announced(sweep: Prepared) -> SweepResult:
    """The result of a sweep that has been closed, after its closing lines."""
    result, controller = sweep.result(), sweep.controller
    announce.closing(result, sweep.session.seconds, left=not controller.over)
    return result


def _runner(options: SweepOptions) -> Callable[[Driver, Outline, Signals], None]:
    """What trains the trials."""
    if options.local:
        return local.run
    if options.address is None:
        # the only way to keep Ray off the network: it turns 127.0.0.1 into the machine's own address
        os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
    from igmsweep.sweep import ray_runner

    return ray_runner.run
