"""Random directions in the space of weights, normalised filter by filter (Li et al., NeurIPS 2018, Sec. 4).

A network of rectified layers computes the same when one layer is multiplied by a and the next by 1 / a. A plain random
direction would then show another picture; one whose every filter has the length of the filter it is added to does not.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import torch
from torch import Tensor


def filter_normalised(parameters: Mapping[str, Tensor], seed: int) -> dict[str, Tensor]:
    """One direction, a tensor for each parameter, of its shape and type.

    Each filter (a slice of the first dimension) of a weight with two dimensions or more is Gaussian, of the filter's own
    norm. Biases and the weights of norm layers, which have one dimension, are zeros, as in the work. What is drawn hangs
    on the seed and on a parameter's name and shape alone: methods with the same encoders get the same draws in them,
    whatever heads they have.

    Args:
        parameters: weights by name.
        seed: of the draw, at least 0.
    """
    found = {}
    for name, weight in parameters.items():
        if weight.ndim < 2:
            found[name] = torch.zeros_like(weight)
            continue
        words = f"{seed} {name} {tuple(weight.shape)}".encode()
        random = torch.Generator().manual_seed(int.from_bytes(hashlib.sha256(words).digest()[:7], "big"))
        drawn = torch.randn(weight.shape, generator=random, dtype=torch.float64).to(weight.device)
        length = _norms(drawn).clamp_min(torch.finfo(torch.float64).tiny)
        found[name] = (drawn / length * _norms(weight.detach().double())).to(weight.dtype)
    return found


def filter_norms(parameters: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The norm of the filter that each weight belongs to, of the parameter's shape; 0 for biases and norm layers."""
    return {
        name: torch.zeros_like(weight) if weight.ndim < 2 else _norms(weight.detach()).expand_as(weight).clone()
        for name, weight in parameters.items()
    }


def _norms(weight: Tensor) -> Tensor:
    """(filters, 1, ...) Euclidean norms."""
    flat: Tensor = torch.linalg.vector_norm(weight.reshape(weight.shape[0], -1), dim=1)
    return flat.reshape(-1, *[1] * (weight.ndim - 1))
