"""What a sweep says of itself before, at its start and at its end."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from igmsweep.config import reading
from igmsweep.errors import Diverged, UserError
from igmsweep.legible import on_one_line
from igmsweep.lines import BARE, CLOSING
from igmsweep.record.bad_samples import told_of_data
from igmsweep.record.failures import summary
from igmsweep.record.wording import duration, said, shown_params
from igmsweep.sweep.check import check_sweeps
from igmsweep.sweep.controller import Controller
from igmsweep.sweep.estimate import WITHIN, estimate
from igmsweep.sweep.plan import Plan
from igmsweep.sweep.preview import preview
from igmsweep.sweep.request import SweepRequest
from igmsweep.sweep.resources import Allotment, amount
from igmsweep.sweep.result import SweepResult

logger = logging.getLogger(__name__)


def data_read(plan: Plan, quiet: bool) -> None:
    """What was derived from the data, before anything is decoded."""
    line = None if quiet else reading(plan.base)
    if line is not None:
        logger.info(line)


def opening(sweep: Controller, plan: Plan, resumed: bool) -> None:
    """What is going to run."""
    proposer, allotment = sweep.proposer, sweep.allotment
    if not sweep.settings.quiet:
        done = f", {sweep.progress.done} of them finished before" if resumed else ""
        logger.info(
            f"{on_one_line(str(sweep.folder))}: {sweep.wanted} trials of {plan.spec['method']} on {plan.base.data.name}{done}, "
            f"{allotment.concurrent} at a time with {amount(allotment.cpus, allotment.gpus)} each"
        )
        data([plan])
    if proposer.cut:
        logger.warning(f"the grid is larger than {proposer.limit} trials and will be cut; raise --trials to cover it")


def data(plans: Sequence[Plan]) -> None:
    """What is to be known of the samples that sweeps train on: which were left out or filled, and where the parts are not the
    official ones; once, where several have the same."""
    for line in dict.fromkeys(line for plan in plans for line in told_of_data(plan.spec["data"])):
        logger.warning(line)


def closing(result: SweepResult, seconds: float, left: bool) -> None:
    """What came out.

    Args:
        seconds: how long this driver took.
        left: whether trials are left to be trained.
    """
    counts = ", ".join(f"{count} {state}" for state, count in sorted(result.counts.items()))
    best = result.best
    for line in (*summary(result.rows.values()), *said(result.rows.values())):
        logger.log(CLOSING, line)
    if best is None:
        logger.log(
            CLOSING,
            f"no trial completed ({counts or 'none started'}) in {duration(seconds)}: {on_one_line(str(result.dir))}",
        )
    else:
        score = f"{result.metric} {best['metrics'][result.metric]:.4f}"
        if "mean" in best:
            score = f"{result.metric} {best['mean']:.4f} (mean of {len(best['repeats'])} seeds)"
        elif result.metric in (best.get("stderr") or {}):
            score += f" ± {best['stderr'][result.metric]:.4f}"
        shown = shown_params(best["params"])
        logger.log(CLOSING, f"{counts} in {duration(seconds)}; best #{best['trial']} {score}: {shown}")
    if result.interrupted or left:
        why, place = "interrupted" if result.interrupted else "not finished", on_one_line(str(result.dir))
        logger.log(
            CLOSING,
            f"{why}; `igmsweep resume {place}` goes on, `igmsweep analyze {place}` reads what there is",
        )


def dry_run(plan: Plan, request: SweepRequest, allotment: Allotment) -> None:
    """What would run here, and how long it would take, measured on a few steps, within a minute."""
    for line in preview(plan, request, allotment):
        logger.log(CLOSING, line, extra=BARE)
    try:
        check_sweeps([plan])
        found = estimate(plan.base, within=WITHIN, threads=allotment.threads)
        lines = found.lines(request.trials * (request.folds or 1), allotment.concurrent)
    except (UserError, Diverged) as error:
        lines = [f"no estimate: {error}"]  # without data or weights there is a plan all the same
    for line in lines:
        logger.log(CLOSING, line, extra=BARE)
