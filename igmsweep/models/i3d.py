"""I3D: Inception-v1 inflated to three dimensions (Carreira and Zisserman 2017), 1024 features a clip.

Module names are those of the weights in circulation (`rgb_imagenet.pt`, `flow_imagenet.pt`), which therefore load as
they are: `Conv3d_1a_7x7.conv3d.weight`, `Mixed_3b.b1a.bn.running_mean`, and so on.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from igmsweep.models.weights import NONE, Wanted, fit_channels, load_into, read_state, weight_file

MIXED = {
    # name: input channels, then the six widths of Szegedy et al. 2015, Table 1
    "Mixed_3b": (192, (64, 96, 128, 16, 32, 32)),
    "Mixed_3c": (256, (128, 128, 192, 32, 96, 64)),
    "Mixed_4b": (480, (192, 96, 208, 16, 48, 64)),
    "Mixed_4c": (512, (160, 112, 224, 24, 64, 64)),
    "Mixed_4d": (512, (128, 128, 256, 24, 64, 64)),
    "Mixed_4e": (512, (112, 144, 288, 32, 64, 64)),
    "Mixed_4f": (528, (256, 160, 320, 32, 128, 128)),
    "Mixed_5b": (832, (256, 160, 320, 32, 128, 128)),
    "Mixed_5c": (832, (384, 192, 384, 48, 128, 128)),
}
Triple = tuple[int, int, int]


def pad_same(x: Tensor, kernel: Triple, stride: Triple) -> Tensor:
    """Zeros so that each axis has ceil(size / stride) outputs, one more behind than before where the sum is odd.

    The weights were trained under this rule, which depends on the size: at stride 2 it is not `padding=kernel // 2`.
    """
    pads: list[int] = []
    for size, k, s in zip(reversed(x.shape[2:]), reversed(kernel), reversed(stride), strict=True):
        total = max((-(-size // s) - 1) * s + k - size, 0)
        pads += [total // 2, total - total // 2]
    return F.pad(x, pads) if any(pads) else x


class Unit3D(nn.Module):
    """Convolution, batch normalisation, ReLU."""

    def __init__(self, inputs: int, outputs: int, kernel: int = 1, stride: int = 1) -> None:
        super().__init__()
        self.conv3d = nn.Conv3d(inputs, outputs, kernel, stride, bias=False)
        self.bn = nn.BatchNorm3d(outputs, eps=0.001, momentum=0.01)
        self.kernel: Triple = (kernel, kernel, kernel)
        self.stride: Triple = (stride, stride, stride)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.bn(self.conv3d(pad_same(x, self.kernel, self.stride))))


class MaxPool(nn.Module):
    """Max pooling over zero padding; its inputs come from a ReLU, so a zero never hides a maximum."""

    def __init__(self, kernel: Triple, stride: Triple) -> None:
        super().__init__()
        self.kernel, self.stride = kernel, stride

    def forward(self, x: Tensor) -> Tensor:
        return F.max_pool3d(pad_same(x, self.kernel, self.stride), self.kernel, self.stride)


class Mixed(nn.Module):
    """An inception module: four branches, concatenated."""

    def __init__(self, inputs: int, widths: Sequence[int]) -> None:
        super().__init__()
        self.b0 = Unit3D(inputs, widths[0])
        self.b1a = Unit3D(inputs, widths[1])
        self.b1b = Unit3D(widths[1], widths[2], 3)
        self.b2a = Unit3D(inputs, widths[3])
        self.b2b = Unit3D(widths[3], widths[4], 3)
        self.b3a = MaxPool((3, 3, 3), (1, 1, 1))
        self.b3b = Unit3D(inputs, widths[5])

    def forward(self, x: Tensor) -> Tensor:
        branches = [self.b0(x), self.b1b(self.b1a(x)), self.b2b(self.b2a(x)), self.b3b(self.b3a(x))]
        return torch.cat(branches, dim=1)


class I3D(nn.Module):
    """(n, C, T, H, W) to (n, 1024), averaged over time and space.

    At 224 x 224 and 64 frames the last feature map is 8 x 7 x 7. The published network pools 2 x 7 x 7 windows and
    averages its logits over time, which weighs inner frames twice; the field's feature extractors, and this, take the
    plain mean. T and the sides may be any size.
    """

    features = 1024

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.Conv3d_1a_7x7 = Unit3D(channels, 64, 7, 2)
        self.MaxPool3d_2a_3x3 = MaxPool((1, 3, 3), (1, 2, 2))
        self.Conv3d_2b_1x1 = Unit3D(64, 64)
        self.Conv3d_2c_3x3 = Unit3D(64, 192, 3)
        self.MaxPool3d_3a_3x3 = MaxPool((1, 3, 3), (1, 2, 2))
        for name, (inputs, widths) in MIXED.items():
            if name == "Mixed_4b":
                self.MaxPool3d_4a_3x3 = MaxPool((3, 3, 3), (2, 2, 2))
            if name == "Mixed_5b":
                self.MaxPool3d_5a_2x2 = MaxPool((2, 2, 2), (2, 2, 2))
            self.add_module(name, Mixed(inputs, widths))

    def forward(self, x: Tensor) -> Tensor:
        for module in self.children():
            x = module(x)
        return x.mean(dim=(2, 3, 4))


def i3d(wanted: Wanted) -> I3D:
    """I3D for clips of `wanted.shape` = (channels, frames, height, width).

    A 3-channel file loads into a 1-channel network, its first convolution summed over colours (for depth).
    """
    wanted.refuse_variant("i3d")
    channels = wanted.shape[0]
    encoder = I3D(channels)
    if wanted.weights != NONE:
        path = weight_file(wanted, "flow_imagenet.pt" if channels == 2 else "rgb_imagenet.pt")
        state = read_state(path, wanted.key)
        first = "Conv3d_1a_7x7.conv3d.weight"
        if first in state:
            state[first] = fit_channels(state[first], channels)
        load_into(encoder, state, path, wanted.key, ("logits.",))
    return encoder
