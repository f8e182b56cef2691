"""What early stopping would have saved: ASHA replayed on the scores at the ends of cycles."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from igmsweep.analysis.checkup.advice import Advice, tune_command
from igmsweep.analysis.names import duration
from igmsweep.analysis.ranking import winner
from igmsweep.frame import Sweep
from igmsweep.record.stopping import Asha

SAVED = 0.2
"""Share of the training below which early stopping is not worth its risk."""
KEPT = 3
"""The best trials that must all live through it: the winner alone may do so by luck."""
FEWEST = 20


@dataclass(frozen=True)
class Replay:
    """`saved`: share of all cycles trained that the rule would not have trained. `stopped`: trials that it would have stopped."""

    saved: float
    stopped: frozenset[int]


def replay(
    rungs: dict[int, dict[int, float]], cycles: int, maximise: bool, grace: int = 1, reduction: int = 3
) -> Replay:
    """ASHA on finished trials, one after the other in the order of their numbers.

    Args:
        rungs: trial -> cycle -> score at its end, of trials with all `cycles`.
    """
    rule = Asha(cycles, grace, reduction, "max" if maximise else "min")
    trained, stopped = 0, set()
    for trial in sorted(rungs):
        at = next((cycle for cycle in range(1, cycles) if rule.report(trial, cycle, rungs[trial][cycle])), cycles)
        trained += at
        if at < cycles:
            stopped.add(trial)
    return Replay(1 - trained / (cycles * len(rungs)), frozenset(stopped))


def asha_would_save(sweep: Sweep) -> Advice | None:
    """Of a sweep without early stopping: a saving that is worth it, if the best trials live through it. Of one with ASHA: the
    winner was not among the best third at a rung, all scores of it known, so that coming early saved it."""
    settings = sweep.spec.get("stopping")
    settings = settings if isinstance(settings, dict) else {}
    cycles = settings.get("cycles")
    done = sweep.completed()
    if not isinstance(cycles, int) or cycles < 2 or len(done) < FEWEST:
        return None
    scheduler = str(sweep.spec.get("scheduler") or "none")
    if scheduler == "asha":
        return _lucky_winner(sweep, settings)
    whole = {
        int(trial): dict(sweep.rungs.get(int(trial), {}))
        for trial in done["trial"]
        if all(cycle in sweep.rungs.get(int(trial), {}) for cycle in range(1, cycles))
    }
    if scheduler != "none" or len(whole) < FEWEST:
        return None
    found = replay(whole, cycles, sweep.maximise)
    if found.saved < SAVED or found.stopped & {winner(sweep), *done["trial"].head(KEPT).astype(int)}:
        return None
    seconds = found.saved * float(sweep.trials["seconds"].sum())
    seen = (
        f"ASHA would have stopped {len(found.stopped)} of {len(whole)} trials early and saved {100 * found.saved:.0f} % of the "
        f"training ({duration(seconds)}), and the best {KEPT} would have lived through it."
    )
    return Advice("time", seen, "Search with it next time:", tune_command(sweep, ("--scheduler", "asha")))


def _lucky_winner(sweep: Sweep, settings: dict[str, Any]) -> Advice | None:
    best, cycles = winner(sweep), int(settings["cycles"])
    rule = Asha(cycles, int(settings.get("grace") or 1), int(settings.get("reduction") or 3))
    sign = 1 if sweep.maximise else -1
    for cycle in rule.rungs:
        scores = sorted((sign * row[cycle] for row in sweep.rungs.values() if cycle in row), reverse=True)
        own = sweep.rungs.get(best, {}).get(cycle)
        if own is None or len(scores) < FEWEST:
            continue
        place = 1 + sum(score > sign * own for score in scores)
        if place > len(scores) // rule.reduction:
            seen = (
                f"The best trial, {best}, was only {place} of {len(scores)} after cycle {cycle}: ASHA kept it because few had come "
                "before it, and has stopped others that stood better."
            )
            grace = next((rung for rung in range(cycle + 1, cycles)), None)
            do = "Stop later:" if grace is not None else "Search without early stopping:"
            options = [("--scheduler", "none")] if grace is None else [("--scheduler", "asha"), ("--grace", str(grace))]
            return Advice("time", seen, do, tune_command(sweep, *options))
    return None
