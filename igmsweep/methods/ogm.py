"""OGM and OGM-GE: on-the-fly gradient modulation, with generalisation enhancement (Peng et al., CVPR 2022).

The fused loss alone is trained. A modality's score s_m is the summed probability of the true class by its share of the
fused logits (Eq. 6 and 7); where its ratio to the other's is above 1, the gradients of its encoder are multiplied by
k = 1 - tanh(alpha ratio) (Eq. 10). GE adds noise of the raw gradient's standard deviation to both (Sec. 3.4).

The paper writes the noise's covariance as that of SGD; the released code takes each tensor's standard deviation, which is
followed. The code modulates convolutions of pictures alone (4-d tensors), which leaves out BERT and I3D: `scope: weights`
is every weight of two dimensions or more, `conv` of three or more. With more than two modalities the ratio is the mean of
those to each other one (the author's reply in the repository), or to the weakest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from igmsweep.late import torch
from igmsweep.methods.base import (
    About,
    ActsOn,
    Layout,
    Method,
    MethodParams,
    Run,
    fuse_logits,
    fused_loss,
    on_rates,
    wide,
)
from igmsweep.methods.span import Spanned

if TYPE_CHECKING:
    from torch import Tensor, nn

    from igmsweep.data.loader import Batch
    from igmsweep.models.multimodal import Output

DIMENSIONS = {"conv": 3, "weights": 2, "all": 0}
TINY = 1e-8
"""Added to scores that divide and to the noise's standard deviation, as in the released code."""


class OGMParams(Spanned):
    """Parameters of OGM-GE."""

    presets = {
        "paper": {"model.head": []},
        "released": {"model.head": [], "method.scope": "conv", "method.end": 0.5},
    }

    name: str = "ogm"
    fusion: Literal["concat", "sum"] = "concat"
    """One head on the concatenated features, or the sum of the logits of a head per modality."""
    alpha: float = Field(0.8, gt=0)
    """Strength of the modulation (Eq. 10); 0.8 on CREMA-D, 0.1 on VGGSound."""
    ge: bool = True
    """Generalisation enhancement; false is OGM."""
    scope: Literal["conv", "weights", "all"] = "weights"
    """Tensors of an encoder that are modulated: of three dimensions or more, of two or more, or all."""
    ratio: Literal["mean", "weakest"] = "mean"
    """With three modalities: the mean of the ratios to the others, or the ratio to the weakest."""
    acts_on: ActsOn = "auto"
    """Where k acts; see `ActsOn`. On rates it acts on the modality's whole learning rate."""


def coefficients(scores: Tensor, alpha: float, ratio: str = "mean") -> Tensor:
    """k of each modality, (M,), in [0, 1]: 1 - tanh(alpha ratio) where its ratio is above 1, else 1.

    Args:
        scores: (M,) summed probabilities of the true class, at least 0.
    """
    own, others = scores + TINY, scores + TINY
    ratios = own[:, None] / others[None, :]
    ratios.fill_diagonal_(0.0)
    ratios = ratios.sum(1) / (len(scores) - 1) if ratio == "mean" else ratios.amax(1)
    return torch.where(ratios > 1, 1 - torch.tanh(alpha * ratios), torch.ones_like(ratios)).clamp_min(0)


class OGM(Method):
    """Fused cross-entropy, the leading modality's encoder slowed down."""

    Params = OGMParams
    about = About(
        "Balanced multimodal learning via on-the-fly gradient modulation",
        "Peng et al., CVPR",
        2022,
        "concat, sum",
        cost=1.1,
    )
    params: OGMParams

    @classmethod
    def layout(cls, params: MethodParams) -> Layout:
        assert isinstance(params, OGMParams)
        return Layout("concat", hidden=()) if params.fusion == "concat" else Layout("late")

    def begin_stage(self, run: Run) -> None:
        self.params.warn(run)
        if not any(p.requires_grad for name in self.modalities for p in run.model.backbone(name)):
            run.note("ogm: all encoders are frozen, so there is nothing to slow down: this is joint training")

    def step(self, run: Run, batch: Batch) -> dict[str, Tensor]:
        with run.autocast():
            output = run.model(batch.inputs)
        loss = fused_loss(output, batch.labels)
        loss.backward()
        log = {"loss": loss.detach()}
        rates: dict[str, float] = {}
        if self.params.acts(run.progress):
            k = coefficients(self._scores(run, output, batch.labels), self.params.alpha, self.params.ratio)
            log |= {f"ogm/k/{name}": each for name, each in zip(self.modalities, k, strict=True)}
            if on_rates(self.params.acts_on, run):
                rates = dict(zip(self.modalities, k.tolist(), strict=True))
            for name, factor in zip(self.modalities, k, strict=True):
                self._modulate(run, run.model.backbone(name), None if rates else factor)
        run.update(rates=rates)
        return log

    def fuse(self, output: Output) -> Tensor:
        return fuse_logits(output)

    def _scores(self, run: Run, output: Output, labels: Tensor) -> Tensor:
        """s_m, (M,): the summed probability of the true class by what each modality adds to the fused logits."""
        with torch.no_grad():
            logits = output.logits
            if output.fused is not None:  # outside autocast, where bfloat16 features would not meet float32 weights
                logits = run.model.split_logits({name: wide(z) for name, z in output.features.items()})
            shares = torch.stack([torch.softmax(wide(logits[name]), dim=-1) for name in self.modalities])
        return shares[:, torch.arange(len(labels), device=labels.device), labels].sum(1)

    def _modulate(self, run: Run, parameters: list[nn.Parameter], factor: Tensor | None) -> None:
        for parameter in parameters:
            gradient = parameter.grad
            if gradient is None or gradient.ndim < DIMENSIONS[self.params.scope]:
                continue
            spread = gradient.std() + TINY if self.params.ge and gradient.numel() > 1 else None
            if factor is not None:
                gradient.mul_(factor)
            if spread is not None:
                noise = torch.randn(gradient.shape, generator=run.generator, device=run.device, dtype=gradient.dtype)
                gradient.add_(noise * spread)
