"""Class prototypes: how far features are from them, and what that says of a sample's class (Fan et al., CVPR 2023)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from igmsweep.late import torch
from igmsweep.methods.base import cross_entropy, wide

if TYPE_CHECKING:
    from torch import Tensor

TINY = 1e-12
"""Below the root of a distance, for its gradient at 0."""


def distances(z: Tensor, prototypes: Tensor, known: Tensor) -> Tensor:
    """-||z - c_k||, (batch, classes); minus infinity for classes without a prototype.

    Args:
        z: (batch, d). prototypes: (classes, d). known: (classes,) bool.
    """
    squares = (wide(z)[:, None, :] - prototypes[None, :, :]).square().sum(-1)
    return (-(squares + TINY).sqrt()).masked_fill(~known, float("-inf"))


def prototypical(u: Tensor, labels: Tensor, known: Tensor) -> Tensor:
    """L, 0-d: the mean of -log softmax(u)[y] over the samples whose class has a prototype; 0 where there is none.

    Args:
        u: (batch, classes) of `distances`. labels: (batch,). known: (classes,) bool.
    """
    has = known[labels]
    losses = cross_entropy(u, labels.masked_fill(~has, -100), reduction="none")  # torch skips -100
    return losses.sum() / has.sum().clamp_min(1)


def entropy(q: Tensor) -> Tensor:
    """Mean entropy of softmax(q) over a batch, 0-d; a class at minus infinity counts nothing."""
    log_q = torch.log_softmax(q, dim=-1)
    return -(log_q.exp() * log_q.masked_fill(log_q == float("-inf"), 0.0)).sum(-1).mean()
