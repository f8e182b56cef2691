"""MSLR: modality-specific learning rates for additive late fusion (Yao and Mihalcea, Findings of ACL 2022).

Cross-entropy of the summed logits, a learning rate per modality (`optim.lr.<modality>`, from unimodal runs), by one of
three strategies: `keep` leaves the rates as they are; `smooth` draws them towards their mean as the training goes on;
`dynamic` multiplies each by its validation accuracy over the mean of the last `window` epochs. `pretrain` trains the
modalities alone for a share of the epochs, which stands for the fine-tuned unimodal models that the work begins with.

There is no code by the authors. The only public one (AGM's repository) starts from scratch, multiplies gradients instead of
rates, which is nothing under Adam, and goes by *test* accuracy; here rates are scaled, by validation accuracy. The exact form
of `smooth` is not in the sources we have: it is linear here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from igmsweep.methods.base import (
    About,
    Method,
    MethodParams,
    Run,
    Stage,
    fuse_logits,
    fused_loss,
    lead_in,
    unimodal_losses,
)

if TYPE_CHECKING:
    from torch import Tensor

    from igmsweep.data.loader import Batch
    from igmsweep.models.multimodal import Output


class MSLRParams(MethodParams):
    """Parameters of MSLR."""

    presets = {"paper": {"model.head": []}, "released": {"model.head": [], "method.pretrain": 0.0}}

    name: str = "mslr"
    strategy: Literal["keep", "smooth", "dynamic"] = "dynamic"
    """Rates as they are set, drawn to their mean, or going by validation accuracy."""
    window: int = Field(5, ge=1)
    """Epochs whose mean accuracy `dynamic` compares with."""
    most: float = Field(2.0, ge=1)
    """`dynamic` multiplies a rate by no more than this, and by no less than its inverse."""
    pretrain: float = Field(0.25, ge=0, lt=1)
    """Share of the epochs that train the modalities alone before."""


def pace(accuracy: float, past: float, most: float) -> float:
    """r_m = accuracy / mean accuracy of the past epochs, in [1 / most, most]; 1 where both are 0."""
    if past == 0:
        return most if accuracy > 0 else 1.0
    return min(max(accuracy / past, 1 / most), most)


class MSLR(Method):
    """Sum of logits, a pace per modality."""

    Params = MSLRParams
    about = About(
        "Modality-specific learning rates for effective multimodal additive late-fusion",
        "Yao & Mihalcea, Findings of ACL",
        2022,
        "late (sum)",
        cost=0.9,
    )
    params: MSLRParams

    @classmethod
    def validates(cls, params: MethodParams) -> bool:
        assert isinstance(params, MSLRParams)
        return params.strategy == "dynamic"

    def stages(self, count: int, epochs: Mapping[str, int]) -> list[Stage]:
        stages = lead_in(super().stages(count, epochs), self.params.pretrain, "pretrain")
        self._alone_for = sum(stage.epochs for stage in stages if stage.name == "pretrain")
        return stages

    def begin_stage(self, run: Run) -> None:
        if self.params.strategy == "dynamic" and run.epochs - self._alone_for <= self.params.window:
            run.note(
                f"mslr: {run.epochs - self._alone_for} epochs are too few for a window of {self.params.window}: rates stay "
                "as they are, as under strategy keep"
            )

    def begin_epoch(self, run: Run) -> Iterable[Batch]:
        if self.params.strategy == "smooth" and not self._alone(run):
            assert run.optimizer is not None
            rates = {group["name"]: group["lr"] for group in run.optimizer.param_groups}
            mean = sum(rates[name] for name in self.modalities) / len(self.modalities)
            share = (run.epoch - self._alone_for) / (run.epochs - self._alone_for)
            for name in self.modalities:  # lambda falls from 1 to 0 over what follows pre-training
                run.scale(name, 1 - share + share * mean / rates[name])
        return run.train

    def step(self, run: Run, batch: Batch) -> dict[str, Tensor]:
        with run.autocast():
            output = run.model(batch.inputs)
        if self._alone(run):
            loss = unimodal_losses(output, batch.labels)
        else:
            loss = fused_loss(output, batch.labels)
        loss.backward()
        run.update()
        return {"loss": loss.detach()}

    def end_epoch(self, run: Run, metrics: Mapping[str, float]) -> None:
        if self.params.strategy != "dynamic" or self._alone(run):
            return
        for name in self.modalities:
            past: list[float] = self.state.setdefault(name, [])
            accuracy = metrics[f"val/{name}/acc"]
            if len(past) == self.params.window:
                run.scale(name, pace(accuracy, sum(past) / len(past), self.params.most))
            self.state[name] = [*past, accuracy][-self.params.window :]

    def fuse(self, output: Output) -> Tensor:
        return fuse_logits(output)

    @staticmethod
    def _alone(run: Run) -> bool:
        assert run.stage is not None
        return run.stage.name == "pretrain"
