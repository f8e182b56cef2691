"""Train the table: IGM on avdigits, a Sobol design of configurations, every one with several seeds.

    python -m benchmarks.tabulated.make --points 320 --seeds 2 --work table-work      # goes on where it stopped
    python -m benchmarks.tabulated.make --work table-work --pack benchmarks/tabulated/table.npz

Of each training the table keeps which samples every epoch's weights classify rightly, of validation and test together: any
part of those can serve as a validation set, and the rest is then unseen. Several processes may work side by side.
"""

from __future__ import annotations

import argparse
import itertools
import json
import multiprocessing
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from igmsweep.config import TrainConfig
from igmsweep.data import load_search, load_test
from igmsweep.data.base import SearchData
from igmsweep.disk import replacing
from igmsweep.errors import Diverged
from igmsweep.schema.sections import DataConfig
from igmsweep.spaces.choose import load_space
from igmsweep.spaces.design import sobol_design
from igmsweep.train import Training

SPACE = Path(__file__).with_name("space.yaml")


def pooled() -> SearchData:
    """avdigits with validation and test together as what is scored."""
    config = DataConfig(name="avdigits")
    data = load_search(config)
    return replace(data, val=data.val.joined(load_test(config)))


def trained(config: TrainConfig, data: SearchData) -> dict[str, np.ndarray]:
    """`correct`: (epochs, samples) bool. `loss`: (epochs,) float32 of the scored samples. A divergence ends both early."""
    training = Training(config, data)
    correct, loss = [], []
    try:
        for epoch in training.epochs():
            found = training.result().predictions
            assert found is not None
            correct.append(found.correct)
            loss.append(epoch.metrics["val/loss"])
    except Diverged:
        pass
    empty = np.zeros((0, len(data.val)), bool)
    return {"correct": np.array(correct) if correct else empty, "loss": np.array(loss, np.float32)}


def work(share: int, of: int, points: int, seeds: int, folder: Path) -> None:
    """Train every `of`-th training that the folder does not hold yet."""
    torch.set_num_threads(1)
    data = pooled()
    base = TrainConfig(data="avdigits", method="igm", device="cpu")
    space = load_space(SPACE, base)
    design = list(itertools.islice(sobol_design(space, 0), points))
    tasks = [(seed, number) for seed in range(seeds) for number in range(points)]
    for seed, number in tasks[share::of]:
        path = folder / f"{number:04d}-{seed}.npz"
        if path.exists():
            continue
        started = time.process_time()
        found = trained(base.override({**space.fixed, **design[number], "seed": seed}), data)
        with replacing(path) as partial, partial.open("wb") as file:
            np.savez_compressed(file, **found, seconds=time.process_time() - started, params=json.dumps(design[number]))
        print(f"{number:4d} seed {seed}: {found['correct'][-1:].mean():.3f}", flush=True)


def pack(folder: Path, out: Path) -> None:
    """All trainings of the configurations that have every seed, as one file of a few MB."""
    files = sorted(folder.glob("*.npz"))
    seeds = sorted({int(path.stem.split("-")[1]) for path in files})
    numbers = sorted({int(path.stem.split("-")[0]) for path in files})
    whole = [number for number in numbers if all((folder / f"{number:04d}-{seed}.npz").exists() for seed in seeds)]
    rows: list[dict[str, Any]] = []
    for number, seed in itertools.product(whole, seeds):
        with np.load(folder / f"{number:04d}-{seed}.npz", allow_pickle=False) as file:
            rows.append(dict(file))
    epochs = max(len(row["loss"]) for row in rows)
    samples = rows[0]["correct"].shape[1]
    correct = np.zeros((len(rows), epochs, samples), bool)
    loss = np.full((len(rows), epochs), np.nan, np.float32)
    for at, row in enumerate(rows):
        correct[at, : len(row["loss"])], loss[at, : len(row["loss"])] = row["correct"], row["loss"]
    np.savez_compressed(
        out,
        correct=np.packbits(correct.reshape(len(whole), len(seeds), epochs, samples), axis=-1),
        samples=samples,
        loss=loss.reshape(len(whole), len(seeds), epochs),
        seconds=np.array([float(row["seconds"]) for row in rows], np.float32).reshape(len(whole), len(seeds)),
        params=np.array([str(row["params"]) for row in rows[:: len(seeds)]]),
    )
    print(f"{out}: {len(whole)} configurations, {len(seeds)} seeds, {epochs} epochs, {out.stat().st_size / 1e6:.2f} MB")


def main() -> None:
    """Train in several processes, or pack."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--points", type=int, default=320)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--pack", type=Path)
    given = parser.parse_args()
    if given.pack is not None:
        pack(given.work, given.pack)
        return
    given.work.mkdir(parents=True, exist_ok=True)
    context = multiprocessing.get_context("spawn")
    shares = [
        context.Process(target=work, args=(share, given.processes, given.points, given.seeds, given.work))
        for share in range(given.processes)
    ]
    for process in shares:
        process.start()
    for process in shares:
        process.join()


if __name__ == "__main__":
    main()
