"""Toy data of two and three modalities in real files (one .npy a sample), learnable in seconds.

Class means differ in every modality, the later ones noisier. All have one shape, so that all their layers pair; TOY2
and TOY3 differ in the number of modalities alone.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from igmsweep.data.base import DataSet, Modality, Part, Sample

CLASSES = ("a", "b", "c")
SHAPE = (1, 8, 8)
COUNTS = {"train": 150, "val": 60, "test": 30}


class Toy(DataSet):
    """`count` modalities called m0, m1, ..."""

    classes = CLASSES
    metrics = ("acc", "f1")

    def __init__(self, count: int) -> None:
        self.name = f"toy{count}"
        self.modalities = {f"m{i}": Modality(f"m{i}", "image", SHAPE, "resnet_mini") for i in range(count)}

    def defaults(self, method: str) -> dict[str, Any]:
        return {
            "model": {"width": 4, "head": [16, 8]},
            "optim": {"lr": 0.05, "batch_size": 16, "schedule": "none"},
            "stages": {"cycles": 2, "epochs": 2},
        }

    def ensure(self, root: Path) -> None:
        if root.exists():
            return
        rng = np.random.default_rng(0)
        means = rng.normal(size=(len(self.modalities), len(CLASSES), *SHAPE))
        for part, count in COUNTS.items():
            (root / part).mkdir(parents=True)
            for number in range(count):
                label = number % len(CLASSES)
                for index, name in enumerate(self.modalities):
                    x = means[index, label] + (0.4 + 0.2 * index) * rng.normal(size=SHAPE)
                    np.save(root / part / f"{number:03d}_{label}_{name}.npy", x.astype(np.float32))

    def index(self, root: Path, part: Part) -> list[Sample]:
        first = sorted((root / part).glob("*_m0.npy"))
        return [
            Sample(
                f"{part}{path.stem[:3]}",
                int(path.stem.split("_")[1]),
                {name: path.with_name(path.name.replace("_m0", f"_{name}")) for name in self.modalities},
                group=f"g{int(path.stem[:3]) // 6}",
            )
            for path in first
        ]

    def read(self, sample: Sample) -> dict[str, np.ndarray]:
        return {name: np.load(path) for name, path in sample.files.items()}

    def recipe(self) -> dict[str, Any]:
        return {"version": 1}

    def transform(self, inputs: dict[str, Any], training: bool, generator: Any) -> dict[str, Any]:
        import torch

        if not training:
            return inputs
        return {
            name: x + 0.1 * torch.randn(x.shape, generator=generator, device=x.device) for name, x in inputs.items()
        }


TOY1 = Toy(1)
TOY2 = Toy(2)
TOY3 = Toy(3)
