"""Kill a sweep's driver with SIGKILL at random times, resume it, and compare with the sweep that was left alone.

    python tests/kill_and_resume.py --kills 20 --trials 24 --runner ray --scheduler asha

Real trainings of IGM on avdigits, made small. For every kill: all trials are there, none that had finished was trained
again, and (one trial at a time) configurations, stopped trials and scores are those of the uninterrupted sweep.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

SPACE = """
params:
  method.tau:       {type: float, low: 0.01, high: 100.0, log: true}
  method.sam:       {type: categorical, choices: [true, false]}
  method.rho.audio: {type: float, low: 1.0e-15, high: 0.5, log: true, when: {method.sam: true}}
  optim.lr.audio:   {type: float, low: 0.001, high: 0.1, log: true}
enqueue: [paper]
"""
SMALL = {"stages.cycles": 2, "stages.epochs": 1, "model.width": 4, "optim.batch_size": 8, "optim.schedule": "none"}


def command(folder: Path, space: Path, data: Path, options: argparse.Namespace, resume: bool) -> list[str]:
    """`tune` for the first driver, `resume` for the second."""
    start = [sys.executable, "-m", "igmsweep"]
    if resume:
        return [*start, "resume", str(folder), "--max-concurrent", str(options.concurrent), "-q"]
    settings = {**SMALL, "data.root": data, "data.cache": data.parent / "cache"}
    return [
        *(*start, "tune", "avdigits", "--space", str(space), "--trials", str(options.trials), "--name", folder.name),
        *("--out", str(folder.parent), "--scheduler", options.scheduler, "--reduction", "2", "-q"),
        *("--max-concurrent", str(options.concurrent), *(["--local"] if options.runner == "local" else [])),
        *(part for key, value in settings.items() for part in ("--set", f"{key}={value}")),
    ]


def outcome(folder: Path) -> dict[int, tuple[Any, ...]]:
    """Per trial: parameters, state, score and the cycle where it was stopped."""
    from igmsweep.record.ledger import Ledger

    rows = Ledger(folder / "trials.jsonl").rows()
    return {
        number: (json.dumps(row["params"]), row["state"], (row.get("metrics") or {}).get("val/acc"), row.get("rung"))
        for number, row in rows.items()
    }


def trained_again(folder: Path) -> list[int]:
    """Trials that the ledger starts after it has finished them."""
    from igmsweep.record.ledger import Ledger
    from igmsweep.record.states import FINISHED

    finished: set[int] = set()
    again = []
    for line in Ledger(folder / "trials.jsonl").lines():
        if line["state"] in FINISHED:
            if line["trial"] in finished:
                again.append(line["trial"])
            finished.add(line["trial"])
        elif line["trial"] in finished:
            again.append(line["trial"])
    return again


def results(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Every result.json, with its time of writing."""
    return {
        path.parent.name: (path.stat().st_mtime_ns, path.read_bytes()) for path in folder.glob("trials/*/result.json")
    }


def kill_once(folder: Path, space: Path, data: Path, options: argparse.Namespace, after: float | None, rng: Any) -> int:
    """Start, kill after some seconds (None: once a random number of trials has started), resume. Returns trials kept."""
    process = subprocess.Popen(
        command(folder, space, data, options, resume=False), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    ledger = folder / "trials.jsonl"
    lines = rng.randrange(1, 2 * options.trials)
    deadline = time.monotonic() + 900
    while process.poll() is None and time.monotonic() < deadline:
        if after is None and ledger.exists() and ledger.read_bytes().count(b"\n") >= lines:
            time.sleep(rng.random())
            break
        if after is not None:
            time.sleep(after)
            break
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    while not (folder / "sweep.yaml").exists():  # killed before there was a sweep: nothing to resume
        return kill_once(folder, space, data, options, None, rng)
    before = results(folder)
    done = subprocess.run(command(folder, space, data, options, resume=True), capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"resume failed with {done.returncode}: {done.stderr[-2000:]}")
    after_all = results(folder)
    changed = [name for name, content in before.items() if after_all.get(name) != content]
    if changed:
        raise SystemExit(f"{folder}: result.json of finished trials was written again: {changed}")
    return len(before)


def check(folder: Path, whole: Path, options: argparse.Namespace) -> list[str]:
    """What is wrong with a resumed sweep; empty when nothing is."""
    found, expected = outcome(folder), outcome(whole)
    wrong = []
    if sorted(found) != list(range(options.trials)):
        wrong.append(f"trials {sorted(found)}")
    if again := trained_again(folder):
        wrong.append(f"trained again: {again}")
    unfinished = [number for number, row in found.items() if row[1] not in ("complete", "pruned", "failed")]
    if unfinished:
        wrong.append(f"unfinished: {unfinished}")
    if options.concurrent == 1:
        different = [number for number in expected if found.get(number) != expected[number]]
        if different:
            number = different[0]
            wrong.append(f"differ from the uninterrupted sweep: {different}, {found.get(number)} {expected[number]}")
    return wrong


def main() -> None:
    """Run and print a line a kill; exit 1 when anything is wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--trials", type=int, default=24)
    parser.add_argument("--concurrent", type=int, default=1)
    parser.add_argument("--runner", choices=["ray", "local"], default="ray")
    parser.add_argument("--scheduler", choices=["none", "asha", "median"], default="none")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    rng = random.Random(options.seed)
    with tempfile.TemporaryDirectory() as place:
        from igmsweep.data.avdigits import make

        root = Path(place)
        make(root / "avdigits", counts=(160, 90, 10))
        (root / "space.yaml").write_text(SPACE)
        started = time.monotonic()
        subprocess.run(
            command(root / "whole", root / "space.yaml", root / "avdigits", options, resume=False),
            check=True,
            capture_output=True,
        )
        lasted = time.monotonic() - started
        states = [row[1] for row in outcome(root / "whole").values()]
        print(
            f"uninterrupted: {lasted:.0f} s, {', '.join(f'{states.count(s)} {s}' for s in sorted(set(states)))}",
            flush=True,
        )
        failures = 0
        for number in range(options.kills):
            after = rng.uniform(2.0, lasted)
            folder = root / f"killed{number}"
            kept = kill_once(folder, root / "space.yaml", root / "avdigits", options, after, rng)
            wrong = check(folder, root / "whole", options)
            failures += bool(wrong)
            print(
                f"kill {number + 1} after {after:.1f} s: {kept} results kept; {'; '.join(wrong) or 'as it should be'}",
                flush=True,
            )
        print(f"{options.kills - failures} of {options.kills} kills survived")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
