"""What looking at a folder costs: seconds of `analyze` of 10,000 trials and of `resume` of 1,000 that are all complete, of two checkouts in turn.

    git worktree add ../before COMMIT
    python benchmarks/reading_cost.py --code ../before

CPU seconds of whole processes, the smallest of `--runs`; Python and the libraries are loaded in them.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent.parent
TRAINED = """
import sys
sys.path.insert(0, {tests!r})
from pathlib import Path
from igmsweep.sweep import SweepRequest, run_sweep, trial
trial.TRAINABLE = {trainable!r}
Path({out!r}, "cache").mkdir()
places = {{"data.cache": str(Path({out!r}, "cache"))}}
run_sweep(
    SweepRequest("avdigits", trials={trials}, name="s", out=Path({out!r}), sampler="random", local=True, quiet=True, overrides=places)
)
"""


def cpu(command: list[str], code: Path) -> float:
    """CPU seconds of a command that imports igmsweep from a checkout."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        command, env={**os.environ, "PYTHONPATH": str(code), "OMP_NUM_THREADS": "1"}, capture_output=True, text=True
    )
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}: {done.stderr[-2000:]}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--code", type=Path, required=True, help="the other checkout")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--trials", type=int, default=10_000, help="of analyze; a tenth of them for resume")
    given = parser.parse_args()
    sys.path.insert(0, str(HERE / "tests"))
    from fake_sweep import write_sweep

    with tempfile.TemporaryDirectory() as place:
        large = write_sweep(Path(place), "large", n=given.trials, failed=100, sampler="random")
        code = TRAINED.format(
            tests=str(HERE / "tests"),
            trainable=f"{HERE / 'tests' / 'trainables.py'}:cycles",
            trials=given.trials // 10,
            out=place,
        )
        cpu([sys.executable, "-c", code], HERE)
        igmsweep = [sys.executable, "-m", "igmsweep"]
        commands = {
            f"analyze of {given.trials:,}": [
                *igmsweep,
                "analyze",
                str(large),
                "--out",
                f"{place}/out",
                "--format",
                "html,csv",
            ],
            f"resume of {given.trials // 10:,}": [*igmsweep, "resume", f"{place}/s", "--local", "--quiet"],
        }
        for name, command in commands.items():
            seconds: dict[Path, list[float]] = {HERE: [], given.code.resolve(): []}
            for _ in range(given.runs):
                for checkout, found in seconds.items():
                    found.append(cpu(command, checkout))
            here, other = (min(found) for found in seconds.values())
            print(f"{name}: {here:.2f} s here, {other:.2f} s there, ratio {here / other:.2f}", flush=True)


if __name__ == "__main__":
    main()
