"""The loss of a trained model on fixed samples, as a function of its weights."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from igmsweep.data.loader import Batch
from igmsweep.legible import quoted
from igmsweep.methods.base import cross_entropy
from igmsweep.models.multimodal import MultimodalModel, Output
from igmsweep.train import Training

LEAST = 1e-30
"""A fused probability counts as at least this: its logarithm stays finite."""


@dataclass(frozen=True)
class Objective:
    """Mean loss over `batches`, in evaluation mode.

    Attributes:
        model: whose weights may be moved between two calls.
        batches: the same samples at every call.
        loss: `loss(output, labels)`, the mean of a batch, 0-d.
        modality: the only one that takes part; None: all.
    """

    model: MultimodalModel
    batches: Sequence[Batch]
    loss: Callable[[Output, Tensor], Tensor]
    modality: str | None = None

    @property
    def samples(self) -> int:
        """How many samples it is a mean over."""
        return sum(len(batch.labels) for batch in self.batches)

    def parameters(self) -> dict[str, nn.Parameter]:
        """By name, the trainable weights that it depends on."""
        model = self.model
        wanted = None
        if self.modality is not None:
            wanted = {id(each) for each in (*model.part(self.modality), *model.shared())}
        return {
            name: each
            for name, each in model.named_parameters()
            if each.requires_grad and (wanted is None or id(each) in wanted)
        }

    def parts(self) -> list[Callable[[], Tensor]]:
        """A function per batch that gives its share of the mean, 0-d with a gradient."""
        whole = self.samples

        def part(batch: Batch) -> Tensor:
            return self.loss(self.model(batch.inputs), batch.labels) * (len(batch.labels) / whole)

        return [lambda batch=batch: part(batch) for batch in self.batches]  # type: ignore[misc]

    def value(self) -> float:
        """The mean loss at the weights as they are; batches are summed in float64."""
        with torch.no_grad():
            return float(torch.stack([part().double() for part in self.parts()]).sum())


def objective_of(training: Training, samples: int = 512, modality: str | None = None, seed: int = 0) -> Objective:
    """The loss of a training's model on some of its training samples, without augmentation.

    The loss is the cross-entropy of the prediction that the method makes (`Method.fuse`), or of one modality's own head. Equal
    `samples` and `seed` choose the same samples for every method on the same data.

    Args:
        samples: at most so many, at least 1.
        modality: whose own head; None: the fused prediction.

    Raises:
        ValueError: a modality that the model does not have, or no samples.
    """
    if modality is not None and modality not in training.model.modalities:
        raise ValueError(f"modality: found {quoted(modality)}, expected one of {', '.join(training.model.modalities)}")
    if samples < 1:
        raise ValueError(f"samples: found {samples}, expected at least 1")
    model, method = training.model, training.method
    model.eval()

    def fused(output: Output, labels: Tensor) -> Tensor:
        p = method.fuse(output).gather(1, labels[:, None]).squeeze(1)
        return -p.clamp_min(LEAST).log().mean()

    def single(output: Output, labels: Tensor) -> Tensor:
        assert modality is not None
        return cross_entropy(output.logits[modality], labels)

    share = min(1.0, samples / len(training.data.train))
    only = model.modalities if modality is None else (modality,)
    batches = list(training.run.train.clean(share, seed).only(only))
    return Objective(model, batches, fused if modality is None else single, modality)
