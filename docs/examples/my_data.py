"""A data set of your own: two noisy views of three classes, from .npy files.

igmsweep train docs/examples/my_data.py:TWO_VIEWS
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from igmsweep.data.base import DataSet, Modality, Part, Sample


class TwoViews(DataSet):
    """`root/{train,val,test}/<id>_<label>_{left,right}.npy`, (1, 16, 16) float32 each."""

    name = "two_views"
    classes = ("a", "b", "c")
    metrics = ("acc", "f1")
    modalities = {
        "left": Modality("left", "image", (1, 16, 16), "resnet_mini"),
        "right": Modality("right", "image", (1, 16, 16), "resnet_mini"),
    }

    def defaults(self, method: str) -> dict[str, Any]:
        return {"optim": {"lr": 0.03, "batch_size": 16}, "stages": {"cycles": 2, "epochs": 2}}

    def ensure(self, root: Path) -> None:
        """Yours need not make its data; this one does, so that the example runs."""
        if root.exists():
            return
        rng = np.random.default_rng(0)
        means = rng.normal(size=(2, 3, 1, 16, 16))
        for part, count in (("train", 120), ("val", 30), ("test", 30)):
            (root / part).mkdir(parents=True)
            for number in range(count):
                for view, name in enumerate(self.modalities):
                    x = means[view, number % 3] + (1 + view) * rng.normal(size=(1, 16, 16))
                    np.save(root / part / f"{number:04d}_{number % 3}_{name}.npy", x.astype(np.float32))

    def index(self, root: Path, part: Part) -> list[Sample]:
        return [
            Sample(
                path.stem[:4],
                int(path.stem[5]),
                {"left": path, "right": path.with_name(path.name.replace("left", "right"))},
            )
            for path in sorted((root / part).glob("*_left.npy"))
        ]

    def read(self, sample: Sample) -> dict[str, np.ndarray]:
        return {name: np.load(path) for name, path in sample.files.items()}

    def recipe(self) -> dict[str, Any]:
        return {"version": 1}

    def transform(self, inputs: dict[str, Any], training: bool, generator: Any) -> dict[str, Any]:
        return inputs


TWO_VIEWS = TwoViews()
