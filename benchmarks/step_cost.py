"""What a training step of IGM costs beside plain joint training, per modality-update, on avdigits. Prints ratios."""

from __future__ import annotations

import time

import torch

from igmsweep.config import TrainConfig
from igmsweep.data import load_search
from igmsweep.schema.sections import DataConfig
from igmsweep.train import Training

ROWS = {
    "plain alternating (w/o SAM, w/o GM)": {"name": "igm", "sam": False, "gm": False},
    "IGM w/o SAM": {"name": "igm", "sam": False},
    "IGM w/o SAM, every layer modified": {"name": "igm", "sam": False, "scope": 1.0},
    "IGM": {"name": "igm"},
    "IGM, every layer modified": {"name": "igm", "scope": 1.0},
}


def epoch_seconds(method: object) -> float:
    """Seconds of an epoch of every modality, the second cycle's (T acts by then), validation included."""
    config = TrainConfig(data="avdigits", method=method, device="auto").override(
        {"stages.cycles": 2, "stages.epochs": 1, "optim.schedule": "none"}
    )
    training = Training(config, DATA)
    total = 0.0
    begin = training._train_epoch
    spent: list[float] = []

    def timed() -> dict[str, object]:
        started = time.perf_counter()
        row = begin()
        if training.device.type == "cuda":
            torch.cuda.synchronize()
        spent.append(time.perf_counter() - started)
        return row

    training._train_epoch = timed  # type: ignore[method-assign]
    list(training.epochs())
    total = sum(spent[len(spent) // 2 :])
    return total


DATA = load_search(DataConfig(name="avdigits"))


def main() -> None:
    """Measure each row three times, interleaved, and print the ratio of the minima to joint training."""
    rows = {"joint training": {"name": "joint"}, **ROWS}
    best = dict.fromkeys(rows, float("inf"))
    for _ in range(3):
        for name, method in rows.items():
            best[name] = min(best[name], epoch_seconds(method))
    for name, seconds in best.items():
        print(f"{name:40s} {seconds / best['joint training']:5.2f} x joint")


if __name__ == "__main__":
    main()
