"""A sweep's wall time against its ideal, beside a bare Ray Tune function that does the same trainings.

Ideal: the trainings' own seconds over the trials at a time, rounded up to whole waves of the mean trial. Both sides are
measured in one run, one after the other. Of ours the start, until the first training begins, is told apart: it is paid
once, whatever the number of trials.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import tempfile
import time
from pathlib import Path
from typing import Any

SPACE = "params:\n  method.tau: {type: float, low: 0.1, high: 10.0, log: true}\n"


def bare(config: dict[str, Any]) -> None:
    """What a person would write without igmsweep."""
    from ray import tune

    from igmsweep.train import TrainConfig, train

    result = train(TrainConfig(**config["config"]))
    tune.report({"val/acc": result.metrics["val/acc"], "seconds": result.seconds})


def told(name: str, wall: float, seconds: list[float], waves: int, concurrent: int) -> None:
    """Print wall time against ideal, and what a trial costs beside its training."""
    mean = sum(seconds) / len(seconds)
    ideal = mean * waves
    overhead = (wall - ideal) * concurrent / len(seconds)
    print(f"{name:14s} wall / ideal {wall / ideal:.2f}, overhead {overhead:.1f} s a trial of {mean:.0f} s", flush=True)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=8)
    parser.add_argument("--concurrent", type=int, default=2)
    parser.add_argument("--ours", action="store_true", help="leave the bare function out")
    parser.add_argument("--set", dest="settings", nargs="*", default=["stages.cycles=3", "stages.epochs=1"])
    options = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"
    from igmsweep.sweep import SweepRequest, run_sweep

    overrides = {key: int(value) for key, _, value in (pair.partition("=") for pair in options.settings)}
    with tempfile.TemporaryDirectory() as place:
        (Path(place) / "space.yaml").write_text(SPACE)
        began, started = time.time(), time.perf_counter()
        sweep = run_sweep(
            SweepRequest(
                data="avdigits",
                space=Path(place) / "space.yaml",
                trials=options.trials,
                name="s",
                out=Path(place),
                overrides=overrides,
                max_concurrent=options.concurrent,
                sampler="random",
                quiet=True,
            )
        )
        ours = time.perf_counter() - started
        assert sweep is not None
        seconds = [row["seconds"] for row in sweep.rows.values()]
        first = min(
            (sweep.dir / "trials" / f"{number:05d}" / "result.json").stat().st_mtime - row["seconds"]
            for number, row in sweep.rows.items()
        )
        waves = math.ceil(options.trials / options.concurrent)
        told("igmsweep", ours, seconds, waves, options.concurrent)
        print(f"start {first - began:.1f} s; after it", end=" ")
        told("", ours - (first - began), seconds, waves, options.concurrent)
        if options.ours:
            return
        configs = [json.loads(path.read_text())["config"] for path in sorted(sweep.dir.glob("trials/*/result.json"))]
        import ray
        from ray import tune

        ray.init(address="local", include_dashboard=False, log_to_driver=False, num_cpus=options.concurrent)
        started = time.perf_counter()
        grid = tune.Tuner(
            tune.with_resources(bare, {"cpu": 1}),
            param_space={"config": tune.grid_search(configs)},
            tune_config=tune.TuneConfig(max_concurrent_trials=options.concurrent),
            run_config=tune.RunConfig(storage_path=place, name="bare", verbose=0),
        ).fit()
        theirs = time.perf_counter() - started
        bare_seconds = [result.metrics["seconds"] for result in grid]
        ray.shutdown()
    told("bare Ray Tune", theirs, bare_seconds, waves, options.concurrent)
    print(
        f"overhead, igmsweep / bare: {(ours - sum(seconds) / options.concurrent) / (theirs - sum(bare_seconds) / options.concurrent):.2f}"
    )


if __name__ == "__main__":
    main()
