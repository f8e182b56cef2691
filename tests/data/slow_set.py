"""A data set of .npy files that notes every read in $READS and takes its time, for tests of interrupted builds."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import numpy as np

from igmsweep.data.base import DataSet, Modality, Part, Sample


class Slow(DataSet):
    name = "slow"
    classes = ("a", "b")
    modalities = {"x": Modality("x", "image", (1, 4, 4), "resnet_mini")}

    def index(self, root: Path, part: Part) -> list[Sample]:
        found = sorted((root / part).glob("*.npy")) if part != "val" else []
        return [Sample(path.stem, number % 2, {"x": path}) for number, path in enumerate(found)]

    def read(self, sample: Sample) -> dict[str, np.ndarray]:
        if os.environ.get("READS"):
            with open(os.environ["READS"], "a") as file:
                file.write(f"{sample.id}\n")
            time.sleep(0.02)
        return {"x": np.load(sample.files["x"])}

    def recipe(self) -> dict[str, Any]:
        return {"version": 1}

    def transform(self, inputs: dict[str, Any], training: bool, generator: Any) -> dict[str, Any]:
        return inputs


SLOW = Slow()


def write(root: Path, count: int) -> Path:
    (root / "train").mkdir(parents=True)
    for number in range(count):
        np.save(root / "train" / f"{number:04d}.npy", np.full((1, 4, 4), number, np.float32))
    return root
