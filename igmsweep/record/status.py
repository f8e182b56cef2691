"""How a sweep stands, read from its folder alone: also while it runs, from another terminal or another machine."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from igmsweep.errors import UserError
from igmsweep.record.failures import summary
from igmsweep.record.ledger import FINISHED, Ledger, trial_folder
from igmsweep.record.lock import holder_of
from igmsweep.sweep.progress import duration, shown_params
from igmsweep.sweep.result import best_of


def status(folder: Path) -> dict[str, Any]:
    """What is known of a sweep, as plain data. Raises UserError where there is none."""
    try:
        spec = yaml.safe_load((folder / "sweep.yaml").read_text(encoding="utf-8"))
        metric, mode = spec["metric"]["name"], spec["metric"]["mode"]
    except (OSError, yaml.YAMLError, KeyError, TypeError):
        raise UserError(f"{folder}: no sweep here; expected a folder with sweep.yaml") from None
    ledger = Ledger(folder / "trials.jsonl")
    rows = ledger.rows()
    meta = _json(folder / "meta.json")
    sessions = meta.get("sessions") or [{}]
    wanted = int(sessions[-1].get("trials") or spec["trials"])
    seeds = int(sessions[-1].get("seeds") or spec.get("seeds") or 1)
    wanted += min(int(spec.get("repeat_top") or 0), wanted) * (seeds - 1)
    holder = holder_of(folder)
    if sessions[-1].get("over"):  # a grid may hold fewer configurations than the trials that were asked for
        wanted = len(rows)
    done = [row for row in rows.values() if row.get("state") in FINISHED]
    started = {
        line["trial"]: line.get("time")
        for line in ledger.lines()
        if line.get("state") == "running" and "report" not in line  # a report is a line of its own
    }
    running = []
    for number, row in sorted(rows.items()):
        if row.get("state") == "running" and holder is not None:
            last = _last_line(trial_folder(folder, number) / "metrics.jsonl")
            running.append(
                {
                    "trial": number,
                    "seconds": _since(started.get(number, row.get("time"))),
                    "epoch": last.get("epoch"),
                    metric: last.get(metric),
                    "params": row.get("params", {}),
                }
            )
    best = best_of(rows, metric, mode)
    lasted = _since(sessions[-1].get("started")) if holder is not None else None
    here = sum(_after(row.get("time"), sessions[-1].get("started")) for row in done)
    return {
        "folder": str(folder),
        "state": "running" if holder is not None else "finished" if len(done) >= wanted else "stopped",
        "driver": holder,
        "wanted": wanted,
        "counts": dict(Counter(str(row.get("state")) for row in rows.values())),
        "running": running,
        "best": None
        if best is None
        else {"trial": best["trial"], metric: best.get("mean", best["metrics"][metric]), "params": best["params"]},
        "seconds_left": lasted / here * (wanted - len(done)) if lasted and here >= 2 else None,
        "failures": summary(rows.values()),
        "metric": metric,
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
        best = found["best"]
        text.append(
            f"best #{best['trial']} {found['metric']} {best[found['metric']]:.4f}  {shown_params(best['params'])}"
        )
    text += found["failures"]
    if found["state"] == "stopped":
        text.append(f"`igmsweep resume {found['folder']}` goes on")
    return text


def _since(stamp: Any) -> float:
    try:
        return max(
            0.0, time.time() - datetime.strptime(str(stamp), "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC).timestamp()
        )
    except ValueError:
        return 0.0


def _after(stamp: Any, start: Any) -> bool:
    return str(stamp) >= str(start)  # both are ISO 8601 in UTC


def _json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _last_line(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            file.seek(0, 2)
            file.seek(max(0, file.tell() - 16384))
            tail = file.read().decode(errors="replace").splitlines()
    except OSError:
        return {}
    for line in reversed(tail):
        try:
            found = json.loads(line)
        except ValueError:
            continue
        return found if isinstance(found, dict) else {}
    return {}
