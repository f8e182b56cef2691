"""One model for every method: an encoder per modality, and heads that are separate, shared or joint."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor, nn

from igmsweep.models.encoders import encoder, feature_size
from igmsweep.models.frozen import FrozenEncoder
from igmsweep.models.heads import head

if TYPE_CHECKING:
    from igmsweep.data.base import DataSet
    from igmsweep.schema.sections import ModelConfig


@dataclass
class Output:
    """`features` (batch, d) and `logits` (batch, classes) per modality; `fused` logits where the model has any."""

    features: dict[str, Tensor]
    logits: dict[str, Tensor]
    fused: Tensor | None = None


class MultimodalModel(nn.Module):
    """Encoders and heads.

    `fusion` is `late` (a head per modality), `shared` (one head for all; features of unequal size are projected to the
    smallest) or `concat` (a head over the concatenated features; unimodal heads beside it with `extra_heads`).
    With `project`, an encoder whose features have another size gets a linear layer to that size in front of its head.
    A modality's parameters come from `branch` and `part`, never from a name or a shape.
    """

    def __init__(
        self,
        encoders: Mapping[str, nn.Module],
        classes: int,
        hidden: Iterable[int],
        fusion: Literal["late", "shared", "concat"] | str = "late",
        extra_heads: bool = False,
        project: int | None = None,
    ) -> None:
        super().__init__()
        hidden = tuple(hidden)
        self.fusion = fusion
        self.classes = classes
        self.encoders = nn.ModuleDict(encoders)
        self.sizes = {name: feature_size(module) for name, module in encoders.items()}
        self.projections = nn.ModuleDict()
        self.heads = nn.ModuleDict()
        self.joint: nn.Module | None = None
        self.extra = nn.ModuleDict()
        """A method's own modules; their parameters are shared ones."""
        if fusion == "shared" or project is not None:
            common = min(self.sizes.values()) if project is None else project
            for name, size in self.sizes.items():
                self.projections[name] = nn.Identity() if size == common else nn.Linear(size, common)
                self.sizes[name] = common
        if fusion == "shared":
            self.joint = head(common, hidden, classes)
        elif fusion == "concat":
            self.joint = head(sum(self.sizes.values()), hidden, classes)
        elif fusion != "late":
            raise ValueError(f"fusion: found {fusion!r}, expected late, shared or concat")
        if fusion == "late" or (fusion == "concat" and extra_heads):
            for name, size in self.sizes.items():
                self.heads[name] = head(size, hidden, classes)

    @property
    def modalities(self) -> tuple[str, ...]:
        """In training order."""
        return tuple(self.sizes)

    def branch(self, modality: str) -> nn.ModuleDict:
        """The modules that belong to one modality alone, shallow to deep: encoder, projection, head."""
        parts = {"encoder": self.encoders[modality]}
        if modality in self.projections:
            parts["projection"] = self.projections[modality]
        if modality in self.heads:
            parts["head"] = self.heads[modality]
        return nn.ModuleDict(parts)

    def part(self, modality: str) -> list[nn.Parameter]:
        """A modality's own parameters."""
        return list(self.branch(modality).parameters())

    def shared(self) -> list[nn.Parameter]:
        """Parameters that belong to no single modality."""
        joint = [] if self.joint is None else list(self.joint.parameters())
        return [*joint, *self.extra.parameters()]

    def features(self, modality: str, x: Tensor) -> Tensor:
        """Features of one modality, (batch, d)."""
        z: Tensor = self.encoders[modality](x)
        return self.projections[modality](z) if modality in self.projections else z

    def logits(self, modality: str, z: Tensor) -> Tensor:
        """One modality's class logits from its features; another modality's weights take no part in them."""
        if modality in self.heads:
            return self.heads[modality](z)
        assert self.joint is not None
        if self.fusion == "shared":
            return self.joint(z)
        return self.joint(self.concatenated({modality: z}))

    def one(self, modality: str, x: Tensor) -> Tensor:
        """Logits of one modality from its inputs."""
        return self.logits(modality, self.features(modality, x))

    def concatenated(self, features: Mapping[str, Tensor]) -> Tensor:
        """Concatenated features; a modality that is left out counts as zeros, which is how it is masked."""
        some = next(iter(features.values()))
        return torch.cat(
            [
                features[name] if name in features else some.new_zeros(some.shape[0], size)
                for name, size in self.sizes.items()
            ],
            dim=1,
        )

    def classify(self, features: Mapping[str, Tensor]) -> Output:
        """Logits from features; modalities left out of `features` are masked."""
        logits = {name: self.logits(name, z) for name, z in features.items()}
        fused = None
        if self.fusion == "concat":
            assert self.joint is not None
            fused = self.joint(self.concatenated(features))
        return Output(dict(features), logits, fused)

    def forward(self, inputs: Mapping[str, Tensor], mask: Mapping[str, Tensor] | None = None) -> Output:
        """Features and logits of every modality in `inputs`; leaving one out masks it."""
        return self.classify({name: self.features(name, inputs[name]) for name in self.sizes if name in inputs})


def build_model(
    config: ModelConfig,
    dataset: DataSet,
    fusion: str,
    extra_heads: bool,
    hidden: tuple[int, ...] | None = None,
    head_hidden: tuple[int, ...] | None = None,
) -> MultimodalModel:
    """A new model; initialisation draws from torch's global generator, so seed it first.

    Args:
        fusion, extra_heads: as MultimodalModel has them; a method's `layout` says which.

    Raises:
        UserError: an unknown encoder, or weights that are not there or do not fit; the message names the key.
    """
    modules: dict[str, nn.Module] = {}
    for name, kind in config.encoder.items():
        module = encoder(kind, dataset.modalities[name].shape, config.width, config.weights[name], name)
        modules[name] = FrozenEncoder(module) if config.frozen[name] else module
    return MultimodalModel(
        modules, len(dataset.classes), config.head if hidden is None else hidden, fusion, extra_heads, config.project
    )
