"""DOMFN: divergence-oriented multi-modal fusion network (Yang et al., ACM MM 2022).

A sample whose modalities agree is fused; one whose modalities diverge is trained and predicted by single modalities. With
o_m = sigmoid(l_m) and their mean over the modalities, D_m = max_c (o_m[c] - mean[c])^2; a sample agrees where every D_m is
under a threshold. Its loss is then sum_m (CE_m^2 / 2 - eta D_m) + sum_m CE_m + CE_fused, else sum_m CE_m. The cross-entropies
are taken on the sigmoids, as in the authors' code, which the text does not contradict.

The code has two numbers, tau and gamma, of which only the product matters: it is `threshold` here. D_m cannot pass
((M - 1) / M)^2, a quarter for two modalities, so the code's 0.4 never parts two modalities (`preset: released`). The code
trains on single samples; here samples are weighted one by one in a batch, and one that diverges gives the fused head no
gradient. `divergence: penalise` turns the sign of eta D_m, which in the code rewards divergence among samples that agree.
Its `evaluate > best` that never saves is not repeated.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from igmsweep.late import nn, torch
from igmsweep.methods.base import About, Layout, Method, MethodParams, Run, Stage, cross_entropy, lead_in, wide

if TYPE_CHECKING:
    from torch import Tensor

    from igmsweep.data.loader import Batch
    from igmsweep.models.multimodal import MultimodalModel, Output


class DOMFNParams(MethodParams):
    """Parameters of DOMFN."""

    presets = {"paper": {}, "released": {"method.threshold": 0.4}}

    name: str = "domfn"
    threshold: float = Field(0.16, gt=0)
    """A sample is fused where every D_m is under it; above ((M - 1) / M)^2 every sample is."""
    eta: float = Field(0.5, ge=0)
    """Weight of the divergence in the loss of samples that agree."""
    divergence: Literal["reward", "penalise"] = "reward"
    """Whether the loss of samples that agree falls with divergence (as in the code) or rises."""
    pretrain: float = Field(0.25, ge=0, lt=1)
    """Share of the epochs that train the modalities alone before."""
    rate: float = Field(1.0, gt=0)
    """Factor on the learning rates after that; the code goes from 1e-3 to 1e-5 ... 1e-4."""


def divergences(outputs: Tensor) -> Tensor:
    """D_m, (M, batch): the largest squared distance of a modality's outputs from the mean over modalities.

    Args:
        outputs: (M, batch, classes), sigmoids.
    """
    return (outputs - outputs.mean(0)).square().amax(-1)


class DOMFN(Method):
    """Fuse samples whose modalities agree, and leave the others to single modalities."""

    Params = DOMFNParams
    about = About(
        "DOMFN: a divergence-orientated multi-modal fusion network",
        "Yang et al., ACM MM",
        2022,
        "concat, per sample",
        cost=1.0,
    )
    params: DOMFNParams

    @classmethod
    def layout(cls, params: MethodParams) -> Layout:
        return Layout("concat", heads=True, hidden=(64,), own_hidden=())

    def modules(self, model: MultimodalModel) -> Mapping[str, nn.Module]:
        """Whether there is a fused head to predict by: a hand-over takes it along with the weights it is said of."""
        gate = nn.Module()
        gate.register_buffer("fuses", torch.ones(()))
        return {"gate": gate}

    def stages(self, count: int, epochs: Mapping[str, int]) -> list[Stage]:
        stages = lead_in(super().stages(count, epochs), self.params.pretrain, "pretrain")
        return [stage if stage.name == "pretrain" else replace(stage, rate=self.params.rate) for stage in stages]

    def begin_stage(self, run: Run) -> None:
        assert run.stage is not None
        self.own["gate"].get_buffer("fuses").fill_(float(run.stage.name != "pretrain"))

    def step(self, run: Run, batch: Batch) -> dict[str, Tensor]:
        with run.autocast():
            output = run.model(batch.inputs)
        own = self._outputs(output)
        losses = torch.stack([cross_entropy(each, batch.labels, "none") for each in own])  # (M, batch)
        assert output.fused is not None
        assert run.stage is not None
        if run.stage.name == "pretrain":
            loss = losses.sum(0).mean()
            loss.backward()
            run.update(run.active)  # the fused head waits, with its momentum
            return {"loss": loss.detach()}
        divergence = divergences(own)
        agrees = (divergence.detach() < self.params.threshold).all(0).to(losses.dtype)
        sign = -1.0 if self.params.divergence == "reward" else 1.0
        fused = cross_entropy(torch.sigmoid(wide(output.fused)), batch.labels, "none")
        extra = (0.5 * losses.square() + sign * self.params.eta * divergence).sum(0) + fused
        loss = (losses.sum(0) + agrees * extra).mean()
        loss.backward()
        run.update(
            None if bool(agrees.any()) else run.active
        )  # without a sample the fused head rests, momentum and all
        plain = (losses.sum(0) + fused).mean()  # the loss gains terms as samples come to agree
        return {"loss": loss.detach(), "plain": plain.detach(), "domfn/fused": agrees.mean()}

    def fuse(self, output: Output) -> Tensor:
        """The fused head where the modalities agree, else, and while the modalities are trained alone, the modality with the
        largest output (the first of equals)."""
        assert output.fused is not None
        own = self._outputs(output)
        agrees = (divergences(own) < self.params.threshold).all(0)
        if self.own:
            agrees = agrees & (self.own["gate"].get_buffer("fuses") > 0)
        surest = own.amax(-1).argmax(0)
        alone = own[surest, torch.arange(own.shape[1], device=own.device)]
        return torch.softmax(torch.where(agrees[:, None], torch.sigmoid(wide(output.fused)), alone), dim=-1)

    def _outputs(self, output: Output) -> Tensor:
        """o_m = sigmoid(l_m), (M, batch, classes)."""
        return torch.stack([torch.sigmoid(wide(output.logits[name])) for name in self.modalities])
