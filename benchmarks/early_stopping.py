"""What early stopping saves and what the sampler finds, on avdigits over several seeds. Prints Markdown tables.

Three arms with the same space and the same number of trials: TPE without early stopping, TPE with ASHA, and random
search without. One trial at a time without Ray, so that an arm is decided by its seed alone; arms run side by side.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import mean, stdev

ARMS = {
    "TPE": ["--sampler", "tpe"],
    "TPE with ASHA": ["--sampler", "tpe", "--scheduler", "asha", "--grace", "1", "--reduction", "3"],
    "random": ["--sampler", "random"],
}
SPACE = """
params:
  method.tau:       {type: float, low: 0.01, high: 100.0, log: true}
  method.rho.audio: {type: float, low: 1.0e-4, high: 0.5, log: true}
  method.rho.image: {type: float, low: 1.0e-4, high: 0.5, log: true}
  method.scope:     {type: categorical, choices: [none, head, 0.5, 1.0]}
  optim.lr.audio:   {type: float, low: 1.0e-4, high: 0.3, log: true}
  optim.lr.image:   {type: float, low: 1.0e-4, high: 0.3, log: true}
"""


def run(arm: str, seed: int, trials: int, rounds: int, place: Path) -> Path:
    """One sweep; returns its folder."""
    folder = place / f"{arm.replace(' ', '-')}-{seed}"
    command = [
        *(sys.executable, "-m", "igmsweep", "tune", "avdigits", "--space", str(place / "space.yaml"), "--local", "-q"),
        *("--trials", str(trials), "--seed", str(seed), "--name", folder.name, "--out", str(place), *ARMS[arm]),
        *("--set", f"stages.rounds={rounds}", "--set", "stages.epochs=1", "--set", "model.width=8"),
        *("--set", "optim.schedule=none"),
    ]
    subprocess.run(command, check=True, env={**os.environ, "OMP_NUM_THREADS": "1"}, stderr=subprocess.DEVNULL)
    return folder


def outcome(folder: Path) -> tuple[list[float], list[int]]:
    """Best validation accuracy after each trial, and epochs trained after each trial."""
    from igmsweep.sweep.ledger import Ledger

    best, epochs, scores, spent = 0.0, 0, [], []
    for number, row in sorted(Ledger(folder / "trials.jsonl").rows().items()):
        if row["state"] == "complete":
            best = max(best, row["metrics"]["val/acc"])
        metrics = folder / f"trials/{number:05d}/metrics.jsonl"
        epochs += len(metrics.read_text().splitlines()) if metrics.exists() else 0
        scores.append(best)
        spent.append(epochs)
    return scores, spent


def shown(values: list[float]) -> str:
    """Mean and standard deviation in percent."""
    return f"{100 * mean(values):.1f} ± {100 * stdev(values):.1f}" if len(values) > 1 else f"{100 * values[0]:.1f}"


def main() -> None:
    """Run the arms and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=27)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--parallel", type=int, default=2)
    parser.add_argument("--out", type=Path, default=None, help="write the raw figures as JSON")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        (place / "space.yaml").write_text(SPACE)
        jobs = [(arm, seed) for seed in range(options.seeds) for arm in ARMS]
        with ThreadPoolExecutor(options.parallel) as pool:
            folders = list(pool.map(lambda job: run(*job, options.trials, options.rounds, place), jobs))
        found = {job: outcome(folder) for job, folder in zip(jobs, folders, strict=True)}
    seeds = range(options.seeds)
    print(f"avdigits, {options.trials} trials, {options.rounds} cycles each, {options.seeds} seeds\n")
    print("| arm | best val/acc (%) | epochs trained | share of the epochs without stopping |")
    print("|---|---|---|---|")
    for arm in ARMS:
        full = mean(found["TPE", seed][1][-1] for seed in seeds)
        epochs = mean(found[arm, seed][1][-1] for seed in seeds)
        print(f"| {arm} | {shown([found[arm, s][0][-1] for s in seeds])} | {epochs:.0f} | {epochs / full:.2f} |")
    marks = [n for n in (5, 10, 15, 20, 27, 40) if n <= options.trials]
    print("\n| best val/acc (%) after | " + " | ".join(f"{n} trials" for n in marks) + " |")
    print("|---|" + "---|" * len(marks))
    for arm in ("TPE", "random"):
        cells = [shown([found[arm, s][0][n - 1] for s in seeds]) for n in marks]
        print(f"| {arm} | " + " | ".join(cells) + " |")
    wins = sum(found["TPE", s][0][-1] > found["random", s][0][-1] for s in seeds)
    ties = sum(found["TPE", s][0][-1] == found["random", s][0][-1] for s in seeds)
    print(f"\nTPE ends above random search in {wins} of {options.seeds} seeds, equal in {ties}.")
    if options.out:
        raw = {f"{arm}/{seed}": {"best": b, "epochs": e} for (arm, seed), (b, e) in found.items()}
        options.out.write_text(json.dumps(raw))


if __name__ == "__main__":
    main()
