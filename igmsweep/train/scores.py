"""Metrics of a model on a loader: of the fused prediction and of each modality's own."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from igmsweep.data.loader import Loader
from igmsweep.errors import Diverged
from igmsweep.methods.base import Method
from igmsweep.metrics import classification_metrics
from igmsweep.models.multimodal import MultimodalModel


@dataclass(frozen=True)
class Scores:
    """`metrics`: `acc`, `map`, `f1`, `loss` of the fused prediction, and of each modality's as `<modality>/acc` and so on.
    `probabilities`: (samples, classes) float32 of the fused prediction; `labels`: (samples,) int64."""

    metrics: dict[str, float]
    probabilities: np.ndarray
    labels: np.ndarray


def evaluate(model: MultimodalModel, method: Method, loader: Loader) -> dict[str, float]:
    """The metrics of `score`. Raises Diverged."""
    return score(model, method, loader).metrics


@torch.no_grad()
def score(model: MultimodalModel, method: Method, loader: Loader) -> Scores:
    """Predict a loader's samples, in order, and judge the predictions.

    Raises:
        Diverged: a prediction is not finite.
    """
    model.eval()
    fused: list[Tensor] = []
    single: dict[str, list[Tensor]] = {name: [] for name in method.modalities}
    labels: list[Tensor] = []
    for batch in loader.only(method.modalities):
        output = model(batch.inputs)
        fused.append(method.fuse(output))
        for name, collected in single.items():
            collected.append(torch.softmax(output.logits[name].float(), dim=-1))
        labels.append(batch.labels)
    truth = torch.cat(labels).cpu().numpy()
    together = _finite("fused", fused)
    metrics = classification_metrics(together, truth)
    for name, collected in single.items():
        own = classification_metrics(_finite(name, collected), truth)
        metrics |= {f"{name}/{metric}": value for metric, value in own.items()}
    return Scores(metrics, together, truth)


def _finite(name: str, probabilities: list[Tensor]) -> np.ndarray:
    values = np.asarray(torch.cat(probabilities).float().cpu().numpy())
    if not np.isfinite(values).all():
        raise Diverged(f"the {name} predictions are not finite")
    return values
