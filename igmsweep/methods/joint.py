"""Joint training: all modalities in one step, the control of every claim about imbalance."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from igmsweep.late import F, torch
from igmsweep.methods.base import Layout, Method, MethodParams, Run, fuse_mean

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


class Joint(Method):
    """Cross-entropy on the fused prediction."""

    Params = JointParams
    params: JointParams

    @classmethod
    def layout(cls, params: MethodParams) -> Layout:
        assert isinstance(params, JointParams)
        return Layout("concat" if params.fusion == "concat" else "late")

    def step(self, run: Run, batch: Batch) -> dict[str, Tensor]:
        with run.autocast():
            output = run.model(batch.inputs)
        if self.params.fusion == "separate":
            losses = [F.cross_entropy(logits.float(), batch.labels) for logits in output.logits.values()]
            loss = torch.stack(losses).sum()
        else:
            loss = F.cross_entropy(self._fused(output), batch.labels)
        loss.backward()
        run.update()
        return {"loss": loss.detach()}

    def fuse(self, output: Output) -> Tensor:
        return fuse_mean(output) if self.params.fusion == "separate" else torch.softmax(self._fused(output), dim=-1)

    @staticmethod
    def _fused(output: Output) -> Tensor:
        if output.fused is not None:
            return output.fused.float()
        return torch.stack([logits.float() for logits in output.logits.values()]).sum(0)
