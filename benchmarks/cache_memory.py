"""What the cache costs in memory when several trials of a node map it, against one. Prints the ratio.

Every process carves a validation split and reads every row as its loader does. Counted is the proportional set size (PSS)
of the mapped cache files, summed over the processes, and what a process holds of its own besides.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import tempfile
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np

from igmsweep.config import TrainConfig


def write_cache(folder: Path, clips: int) -> tuple[Path, Path]:
    """A CREMA-D tree of small files whose cache has the official recipe's size: 0.39 MB a clip."""
    import soundfile
    from PIL import Image

    from igmsweep.data.cremad import CLASSES

    root = folder / "CREMA-D"
    (root / "annotations").mkdir(parents=True)
    (root / "AudioWAV").mkdir()
    rows = []
    for number in range(clips):
        label = CLASSES[number % 6]
        name = f"{1001 + number // 6}_IEO_{label}_XX"
        noise = np.random.default_rng(number).normal(0, 0.1, 4000)
        soundfile.write(root / "AudioWAV" / f"{name}.wav", noise, 16000, subtype="PCM_16")
        (root / "Image-01-FPS" / name).mkdir(parents=True)
        Image.new("RGB", (64, 48), (number % 256, 80, 120)).save(root / "Image-01-FPS" / name / "0.jpg")
        rows.append(f"{name},{label}\n")
    (root / "annotations" / "train.csv").write_text("".join(rows))
    return root, folder / "cache"


def pss(cache: Path) -> tuple[int, int]:
    """Kilobytes of this process's PSS that lie in files of the cache, and of private anonymous memory."""
    inside = anonymous = 0
    current = ""
    for line in Path("/proc/self/smaps").read_text().splitlines():
        head = line.split()
        if "-" in head[0] and not head[0].endswith(":"):
            current = head[5] if len(head) > 5 else ""
        elif head[0] == "Pss:" and current.startswith(str(cache)):
            inside += int(head[1])
        elif head[0] == "Anonymous:":
            anonymous += int(head[1])
    return inside, anonymous


def trial(root: str, cache: str, pipe: Connection) -> None:
    """Map the cache, carve, read all of train and validation, then report when told that everybody has."""
    import torch

    from igmsweep import data
    from igmsweep.data.loader import Loader

    config = TrainConfig(data="cremad").override({"data.root": root, "data.cache": cache})
    torch.set_num_threads(1)
    before = pss(Path(cache))[1]
    found = data.load_search(config.data)
    loaders = [Loader(found.dataset, part, 12, torch.device("cpu")) for part in (found.train, found.val)]
    for loader in loaders:
        for first in range(0, len(loader.rows), 12):
            rows = loader.rows[first : first + 12]
            for array in loader.partition.arrays.values():
                array[rows].sum()
    pipe.send("read")
    pipe.recv()
    inside, anonymous = pss(Path(cache))
    pipe.send((inside, anonymous - before))
    pipe.recv()


def measure(count: int, root: Path, cache: Path) -> tuple[float, float]:
    """MiB of cache pages that `count` trials hold together, and of memory of its own that one of them holds."""
    context = multiprocessing.get_context("spawn")
    pipes, processes = [], []
    for _ in range(count):
        ours, theirs = context.Pipe()
        process = context.Process(target=trial, args=(str(root), str(cache), theirs))
        process.start()
        pipes.append(ours)
        processes.append(process)
    for pipe in pipes:
        pipe.recv()
    for pipe in pipes:
        pipe.send("all have read")
    found = [pipe.recv() for pipe in pipes]
    for pipe in pipes:
        pipe.send("end")
    for process in processes:
        process.join()
    return sum(inside for inside, _ in found) / 1024, max(own for _, own in found) / 1024


def main() -> None:
    """One trial, then several."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--clips", type=int, default=900)
    parser.add_argument("--trials", type=int, default=4)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        root, cache = write_cache(Path(scratch), arguments.clips)
        measure(1, root, cache)  # builds the cache
        size = sum(path.stat().st_size for path in cache.rglob("*.npy")) / 2**20
        one, own_one = measure(1, root, cache)
        several, own = measure(arguments.trials, root, cache)
    print(f"cache on disk              {size:7.0f} MiB")
    print(f"pages held by 1 trial      {one:7.0f} MiB, and {own_one:.0f} MiB of its own")
    print(f"pages held by {arguments.trials} trials     {several:7.0f} MiB, and at most {own:.0f} MiB of its own each")
    print(f"ratio                      {several / one:7.2f}")


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main()
