"""How often each rule of the check-up speaks: on healthy sweeps, where it should be silent, and where a problem was planted.

python benchmarks/simulated_sweeps/checkup.py [seeds [case ...]]
"""

from __future__ import annotations

import math
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests"))

from fake_sweep import HEALTHY, NEAR, noise_only, respond, settled, slow, write_sweep

from igmsweep.analysis.checkup import RULES
from igmsweep.frame import read_sweep


def at_the_top(params: dict[str, Any], noise: float) -> float:
    """Better the larger the audio learning rate is, to the end of its range."""
    return float(np.clip(0.85 + 0.04 * math.log10(params["optim.lr.audio"] / 1e-2) + noise, 0, 1))


def half_plateau(params: dict[str, Any], noise: float) -> float:
    """Flat over the upper half of the audio learning rate's range: its end is no edge."""
    return float(np.clip(0.9 + 0.1 * min(0.0, math.log10(params["optim.lr.audio"] / 3e-3)) + noise, 0, 1))


def steep(params: dict[str, Any], noise: float) -> float:
    """A narrow peak in both learning rates: random search is far from it after two dozen trials."""
    away = math.hypot(*(math.log10(params[f"optim.lr.{name}"] / 3e-3) for name in ("audio", "image")))
    return float(np.clip(0.9 - 0.25 * away + noise, 0, 1))


def restless(epochs: np.ndarray, acc: float, generator: np.random.Generator) -> dict[str, np.ndarray]:
    """Settled curves with the noise of a thousand validation samples on scores and losses."""
    rows = settled(epochs, acc, generator)
    rows["val/acc"][:-1] += generator.normal(0, 0.007, len(epochs) - 1)
    return {
        name: values + (name != "val/acc") * generator.normal(0, 0.02, len(epochs)) for name, values in rows.items()
    }


def overfit(epochs: np.ndarray, acc: float, generator: np.random.Generator) -> dict[str, np.ndarray]:
    """The validation loss turns round after two thirds."""
    rows = settled(epochs, acc, generator)
    return {**rows, "val/loss": rows["val/loss"] + 0.05 * np.maximum(0, epochs - 12)}


def swinging(epochs: np.ndarray, acc: float, generator: np.random.Generator) -> dict[str, np.ndarray]:
    """Three points up and down from epoch to epoch."""
    rows = settled(epochs, acc, generator)
    rows["val/acc"][:-1] = np.clip(rows["val/acc"][:-1] + generator.normal(0, 0.03, len(epochs) - 1), 0, 1)
    return rows


def late_jump(epochs: np.ndarray, acc: float, generator: np.random.Generator) -> dict[str, np.ndarray]:
    """The best trials stand at 0.75 until their last epoch."""
    rows = settled(epochs, acc, generator)
    if acc > 0.985:
        rows["val/acc"][:-1] = np.minimum(rows["val/acc"][:-1], 0.75)
    return rows


def jumps(params: dict[str, Any], noise: float) -> float:
    """One configuration in thirty comes out far ahead."""
    return 0.99 if abs(noise) > 2 * 0.005 else respond(params, noise)


CASES: dict[str, dict[str, Any]] = {
    "healthy, random, 64 trials": {"n": 64, "sampler": "random"},
    "healthy, random, 200 trials": {"n": 200, "sampler": "random"},
    "healthy, tpe, 64 trials": {"n": 64, "sampler": "tpe"},
    "healthy, restless curves": {"n": 64, "sampler": "random", "curve": restless},
    "nothing matters": {"n": 64, "sampler": "random", "response": noise_only, "noise": 0.002},
    "half a plateau": {"n": 64, "sampler": "random", "response": half_plateau},
    "best at an edge": {"n": 64, "sampler": "random", "response": at_the_top},
    "still improving": {"n": 64, "curve": slow},
    "overfitting": {"n": 64, "curve": overfit},
    "swings": {"n": 64, "curve": swinging},
    "last epoch": {"n": 64, "curve": late_jump, "response": jumps},
    "failures in a region": {"n": 64, "sampler": "random", "fails": lambda params: params["optim.lr.audio"] > 0.04},
    "failures everywhere": {"n": 64, "failed": 9},
    "a modality at chance": {"n": 64, "alone": {"audio": 0.99, "image": 0.11}},
    "fusion adds nothing": {"n": 64, "alone": {"audio": 1.01, "image": 0.75}},
    "few validation samples": {"n": 64, "val": 180, "paper": NEAR},
    "few validation samples, paired": {"n": 64, "val": 180, "paper": NEAR, "correlation": 0.9},
    "not converged": {"n": 24, "sampler": "random", "response": steep},
    "no early stopping": {"n": 64, "scheduler": "none"},
}


def main(seeds: int, cases: Sequence[str]) -> None:
    names = [rule.__name__ for rule in RULES]
    print("| case | " + " | ".join(names) + " |\n|---|" + "---:|" * len(names))
    for case in cases or CASES:
        options = CASES[case]
        spoke: Counter[str] = Counter()
        for seed in range(seeds):
            with tempfile.TemporaryDirectory() as place:
                sweep = read_sweep(write_sweep(Path(place), seed=seed, **{**HEALTHY, **options}))
                spoke.update(rule.__name__ for rule in RULES if rule(sweep) is not None)
        print(f"| {case} | " + " | ".join(f"{100 * spoke[name] / seeds:.0f} %" for name in names) + " |", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100, sys.argv[2:])
