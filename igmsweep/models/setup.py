"""How a new model is set up for its data and its machine: memory format, compilation, batches for evaluation."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn

from igmsweep.errors import UserError
from igmsweep.models.frozen import FrozenEncoder

if TYPE_CHECKING:
    from igmsweep.data.base import Partition
    from igmsweep.models.multimodal import MultimodalModel

EVALUATION_BATCH = 256
EVALUATION_BYTES = 256 * 2**20
"""Inputs of one evaluation batch take at most this much, so that clips of 64 frames do not fill a GPU."""


def evaluation_batch(shapes: Sequence[tuple[int, ...]], batch_size: int) -> int:
    """Samples a batch where no gradient is kept: 256, fewer for large samples, never fewer than in training."""
    sample = 4 * sum(math.prod(shape) for shape in shapes)
    return max(batch_size, min(EVALUATION_BATCH, EVALUATION_BYTES // max(1, sample)))


def check_tokens(encoders: Mapping[str, nn.Module] | nn.ModuleDict, partition: Partition) -> None:
    """Raise UserError when a text modality holds a token id that its encoder does not know."""
    for name, module in encoders.items():
        inner = module.encoder if isinstance(module, FrozenEncoder) else module
        array = partition.arrays.get(name)
        known = getattr(inner, "vocabulary", None)
        if array is None or not isinstance(known, int) or array.ndim != 3 or not np.issubdtype(array.dtype, np.integer):
            continue
        largest = int(np.asarray(array[:][:, 0]).max())
        if largest >= known:
            raise UserError(
                f"model.encoder.{name}: found token id {largest}, but the encoder knows {known} tokens; "
                "the data set's tokenizer belongs to another encoder"
            )


def check_size(batch: int, samples: int) -> None:
    """Raise UserError for a batch that is larger than the training part."""
    if batch > samples:
        raise UserError(
            f"optim.batch_size: found {batch}, expected at most {samples}, the samples of the training part"
        )


def check_batch(model: nn.Module, size: int) -> None:
    """Raise UserError for batches of one sample where batch normalisation is trained: one sample has no statistics."""
    norms = (module for module in model.modules() if isinstance(module, nn.modules.batchnorm._BatchNorm))
    if size == 1 and any(p.requires_grad for norm in norms for p in norm.parameters()):
        raise UserError("optim.batch_size: found 1, expected 2 or more, as encoders here normalise over the batch")


def use_channels_last(model: nn.Module) -> None:
    """Weights of convolutions with their channels last, in two dimensions and in three."""
    for module in model.modules():
        for parameter in module.parameters(recurse=False):
            if parameter.ndim == 4:
                parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)
            elif parameter.ndim == 5:
                parameter.data = parameter.data.contiguous(memory_format=torch.channels_last_3d)


def compile_encoders(model: MultimodalModel) -> None:
    """Compile every trained encoder where it stands: names in state dicts stay as they are."""
    for module in model.encoders.values():
        if not isinstance(module, FrozenEncoder):
            module.compile(dynamic=False)
