"""Two trainings at half a GPU each, side by side, against one after the other. Prints the ratio; needs a GPU."""

from __future__ import annotations

import subprocess
import sys
import time

CODE = """
import torch
from igmsweep.train import TrainConfig, train
torch.cuda.set_per_process_memory_fraction(0.475)
train(TrainConfig(data="avdigits", device="cuda", seed={seed}))
"""


def start(seed: int) -> subprocess.Popen[bytes]:
    """A training in a process of its own."""
    return subprocess.Popen([sys.executable, "-c", CODE.format(seed=seed)])


def main() -> None:
    """Measure and print."""
    import torch

    if not torch.cuda.is_available():
        print("no GPU here: nothing measured")
        return
    start(0).wait()  # warm the cache of the data and of the kernels
    begun = time.perf_counter()
    for seed in (0, 1):
        start(seed).wait()
    apart = time.perf_counter() - begun
    begun = time.perf_counter()
    together = [start(seed) for seed in (0, 1)]
    for process in together:
        process.wait()
    print(f"one after the other / side by side: {apart / (time.perf_counter() - begun):.2f} x")


if __name__ == "__main__":
    main()
