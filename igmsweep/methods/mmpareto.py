"""MMPareto: Pareto integration of multimodal and unimodal gradients (Wei and Hu, ICML 2024).

Beside the fused loss every modality has its own, by a head of its own. On each encoder the two gradients g_mm and g_u are
summed where they agree (cosine of at least 0); in conflict they are combined as 2 a g_mm + 2 (1 - a) g_u with the weights of
least norm (multiple-gradient descent for two tasks). The length is raised to that of the plain sum, and multiplied by gamma.
Heads take the plain gradients.

The released code takes lengths tensor by tensor (`rescale: tensor`, `preset: released`) where the work speaks of the
whole encoder. A public re-implementation clones its gradients after all backward passes, so that they are always equal and
never in conflict. The gradient of the sum is g_mm + g_u here, which saves the third pass.
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
    cross_entropy,
    on_rates,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from igmsweep.data.loader import Batch


class MMParetoParams(MethodParams):
    """Parameters of MMPareto."""

    presets = {"paper": {"model.head": []}, "released": {"model.head": [], "method.rescale": "tensor"}}

    name: str = "mmpareto"
    weights: Literal["pareto", "equal"] = "pareto"
    """`equal` never looks for a conflict: with gamma 1 it trains the plain sum of all losses."""
    gamma: float = Field(1.5, gt=0)
    """Factor on the encoders' gradients."""
    rescale: Literal["encoder", "tensor"] = "encoder"
    """Whether lengths are those of a whole encoder's gradient or of each tensor's."""
    acts_on: ActsOn = "auto"
    """Where gamma acts; see `ActsOn`. A rate is a whole modality's: its own head goes with the encoder."""


def least_norm(mm: Tensor, u: Tensor, product: Tensor) -> Tensor:
    """The weight a in [0, 1] that makes ||a g_mm + (1 - a) g_u|| least, 0-d.

    Args:
        mm, u: squared norms of g_mm and g_u. product: their inner product.
    """
    weight = (u - product) / (mm + u - 2 * product).clamp_min(torch.finfo(mm.dtype).tiny)
    weight = torch.where(product >= mm, 0.999, weight)  # the released code's ends
    return torch.where((product >= u) & (product < mm), 0.001, weight)


class MMPareto(Method):
    """Fused and unimodal losses, their gradients reconciled on every encoder."""

    Params = MMParetoParams
    about = About(
        "MMPareto: boosting multimodal learning with innocent unimodal assistance",
        "Wei & Hu, ICML",
        2024,
        "concat, with heads per modality",
        cost=1.6,
    )
    params: MMParetoParams

    @classmethod
    def layout(cls, params: MethodParams) -> Layout:
        return Layout("concat", heads=True)

    def step(self, run: Run, batch: Batch) -> dict[str, Tensor]:
        with run.autocast():
            output = run.model(batch.inputs)
        assert output.fused is not None
        fused = cross_entropy(output.fused, batch.labels)
        own = {name: cross_entropy(output.logits[name], batch.labels) for name in self.modalities}
        total = fused + torch.stack(list(own.values())).sum()
        by_rate = on_rates(self.params.acts_on, run)
        rates = dict.fromkeys(self.modalities, self.params.gamma) if by_rate else {}
        gamma = 1.0 if by_rate else self.params.gamma
        log: dict[str, Tensor] = {}
        if self.params.weights == "equal":
            total.backward()
            for name in self.modalities:
                for parameter in run.model.backbone(name):
                    if parameter.grad is not None:
                        parameter.grad.mul_(gamma)
        else:
            log = self._reconciled(run, fused, own, gamma)
        run.update(rates=rates)
        return {"loss": total.detach(), **log}

    def _reconciled(self, run: Run, fused: Tensor, own: dict[str, Tensor], gamma: float) -> dict[str, Tensor]:
        """One backward pass a loss; each encoder's two gradients combined, the heads' as they are."""
        encoders = {name: [each for each in run.model.backbone(name) if each.requires_grad] for name in self.modalities}
        fused.backward(retain_graph=True)
        from_fused = {name: [each.grad for each in parameters] for name, parameters in encoders.items()}
        log = {}
        for name, loss in own.items():
            for parameter in encoders[name]:
                parameter.grad = None
            loss.backward(retain_graph=True)
            pairs = [
                (parameter, mm, parameter.grad)
                for parameter, mm in zip(encoders[name], from_fused[name], strict=True)
                if mm is not None and parameter.grad is not None
            ]
            if not pairs:  # a frozen encoder
                continue
            mm, u = _dot([m for _, m, _ in pairs]), _dot([g for _, _, g in pairs])
            product = torch.stack([(m * g).sum() for _, m, g in pairs]).sum()
            conflict = product < 0
            a = torch.where(conflict, least_norm(mm, u, product), 0.5)
            combined = [2 * a * m + 2 * (1 - a) * g for _, m, g in pairs]
            plain = [m + g for _, m, g in pairs]
            if self.params.rescale == "encoder":
                factors = [_longer(plain, combined)] * len(pairs)
            else:
                factors = [_longer([s], [h]) for s, h in zip(plain, combined, strict=True)]
            for (parameter, _, _), h, factor in zip(pairs, combined, factors, strict=True):
                parameter.grad = gamma * factor * h
            log[f"mmpareto/conflict/{name}"] = conflict.to(mm.dtype)
        return log


def _dot(gradients: Sequence[Tensor]) -> Tensor:
    """Squared norm of several tensors together, 0-d."""
    return torch.stack([gradient.square().sum() for gradient in gradients]).sum()


def _longer(plain: Sequence[Tensor], combined: Sequence[Tensor]) -> Tensor:
    """max(1, ||plain|| / ||combined||), 0-d; 1 where the combination is nothing."""
    top, bottom = _dot(plain).sqrt(), _dot(combined).sqrt()
    return torch.where(bottom > 0, (top / bottom.clamp_min(torch.finfo(top.dtype).tiny)).clamp_min(1), 1.0)
