"""Joint training: all modalities in one step, the control of every claim about imbalance."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from igmsweep.methods.base import (
    About,
    Layout,
    Method,
    MethodParams,
    Run,
    fuse_logits,
    fuse_mean,
    fused_loss,
    unimodal_losses,
)

if TYPE_CHECKING:
    from torch import Tensor

    from igmsweep.data.loader import Batch
    from igmsweep.models.multimodal import Output


class JointParams(MethodParams):
    """Parameters of joint training."""

    name: str = "joint"
    fusion: Literal["sum", "concat", "separate"] = "sum"
    """`sum`: cross-entropy of the summed logits of a head per modality (late fusion); `concat`: one head on the
    concatenated features; `separate`: the sum of the modalities' own losses, mean of probabilities at test."""
    unimodal_weight: float = Field(0.0, ge=0)
    """Weight of the modalities' own losses beside the fused one, with heads of their own beside a fused head: the control
    of every method that adds such losses. `separate` has no other, and no use for it."""


class Joint(Method):
    """Cross-entropy on the fused prediction."""

    Params = JointParams
    about = About("Joint training", fusion="late (sum), concat, separate losses", modalities=1, cost=1.0)
    params: JointParams

    @classmethod
    def layout(cls, params: MethodParams) -> Layout:
        assert isinstance(params, JointParams)
        if params.fusion == "concat":
            return Layout("concat", heads=params.unimodal_weight > 0)
        return Layout("late")

    def step(self, run: Run, batch: Batch) -> dict[str, Tensor]:
        with run.autocast():
            output = run.model(batch.inputs)
        if self.params.fusion == "separate":
            loss = unimodal_losses(output, batch.labels)
        else:
            loss = fused_loss(output, batch.labels, self.params.unimodal_weight)
        loss.backward()
        run.update()
        return {"loss": loss.detach()}

    def fuse(self, output: Output) -> Tensor:
        return fuse_mean(output) if self.params.fusion == "separate" else fuse_logits(output)
