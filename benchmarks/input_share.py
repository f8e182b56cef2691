"""The input pipeline alone against IGM's training step, on CREMA-D's shapes (batch 12, 224 x 224, 257 x 188, ResNet18 pair).

A GPU works while the next batch is gathered, so what counts there is that the pipeline alone is faster than the step.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import torch
from cache_epoch import write

from igmsweep import data
from igmsweep.config import TrainConfig
from igmsweep.train import Training


def main() -> None:
    """Time the loader alone, then epochs of each modality that include it."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--clips", type=int, default=60)
    parser.add_argument("--precision", default="fp32", choices=["fp32", "bf16"])
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch) / "CREMA-D"
        write(root, arguments.clips)
        config = TrainConfig(data="cremad").override(
            {
                "data.root": str(root),
                "data.cache": str(Path(scratch) / "cache"),
                "precision": arguments.precision,
                "stages.cycles": 2,
                "stages.epochs": 1,
            }
        )
        training = Training(config, data.load_search(config.data))
        on_gpu = training.device.type == "cuda"
        loader = training.run.train

        def timed(work: object) -> float:
            started = time.perf_counter()
            work()  # type: ignore[operator]
            if on_gpu:
                torch.cuda.synchronize()
            return time.perf_counter() - started

        inputs = {}
        for name in config.modalities:
            alone = loader.only([name])
            timed(lambda alone=alone: [None for _ in alone])
            inputs[name] = timed(lambda alone=alone: [None for _ in alone]) / len(loader)
        steps: dict[str, list[float]] = {name: [] for name in config.modalities}
        begin = training._train_epoch
        spent = {}

        def epoch() -> dict[str, object]:
            started = time.perf_counter()
            row = begin()
            spent["seconds"] = time.perf_counter() - started
            return row

        training._train_epoch = epoch  # type: ignore[method-assign]
        for done in training.epochs():
            steps[str(done.metrics["active"])].append(spent["seconds"] / len(loader))
    for name in config.modalities:
        step = min(steps[name])
        print(
            f"{name}: input {1000 * inputs[name]:.1f} ms a batch, step with its share of validation {1000 * step:.0f} ms: "
            f"{100 * inputs[name] / step:.1f} %"
        )


if __name__ == "__main__":
    main()
