"""PMR: prototypical modal rebalance (Fan et al., CVPR 2023).

A modality's class prototypes c_m[k] are the means of its features over part of the training set, in evaluation mode, with
momentum from epoch to epoch. q_m = softmax(-||z_m - c_m||) over the classes; s_m is the summed q_m of the true class. The
slower modalities get the prototypical cross-entropy L_m = -log q_m[y] beside the fused loss, weighted by how far they are
behind: beta_m = clip(max s / s_m - 1, 0, 1). Early in the training the entropy of the leading modality's q is rewarded (PER).

The released code has no PER, and coefficients of 0 or 1 (`preset: released`); the one public extension to three modalities
drops the prototypes altogether. A class without a sample keeps its old prototype; one that never had any is out of the
softmax, and its samples are out of L_m and s_m.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from igmsweep.errors import UserError
from igmsweep.late import F, torch
from igmsweep.methods.base import (
    About,
    Layout,
    Method,
    MethodParams,
    Run,
    fuse_logits,
    fused_loss,
    wide,
)
from igmsweep.methods.prototypes import distances, entropy, prototypical

if TYPE_CHECKING:
    from torch import Tensor

    from igmsweep.data.loader import Batch
    from igmsweep.models.multimodal import Output


class PMRParams(MethodParams):
    """Parameters of PMR."""

    presets = {
        "paper": {"model.head": []},
        "released": {"model.head": [], "method.coefficients": "hard", "method.entropy": 0.0},
    }

    name: str = "pmr"
    fusion: Literal["concat", "sum"] = "concat"
    """One head on the concatenated features, or the sum of the logits of a head per modality."""
    alpha: float = Field(1.0, ge=0)
    """Weight of the prototypical losses."""
    coefficients: Literal["soft", "hard"] = "soft"
    """beta_m = clip(max s / s_m - 1, 0, 1), or 1 for whoever is behind (as released)."""
    momentum: float = Field(0.2, ge=0, lt=1)
    """Share of the old prototypes in the new ones."""
    fraction: float = Field(0.1, gt=0, le=1)
    """Share of the training set that the prototypes are means of."""
    end: float = Field(0.67, ge=0, le=1)
    """Share of the training after which the prototypical losses rest (released: 100 of 150 epochs)."""
    entropy: float = Field(0.1, ge=0)
    """mu, the weight of the leading modality's prototypical entropy (PER); 0 is none."""
    entropy_end: float = Field(0.1, ge=0, le=1)
    """Share of the training after which PER rests; at most `end`."""

    def check(self, modalities: Sequence[str]) -> None:
        if self.entropy > 0 and self.entropy_end > self.end > 0:
            raise UserError(
                f"method.entropy_end: found {self.entropy_end}, expected at most method.end, {self.end}, where all rests"
            )


def behind(scores: Tensor, hard: bool = False) -> Tensor:
    """beta, (M,), in [0, 1]: how far each modality is behind the one with the largest score.

    Args:
        scores: (M,) summed prototypical probabilities of the true class.
    """
    best = scores.max()
    if hard:
        return (scores < best).to(scores.dtype)
    return (best / scores.clamp_min(1e-8) - 1).clamp(0, 1)


class PMR(Method):
    """Fused cross-entropy, and prototypes to hurry the slower modalities."""

    Params = PMRParams
    about = About(
        "PMR: prototypical modal rebalance for multimodal learning",
        "Fan et al., CVPR",
        2023,
        "concat, late (sum)",
        cost=1.0,
    )
    params: PMRParams

    @classmethod
    def layout(cls, params: MethodParams) -> Layout:
        assert isinstance(params, PMRParams)
        return Layout("concat" if params.fusion == "concat" else "late")

    def begin_stage(self, run: Run) -> None:
        if not any(p.requires_grad for name in self.modalities for p in run.model.backbone(name)):
            run.note("pmr: all encoders are frozen, so prototypes move nothing: this is joint training")

    def begin_epoch(self, run: Run) -> Iterable[Batch]:
        if self._acts(run):
            self._renew(run)
        return run.train

    def step(self, run: Run, batch: Batch) -> dict[str, Tensor]:
        with run.autocast():
            output = run.model(batch.inputs)
        loss = fused_loss(output, batch.labels)
        log: dict[str, Tensor] = {"plain": loss.detach()}
        if self._acts(run):
            q = {
                name: distances(output.features[name], self.state[name], self.state["known"])
                for name in self.modalities
            }
            rows = torch.arange(len(batch.labels), device=run.device)
            scores = torch.stack([torch.softmax(q[name].detach(), -1)[rows, batch.labels].sum() for name in q])
            beta = behind(scores, self.params.coefficients == "hard")
            for name, weight in zip(q, beta, strict=True):
                loss = loss + self.params.alpha * weight * prototypical(q[name], batch.labels, self.state["known"])
                log[f"pmr/beta/{name}"] = weight
            if self.params.entropy > 0 and run.progress < self.params.entropy_end:
                for name, leads in zip(q, scores == scores.max(), strict=True):
                    loss = loss - self.params.entropy * beta.max() * leads * entropy(q[name])
        loss.backward()
        run.update()
        return {"loss": loss.detach(), **log}

    def fuse(self, output: Output) -> Tensor:
        return fuse_logits(output)

    def _acts(self, run: Run) -> bool:
        return (self.params.alpha > 0 or self.params.entropy > 0) and run.progress < self.params.end

    def _renew(self, run: Run) -> None:
        """Prototypes of this epoch: means over a share of every class, mixed with the old ones where there are any."""
        classes = run.model.classes
        sums: dict[str, Tensor] = {}
        counts = torch.zeros(classes, dtype=torch.int64, device=run.device)
        with torch.no_grad(), run.evaluating():
            for batch in run.clean(self.params.fraction):
                members = F.one_hot(batch.labels, classes)
                counts += members.sum(0)
                with run.autocast():
                    features = run.model.encode(batch.inputs)
                for name, z in features.items():  # a product, since scattered sums differ from run to run on a GPU
                    sums[name] = sums.get(name, 0) + members.T.to(wide(z).dtype) @ wide(z)
        found = counts > 0
        known = self.state.get("known", torch.zeros_like(found))
        for name, total in sums.items():
            new = total / counts.clamp_min(1)[:, None].to(total.dtype)
            old = self.state.get(name, new)
            share = self.params.momentum * known[:, None].to(new.dtype)
            mixed = (1 - share) * new + share * old
            self.state[name] = torch.where(found[:, None], mixed, old)
        self.state["known"] = known | found
