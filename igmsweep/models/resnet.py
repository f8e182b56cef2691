"""torchvision's ResNet18 and ResNet50 (He et al. 2016) as encoders of pictures, spectrograms and short clips."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from igmsweep.models.small import frames_as_samples, pool_frames
from igmsweep.models.weights import NONE, Wanted, fit_channels, load_into, read_state, weight_file

USUAL = {"resnet18": "resnet18-f37072fd.pth", "resnet50": "resnet50-0676ba61.pth"}
"""torchvision's file names of the ImageNet weights (IMAGENET1K_V1), in `torch.hub`'s folder of checkpoints."""


class ResNet(nn.Module):
    """A torchvision ResNet without its classifier: 512 features (18) or 2048 (50).

    Args:
        name: `resnet18` or `resnet50`.
        shape: (channels, height, width), or (channels, frames, height, width): frames go through the network one by
            one and their features are averaged, which is the field's average pooling over time and space.
        logits: keep the ImageNet classifier and return its 1000 logits as features, as the authors' code does.
    """

    def __init__(self, name: str, shape: Sequence[int], logits: bool = False) -> None:
        super().__init__()
        from torchvision import models

        self.body = getattr(models, name)(weights=None)
        self.features = 1000
        if not logits:
            self.features = self.body.fc.in_features
            self.body.fc = nn.Identity()
        if shape[0] != 3:
            self.body.conv1 = _first_convolution(shape[0])

    def forward(self, x: Tensor) -> Tensor:
        frames = x.shape[2] if x.ndim == 5 else 1
        features: Tensor = self.body(frames_as_samples(x))
        return pool_frames(features, frames)


def _first_convolution(channels: int) -> nn.Conv2d:
    """torchvision's first layer for another number of channels, initialised as torchvision initialises convolutions.

    The weights come from the random numbers that the layer's own initialisation then draws and loses, so that the layers
    that follow start as they did before this one was initialised so.
    """
    weight = torch.empty(64, channels, 7, 7)
    with torch.random.fork_rng(devices=[]):
        nn.init.kaiming_normal_(weight, mode="fan_out", nonlinearity="relu")
    layer = nn.Conv2d(channels, 64, 7, stride=2, padding=3, bias=False)
    with torch.no_grad():
        layer.weight.copy_(weight)
    return layer


def _build(name: str, wanted: Wanted, logits: bool = False) -> ResNet:
    wanted.refuse_variant(name)
    encoder = ResNet(name, wanted.shape, logits)
    if wanted.weights != NONE:
        path = weight_file(wanted, USUAL[name])
        state = read_state(path, wanted.key)
        if "conv1.weight" in state:
            state["conv1.weight"] = fit_channels(state["conv1.weight"], wanted.shape[0])
        load_into(encoder.body, state, path, wanted.key, () if logits else ("fc.",))
    return encoder


def resnet18(wanted: Wanted) -> ResNet:
    """ResNet18; its weights are a state dict with torchvision's names."""
    return _build("resnet18", wanted)


def resnet50(wanted: Wanted) -> ResNet:
    """ResNet50; its weights are a state dict with torchvision's names."""
    return _build("resnet50", wanted)


def resnet50_logits(wanted: Wanted) -> ResNet:
    """ResNet50 with its ImageNet classifier kept: 1000 features, as in IGM's released code."""
    return _build("resnet50", wanted, logits=True)
