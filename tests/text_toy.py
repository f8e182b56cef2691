"""Toy data of a text (token ids) and a clip of frames, learnable in seconds: the shapes of the real sets, in small."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from igmsweep.data.base import DataSet, Modality, Part, Sample

TOKENS, VOCABULARY = 8, 40
CLIP = (2, 4, 16, 16)
COUNTS = {"train": 72, "val": 24, "test": 12}


class TextToy(DataSet):
    """The class decides which words occur, and the sign of each half of the clip."""

    name = "text_toy"
    classes = ("a", "b")
    metrics = ("acc", "f1")
    modalities = {
        "text": Modality("text", "text", (3, TOKENS), "bert"),
        "clip": Modality("clip", "image", CLIP, "resnet_mini"),
    }

    def defaults(self, method: str) -> dict[str, Any]:
        return {
            "model": {"width": 4, "head": [16, 8]},
            "optim": {"name": "adam", "lr": 0.003, "batch_size": 12, "schedule": "none"},
            "stages": {"cycles": 1, "epochs": 2},
        }

    def ensure(self, root: Path) -> None:
        if root.exists():
            return
        rng = np.random.default_rng(0)
        for part, count in COUNTS.items():
            (root / part).mkdir(parents=True)
            for number in range(count):
                label = number % 2
                words = rng.integers(4 + 18 * label, 22 + 18 * label, TOKENS)
                length = rng.integers(3, TOKENS + 1)
                mask = np.arange(TOKENS) < length
                text = np.stack([words * mask, mask, np.zeros(TOKENS)]).astype(np.int32)
                clip = rng.normal(size=CLIP).astype(np.float32)
                clip[:, :, :8] += 0.7 * (2 * label - 1)
                np.save(root / part / f"{number:03d}_{label}_text.npy", text)
                np.save(root / part / f"{number:03d}_{label}_clip.npy", clip)

    def index(self, root: Path, part: Part) -> list[Sample]:
        return [
            Sample(
                f"{part}{path.stem[:3]}",
                int(path.stem.split("_")[1]),
                {"text": path, "clip": path.with_name(path.name.replace("text", "clip"))},
            )
            for path in sorted((root / part).glob("*_text.npy"))
        ]

    def read(self, sample: Sample) -> dict[str, np.ndarray]:
        return {name: np.load(path) for name, path in sample.files.items()}

    def recipe(self) -> dict[str, Any]:
        return {"version": 1}

    def transform(self, inputs: dict[str, Any], training: bool, generator: Any) -> dict[str, Any]:
        import torch

        return {
            name: x + 0.1 * torch.randn(x.shape, generator=generator, device=x.device)
            if training and x.is_floating_point()
            else x
            for name, x in inputs.items()
        }


TEXT_TOY = TextToy()
