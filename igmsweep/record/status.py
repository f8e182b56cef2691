"""How a sweep stands, read from its folder alone: also while it runs, from another terminal or another machine."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from igmsweep.errors import UserError
from igmsweep.gate.numbers import whole
from igmsweep.record.failures import summary
from igmsweep.record.folder import SweepFolder
from igmsweep.record.json_files import last_line
from igmsweep.record.lock import holder_of
from igmsweep.record.paths import METRICS, SPEC, trial_folder
from igmsweep.record.ranking import best
from igmsweep.record.rows import TrialRow
from igmsweep.record.stamps import seconds_since
from igmsweep.record.states import State
from igmsweep.record.wording import duration, shown_params


def status(folder: Path) -> dict[str, Any]:
    """What is known of a sweep, as plain data. Raises UserError where there is none."""
    try:
        sweep = SweepFolder.read(folder)
    except UserError:
        raise UserError(f"{folder}: no sweep here; expected a folder with {SPEC}") from None
    metric = sweep.metric
    session = sweep.sessions[-1] if sweep.sessions else {}
    holder = holder_of(folder)
    done = [row for row in sweep.rows.values() if row.finished]
    wanted = _wanted(sweep, session)
    running = [] if holder is None else [row for row in sweep.rows.values() if row.state is State.RUNNING]
    winner = best(sweep.rows, metric, sweep.mode)
    # both are ISO 8601 in UTC
    here = sum(row.time >= str(session.get("started")) for row in done)
    lasted = seconds_since(session.get("started")) if holder is not None else None
    return {
        "folder": str(folder),
        "state": "running" if holder is not None else "finished" if len(done) >= wanted else "stopped",
        "driver": holder,
        "wanted": wanted,
        "counts": dict(Counter(str(row.state) for row in sweep.rows.values())),
        "running": [_running(sweep, row, metric) for row in running],
        "best": None
        if winner is None
        else {"trial": winner.trial, metric: winner.mean, "params": dict(sweep.rows[winner.trial].params)},
        "seconds_left": lasted / here * (wanted - len(done)) if lasted and here >= 2 else None,
        "failures": summary(sweep.rows.values()),
        "metric": metric,
        "notes": list(sweep.notes),
    }


def lines(found: Mapping[str, Any]) -> list[str]:
    """The same for a person."""
    counts = ", ".join(f"{count} {state}" for state, count in sorted(found["counts"].items())) or "no trial yet"
    left = found["seconds_left"]
    text = [
        f"{found['folder']}: {found['state']}, {counts}, of {found['wanted']} trials"
        + (f", about {duration(left)} left" if left is not None and found["state"] == "running" else "")
    ]
    if found["driver"]:
        text.append(f"driven by process {found['driver'].get('pid')} on {found['driver'].get('host')}")
    for row in found["running"]:
        score = row.get(found["metric"])
        shown = "" if score is None else f" {found['metric']} {score:.4f}"
        text.append(
            f"#{row['trial']} for {duration(row['seconds'])}, epoch {row['epoch'] or 0}{shown}  {shown_params(row['params'])}"
        )
    if found["best"]:
        winner = found["best"]
        score = winner[found["metric"]]
        text.append(f"best #{winner['trial']} {found['metric']} {score:.4f}  {shown_params(winner['params'])}")
    text += found["failures"]
    text += found["notes"]
    if found["state"] == "stopped":
        text.append(f"`igmsweep resume {found['folder']}` goes on")
    return text


def _wanted(sweep: SweepFolder, session: Mapping[str, Any]) -> int:
    """Trials in all, repeated trainings counted in, as the last driver had it."""
    if session.get("over"):  # a grid may hold fewer configurations than the trials that were asked for
        return len(sweep.rows)
    proposed = whole(session.get("trials")) or whole(sweep.spec.get("trials")) or len(sweep.rows)
    seeds = whole(session.get("seeds")) or whole(sweep.spec.get("seeds")) or 1
    return proposed + min(whole(sweep.spec.get("repeat_top")) or 0, proposed) * (seeds - 1)


def _running(sweep: SweepFolder, row: TrialRow, metric: str) -> dict[str, Any]:
    last = last_line(trial_folder(sweep.path, row.trial) / METRICS)
    return {
        "trial": row.trial,
        "seconds": seconds_since(row.started or row.time),
        "epoch": last.get("epoch"),
        metric: last.get(metric),
        "params": dict(row.params),
    }
