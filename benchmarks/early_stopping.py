"""What early stopping saves and what the sampler finds, on avdigits over several seeds. Prints Markdown tables.

TPE and random search over the same space, each without early stopping, and with ASHA and twice the trials (about the same
epochs). One trial at a time without Ray, so that an arm is decided by its seed alone; arms run side by side.
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
    "random with ASHA": ["--sampler", "random", "--scheduler", "asha", "--grace", "1", "--reduction", "3"],
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


def run(arm: str, seed: int, trials: int, cycles: int, place: Path) -> Path:
    """One sweep; returns its folder."""
    folder = place / f"{arm.replace(' ', '-')}-{seed}"
    command = [
        *(sys.executable, "-m", "igmsweep", "tune", "avdigits", "--space", str(place / "space.yaml"), "--local", "-q"),
        *("--trials", str(trials), "--seed", str(seed), "--name", folder.name, "--out", str(place), *ARMS[arm]),
        *("--set", f"stages.cycles={cycles}", "--set", "stages.epochs=1", "--set", "model.width=8"),
        *("--set", "optim.schedule=none"),
    ]
    subprocess.run(command, check=True, env={**os.environ, "OMP_NUM_THREADS": "1"}, stderr=subprocess.DEVNULL)
    return folder


def outcome(folder: Path) -> tuple[list[float], list[int]]:
    """Best validation accuracy after each trial, and epochs trained after each trial."""
    from igmsweep.record.ledger import Ledger

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


def at_epochs(best: list[float], epochs: list[int], budget: int) -> float:
    """Best score of the trials that had ended when `budget` epochs were spent."""
    return max([score for score, spent in zip(best, epochs, strict=True) if spent <= budget], default=0.0)


def main() -> None:
    """Run the arms that the file of raw figures does not hold yet, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=20, help="of TPE and of random search; with ASHA twice as many")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--cycles", type=int, default=4)
    parser.add_argument("--parallel", type=int, default=2)
    parser.add_argument(
        "--out", type=Path, default=None, help="JSON of raw figures; sweeps that it holds are not run again"
    )
    options = parser.parse_args()
    trials = {arm: options.trials * (2 if "ASHA" in arm else 1) for arm in ARMS}
    jobs = [(arm, seed) for seed in range(options.seeds) for arm in ARMS]
    found = json.loads(options.out.read_text()) if options.out and options.out.exists() else {}
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        (place / "space.yaml").write_text(SPACE)

        def measure(job: tuple[str, int]) -> None:
            best, epochs = outcome(run(*job, trials[job[0]], options.cycles, place))
            found["/".join(map(str, job))] = {"best": best, "epochs": epochs}
            if options.out:
                options.out.write_text(json.dumps(found))

        with ThreadPoolExecutor(options.parallel) as pool:
            list(pool.map(measure, [job for job in jobs if "/".join(map(str, job)) not in found]))
    curves = {arm: [found[f"{arm}/{seed}"] for seed in range(options.seeds)] for arm in ARMS}
    whole = mean(curve["epochs"][-1] for curve in curves["TPE"])
    print(f"avdigits, {options.cycles} cycles a trial, {options.seeds} seeds; best val/acc (%), mean ± s.d.\n")
    marks = sorted({round(share * whole) for share in (0.25, 0.375, 0.5, 0.75, 1.0)})
    print("| after so many epochs of training | " + " | ".join(map(str, marks)) + " |")
    print("|---|" + "---|" * len(marks))
    for arm, own in curves.items():
        print(f"| {arm} | " + " | ".join(shown([at_epochs(**c, budget=mark) for c in own]) for mark in marks) + " |")
    counts = [n for n in (5, 10, 15, 20, 30, 40) if n <= 2 * options.trials]
    print("\n| after so many trials | " + " | ".join(map(str, counts)) + " |")
    print("|---|" + "---|" * len(counts))
    for arm, own in curves.items():
        cells = [shown([c["best"][n - 1] for c in own]) if n <= trials[arm] else "" for n in counts]
        print(f"| {arm} | " + " | ".join(cells) + " |")
    print()
    for sampler in ("TPE", "random"):
        asha = curves[f"{sampler} with ASHA"]
        same = mean(curve["epochs"][options.trials - 1] for curve in asha) / whole
        gain = [a["best"][options.trials - 1] - p["best"][-1] for a, p in zip(asha, curves[sampler], strict=True)]
        print(f"{sampler}: ASHA trains the first {options.trials} trials in {same:.2f} of the epochs; their best score "
              f"changes by {shown(gain)} points.")  # fmt: skip
    ends = [(a["best"][-1], b["best"][-1]) for a, b in zip(curves["TPE"], curves["random"], strict=True)]
    print(f"TPE ends above random search in {sum(a > b for a, b in ends)} of {len(ends)} seeds, "
          f"equal in {sum(a == b for a, b in ends)}.")  # fmt: skip


if __name__ == "__main__":
    main()
