"""Small encoders for small inputs."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional as F

from igmsweep.errors import UserError
from igmsweep.models.weights import NONE, Wanted


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
        shape: (channels, height, width) of one sample, or (channels, frames, height, width): frames are encoded one
            by one and their features averaged.
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
        frames = x.shape[2] if x.ndim == 5 else 1
        x = frames_as_samples(x)
        x = F.relu(self.bn(self.stem(x)))
        return pool_frames(self.layer3(self.layer2(self.layer1(x))).mean(dim=(2, 3)), frames)


def frames_as_samples(x: Tensor) -> Tensor:
    """(n, C, T, H, W) as (n T, C, H, W); four dimensions stay as they are."""
    return x.transpose(1, 2).flatten(0, 1) if x.ndim == 5 else x


def pool_frames(features: Tensor, frames: int) -> Tensor:
    """(n T, d) averaged over each sample's T frames: (n, d)."""
    return features if frames == 1 else features.unflatten(0, (-1, frames)).mean(dim=1)


class TextMini(nn.Module):
    """Words' vectors, two convolutions over three words each, and the largest answer of every filter over the text (after
    Kim 2014); 4 x `width` features, 64 by default.

    Texts are (n, 3, tokens) integers: token ids, attention mask, segment ids. What is not attended to counts for nothing.

    Args:
        vocabulary: token ids are below it.
        width: a quarter of the size of the vectors and of the filters' number.
    """

    def __init__(self, vocabulary: int, width: int = 16) -> None:
        super().__init__()
        self.vocabulary = vocabulary
        self.features = 4 * width
        self.embedding = nn.Embedding(vocabulary, self.features)
        self.conv1 = nn.Conv1d(self.features, self.features, 3, padding=1)
        self.conv2 = nn.Conv1d(self.features, self.features, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        ids, mask, _ = x.long().unbind(dim=1)
        there = mask.unsqueeze(1).to(self.embedding.weight.dtype)
        y = self.embedding(ids).transpose(1, 2) * there
        y = y + F.relu(self.conv1(y)) * there
        y = F.relu(self.conv2(y)) * there
        return y.amax(dim=2)  # no answer is below the 0 of what is not attended to


def text_mini(wanted: Wanted) -> TextMini:
    """The small text encoder that `wanted` describes, `text_mini:N` for N token ids; 32,768 without one.

    Raises:
        UserError: weights, of which it has none, or a variant that is no number.
    """
    if wanted.weights != NONE:
        raise UserError(f"{wanted.key}: found '{wanted.weights}', but text_mini has no pretrained weights; use 'none'")
    if wanted.variant is not None and not (wanted.variant.isdecimal() and int(wanted.variant) > 1):
        raise UserError(f"{wanted.encoder_key}: found 'text_mini:{wanted.variant}', expected a number of token ids")
    return TextMini(32768 if wanted.variant is None else int(wanted.variant), wanted.width)


def resnet_mini(wanted: Wanted) -> ResNetMini:
    """The small ResNet that `wanted` describes. Raises UserError for weights: it has none."""
    wanted.refuse_variant("resnet_mini")
    if wanted.weights != NONE:
        raise UserError(
            f"{wanted.key}: found '{wanted.weights}', but resnet_mini has no pretrained weights; use 'none'"
        )
    return ResNetMini(wanted.shape, wanted.width)
