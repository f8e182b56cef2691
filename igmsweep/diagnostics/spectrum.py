"""Singular values of layer inputs (Fig. 5a): how many directions a layer's inputs fill."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from igmsweep.flat import Covariance, InputCovariance, Scope, scoped_layers, uncompiled
from igmsweep.legible import quoted
from igmsweep.train import Training


@dataclass(frozen=True)
class Spectrum:
    """Of one layer's input covariance Y / n, over a pass of the training set.

    Attributes:
        values: its singular values, descending (Y is positive semi-definite: its eigenvalues).
        size: d, of the layer's inputs.
    """

    values: list[float]
    size: int

    @property
    def mean(self) -> float:
        """Of the singular values, the paper's "average singular value"."""
        return sum(self.values) / self.size

    @property
    def effective_rank(self) -> float:
        """exp of the entropy of the values over their sum (Roy and Vetterli, EUSIPCO 2007), in [1, d]; 0 for zeros."""
        total = sum(self.values)
        if total <= 0:
            return 0.0
        shares = [value / total for value in self.values if value > 0]
        return math.exp(-sum(share * math.log(share) for share in shares if share > 0))


def input_spectra(
    training: Training, modality: str, scope: Scope = 1.0, covariance: Covariance = "samples", most: int = 2048
) -> dict[str, Spectrum]:
    """Spectra of a modality's layers, deepest first, in evaluation mode.

    Args:
        scope: which layers, as `method.scope` has it.
        covariance: `samples`, `centered`, or the paper's `batch_mean`.
        most: layers with more inputs are left out, for the time of their decomposition.

    Raises:
        ValueError: a modality that the model does not have.
    """
    model = training.model
    if modality not in model.modalities:
        raise ValueError(f"modality: found {quoted(modality)}, expected one of {', '.join(model.modalities)}")
    layers = scoped_layers(model.branch(modality), scope)
    watched = InputCovariance(layers, covariance)
    batches = 0
    with torch.no_grad(), training.run.evaluating(), watched.watch(), uncompiled(model):
        for batch in training.run.clean(shuffle=True).only((modality,)):
            model.one(modality, batch.inputs[modality])
            batches += 1
    found = {}
    for name in layers:
        matrix = watched.matrix(name) / watched.rows(name)
        if len(matrix) > most:
            continue
        values = torch.linalg.eigvalsh(matrix.double()).flip(0).clamp_min(0)
        found[name] = Spectrum(values.tolist(), len(matrix))
    return found
