"""A long sweep of a trivial objective: the driver's memory and seconds per trial as trials add up.

The objective is a test's trainable that trains nothing, so that what is measured is the driver, the ledger, Optuna and
Ray alone. Prints the figures of the window before each mark, and the ratio of the last window to the first.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

from igmsweep.sweep import SweepRequest, run_sweep, trial
from igmsweep.sweep.controller import Controller

TRAINABLES = Path(__file__).parent.parent / "tests" / "trainables.py"
SPACE = """
params:
  method.tau:     {type: float, low: 0.01, high: 40.0, log: true}
  optim.lr.audio: {type: float, low: 0.001, high: 0.08}
"""


def resident() -> float:
    """MiB of this process."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 2**20


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=2000)
    parser.add_argument("--sampler", default="tpe")
    parser.add_argument("--local", action="store_true")
    options = parser.parse_args()
    marks = [mark for mark in (100, 1000, 2000, 5000, 10000) if mark <= options.trials]
    seen: dict[int, tuple[float, float]] = {}
    ended = Controller.ended
    done = 0

    def counting(self: Controller, *arguments: str) -> None:
        nonlocal done
        ended(self, *arguments)  # type: ignore[arg-type]
        done += 1
        if done in marks or done + 50 in marks:
            seen[done] = (time.perf_counter(), resident())

    trial.TRAINABLE = f"{TRAINABLES}:quick"
    Controller.ended = counting  # type: ignore[method-assign,assignment]
    with tempfile.TemporaryDirectory() as place:
        (Path(place) / "space.yaml").write_text(SPACE)
        run_sweep(
            SweepRequest(
                data="avdigits",
                space=Path(place) / "space.yaml",
                trials=options.trials,
                name="s",
                out=Path(place),
                sampler=options.sampler,
                local=options.local,
                quiet=True,
            )
        )
        size = (Path(place) / "s" / "trials.jsonl").stat().st_size
    rates = {}
    for mark in marks:
        (before, _), (after, memory) = seen[mark - 50], seen[mark]
        rates[mark] = (after - before) / 50
        print(f"at {mark:5d} trials: {rates[mark]:.3f} s a trial, driver {memory:.0f} MiB", flush=True)
    print(
        f"ledger {size / options.trials / 1024:.1f} KiB a trial; last / first rate {rates[marks[-1]] / rates[marks[0]]:.2f}"
    )
    growth = (seen[marks[-1]][1] - seen[marks[0]][1]) / (marks[-1] - marks[0])
    print(f"memory grows by {1024 * growth:.0f} KiB a trial")


if __name__ == "__main__":
    main()
