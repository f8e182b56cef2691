"""Clipping of gradients without waiting for the device."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from igmsweep.late import torch

if TYPE_CHECKING:
    from torch import nn


def clip_where_loud(parameters: Sequence[nn.Parameter], watched: Sequence[nn.Parameter], norm: float) -> None:
    """Clip the gradients of `parameters` to a common `norm` where the largest gradient of `watched` passes 1 (Li et al. 2023).

    Norms are taken in float64: AGM's factors may be exp(50), whose square has no place in float32.

    Args:
        watched: one of them at least has a gradient.
        norm: above 0.
    """
    largest = torch.stack([p.grad.abs().max() for p in watched if p.grad is not None]).max()
    found = [p.grad for p in parameters if p.grad is not None]
    norms = [torch.linalg.vector_norm(gradient, dtype=torch.float64) for gradient in found]
    whole = torch.linalg.vector_norm(torch.stack(norms))
    factor = torch.where(largest > 1, (norm / (whole + 1e-6)).clamp_max(1), torch.ones_like(whole))
    for gradient in found:
        gradient.mul_(factor)
