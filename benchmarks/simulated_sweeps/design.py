"""Sweeps of IGM's conditional space whose true response is known, searched by the real samplers.

The true accuracy of a configuration is a response of `RESPONSES`; a training's is that plus `NOISE` times a normal variable; what
a sweep sees of it are the validation samples that it gets right (`samples.py`). Everything follows from the seed.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import ndtri

from benchmarks.simulated_sweeps.samples import CONFIGURATION, SHARED, predictions
from igmsweep.frame import Sweep
from igmsweep.metrics import classification_metrics
from igmsweep.record.predictions import Predictions

SPACE: dict[str, dict[str, Any]] = {
    "optim.lr.image": {"type": "float", "low": 1e-4, "high": 1e-1, "log": True},
    "optim.lr.audio": {"type": "float", "low": 1e-4, "high": 1e-1, "log": True},
    "method.scope": {"type": "categorical", "choices": ["none", "head", "1.0"]},
    "method.tau": {"type": "float", "low": 1e-3, "high": 1e2, "log": True, "when": {"method.scope": {"not": "none"}}},
    "method.sam": {"type": "categorical", "choices": [True, False]},
    "method.rho": {"type": "float", "low": 1e-4, "high": 1.0, "log": True, "when": {"method.sam": True}},
}
CLASSES = 10
NOISE = 0.01
"""Standard deviation of a training's true accuracy over seeds."""


def unit(path: str, value: float) -> float:
    """Where a number lies in its range, from 0 to 1 on the scale of the space."""
    low, high = SPACE[path]["low"], SPACE[path]["high"]
    return float(np.log(value / low) / np.log(high / low))


def _lr(params: Mapping[str, Any], modality: str) -> float:
    return unit(f"optim.lr.{modality}", params[f"optim.lr.{modality}"])


def flat(params: Mapping[str, Any]) -> float:
    """Nothing matters."""
    return 0.92


def one(params: Mapping[str, Any]) -> float:
    """A parabola in one learning rate: ten points at its far end."""
    return 0.92 - 0.278 * (_lr(params, "image") - 0.6) ** 2


def two(params: Mapping[str, Any]) -> float:
    """Two parabolas, the second half as strong."""
    return one(params) - 0.139 * (_lr(params, "audio") - 0.4) ** 2


def mixed(params: Mapping[str, Any]) -> float:
    """A learning rate, a choice, and tau where it acts; sam, rho and the other rate do nothing."""
    found = one(params) - (0.03 if params["method.scope"] == "none" else 0.0)
    if "method.tau" in params:
        found -= 0.08 * (unit("method.tau", params["method.tau"]) - 0.5) ** 2
    return found


def hopeless(params: Mapping[str, Any]) -> float:
    """As `mixed`, but in the upper fifth of a rate's range every training ends at chance."""
    return 0.1 if _lr(params, "audio") > 0.8 else mixed(params)


def interaction(params: Mapping[str, Any]) -> float:
    """A ridge: the two rates must fit together."""
    return 0.92 - 0.25 * (_lr(params, "image") - _lr(params, "audio")) ** 2


def cliffs(height: float) -> Callable[[Mapping[str, Any]], float]:
    """A plateau of two decades of one rate's range (a third at each side lies `height` below, beyond a steep cliff)."""

    def response(params: Mapping[str, Any]) -> float:
        outside = max(0.0, abs(_lr(params, "image") - 0.5) - 1 / 3)
        return 0.92 - height * min(1.0, outside / 0.05)

    return response


RESPONSES: dict[str, Callable[[Mapping[str, Any]], float]] = {
    "flat": flat, "one": one, "two": two, "mixed": mixed, "hopeless": hopeless, "interaction": interaction,
    "cliff3": cliffs(0.03), "cliff10": cliffs(0.10),
}  # fmt: skip
MATTERS: dict[str, tuple[str, ...]] = {
    "flat": (),
    "one": ("optim.lr.image",),
    "two": ("optim.lr.image", "optim.lr.audio"),
    "mixed": ("optim.lr.image", "method.scope", "method.tau"),
    "hopeless": ("optim.lr.image", "method.scope", "method.tau", "optim.lr.audio"),
    "interaction": ("optim.lr.image", "optim.lr.audio"),
    "cliff3": ("optim.lr.image",),
    "cliff10": ("optim.lr.image",),
}


class Validation:
    """One drawing of validation samples, and what trainings get right of it."""

    def __init__(self, samples: int, generator: np.random.Generator) -> None:
        self.hardness, self.generator = generator.standard_normal(samples), generator
        self._own: dict[int, np.ndarray] = {}

    def right(self, accuracy: float, configuration: int) -> np.ndarray:
        """(samples,) bool, of a new training of a configuration."""
        n = len(self.hardness)
        own = self._own.setdefault(configuration, self.generator.standard_normal(n))
        rest = np.sqrt(1 - SHARED - CONFIGURATION) * self.generator.standard_normal(n)
        latent = np.sqrt(SHARED) * self.hardness + np.sqrt(CONFIGURATION) * own + rest
        return np.asarray(latent < ndtri(np.clip(accuracy, 1e-6, 1 - 1e-6)))


@dataclass(frozen=True, eq=False)
class Simulated(Sweep):
    """A sweep with its truth: `truth` maps trial to the true accuracy of its configuration."""

    truth: Mapping[int, float] = field(default_factory=dict)
    correct: Mapping[int, np.ndarray] = field(default_factory=dict)

    def predictions(self, trial: int) -> Predictions | None:
        right = self.correct.get(trial)
        if right is None:
            return None
        return predictions(right[None], CLASSES, np.random.default_rng(trial))[0]


def simulate(
    response: str,
    sampler: str = "random",
    trials: int = 64,
    samples: int = 180,
    seed: int = 0,
    repeats: int = 1,
    top: int = 3,
    noise: float = NOISE,
    keep: bool = True,
    paper: Mapping[str, Any] | None = None,
) -> Simulated:
    """One sweep.

    Args:
        response: a name of `RESPONSES`.
        sampler: `random` or `tpe`, as `igmsweep tune` makes them.
        samples: validation samples.
        repeats: trainings in all of each of the `top` best.
        keep: whether predictions are kept.
        paper: the paper's value of every parameter; the configuration is tried first.
    """
    import optuna

    from igmsweep.sweep.search import make_sampler, startup_trials

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)
    generator = np.random.default_rng([seed, trials, samples])
    validation, answer = Validation(samples, generator), RESPONSES[response]
    study = optuna.create_study(
        direction="maximize", sampler=make_sampler(sampler, seed, startup_trials(sampler, trials))
    )
    rows, truth, correct = [], {}, {}
    if paper is not None:
        study.enqueue_trial(dict(paper))

    def train(number: int, params: dict[str, Any], configuration: int, source: str) -> float:
        truth[number] = answer(params)
        right = validation.right(truth[number] + noise * generator.standard_normal(), configuration)
        correct[number] = right
        rows.append((number, params, float(right.mean()), source))
        return float(right.mean())

    for number in range(trials):
        trial = study.ask()
        params = {path: _suggest(trial, path) for path in ("optim.lr.image", "optim.lr.audio", "method.scope")}
        if params["method.scope"] != "none":
            params["method.tau"] = _suggest(trial, "method.tau")
        params["method.sam"] = _suggest(trial, "method.sam")
        if params["method.sam"]:
            params["method.rho"] = _suggest(trial, "method.rho")
        source = "enqueue:paper" if paper is not None and not number else sampler
        study.tell(trial, train(number, params, number, source))
    best = sorted(rows, key=lambda row: (-row[2], row[0]))[:top]
    for row in best if repeats > 1 else ():
        for _ in range(repeats - 1):
            train(len(rows), row[1], row[0], f"repeat:{row[0]}")
    return as_sweep(rows, truth, correct if keep else {}, samples, sampler, paper=paper or {})


def _suggest(trial: Any, path: str) -> Any:
    entry = SPACE[path]
    if entry["type"] == "categorical":
        return trial.suggest_categorical(path, entry["choices"])
    return trial.suggest_float(path, entry["low"], entry["high"], log=True)


def as_sweep(
    rows: Sequence[tuple[int, dict[str, Any], float, str]],
    truth: Mapping[int, float],
    correct: Mapping[int, np.ndarray],
    samples: int,
    sampler: str,
    space: Mapping[str, dict[str, Any]] = SPACE,
    paper: Mapping[str, Any] = {},
) -> Simulated:
    """A sweep from its trials: number, parameters, validation accuracy and source of each."""
    frame = pd.DataFrame(
        [
            {
                "trial": number, "state": "complete", "source": source, "config_hash": str(number),
                "repeat_of": float(source.partition(":")[2]) if source.startswith("repeat:") else np.nan,
                "seed": 0.0, "attempt": 0.0, "rung": np.nan, "folds": np.nan, "seconds": 1.0, "gpu_hours": np.nan,
                "epochs": 1.0, "duplicate_of": np.nan, "error.class": None, "error.message": None,
                **{f"params.{path}": params.get(path) for path in space}, "metrics.val/acc": score,
            }
            for number, params, score, source in rows
        ]
    )  # fmt: skip
    spec = {
        "metric": {"name": "val/acc", "mode": "max"}, "sampler": sampler,
        "space": {"params": dict(space)}, "paper": dict(paper),
        "data": {"name": "simulated", "val": samples, "classes": [str(i) for i in range(CLASSES)]},
    }  # fmt: skip
    return Simulated(Path("simulated"), spec, {}, frame, truth=truth, correct=correct)


def score(found: Predictions, metric: str) -> float:
    """A metric of predictions, for sweeps that are judged by another than accuracy."""
    return float(classification_metrics(found.probabilities.astype(np.float32), found.labels)[metric])
