"""Writes sweep folders in the exact schema, from a response whose optimum is known: tau 0.4, lr.audio 1e-2, SAM on."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from igmsweep.record.predictions import Predictions, write_predictions

SPACE: dict[str, dict[str, Any]] = {
    "method.tau": {"type": "float", "low": 1e-3, "high": 100.0, "log": True, "when": {"method.scope": {"not": "none"}}},
    "method.sam": {"type": "categorical", "choices": [True, False]},
    "method.rho.audio": {"type": "float", "low": 1e-15, "high": 0.5, "log": True, "when": {"method.sam": True}},
    "method.rho.image": {"type": "float", "low": 1e-15, "high": 0.5, "log": True, "when": {"method.sam": True}},
    "method.scope": {"type": "categorical", "choices": ["none", "head", 0.3, 0.5, 1.0]},
    "optim.lr.audio": {"type": "float", "low": 1e-4, "high": 1e-1, "log": True},
    "optim.lr.image": {"type": "float", "low": 1e-4, "high": 1e-1, "log": True},
}
PAPER = {
    "method.tau": 0.4,
    "method.sam": True,
    "method.scope": "head",
    "method.rho.audio": 1e-10,
    "method.rho.image": 1e-10,
    "optim.lr.audio": 1e-2,
    "optim.lr.image": 1e-2,
}
MODALITIES = ["audio", "image"]
CYCLES, EPOCHS = 3, 18
ALONE = {"audio": 0.9, "image": 0.75}
"""What each modality reaches alone, as a share of the fused accuracy."""
Curve = Callable[[np.ndarray, float, np.random.Generator], dict[str, np.ndarray]]
"""Epochs (from 1), the accuracy at the end, and a generator -> columns of `metrics.jsonl`; `val/acc` is among them."""


def respond(params: dict[str, Any], noise: float) -> float:
    """Accuracy with one optimum; tau matters most, the audio learning rate less, the rest hardly."""
    score = 0.9 - 0.05 * math.log10(params["optim.lr.audio"] / 1e-2) ** 2 + (0.01 if params["method.sam"] else 0.0)
    if params["method.scope"] == "none":
        score -= 0.2
    else:
        score -= 0.03 * math.log10(params["method.tau"] / 0.4) ** 2 + {"head": 0, 0.3: 0.01}.get(
            params["method.scope"], 0.03
        )
    return float(np.clip(score + noise, 0.05, 0.99))


def noise_only(params: dict[str, Any], noise: float) -> float:
    """Accuracy that no parameter has a say in."""
    return float(np.clip(0.8 + 4 * noise, 0.05, 0.99))


def plateau(params: dict[str, Any], noise: float) -> float:
    """Flat for tau from 0.1 to 10, falling steeply outside; nothing else matters."""
    score = 0.9 - 0.25 * max(0.0, abs(math.log10(params.get("method.tau", 1.0))) - 1)
    return float(np.clip(score + noise, 0.05, 0.99))


def slow(epochs: np.ndarray, acc: float, generator: np.random.Generator) -> dict[str, np.ndarray]:
    """Curves that still rise when training ends."""
    return {"val/acc": 0.1 + (acc - 0.1) * (1 - np.exp(-epochs / 4)), "train/loss": 2 / epochs}


def settled(epochs: np.ndarray, acc: float, generator: np.random.Generator) -> dict[str, np.ndarray]:
    """Curves that a sound training leaves: risen to their end well before it, with a little noise until then."""
    grown = 0.1 + (acc - 0.1) * (1 - np.exp(-epochs / 1.5)) + generator.normal(0, 0.004, len(epochs))
    grown[-1] = acc
    return {"val/acc": np.clip(grown, 0, 1), "val/loss": 2.3 - 2 * np.clip(grown, 0, 1), "train/loss": 2 / epochs}


POOR = {**PAPER, "method.tau": 50.0, "method.scope": 1.0}
"""A default that the search clearly beats."""
NEAR = {**PAPER, "method.tau": 5.0}
"""One that is a few points worse than the best."""
HEALTHY: dict[str, Any] = {
    "curve": settled,
    "val": 5000,
    "paper": POOR,
    "scheduler": "asha",
    "noise": 0.005,
    "failed": 2,
}
"""Of `write_sweep`: a sweep of which the check-up has nothing to say."""


def write_sweep(
    root: Path,
    name: str = "avdigits-demo",
    n: int = 64,
    seed: int = 0,
    noise: float = 0.012,
    failed: int = 4,
    running: int = 0,
    method: str = "igm",
    sampler: str = "tpe",
    response: Callable[[dict[str, Any], float], float] = respond,
    pruned: int = 0,
    folds: int = 0,
    repeats: int = 0,
    gain: float = 0.0,
    curve: Curve = slow,
    alone: Mapping[str, float] = ALONE,
    fails: Callable[[dict[str, Any]], bool] | None = None,
    val: int = 300,
    paper: Mapping[str, Any] = PAPER,
    scheduler: str = "none",
    correlation: float | None = None,
) -> Path:
    """A sweep of `n` trials. `pruned` of them are stopped after a cycle; with `folds`, each carries its folds' metrics;
    the best three are repeated with `repeats` more seeds; `gain` is added to every score. `alone`: each modality's own
    accuracy as a share of the fused one. `fails`: which configurations diverge, instead of every seventh trial. With
    `correlation` (of the normal variables behind the correctness of two trainings), each trial keeps its predictions."""
    folder, generator = root / name, np.random.default_rng(seed)
    (folder / "trials").mkdir(parents=True)
    base = {
        "data": {"name": "avdigits", "group": "speaker"},
        "method": {"name": method},
        "stages": {"cycles": CYCLES, "epochs": dict.fromkeys(MODALITIES, EPOCHS // CYCLES // 2), "handover": "last"},
        "seed": 0,
    }
    spec = {
        "schema": 1,
        "name": name,
        "created": "2026-01-02T03:04:05Z",
        "method": method,
        "data": {
            "name": "avdigits",
            "data_hash": "0123456789ab",
            "split_hash": "ba9876543210",
            "classes": list("0123456789"),
            "modalities": MODALITIES,
            "metrics": ["acc", "map"],
            "train": 1200,
            "val": val,
            "group": "speaker",
            "split": "official",
        },
        "metric": {"name": "val/acc", "mode": "max"},
        "space": {"params": SPACE, "fixed": {}, "enqueue": ["paper"], "forbid": []},
        "sampler": sampler,
        "scheduler": "asha" if pruned else scheduler,
        "stopping": {"cycles": CYCLES * (folds or 1), "grace": 1, "reduction": 3},
        "folds": folds or None,
        "trials": n,
        "seed": seed,
        "resources": {"max_concurrent": 2, "cpus_per_trial": 1, "gpus_per_trial": 0, "runner": "ray"},
        "base_config": base,
        "paper": dict(paper),
    }
    (folder / "sweep.yaml").write_text(yaml.safe_dump(spec, sort_keys=False))
    meta = {
        "schema": 1,
        "versions": {"igmsweep": "0.1.0", "torch": "2.15.0", "ray": "2.60.0", "optuna": "5.0.0"},
        "hardware": {"cpu": "a CPU", "cores": 2, "gpus": []},
        "started": "2026-01-02T03:04:05Z",
        "finished": "2026-01-02T03:09:05Z",
        "exit_state": "done",
    }
    (folder / "meta.json").write_text(json.dumps(meta))
    lines = []
    for trial in range(n):
        params = dict(paper) if trial == 0 else _draw(generator, trial / n if sampler == "tpe" else 0.0)
        source = "enqueue:paper" if trial == 0 else sampler
        start = {
            "schema": 1,
            "time": "2026-01-02T03:04:05Z",
            "trial": trial,
            "state": "running",
            "source": source,
            "params": params,
            "config_hash": f"{trial:012x}",
        }
        lines.append(start)
        if trial >= n - running:
            continue
        by_turns = fails is None and 0 < trial <= failed * 7 and trial % 7 == 0
        if by_turns or (fails is not None and fails(params)):
            kind = ("nan", "oom")[trial % 2] if by_turns else "nan"
            lines.append(
                {**start, "state": "failed", "seconds": 2.0, "error": {"class": kind, "message": f"loss is {kind}"}}
            )
            continue
        if 0 < trial <= pruned * 5 and trial % 5 == 0:
            score = 0.5 * response(params, generator.normal(0, noise))
            metrics = {"val/acc": score, "val/map": score}
            lines.append({**start, "state": "pruned", "rung": 1 + trial % 2, "metrics": metrics, "seconds": 3.0})
            continue
        acc = min(0.999, response(params, generator.normal(0, noise)) + gain)
        end = _finish(folder, start, base, acc, curve, alone, np.random.default_rng([seed, trial]))
        if correlation is not None:
            _predict(folder, trial, acc, val, correlation, seed)
        if folds:
            parts = [{"val/acc": acc + shift} for shift in generator.normal(0, 0.01, folds)]
            mean = float(np.mean([part["val/acc"] for part in parts]))
            stderr = float(np.std([part["val/acc"] for part in parts], ddof=1) / math.sqrt(folds))
            end |= {"folds": parts, "metrics": end["metrics"] | {"val/acc": mean}, "stderr": {"val/acc": stderr}}
        lines.append(end)
    done = sorted((line for line in lines if line["state"] == "complete"), key=lambda line: -line["metrics"]["val/acc"])
    number = n
    for line in done[:3]:
        for again in range(repeats):
            acc = float(np.clip(line["metrics"]["val/acc"] + generator.normal(-0.02, 0.01), 0, 1))
            start = {**{key: line[key] for key in ("schema", "time", "params")}, "trial": number, "seed": 1 + again}
            lines.append(
                _finish(
                    folder,
                    {**start, "source": f"repeat:{line['trial']}", "config_hash": f"r{number}"},
                    base,
                    acc,
                    curve,
                    alone,
                    np.random.default_rng([seed, number]),
                )
            )
            number += 1
    (folder / "trials.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return folder


def _draw(generator: np.random.Generator, greed: float) -> dict[str, Any]:
    """Log-uniform draws, pulled towards the optimum as the search goes on, as TPE does."""

    def log(low: float, high: float, best: float) -> float:
        value = generator.uniform(math.log10(low), math.log10(high))
        return float(10 ** ((1 - 0.7 * greed) * value + 0.7 * greed * math.log10(best)))

    params: dict[str, Any] = {"method.sam": bool(generator.random() < 0.6)}
    params["method.scope"] = ["none", "head", 0.3, 0.5, 1.0][int(generator.integers(5))]
    if params["method.scope"] != "none":
        params["method.tau"] = log(1e-3, 100, 0.4)
    if params["method.sam"]:
        params |= {f"method.rho.{name}": log(1e-15, 0.5, 1e-9) for name in MODALITIES}
    return params | {f"optim.lr.{name}": log(1e-4, 1e-1, 1e-2) for name in MODALITIES}


def _predict(folder: Path, trial: int, acc: float, val: int, correlation: float, seed: int) -> None:
    """Predictions of two classes of which a share `acc` is right, the same samples being hard for all trials."""
    hard = np.random.default_rng(seed).standard_normal(val)
    own = np.random.default_rng([seed, trial, 1]).standard_normal(val)
    latent = math.sqrt(correlation) * hard + math.sqrt(1 - correlation) * own
    right = np.argsort(np.argsort(latent)) < round(acc * val)
    labels = np.zeros(val, dtype=int)
    probabilities = np.where(right[:, None], [0.9, 0.1], [0.1, 0.9])
    write_predictions(folder / "trials" / f"{trial:05d}", Predictions(probabilities, labels, "fake"))


def _finish(
    folder: Path,
    start: dict[str, Any],
    base: dict[str, Any],
    acc: float,
    curve: Curve,
    alone: Mapping[str, float],
    generator: np.random.Generator,
) -> dict[str, Any]:
    params, trial = start["params"], start["trial"]
    place = folder / "trials" / f"{trial:05d}"
    place.mkdir()
    columns = curve(np.arange(1, EPOCHS + 1), acc, generator)
    epochs = []
    for number in range(EPOCHS):
        stage = number // 3
        row = {name: float(values[number]) for name, values in columns.items()}
        epochs.append(
            {
                "epoch": number + 1,
                "stage": stage,
                "cycle": stage // 2,
                "active": MODALITIES[stage % 2],
                **row,
                "val/map": row["val/acc"] + 0.01,
                **{f"val/{name}/acc": row["val/acc"] * share for name, share in alone.items()},
                "stage_end": number % 3 == 2,
                "cycle_end": number % 6 == 5,
                "seconds": 0.5,
            }
        )
    (place / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in epochs))
    metrics = {
        "val/acc": acc,
        "val/map": min(0.999, acc + 0.02),
        "val/f1": acc - 0.01,
        "val/loss": 2 * (1 - acc),
        **{f"val/{name}/acc": acc * share for name, share in alone.items()},
    }
    if params["method.sam"]:
        metrics["sam/moved"] = 1 / (1 + math.exp(-2 * (math.log10(params["method.rho.audio"]) + 7)))
    config = {**base, "params_echo": params}
    end = {"state": "complete", "metrics": metrics, "seconds": 9 + 10 * acc, "epochs": 18}
    (place / "result.json").write_text(
        json.dumps({"schema": 1, "trial": trial, "config": config, "config_hash": start["config_hash"], **end})
    )
    (place / "config.yaml").write_text(yaml.safe_dump(config))
    rungs = {line["cycle"] + 1: line["val/acc"] for line in epochs if line["cycle_end"]}
    return {**start, **end, "rungs": rungs}
