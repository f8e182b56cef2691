"""Writes sweep folders in the exact schema, from a response whose optimum is known: tau 0.4, lr.audio 1e-2, SAM on."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import yaml

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
) -> Path:
    """A sweep of `n` trials. `pruned` of them are stopped after a cycle; with `folds`, each carries its folds' metrics;
    the best three are repeated with `repeats` more seeds; `gain` is added to every score."""
    folder, generator = root / name, np.random.default_rng(seed)
    (folder / "trials").mkdir(parents=True)
    base = {"data": {"name": "avdigits", "group": "speaker"}, "method": {"name": method}, "seed": 0}
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
            "val": 300,
            "group": "speaker",
            "split": "official",
        },
        "metric": {"name": "val/acc", "mode": "max"},
        "space": {"params": SPACE, "fixed": {}, "enqueue": ["paper"], "forbid": []},
        "sampler": sampler,
        "scheduler": "asha" if pruned else "none",
        "folds": folds or None,
        "trials": n,
        "seed": seed,
        "resources": {"max_concurrent": 2, "cpus_per_trial": 1, "gpus_per_trial": 0, "runner": "ray"},
        "base_config": base,
        "paper": PAPER,
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
        params = dict(PAPER) if trial == 0 else _draw(generator, trial / n if sampler == "tpe" else 0.0)
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
        if 0 < trial <= failed * 7 and trial % 7 == 0:
            kind = ("nan", "oom")[trial % 2]
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
        end = _finish(folder, start, base, acc)
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
                _finish(folder, {**start, "source": f"repeat:{line['trial']}", "config_hash": f"r{number}"}, base, acc)
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


def _finish(folder: Path, start: dict[str, Any], base: dict[str, Any], acc: float) -> dict[str, Any]:
    params, trial = start["params"], start["trial"]
    place = folder / "trials" / f"{trial:05d}"
    place.mkdir()
    epochs = []
    for epoch in range(1, 19):
        stage = (epoch - 1) // 3
        grown = 0.1 + (acc - 0.1) * (1 - math.exp(-epoch / 4))
        epochs.append(
            {
                "epoch": epoch,
                "stage": stage,
                "cycle": stage // 2,
                "active": MODALITIES[stage % 2],
                "val/acc": grown,
                "val/map": grown + 0.01,
                "val/audio/acc": grown * 0.9,
                "val/image/acc": grown * 0.75,
                "train/loss": 2 / epoch,
                "seconds": 0.5,
            }
        )
    (place / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in epochs))
    metrics = {
        "val/acc": acc,
        "val/map": min(0.999, acc + 0.02),
        "val/f1": acc - 0.01,
        "val/loss": 2 * (1 - acc),
        "val/audio/acc": acc * 0.9,
        "val/image/acc": acc * 0.75,
    }
    if params["method.sam"]:
        metrics["sam/moved"] = 1 / (1 + math.exp(-2 * (math.log10(params["method.rho.audio"]) + 7)))
    config = {**base, "params_echo": params}
    end = {"state": "complete", "metrics": metrics, "seconds": 9 + 10 * acc, "epochs": 18}
    (place / "result.json").write_text(
        json.dumps({"schema": 1, "trial": trial, "config": config, "config_hash": start["config_hash"], **end})
    )
    (place / "config.yaml").write_text(yaml.safe_dump(config))
    return {**start, **end}
