"""A sweep's wall time against the ideal: the sum of its trainings over how many run at a time.

The trainings' own seconds are those each trial measured inside the sweep, so that what the machine loses by running
several at a time is not counted as overhead. Prints ratios.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

from igmsweep.sweep import SweepRequest, run_sweep


def main() -> None:
    """Run one sweep and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=8)
    parser.add_argument("folder", nargs="?", type=Path, help="a finished sweep to read instead of running one")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = arguments.folder
        if folder is None:
            result = run_sweep(SweepRequest(data="avdigits", trials=arguments.trials, out=Path(scratch), name="s"))
            assert result is not None
            folder = result.dir
        meta = json.loads((folder / "meta.json").read_text())
        seconds = [json.loads(path.read_text())["seconds"] for path in folder.glob("trials/*/result.json")]
    import yaml

    at_a_time = (
        yaml.safe_load((arguments.folder / "sweep.yaml").read_text())["resources"]["max_concurrent"]
        if arguments.folder
        else _concurrent()
    )
    ideal = sum(seconds) / at_a_time
    print(f"{len(seconds)} trainings, {at_a_time} at a time")
    print(f"wall time / ideal: {meta['wall_seconds'] / ideal:.2f}")


def _concurrent() -> int:
    from igmsweep.sweep.resources import allot, this_machine

    return allot(this_machine(), 1, None, None).concurrent


if __name__ == "__main__":
    main()
