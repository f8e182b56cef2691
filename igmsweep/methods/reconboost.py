"""ReconBoost: boosting can achieve modality reconcilement (Hua et al., ICML 2024).

Modalities take turns. In its turn a modality fits what the ensemble of the others, F_o, leaves over: CE(p_k, y) times w1 less
CE(p_k, softmax F_o) times w2, plus an alignment of its probabilities with those of the modality before. After every turn
all that have had one are rectified together on CE(F, y), F = rate x sum of logits with a learnable rate. One head serves all.

The released code keeps the true class alone of the second term and divides by the number of classes (`residual:
true_class`); its alignment term is cut off from both arguments, so that it has no gradient (`alignment: released`);
both are `preset: released`, with its w1 of 5. The full residual has no lower bound, so log p counts as at least -10 in it.
The work runs up to 1,000 turns of 4 + 4 epochs; here `stages.epochs` is the budget of each modality in a cycle,
rectification within it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from igmsweep.late import F, nn, torch
from igmsweep.methods.base import (
    About,
    Layout,
    Method,
    MethodParams,
    Run,
    Stage,
    cross_entropy,
    cycles,
    unimodal_losses,
    wide,
)

if TYPE_CHECKING:
    from torch import Tensor

    from igmsweep.data.loader import Batch
    from igmsweep.models.multimodal import MultimodalModel, Output


class ReconBoostParams(MethodParams):
    """Parameters of ReconBoost."""

    presets = {
        "paper": {},
        "released": {"method.residual": "true_class", "method.alignment": "released", "method.w1": 5.0},
    }

    name: str = "reconboost"
    w1: float = Field(1.0, gt=0)
    """Weight of the cross-entropy with the label; the released 5 is divided by the number of classes (6 on CREMA-D)."""
    w2_ratio: float = Field(0.2, ge=0, le=1)
    """w2 / w1: weight of the cross-entropy with the others' ensemble, which is taken away."""
    align: float = Field(0.5, ge=0)
    """Weight of the mean squared difference from the probabilities of the modality before."""
    residual: Literal["full", "true_class"] = "full"
    """Over which classes the others' ensemble is taken away: all, or as released the true one."""
    alignment: Literal["attached", "released"] = "attached"
    """`attached`: the modality in turn is drawn to the one before. `released`: the term is a number without a gradient."""
    rectify: float = Field(0.67, ge=0, lt=1)
    """Share of a modality's epochs in a cycle that are rectification, which trains all (released: 8 of 12)."""
    pretrain: bool = False
    """Whether the first cycle trains every modality alone, with the same head; a single cycle is not given up for it."""


def boosting_loss(
    logits: Tensor, labels: Tensor, others: Tensor | None, w1: float, w2: float, true_class: bool = False
) -> Tensor:
    """What the modality in turn minimises besides the alignment, 0-d; at least -10 w2.

    Args:
        logits: (batch, classes) of the modality in turn, in float32 or wider. labels: (batch,) int64.
        others: (batch, classes) probabilities of the ensemble of the others, constants. None where nobody has had a turn:
            the term is left out, or with `true_class` its probability is 1 (a softmax of width 1, as released).
    """
    losses = cross_entropy(logits, labels, "none")
    if true_class:
        q = torch.ones_like(losses) if others is None else others.gather(1, labels[:, None]).squeeze(1)
        return ((w1 - w2 * q) * losses).mean() / logits.shape[1]
    loss = w1 * losses.mean()
    if others is not None:
        loss = loss + w2 * (others * torch.log_softmax(logits, dim=-1).clamp_min(-10)).sum(-1).mean()
    return loss


class ReconBoost(Method):
    """Turns that fit the residual of the others, each followed by a rectification of all."""

    Params = ReconBoostParams
    sees = "all"
    about = About(
        "ReconBoost: boosting can achieve modality reconcilement", "Hua et al., ICML", 2024, "late (sum)", cost=1.0
    )
    params: ReconBoostParams

    @classmethod
    def layout(cls, params: MethodParams) -> Layout:
        return Layout("shared", hidden=(256,))

    def modules(self, model: MultimodalModel) -> Mapping[str, nn.Module]:
        return {"boost": nn.ParameterDict({"rate": nn.Parameter(torch.ones(()))})}

    def stages(self, count: int, epochs: Mapping[str, int]) -> list[Stage]:
        """A cycle gives every modality its epochs: some in its own turn, the rest in the rectifications after turns."""
        names, least = self.modalities, min(epochs.values())
        shared = self._rectified = min(least - 1, round(self.params.rectify * least))
        turns: list[Stage] = []
        for place, name in enumerate(names):
            turns.append(Stage((name,), epochs[name] - shared))
            part = shared * (place + 1) // len(names) - shared * place // len(names)
            if part:
                turns.append(Stage(names, part, "rectify"))
        stages = cycles(count, turns)
        if self.params.pretrain and count > 1:
            alone = Stage(names, max(epochs.values()), "pretrain", last_of_cycle=True)
            stages = [alone, *(stage for stage in stages if stage.cycle > 0)]
        return stages

    def begin_stage(self, run: Run) -> None:
        assert run.stage is not None
        if self.params.rectify > 0 and self._rectified == 0:
            run.note(
                "reconboost: a cycle of so few epochs has none for rectification; raise stages.epochs to 3 or more"
            )
        if self.params.pretrain and run.stage_index == 0 and run.stage.name != "pretrain":
            run.note("reconboost: a single cycle is not given up for pre-training; raise stages.cycles to 2 or more")
        if run.stage.name == "train":
            self.state["before"] = self.state.get("turn", "")
            (self.state["turn"],) = run.active
        seen = self.modalities if run.stage.name == "pretrain" else [self.state["turn"]]
        self.state["present"] = [name for name in self.modalities if name in (*self.state.get("present", ()), *seen)]

    def step(self, run: Run, batch: Batch) -> dict[str, Tensor]:
        assert run.stage is not None
        if run.stage.name == "train":
            loss = self._boost(run, batch)
        else:
            with run.autocast():
                output = run.model(batch.only(self.state["present"]).inputs)
            if run.stage.name == "pretrain":
                loss = unimodal_losses(output, batch.labels)
            else:
                loss = cross_entropy(self._ensemble(output.logits), batch.labels)
        loss.backward()
        run.update()
        return {"loss": loss.detach()}

    def fuse(self, output: Output) -> Tensor:
        """Softmax of the ensemble of the modalities that have had a turn."""
        present = self.state.get("present", self.modalities)
        return torch.softmax(self._ensemble({name: output.logits[name] for name in present}), dim=-1)

    def _ensemble(self, logits: Mapping[str, Tensor]) -> Tensor:
        boost = self.own["boost"]
        assert isinstance(boost, nn.ParameterDict)
        rate: Tensor = boost["rate"]
        return rate * torch.stack([wide(each) for each in logits.values()]).sum(0)

    def _boost(self, run: Run, batch: Batch) -> Tensor:
        """The loss of the modality in turn; the others are looked at, not trained."""
        (own,) = run.active
        others = [name for name in self.state["present"] if name != own]
        with torch.no_grad(), run.autocast():
            rest = run.model(batch.only(others).inputs).logits if others else {}
            q = torch.softmax(self._ensemble(rest), dim=-1) if rest else None
        with run.autocast():
            logits = wide(run.model.one(own, batch.inputs[own]))
        p = self.params
        loss = boosting_loss(logits, batch.labels, q, p.w1, p.w1 * p.w2_ratio, p.residual == "true_class")
        before = self.state["before"]
        if before and before in rest and p.align > 0:
            mine = logits if p.alignment == "attached" else logits.detach()
            theirs = torch.softmax(wide(rest[before]), dim=-1)
            loss = loss + p.align * F.mse_loss(torch.softmax(mine, dim=-1), theirs)
        return loss
