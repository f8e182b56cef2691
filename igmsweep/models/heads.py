"""Classification heads."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from torch import nn


def head(features: int, hidden: Sequence[int], classes: int) -> nn.Sequential:
    """FC(d, 256), ReLU, FC(256, 64), FC(64, classes) for `hidden=(256, 64)` (Sec. 4.2).

    The paper prints a ReLU after the first layer only, so the deeper layers form one linear map of rank `hidden[-1]`.
    The text's last layer, 256 x 64, is a slip: it has to end in the classes. `hidden=()` is a single linear layer.
    """
    sizes = [features, *hidden, classes]
    layers: list[nn.Module] = []
    for index, (inputs, outputs) in enumerate(pairwise(sizes)):
        layers.append(nn.Linear(inputs, outputs))
        if index == 0 and hidden:
            layers.append(nn.ReLU(inplace=False))
    return nn.Sequential(*layers)


def only_linear(module: nn.Module | None) -> nn.Linear | None:
    """The layer of a head that is one linear layer, else None."""
    layers = list(module) if isinstance(module, nn.Sequential) else [module]
    return layers[0] if len(layers) == 1 and isinstance(layers[0], nn.Linear) else None
