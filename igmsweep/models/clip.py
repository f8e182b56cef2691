"""CLIP's image and text towers (Radford et al. 2021), each with its projection into the common space (Fig. 5b)."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from igmsweep.errors import UserError
from igmsweep.models.text import import_transformers, pretrained, pretrained_config
from igmsweep.models.weights import NONE, PRETRAINED, Wanted

CLIP = "openai/clip-vit-base-patch32"
"""The paper names no variant; this is the smallest of the published ones."""


class ImageTower(nn.Module):
    """(n, 3, side, side) to (n, projection size), 512 for the default."""

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body
        config: Any = body.config
        self.features = int(config.projection_dim)

    def forward(self, x: Tensor) -> Tensor:
        features: Tensor = self.body(pixel_values=x).image_embeds
        return features


class TextTower(nn.Module):
    """(n, 3, tokens) integers (ids, mask, segments, which CLIP has none of) to (n, projection size)."""

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body
        config: Any = body.config
        self.features = int(config.projection_dim)
        self.vocabulary = int(config.vocab_size)

    def forward(self, x: Tensor) -> Tensor:
        ids, mask, _ = x.long().unbind(dim=1)
        features: Tensor = self.body(input_ids=ids, attention_mask=mask).text_embeds
        return features


def clip_image(wanted: Wanted) -> ImageTower:
    """`clip_image` or `clip_image:PATH_OR_NAME`; pictures must have the side that the model was made for."""
    tower = ImageTower(_body(wanted, "CLIPVisionModelWithProjection", "CLIPVisionConfig"))
    config: Any = tower.body.config
    side = int(config.image_size)
    if tuple(wanted.shape) != (3, side, side):
        raise UserError(
            f"{wanted.encoder_key}: found samples of shape {tuple(wanted.shape)}, expected (3, {side}, {side})"
        )
    return tower


def clip_text(wanted: Wanted) -> TextTower:
    """`clip_text` or `clip_text:PATH_OR_NAME`; texts must come from CLIP's tokenizer."""
    tower = TextTower(_body(wanted, "CLIPTextModelWithProjection", "CLIPTextConfig"))
    config: Any = tower.body.config
    if wanted.shape[-1] > config.max_position_embeddings:
        raise UserError(
            f"{wanted.encoder_key}: texts have {wanted.shape[-1]} tokens, CLIP takes at most "
            f"{config.max_position_embeddings}"
        )
    return tower


def _body(wanted: Wanted, model: str, config: str) -> nn.Module:
    transformers = import_transformers(wanted.encoder_key)
    kind, settings = getattr(transformers, model), getattr(transformers, config)
    if wanted.weights != NONE:
        name = (wanted.variant or CLIP) if wanted.weights == PRETRAINED else wanted.weights
        found: nn.Module = pretrained(kind, name, wanted.key)
        return found
    if wanted.variant is None:
        made: nn.Module = kind(settings())
        return made
    described = pretrained_config(settings, wanted.variant, wanted.encoder_key)
    try:
        new: nn.Module = kind(described)
    except Exception as error:  # as the library has it of a config that fits no model
        raise UserError(f"{wanted.encoder_key}: {wanted.variant} describes no model ({type(error).__name__})") from None
    return new
