"""OGR-GB, Gradient-Blending: losses weighted by how much each generalises for what it overfits (Wang et al., CVPR 2020).

A head per modality stands beside the fused one. For every loss k a copy of the model trains its branch on a cut of the
training set; G_k is how far its held-out loss falls, O_k how far the gap between held-out and training loss grows, and
w_k is proportional to G_k / O_k^2 (the work's Proposition 1). Then all are trained together, on the whole training set, on
sum_k w_k CE_k. `offline` estimates once, over copies trained for the whole length; `online` anew before every super-epoch,
and trains on what is not held out, so that the next estimate's held-out loss is one.

The authors released weights, not the estimator, so there is no `released` form. Public re-implementations take absolute
values (a loss that rises earns weight), sums over batches for means, or the test set for the held-out cut; none of that is
followed. O_k^2 close to 0 would make a weight infinite: it is bounded below, and so is the ratio between weights.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from igmsweep.errors import Diverged, UserError
from igmsweep.late import torch
from igmsweep.methods.base import About, Layout, Method, MethodParams, Run, cross_entropy
from igmsweep.schema.sections import SHARED

if TYPE_CHECKING:
    from torch import Tensor

    from igmsweep.data.loader import Batch
    from igmsweep.models.multimodal import MultimodalModel, Output

FUSED = "fused"


class OGRGBParams(MethodParams):
    """Parameters of OGR-GB."""

    presets = {"paper": {"model.head": []}}

    name: str = "ogr_gb"
    mode: Literal["offline", "online"] = "offline"
    """One estimate from copies trained for the whole length, or one before every super-epoch."""
    super_epoch: int = Field(10, ge=1)
    """Epochs between two estimates, where `online`."""
    holdout: float = Field(0.1, gt=0, lt=1)
    """Share of the training set whose loss is held out while copies train; validation data is not looked at."""
    least_gain: float = Field(1e-4, gt=0)
    """G_k counts as at least this."""
    least_overfit: float = Field(1e-6, gt=0)
    """O_k^2 counts as at least this."""
    most_ratio: float = Field(100.0, ge=1)
    """No weight is less than the largest over this."""
    weights: tuple[float, ...] | None = None
    """Fixed weights in place of estimated ones: the modalities' in order, then the fused loss's."""

    def check(self, modalities: Sequence[str]) -> None:
        if self.weights is None:
            return
        if len(self.weights) != len(modalities) + 1 or min(self.weights) < 0 or self.weights[-1] == 0:
            raise UserError(
                f"method.weights: found {list(self.weights)}, expected {len(modalities) + 1} numbers of at least 0, for "
                f"{', '.join(modalities)} and, above 0 as it alone predicts, the fused loss"
            )


def blend(gains: Mapping[str, float], overfits: Mapping[str, float], params: OGRGBParams) -> dict[str, float]:
    """w_k = max(G_k, least) / max(O_k^2, least), bounded in their ratio, with sum 1. A copy that diverged earns the least.

    Args:
        gains: G_k, how far each held-out loss fell.
        overfits: O_k, how far each gap between held-out and training loss grew.

    Raises:
        Diverged: no copy ended with finite losses.
    """
    raw = {}
    for name, gain in gains.items():
        finite = math.isfinite(gain) and math.isfinite(overfits[name])
        raw[name] = max(gain, params.least_gain) / max(overfits[name] ** 2, params.least_overfit) if finite else 0.0
    if max(raw.values()) == 0:
        raise Diverged("ogr_gb: the losses of every copy that weighs them became infinite or NaN")
    floor = max(raw.values()) / params.most_ratio
    raised = {name: max(value, floor) for name, value in raw.items()}
    return {name: value / sum(raised.values()) for name, value in raised.items()}


class OGRGB(Method):
    """Gradient-Blending."""

    Params = OGRGBParams
    about = About(
        "What makes training multi-modal classification networks hard?",
        "Wang et al., CVPR",
        2020,
        "concat, with heads per modality",
        cost=2.8,
    )
    params: OGRGBParams

    @classmethod
    def layout(cls, params: MethodParams) -> Layout:
        return Layout("concat", heads=True)

    def begin_epoch(self, run: Run) -> Iterable[Batch]:
        if self.params.weights is not None:
            self.state["weights"] = dict(zip((*self.modalities, FUSED), self.params.weights, strict=True))
            return run.train
        if self.params.mode == "offline":
            if run.epoch == 0:
                self._estimate(run, run.epochs)
            return run.train
        if run.epoch % self.params.super_epoch == 0:
            self._estimate(run, min(self.params.super_epoch, run.epochs - run.epoch))
        train, _ = run.holdout(self.params.holdout)  # what the next estimate holds out is held out from all
        train.epoch = run.epoch
        return train

    def step(self, run: Run, batch: Batch) -> dict[str, Tensor]:
        weights: dict[str, float] = self.state["weights"]
        with run.autocast():
            output = run.model(batch.inputs)
        losses = _losses(output, batch.labels)
        loss = torch.stack([weights[name] * losses[name] for name in losses if weights[name] > 0]).sum()
        loss.backward()
        run.update()
        return {"loss": loss.detach(), "plain": losses[FUSED].detach()}  # weights change between super-epochs

    def diagnostics(self) -> dict[str, Any]:
        """`weights`: every estimate, with the epoch before which it was made."""
        return {"weights": self.state["estimates"]} if "estimates" in self.state else {}

    def _estimate(self, run: Run, length: int) -> None:
        """Train a copy for each loss on its branch alone for some epochs, and weigh the losses by what becomes of them."""
        train, held = run.holdout(self.params.holdout)
        if len(train.rows) < 2:
            raise UserError(
                f"method.holdout: found {self.params.holdout}, which leaves {len(train.rows)} of "
                f"{len(run.train.rows)} training samples to train on; expected less"
            )
        clean = train.clean(1.0, run.seed)
        before = run.mean_losses(held, _losses), run.mean_losses(clean, _losses)
        gains, overfits = {}, {}
        for name in (*self.modalities, FUSED):
            probe = copy.deepcopy(run.model)
            optimizer = run.new_optimizer(_branch(probe, name))
            probe.train()
            for number in range(length):
                train.epoch = run.epoch + number
                for batch in train:
                    seen = batch if name == FUSED else batch.only([name])  # a branch needs its own encoder alone
                    with run.autocast():
                        output = probe(seen.inputs)
                    probe.zero_grad()
                    _losses(output, batch.labels)[name].backward()
                    optimizer.step()
            after = run.mean_losses(held, _losses, probe)[name], run.mean_losses(clean, _losses, probe)[name]
            gains[name] = before[0][name] - after[0]
            overfits[name] = (after[0] - after[1]) - (before[0][name] - before[1][name])
        self.state["weights"] = blend(gains, overfits, self.params)
        self.state.setdefault("estimates", []).append({"epoch": run.epoch, **self.state["weights"]})


def _branch(model: MultimodalModel, name: str) -> dict[str, list[Any]]:
    """What a loss's copy trains, by group: a modality's encoder and head, or the encoders and the fused head."""
    if name != FUSED:
        return {name: model.part(name)}
    return {each: model.backbone(each) for each in model.modalities} | {SHARED: model.shared()}


def _losses(output: Output, labels: Tensor) -> dict[str, Tensor]:
    assert output.fused is not None
    losses = {name: cross_entropy(logits, labels) for name, logits in output.logits.items()}
    return losses | {FUSED: cross_entropy(output.fused, labels)}
