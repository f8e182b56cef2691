"""Encoders: an input batch in, one feature vector a sample out. Each module has `features`, its output size."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from igmsweep.errors import UserError, nearest


class _Block(nn.Module):
    """Two 3 x 3 convolutions with a shortcut (He et al. 2016, basic block)."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or inputs != outputs:
            self.shortcut = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.bn1(self.conv1(x)))
        return F.relu(self.bn2(self.conv2(y)) + self.shortcut(x))


class ResNetMini(nn.Module):
    """ResNet18's plan with one block a stage and three stages, for small inputs; 4 x `width` features, 64 by default.

    Args:
        shape: (channels, height, width) of one sample.
        width: channels of the stem; the blocks have 1, 2 and 4 times as many.
    """

    def __init__(self, shape: Sequence[int], width: int = 16) -> None:
        super().__init__()
        self.stem = nn.Conv2d(shape[0], width, 3, stride=2, padding=1, bias=False)
        self.bn = nn.BatchNorm2d(width)
        self.layer1 = _Block(width, width, 2)
        self.layer2 = _Block(width, 2 * width, 2)
        self.layer3 = _Block(2 * width, 4 * width, 1)
        self.features = 4 * width

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.bn(self.stem(x)))
        return self.layer3(self.layer2(self.layer1(x))).mean(dim=(2, 3))


class ResNet18(nn.Module):
    """torchvision's ResNet18 without its classifier, 512 features; the first convolution takes any channel count."""

    def __init__(self, shape: Sequence[int]) -> None:
        super().__init__()
        from torchvision.models import resnet18

        self.body = resnet18(weights=None)
        self.body.fc = nn.Identity()
        if shape[0] != 3:
            self.body.conv1 = nn.Conv2d(shape[0], 64, 7, stride=2, padding=3, bias=False)
        self.features = 512

    def forward(self, x: Tensor) -> Tensor:
        features: Tensor = self.body(x)
        return features


ENCODERS: dict[str, Callable[[Sequence[int], int], nn.Module]] = {
    "resnet_mini": lambda shape, width: ResNetMini(shape, width),
    "resnet18": lambda shape, width: ResNet18(shape),
}


def encoder(name: str, shape: Sequence[int], width: int) -> nn.Module:
    """A new encoder for samples of `shape`. Raises UserError for an unknown name."""
    if name not in ENCODERS:
        raise UserError(
            f"model.encoder: unknown encoder '{name}', expected one of {', '.join(ENCODERS)}{nearest(name, ENCODERS)}"
        )
    return ENCODERS[name](shape, width)


def feature_size(module: nn.Module) -> int:
    """Length of the feature vector that an encoder returns."""
    size = module.features
    assert isinstance(size, int) and not isinstance(size, torch.Tensor)
    return size
