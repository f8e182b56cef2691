"""What joint training costs the image encoder itself: a linear probe on its features, joint against alone, five seeds.

A logistic regression is fitted on training features and scored on the held-out test. Prints means and the gap in points.
"""

from __future__ import annotations

import statistics

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression

from igmsweep.config import TrainConfig
from igmsweep.data import load_search, load_test
from igmsweep.data.base import Partition
from igmsweep.data.loader import Loader
from igmsweep.schema.sections import DataConfig
from igmsweep.train import TrainResult, train

SEARCH = load_search(DataConfig(name="avdigits"))
TEST = load_test(DataConfig(name="avdigits"))


@torch.no_grad()
def features(result: TrainResult, partition: Partition) -> np.ndarray:
    """Image features of a partition, (n, d)."""
    result.model.eval()
    loader = Loader(SEARCH.dataset, partition, 256, torch.device("cpu")).only(["image"])
    return torch.cat([result.model.features("image", batch.inputs["image"]) for batch in loader]).numpy()


def probe(method: dict[str, str], seed: int) -> float:
    """Test accuracy of a linear probe in per cent."""
    result = train(TrainConfig(data="avdigits", method=method, seed=seed, device="cpu"), data=SEARCH)
    fitted = LogisticRegression(max_iter=2000).fit(features(result, SEARCH.train), SEARCH.train.labels)
    return 100 * float(fitted.score(features(result, TEST), TEST.labels))


def main() -> None:
    """Train, probe, print."""
    alone = [probe({"name": "unimodal", "modality": "image"}, seed) for seed in range(5)]
    joint = [probe({"name": "joint", "fusion": "sum"}, seed) for seed in range(5)]
    for name, values in (("image alone", alone), ("image in joint", joint)):
        print(f"{name}: {statistics.mean(values):.1f} ± {statistics.stdev(values):.1f}")
    print(f"gap: {statistics.mean(alone) - statistics.mean(joint):.1f} points")


if __name__ == "__main__":
    main()
