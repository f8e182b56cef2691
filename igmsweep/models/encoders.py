"""Encoders by name: an input batch in, one feature vector a sample out. Adding one is a file and a line in ENCODERS.

Each module has `features`, its output size; a text encoder has `vocabulary`, the number of token ids it knows.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence

import torch
from torch import nn

from igmsweep.errors import UserError, nearest
from igmsweep.models.weights import NONE, Wanted

ENCODERS = {
    "resnet_mini": "igmsweep.models.small:resnet_mini",
    "text_mini": "igmsweep.models.small:text_mini",
    "resnet18": "igmsweep.models.resnet:resnet18",
    "resnet50": "igmsweep.models.resnet:resnet50",
    "resnet50_logits": "igmsweep.models.resnet:resnet50_logits",
    "i3d": "igmsweep.models.i3d:i3d",
    "bert": "igmsweep.models.text:bert",
    "bert_pooler": "igmsweep.models.text:bert_pooler",
    "clip_image": "igmsweep.models.clip:clip_image",
    "clip_text": "igmsweep.models.clip:clip_text",
}


def encoder(
    name: str, shape: Sequence[int], width: int = 16, weights: str = NONE, modality: str = "input"
) -> nn.Module:
    """A new encoder for samples of `shape`.

    Args:
        name: a key of ENCODERS, with `:variant` behind it where the encoder has variants (`bert:PATH_OR_NAME`).
        weights: `none`, `pretrained`, a path, or a name in the user's Hugging Face cache.
        modality: its name, for messages.

    Raises:
        UserError: an unknown name, weights that are not there or do not fit, or samples of another shape.
    """
    kind, _, variant = name.partition(":")
    if kind not in ENCODERS:
        raise UserError(
            f"model.encoder.{modality}: unknown encoder '{kind}', expected one of {', '.join(ENCODERS)}"
            f"{nearest(kind, ENCODERS)}"
        )
    module, _, attribute = ENCODERS[kind].partition(":")
    build = getattr(importlib.import_module(module), attribute)
    wanted = Wanted(modality, tuple(shape), width, variant or None, weights)
    built = build(wanted)
    assert isinstance(built, nn.Module)
    return built


def feature_size(module: nn.Module) -> int:
    """Length of the feature vector that an encoder returns."""
    size = module.features
    assert isinstance(size, int) and not isinstance(size, torch.Tensor)
    return size
