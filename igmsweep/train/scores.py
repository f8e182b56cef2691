"""Metrics of a model on a loader: of the fused prediction and of each modality's own."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from igmsweep.data.loader import Loader
from igmsweep.errors import Diverged
from igmsweep.methods.base import Method
from igmsweep.metrics import classification_metrics
from igmsweep.models.multimodal import MultimodalModel


@torch.no_grad()
def evaluate(model: MultimodalModel, method: Method, loader: Loader) -> dict[str, float]:
    """`acc`, `map`, `f1`, `loss` of the fused prediction, and of each modality's as `<modality>/acc` and so on.

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
    metrics = _scores("", fused, truth)
    for name, collected in single.items():
        metrics |= _scores(f"{name}/", collected, truth)
    return metrics


def _scores(prefix: str, probabilities: list[Tensor], truth: np.ndarray) -> dict[str, float]:
    values = torch.cat(probabilities).float().cpu().numpy()
    if not np.isfinite(values).all():
        raise Diverged(f"the {prefix.rstrip('/') or 'fused'} predictions are not finite")
    return {f"{prefix}{name}": value for name, value in classification_metrics(values, truth).items()}
