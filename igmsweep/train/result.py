"""What a training tells: an epoch at a time, and at its end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from igmsweep import data as datasets
from igmsweep.config import TrainConfig
from igmsweep.data.base import Partition
from igmsweep.data.loader import Loader
from igmsweep.methods.base import Method
from igmsweep.models.multimodal import MultimodalModel
from igmsweep.models.setup import evaluation_batch
from igmsweep.record.predictions import Predictions, samples_hash
from igmsweep.train.scores import Scores, score

Report = Callable[[int, dict[str, Any], Callable[[Path], None]], None]
"""`report(step, metrics, save_checkpoint)`, called after every epoch; steps count from 1."""


@dataclass
class Epoch:
    """One finished epoch. `metrics` is flat and plain; `save(path)` writes a checkpoint, valid until the next epoch."""

    number: int
    metrics: dict[str, Any]
    save: Callable[[Path], None]


@dataclass
class TrainResult:
    """What a training leaves behind: the final weights' validation metrics and everything that led there."""

    config: TrainConfig
    metrics: dict[str, float]
    """`val/acc`, `val/map`, `val/f1`, `val/loss`, and the same per modality as `val/<modality>/acc`."""
    history: list[dict[str, Any]]
    seconds: float
    model: MultimodalModel
    method: Method
    notes: list[str] = field(default_factory=list)
    diagnostics: dict[str, Any] = field(default_factory=dict)
    """What the method tells besides, such as the spectra of IGM's T; plain data."""

    predictions: Predictions | None = None
    """Of the validation samples, by the final weights."""

    def evaluate(self, partition: Partition) -> dict[str, float]:
        """Metrics of the final weights on a partition, named `acc`, `map`, ... and `<modality>/acc`, ..."""
        return self._score(partition).metrics

    def predict(self, partition: Partition) -> tuple[dict[str, float], Predictions]:
        """`evaluate`, and what the final weights predict of each sample."""
        found = self._score(partition)
        return found.metrics, predicted(found, partition)

    def _score(self, partition: Partition) -> Scores:
        device = next(self.model.parameters()).device
        dataset = datasets.of(self.config.data)
        shapes = [modality.shape for modality in dataset.modalities.values()]
        held = evaluation_batch(shapes, self.config.optim.batch_size)
        loader = Loader(dataset, partition, held, device, channels_last=self.config.channels_last)
        return score(self.model, self.method, loader)


def predicted(found: Scores, partition: Partition) -> Predictions:
    """The scores' predictions, with the hash of the samples that they are of."""
    return Predictions(found.probabilities, found.labels, samples_hash(partition.ids))
