"""`igmsweep --help` against `python -c "import typer"`, interleaved, minimum of ten. Prints the ratio."""

from __future__ import annotations

import subprocess
import sys
import time


def clock(command: list[str]) -> float:
    """Seconds of one run."""
    started = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - started


def main() -> None:
    """Measure and print."""
    commands = {
        "help": [sys.executable, "-m", "igmsweep", "--help"],
        "typer": [sys.executable, "-c", "import typer"],
        "python": [sys.executable, "-c", "pass"],
    }
    best = dict.fromkeys(commands, float("inf"))
    for _ in range(10):
        for name, command in commands.items():
            best[name] = min(best[name], clock(command))
    print(f"igmsweep --help / import typer: {best['help'] / best['typer']:.2f} x   ({best['help']:.2f} s here)")
    print(f"igmsweep --help / bare python:  {best['help'] / best['python']:.2f} x")


if __name__ == "__main__":
    main()
