"""MLA: multimodal learning with alternating unimodal adaptation (Zhang et al., CVPR 2024).

The modalities take turns inside every batch and share one head. The head's gradient is multiplied by a projector P,
kept by recursive least squares over the batch's mean feature, which is nearly orthogonal to what the modality before
has used. The authors' released code looks for a parameter name that does not exist, so its projection never acts:
`projector: off` is that code as it runs, `projector: exact` (the default) is the method as the paper describes it. The
released fusion weighs whole test batches; here the weights are per sample, as the paper has them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from igmsweep.late import nn, torch
from igmsweep.methods.base import About, Layout, Method, MethodParams, Run, cross_entropy, fuse_entropy_logits, wide

if TYPE_CHECKING:
    from torch import Tensor

    from igmsweep.data.loader import Batch
    from igmsweep.models.multimodal import Output


class MLAParams(MethodParams):
    """Parameters of MLA."""

    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "paper": {"method.projector": "exact", "model.head": []},
        "released": {"method.projector": "off", "model.head": []},
    }

    name: str = "mla"
    projector: Literal["exact", "off"] = "exact"
    """`off`: the shared head's gradient as it is, which is what the released code trains with."""
    regulariser: float = Field(0.1, gt=0)
    """lambda_0 of the recursive least squares; within an epoch lambda = lambda_0 decay^(t / T)."""
    decay: float = Field(0.1, gt=0, le=1)
    """Factor by which lambda has fallen at the end of every epoch."""
    order: Literal["after", "before"] = "after"
    """Update P with a modality's features `after` its own step, so that it guards the modality before (the paper), or
    `before` it (the order in the released code)."""


def project(p: Tensor, z: Tensor, regulariser: float) -> Tensor:
    """One step of recursive least squares: P - P z z' P / (lambda + z' P z), symmetric again after round-off.

    Args:
        p: (d, d) projector, symmetric.
        z: (d,) mean feature.
        regulariser: lambda, above 0.
    """
    q = p @ z
    p = p - torch.outer(q, q) / (regulariser + z @ q)
    return (p + p.T) / 2


class MLA(Method):
    """Alternating steps through one shared head, with an orthogonal-weight-modification projector."""

    Params = MLAParams
    about = About(
        "Multimodal representation learning by alternating unimodal adaptation",
        "Zhang et al., CVPR",
        2024,
        "late (shared head, entropy weights)",
        modalities=1,
        cost=1.0,
    )
    params: MLAParams

    @classmethod
    def layout(cls, params: MethodParams) -> Layout:
        return Layout("shared")

    def step(self, run: Run, batch: Batch) -> dict[str, Tensor]:
        share = run.epoch_step / max(1, len(run.train))
        regulariser = self.params.regulariser * self.params.decay**share
        losses = []
        for name in run.active:
            with run.autocast():
                z = run.model.features(name, batch.inputs[name])
                logits = run.model.logits(name, z)
            loss = cross_entropy(logits, batch.labels)
            loss.backward()
            if self.params.projector == "exact":
                mean = wide(z.detach()).mean(0)
                if "P" not in self.state:
                    self.state["P"] = torch.eye(len(mean), dtype=mean.dtype, device=mean.device)
                if self.params.order == "before":
                    self.state["P"] = project(self.state["P"], mean, regulariser)
                self.modify(run)
                if self.params.order == "after":
                    self.state["P"] = project(self.state["P"], mean, regulariser)
            run.update()
            losses.append(loss.detach())
        return {"loss": torch.stack(losses).sum()}

    def modify(self, run: Run) -> dict[str, Tensor]:
        """The shared head's gradient times P."""
        weight = self._first_layer(run).weight
        assert weight.grad is not None
        weight.grad = weight.grad @ self.state["P"]
        return {}

    def fuse(self, output: Output) -> Tensor:
        return fuse_entropy_logits(output)

    @staticmethod
    def _first_layer(run: Run) -> nn.Linear:
        """The layer that all modalities' features enter; a single linear layer is the whole head (as in MLA)."""
        assert isinstance(run.model.joint, nn.Sequential)
        layer = run.model.joint[0]
        assert isinstance(layer, nn.Linear)
        return layer
