"""What a training costs beside its own time: in one sweep, in a study of several arms, and in a sweep for every arm.

All three do the same trainings, a few of each configuration, in one run, in turn, `--repeats` times. Told are medians of
seconds a training beyond its own, (wall x concurrent - trainings) / trainings, and how many processes trained.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from igmsweep.studies.base import Arm, Outcome, Study
from igmsweep.studies.request import StudyRequest
from igmsweep.studies.run import arm_request
from igmsweep.sweep import SweepRequest, run_sweeps

RATES = (0.005, 0.01, 0.015, 0.02, 0.025, 0.03)


def requests(out: Path, arms: list[Arm], given: argparse.Namespace) -> list[SweepRequest]:
    """The sweeps of a study with these arms."""
    study = Study("overhead", "", "", lambda setting: arms, lambda found: Outcome())
    asked = StudyRequest(
        "overhead",
        "avdigits",
        given.seeds,
        out=out,
        overrides={"stages.cycles": 1, "stages.epochs": given.epochs},
        options={"max_concurrent": given.concurrent},
    )
    return [arm_request(asked, study, arm) for arm in arms]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--concurrent", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=3)
    given = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"
    whole = [Arm("whole", [{"optim.lr.audio": rate} for rate in RATES])]
    apart = [Arm(f"arm{number}", [{"optim.lr.audio": rate}]) for number, rate in enumerate(RATES)]
    ways: dict[str, Callable[[Path], list[list[SweepRequest]]]] = {
        "one sweep": lambda out: [requests(out, whole, given)],
        f"a study of {len(RATES)} arms": lambda out: [requests(out, apart, given)],
        f"{len(RATES)} sweeps, one after the other": lambda out: [[each] for each in requests(out, apart, given)],
    }
    beyond: dict[str, list[float]] = {name: [] for name in ways}
    workers: dict[str, list[int]] = {name: [] for name in ways}
    with tempfile.TemporaryDirectory() as place:
        for repeat in range(-1, given.repeats):  # the first one fills the data cache and warms up
            for number, (name, way) in enumerate(ways.items()):
                seconds: list[float] = []
                started, processes = time.perf_counter(), set()
                for group in way(Path(place) / f"{repeat}-{number}"):
                    for result in run_sweeps(group, lambda sweeps: None):
                        seconds += [row["seconds"] for row in result.rows.values()]
                        processes |= {
                            json.loads(path.read_text())["pid"] for path in result.dir.glob("trials/*/worker.json")
                        }
                wall = time.perf_counter() - started
                if repeat >= 0:
                    beyond[name].append((wall * given.concurrent - sum(seconds)) / len(seconds))
                    workers[name].append(len(processes))
                    print(f"{name}: {beyond[name][-1]:.2f} s, {len(processes)} processes", flush=True)
    base = statistics.median(beyond["one sweep"])
    for name, each in beyond.items():
        middle = statistics.median(each)
        print(f"{name}: {middle:.2f} s a training beyond its own, {middle / base:.2f} of one sweep's; {statistics.median(workers[name])} processes")  # fmt: skip


if __name__ == "__main__":
    main()
