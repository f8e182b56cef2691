"""Builds AV-MNIST, spoken and written digits paired by label, from two public data sets: the data our docs show numbers of.

    git clone https://github.com/Jakobovski/free-spoken-digit-dataset
    python -c "import torchvision; torchvision.datasets.MNIST('mnist', train=False, download=True)"
    python benchmarks/make_avmnist.py free-spoken-digit-dataset mnist --out avmnist
    igmsweep tune avmnist/samples.csv

Every clip gets a picture of its digit, another one each, from MNIST's 10,000 test pictures. Validation and test are a speaker
each that training has not heard. The same sources and seed give the same files.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import re
import shutil
import sys
from pathlib import Path

import numpy as np
from PIL import Image

SPLIT = {"lucas": "val", "theo": "test"}
"""Speakers that training does not hear; the others train."""
CLIP = re.compile(r"(\d)_([a-z]+)_(\d+)\.wav")


class Missing(Exception):
    """A source that is not there or not what it should be; one line for a person."""


def idx(folder: Path, name: str) -> np.ndarray:
    """One of MNIST's files, plain or gzipped, below `folder`, as torchvision leaves them (`MNIST/raw/`).

    Raises:
        Missing: there is none, or it is no file of unsigned bytes in the IDX format.
    """
    for path in sorted(folder.rglob(f"{name}*")):
        data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        if len(data) < 4 or data[:3] != b"\x00\x00\x08":
            raise Missing(f"{path}: is no IDX file of bytes")
        sizes = np.frombuffer(data, ">u4", data[3], 4)
        values = np.frombuffer(data, np.uint8, offset=4 + 4 * data[3])
        if len(values) != np.prod(sizes, dtype=int):
            raise Missing(f"{path}: found {len(values)} bytes, expected {' x '.join(map(str, sizes))}")
        return values.reshape(tuple(int(size) for size in sizes))
    raise Missing(f"{folder}: found no {name}; expected MNIST's files as torchvision leaves them, in MNIST/raw/")


def build(spoken: Path, written: Path, out: Path, seed: int = 0) -> int:
    """Write `recordings/`, `pictures/` and `samples.csv` into `out`; return the number of clips.

    Args:
        spoken: a clone of the Free Spoken Digit Dataset, with `recordings/`.
        written: what `torchvision.datasets.MNIST` was told to download to.

    Raises:
        Missing: a source is not there, or MNIST has too few pictures of a digit.
    """
    clips = sorted(
        (path for path in (spoken / "recordings").glob("*.wav") if CLIP.fullmatch(path.name)),
        key=lambda path: path.name,
    )
    if not clips:
        raise Missing(f"{spoken}: found no recordings/DIGIT_SPEAKER_TAKE.wav; expected a clone of the data set")
    pictures, labels = idx(written, "t10k-images-idx3-ubyte"), idx(written, "t10k-labels-idx1-ubyte")
    random = np.random.default_rng(seed)
    waiting = {digit: iter(random.permutation(np.flatnonzero(labels == digit))) for digit in range(10)}
    for name in ("recordings", "pictures"):
        (out / name).mkdir(parents=True, exist_ok=True)
    rows = []
    for clip in clips:
        found = CLIP.fullmatch(clip.name)
        assert found is not None
        digit, speaker = int(found[1]), found[2]
        number = next(waiting[digit], None)
        if number is None:
            raise Missing(f"{written}: found too few pictures of {digit} for the clips of it")
        shutil.copyfile(clip, out / "recordings" / clip.name)
        Image.fromarray(pictures[number]).save(out / "pictures" / f"{clip.stem}.png")
        places = f"recordings/{clip.name}", f"pictures/{clip.stem}.png"
        rows.append([clip.stem, *places, digit, speaker, SPLIT.get(speaker, "train")])
    with (out / "samples.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["id", "audio", "image", "label", "group", "split"])
        writer.writerows(rows)
    return len(rows)


def main() -> None:
    """Build, and say how many."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("spoken", type=Path)
    parser.add_argument("written", type=Path)
    parser.add_argument("--out", type=Path, default=Path("avmnist"))
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    try:
        count = build(given.spoken, given.written, given.out, given.seed)
    except Missing as error:
        sys.exit(str(error))
    print(f"{given.out / 'samples.csv'}: {count} clips")


if __name__ == "__main__":
    main()
