"""One trial, the same in this process and in a Ray actor: it trains, and writes all about itself to its folder."""

from __future__ import annotations

import contextlib
import importlib
import json
import math
import os
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from igmsweep.config import TrainConfig
from igmsweep.errors import DataError, Diverged
from igmsweep.sweep.ledger import SCHEMA, now, plain, write_atomically


def run_trial(task: dict[str, Any], progress: Callable[[dict[str, Any]], None] | None = None) -> dict[str, Any]:
    """Train one configuration and return its result, which `result.json` holds too.

    Whatever goes wrong inside the training becomes a failed result with a class; only an interruption is raised.

    Args:
        task: plain data: `number`, `folder`, `config`, `params`, `metric`, `trainable`, `threads`, `gpus`.
        progress: called with an epoch's metrics at the end of every stage.
    """
    folder = Path(task["folder"])
    folder.mkdir(parents=True, exist_ok=True)
    config = TrainConfig(**task["config"])
    (folder / "config.yaml").write_text(config.to_yaml(), encoding="utf-8")
    result: dict[str, Any] = {
        "schema": SCHEMA,
        "trial": task["number"],
        "params": task["params"],
        "config": config.to_dict(),
        "config_hash": config.hash(),
        "started": now(),
    }
    epochs = 0
    started = time.monotonic()
    with (
        (folder / "metrics.jsonl").open("w", encoding="utf-8") as metrics_file,
        (folder / "stdout.log").open("a", encoding="utf-8") as log,
        contextlib.redirect_stdout(log),
        contextlib.redirect_stderr(log),
    ):

        def report(step: int, metrics: dict[str, Any], save: Callable[[Path], None]) -> None:
            nonlocal epochs
            epochs = step
            metrics_file.write(json.dumps(plain(metrics)) + "\n")
            metrics_file.flush()
            if progress is not None and metrics.get("stage_end"):
                progress(metrics)

        try:
            prepare_process(int(task["threads"]), float(task["gpus"]))
            trained = _trainable(task["trainable"])(config, report)
            value = trained.metrics.get(task["metric"])
            if value is None:
                raise KeyError(f"the training reports no '{task['metric']}', only {', '.join(trained.metrics)}")
            if not math.isfinite(value):
                raise Diverged(f"{task['metric']} is {value}")
            result |= {
                "state": "complete",
                "metrics": {key: float(item) for key, item in trained.metrics.items() if math.isfinite(item)},
                # the echo: what the trainer itself says it trained with
                "config": trained.config.to_dict(),
                "config_hash": trained.config.hash(),
                "seconds": trained.seconds,
                "epochs": len(trained.history),
                "notes": trained.notes,
                "spectra": trained.spectra,
            }
        except (Exception, SystemExit) as error:
            result |= {
                "state": "failed",
                "seconds": time.monotonic() - started,
                "epochs": epochs,
                "error": {"class": classify(error), "message": one_line(error)},
            }
            (folder / "error.txt").write_text(traceback.format_exc(), encoding="utf-8")
    result["finished"] = now()
    write_atomically(folder / "result.json", json.dumps(plain(result), indent=1, allow_nan=False))
    return result


def prepare_process(threads: int, gpus: float) -> None:
    """Give a trial a clean process, as actors are used again: threads, memory share, flags and caches."""
    import torch

    os.environ["OMP_NUM_THREADS"] = str(threads)
    if torch.get_num_threads() != threads:
        torch.set_num_threads(threads)
    torch.manual_seed(0)
    torch.backends.cudnn.benchmark = False
    torch.use_deterministic_algorithms(False)
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
        if 0 < gpus < 1:
            # Ray's fractions are bookkeeping; this wall keeps a trial from killing its neighbour
            torch.cuda.set_per_process_memory_fraction(gpus * 0.95)


def classify(error: BaseException) -> str:
    """`nan`, `oom`, `data` or `bug`."""
    if isinstance(error, Diverged):
        return "nan"
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError" or "out of memory" in str(error):
        return "oom"
    return "data" if isinstance(error, DataError) else "bug"


def one_line(error: BaseException) -> str:
    """Type and message on one line, at most 300 characters."""
    text = " ".join(str(error).split()) or type(error).__name__
    return (text if isinstance(error, Diverged | DataError) else f"{type(error).__name__}: {text}")[:300]


def _trainable(name: str) -> Callable[..., Any]:
    module, _, function = name.partition(":")
    if module.endswith(".py"):
        from igmsweep.plugin import load_attribute

        found: Callable[..., Any] = load_attribute(Path(module), function, "trainable")
        return found
    loaded: Callable[..., Any] = getattr(importlib.import_module(module), function)
    return loaded


def log_line(text: str) -> None:
    """A line for the person at the terminal."""
    print(text, file=sys.stderr, flush=True)
