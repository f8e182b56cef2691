"""An encoder that is not trained."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from igmsweep.models.encoders import feature_size


class FrozenEncoder(nn.Module):
    """An encoder at rest, in evaluation mode for good. Features that were computed before, (n, d), pass through."""

    def __init__(self, encoder: nn.Module) -> None:
        super().__init__()
        self.encoder = encoder.requires_grad_(False).eval()
        self.features = feature_size(encoder)

    def train(self, mode: bool = True) -> FrozenEncoder:
        """Stays in evaluation mode: batch-norm statistics are part of the weights."""
        super().train(mode)
        self.encoder.eval()
        return self

    def forward(self, x: Tensor) -> Tensor:
        if x.ndim == 2:  # pictures have four axes, clips five and texts three
            return x
        with torch.no_grad():
            features: Tensor = self.encoder(x)
        return features
