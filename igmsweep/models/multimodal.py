"""One model for every method: an encoder per modality, and heads that are separate, shared or joint."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from igmsweep.legible import quoted
from igmsweep.models.encoders import encoder, feature_size
from igmsweep.models.frozen import FrozenEncoder
from igmsweep.models.heads import head, only_linear

if TYPE_CHECKING:
    from igmsweep.data.base import DataSet
    from igmsweep.schema.sections import ModelConfig


@dataclass
class Output:
    """`features` (batch, d) and `logits` (batch, classes) per modality; `fused` logits where the model has any."""

    features: dict[str, Tensor]
    logits: dict[str, Tensor]
    fused: Tensor | None = None


class ByName(nn.ModuleDict):
    """Modules by a modality's name, which may also be that of one of ModuleDict's attributes, such as `type` or `items`."""

    def add_module(self, name: str, module: nn.Module | None) -> None:
        """Unlike ModuleDict's own, refuses no name: what is kept here is looked up by subscript alone."""
        self._modules[name] = module  # type: ignore[assignment]


class MultimodalModel(nn.Module):
    """Encoders and heads.

    `fusion` is `late` (a head per modality), `shared` (one head for all; features of unequal size are projected to the
    smallest) or `concat` (a head over the concatenated features; unimodal heads beside it with `extra_heads`).
    With `project`, an encoder whose features have another size gets a linear layer to that size in front of its head.
    A modality's parameters come from `branch` and `part`, never from a name or a shape.

    Args:
        hidden: hidden sizes of every head; () is a single linear layer.
        head_hidden: other sizes for `joint`, the head that modalities share or that fuses them, and for `heads`, their own.

    Raises:
        ValueError: an unknown fusion, or a key of `head_hidden` that is neither of these.
    """

    def __init__(
        self,
        encoders: Mapping[str, nn.Module],
        classes: int,
        hidden: Iterable[int],
        fusion: Literal["late", "shared", "concat"] | str = "late",
        extra_heads: bool = False,
        project: int | None = None,
        head_hidden: Mapping[str, Iterable[int]] | None = None,
    ) -> None:
        super().__init__()
        hidden_of = dict.fromkeys(("joint", "heads"), tuple(hidden))
        for kind, given in (head_hidden or {}).items():
            if kind not in hidden_of:
                raise ValueError(f"head_hidden: found {quoted(kind)}, expected joint or heads")
            hidden_of[kind] = tuple(given)
        self.fusion = fusion
        self.classes = classes
        self.encoders = ByName(encoders)
        self.sizes = {name: feature_size(module) for name, module in encoders.items()}
        self.projections = ByName()
        self.heads = ByName()
        self.joint: nn.Module | None = None
        self.extra = nn.ModuleDict()
        """A method's own modules; their parameters are shared ones."""
        if fusion == "shared" or project is not None:
            common = min(self.sizes.values()) if project is None else project
            for name, size in self.sizes.items():
                self.projections[name] = nn.Identity() if size == common else nn.Linear(size, common)
                self.sizes[name] = common
        if fusion == "shared":
            self.joint = head(common, hidden_of["joint"], classes)
        elif fusion == "concat":
            self.joint = head(sum(self.sizes.values()), hidden_of["joint"], classes)
        elif fusion != "late":
            raise ValueError(f"fusion: found {quoted(fusion)}, expected late, shared or concat")
        if fusion == "late" or (fusion == "concat" and extra_heads):
            for name, size in self.sizes.items():
                self.heads[name] = head(size, hidden_of["heads"], classes)

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

    def backbone(self, modality: str) -> list[nn.Parameter]:
        """A modality's own parameters below its head: of its encoder and its projection."""
        head = {id(each) for each in self.heads[modality].parameters()} if modality in self.heads else set()
        return [each for each in self.part(modality) if id(each) not in head]

    def part(self, modality: str) -> list[nn.Parameter]:
        """A modality's own parameters."""
        return list(self.branch(modality).parameters())

    def shared(self) -> list[nn.Parameter]:
        """Parameters that belong to no single modality."""
        joint = [] if self.joint is None else list(self.joint.parameters())
        return [*joint, *self.extra.parameters()]

    def features(self, modality: str, x: Tensor, present: Tensor | None = None) -> Tensor:
        """Features of one modality, (batch, d).

        Args:
            present: (batch,) bool, which samples have it. The encoder sees these alone, so that its batch statistics are
                theirs; the features of the others are zeros through which no gradient flows.
        """
        if present is None:
            return self._encoded(modality, x)
        rows = present.nonzero().squeeze(1)
        if len(rows) == len(x):
            return self._encoded(modality, x)
        if len(rows) == 0:
            kind = next(self.parameters()).dtype
            return torch.zeros(len(x), self.sizes[modality], dtype=kind, device=x.device)
        with _norms_at_rest(self.branch(modality), len(rows) == 1):
            z = self._encoded(modality, x[rows])
        return z.new_zeros(len(x), z.shape[1]).index_copy(0, rows, z)

    def _encoded(self, modality: str, x: Tensor) -> Tensor:
        z: Tensor = self.encoders[modality](x)
        return self.projections[modality](z) if modality in self.projections else z

    @staticmethod
    def blank(x: Tensor) -> Tensor:
        """A batch of inputs that say nothing: zeros; of texts (token ids) the first token alone, the rest unattended."""
        empty = torch.zeros_like(x)
        if not x.is_floating_point():
            empty[..., 0] = x[..., 0]
        return empty

    def encode(self, inputs: Mapping[str, Tensor], mask: Mapping[str, Tensor] | None = None) -> dict[str, Tensor]:
        """Features of every modality in `inputs`, (batch, d); `mask` as `forward` has it."""
        mask = mask or {}
        return {name: self.features(name, inputs[name], mask.get(name)) for name in self.sizes if name in inputs}

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

    def slices(self) -> dict[str, slice]:
        """Which of the concatenated features are each modality's."""
        found, start = {}, 0
        for name, size in self.sizes.items():
            found[name] = slice(start, start + size)
            start += size
        return found

    def split_logits(self, features: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """What each modality adds to the fused logits of a linear head: W_m z_m + b / M, (batch, classes) each.

        They sum to the fused logits of `features`; M is how many modalities these hold.

        Raises:
            ValueError: the model does not concatenate, or its head has hidden layers.
        """
        linear = only_linear(self.joint) if self.fusion == "concat" else None
        if linear is None:
            raise ValueError(
                "split_logits: needs a model that concatenates features into one linear layer (fusion concat, hidden "
                f"sizes () for the joint head), found fusion {self.fusion} with {self.joint}"
            )
        bias = linear.bias / len(features)
        columns = self.slices()
        return {name: F.linear(z, linear.weight[:, columns[name]], bias) for name, z in features.items()}

    def forward(self, inputs: Mapping[str, Tensor], mask: Mapping[str, Tensor] | None = None) -> Output:
        """Features and logits of every modality in `inputs`; leaving one out masks it for all samples.

        Args:
            mask: (batch,) bool of some modalities, which samples have them (`Batch.mask`). An absent sample's features are
                zeros, its logits what a head makes of zeros, and it is the caller's to keep those out of a loss or a mean.
        """
        return self.classify(self.encode(inputs, mask))


@contextmanager
def _norms_at_rest(module: nn.Module, rest: bool) -> Iterator[None]:
    """Where `rest`, batch normalisation goes by its running statistics: a lone sample has none of its own."""
    norms = [
        each
        for each in module.modules()
        if rest and isinstance(each, nn.modules.batchnorm._BatchNorm) and each.training
    ]
    for norm in norms:
        norm.eval()
    try:
        yield
    finally:
        for norm in norms:
            norm.train()


def build_model(
    config: ModelConfig,
    dataset: DataSet,
    fusion: str,
    extra_heads: bool,
    hidden: Iterable[int] | None = None,
    head_hidden: Mapping[str, Iterable[int]] | None = None,
) -> MultimodalModel:
    """A new model; initialisation draws from torch's global generator, so seed it first.

    Args:
        fusion, extra_heads: as MultimodalModel has them; a method's `layout` says which.
        hidden: hidden sizes of the heads; None takes the configuration's.
        head_hidden: other sizes for some heads, as MultimodalModel has them.

    Raises:
        UserError: an unknown encoder, or weights that are not there or do not fit; the message names the key.
    """
    modules: dict[str, nn.Module] = {}
    for name, kind in config.encoder.items():
        module = encoder(kind, dataset.modalities[name].shape, config.width, config.weights[name], name)
        modules[name] = FrozenEncoder(module) if config.frozen[name] else module
    return MultimodalModel(
        modules,
        len(dataset.classes),
        config.head if hidden is None else hidden,
        fusion,
        extra_heads,
        config.project,
        head_hidden,
    )
