"""An epoch of CREMA-D-shaped samples from the cache against decoding every file each time. Prints ratios.

The files are the field's: WAV at 16 kHz of 2.5 s and one 480 x 360 JPEG a clip; one thread. `gathered` is what comes
in the place of decoding; crop, flip and normalisation of batches cost the same after either, and run on the GPU where
there is one.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import soundfile
import torch
from PIL import Image

from igmsweep.data import cache
from igmsweep.data.base import Partition
from igmsweep.data.cremad import CLASSES, CREMAD
from igmsweep.data.loader import Loader


def write(root: Path, clips: int) -> None:
    """A tree in the field's layout, with sounds and pictures of the real size and entropy."""
    rng = np.random.default_rng(0)
    (root / "annotations").mkdir(parents=True)
    (root / "AudioWAV").mkdir()
    rows = []
    smooth = Image.fromarray(rng.integers(0, 256, (45, 60, 3), dtype=np.uint8)).resize((480, 360))
    for number in range(clips):
        label = CLASSES[number % 6]
        name = f"{1001 + number // 6}_IEO_{label}_XX"
        soundfile.write(root / "AudioWAV" / f"{name}.wav", rng.normal(0, 0.1, 40_000), 16000, subtype="PCM_16")
        folder = root / "Image-01-FPS" / name
        folder.mkdir(parents=True)
        noisy = np.clip(np.asarray(smooth) + rng.normal(0, 8, (360, 480, 3)), 0, 255).astype(np.uint8)
        Image.fromarray(noisy).save(folder / "00000.jpg", quality=95)
        rows.append(f"{name},{label}\n")
    (root / "annotations" / "train.csv").write_text("".join(rows))


def seconds(work: object, repeat: int = 3) -> float:
    """The least of a few runs."""
    best = float("inf")
    for _ in range(repeat):
        started = time.perf_counter()
        work()  # type: ignore[operator]
        best = min(best, time.perf_counter() - started)
    return best


def main() -> None:
    """Write the files, decode them one by one, build the cache, read it."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--clips", type=int, default=600)
    clips = parser.parse_args().clips
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch) / "CREMA-D"
        write(root, clips)
        samples = CREMAD.index(root, "train")
        decode = seconds(lambda: [CREMAD.read(sample) for sample in samples], repeat=2)
        with open(os.devnull, "w") as quiet, contextlib.redirect_stderr(quiet):
            build = seconds(lambda: cache.decoded(CREMAD, root, "train", Path(scratch) / "cache"), repeat=1)
        part = cache.decoded(CREMAD, root, "train", Path(scratch) / "cache")

        def gathered(partition: Partition) -> None:
            order = np.random.default_rng(0).permutation(len(partition))
            for first in range(0, len(order), 12):
                rows = np.sort(order[first : first + 12])
                for array in partition.arrays.values():
                    torch.from_numpy(array[rows])

        gather = seconds(lambda: gathered(part))
        loader = Loader(CREMAD, part, 12, torch.device("cpu"), training=True)
        loader._resident = None  # as where the data set is larger than what is kept in memory
        batches = seconds(lambda: [None for _ in loader], repeat=1)
        evaluation = CREMAD.with_options({"crop": 256})
        plain = seconds(lambda: [None for _ in Loader(evaluation, part, 12, torch.device("cpu"))], repeat=1)
    print(f"decoding                     {1000 * decode / clips:6.2f} ms a clip")
    print(f"gathered from the cache      {1000 * gather / clips:6.2f} ms a clip, {decode / gather:5.0f} x faster")
    print(f"as evaluation batches (CPU)  {1000 * plain / clips:6.2f} ms a clip")
    print(f"as augmented batches (CPU)   {1000 * batches / clips:6.2f} ms a clip")
    print(f"building the cache costs {build / decode:.2f} epochs of decoding on {len(os.sched_getaffinity(0))} cores")


if __name__ == "__main__":
    sys.exit(main())
