"""MSES: modality-specific early stopping (Fujimori et al., ACPR 2019).

Multi-task training of the fused and the unimodal predictions. A modality whose own validation loss, smoothed over two epochs,
has not fallen for `patience` epochs goes back to its best weights and rests; the others train on, until none is left.

There is no code by the authors. The only public one (AGM's repository) stops by *test* loss, rolls the whole model and the
optimiser back to that modality's best epoch, and stops by gradients of zero, so that momentum and weight decay move what is
said to be frozen. Here the modality's own encoder and head go back, by validation loss, and nothing of them moves again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pydantic import Field

from igmsweep.methods.base import (
    About,
    Method,
    MethodParams,
    Run,
    fuse_logits,
    fused_loss,
)

if TYPE_CHECKING:
    from torch import Tensor, nn

    from igmsweep.data.loader import Batch
    from igmsweep.models.multimodal import MultimodalModel, Output


class MSESParams(MethodParams):
    """Parameters of MSES."""

    presets = {"paper": {"model.head": []}}

    name: str = "mses"
    patience: int = Field(10, ge=1)
    """Epochs without a fall of its smoothed loss after which a modality rests."""
    smoothing: float = Field(0.6, ge=0, lt=1)
    """Weight of the epoch before in the smoothed validation loss."""
    mu: float = Field(1.0, ge=0)
    """Weight of the unimodal losses; 0 trains the fused one alone, as the public code does."""


class MSES(Method):
    """Sum of logits; modalities stop one by one."""

    Params = MSESParams
    about = About(
        "Modality-specific learning rate control for multimodal classification",
        "Fujimori et al., ACPR",
        2019,
        "late (sum)",
        cost=1.0,
    )
    params: MSESParams

    @classmethod
    def validates(cls, params: MethodParams) -> bool:
        return True

    def begin_stage(self, run: Run) -> None:
        if self.params.patience > run.epochs - 2:
            run.note(
                f"mses: with a patience of {self.params.patience} no modality can rest in {run.epochs} epochs: this is joint "
                "training with unimodal losses"
            )

    def step(self, run: Run, batch: Batch) -> dict[str, Tensor]:
        with run.autocast():
            output = run.model(batch.inputs)
        loss = fused_loss(output, batch.labels, self.params.mu)
        loss.backward()
        run.update()
        return {"loss": loss.detach()}

    def end_epoch(self, run: Run, metrics: Mapping[str, float]) -> None:
        for name in run.awake:
            loss = metrics[f"val/{name}/loss"]
            best: dict[str, Any] = self.state.setdefault(name, {"loss": float("inf"), "before": loss})
            smoothed = self.params.smoothing * best["before"] + (1 - self.params.smoothing) * loss
            best["before"] = loss
            if smoothed < best["loss"]:
                weights = {key: x.clone() for key, x in _trained(run.model, name).state_dict().items()}
                best |= {"loss": smoothed, "epoch": run.epoch, "weights": weights}
            elif run.epoch - best["epoch"] > self.params.patience:
                _trained(run.model, name).load_state_dict(best.pop("weights"))
                run.changed_weights()
                run.scale(name, 0.0)
                run.note(f"mses: {name} went back to epoch {best['epoch'] + 1} and rests from epoch {run.epoch + 2} on")
        if not run.awake:
            run.end_training()

    def fuse(self, output: Output) -> Tensor:
        return fuse_logits(output)


def _trained(model: MultimodalModel, name: str) -> nn.ModuleDict:
    """A modality's modules with anything to train: a frozen encoder never changes and is not kept twice."""
    branch = model.branch(name)
    for key, module in list(branch.items()):
        if not any(each.requires_grad for each in module.parameters()):
            del branch[key]
    return branch
