"""AGM: adaptive gradient modulation by Shapley shares of the logits (Li et al., ICCV 2023).

With f(S) the fused logits where modalities outside S are blanked out, a modality's share g_m is its Shapley value of f, and
the shares sum to f(all). Its strength s_m = CE(g_m, y) against the mean over modalities gives r_m = exp(M / (M - 1)
(mean s - s_m)); the same of its mean over all steps so far gives tau_m. The gradient that reaches g_m is multiplied by
kappa_m = exp(alpha min(tau_m - r_m, cap)), the head's included; where the fused head's largest gradient passes 1, the
gradient of the model is clipped to a norm of 1.

`blank: inputs` blanks out inputs, as in the work (zeros; of a text all but its first token; of a frozen encoder, whose
features are all there is, those); `features` sets features to zero. Blanked passes run in evaluation mode, with gradients, as
in the authors' CREMA-D code. A public re-implementation has the sign of (mean s - s_m) the other way round. The gradient is
scaled by the equal logits f(all) + sum_m (kappa_m - 1) (g_m - stopgrad g_m), which need no hooks: with alpha = 0 and no
clipping it is joint training, bit for bit.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

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
    fuse_logits,
    fused_logits,
    on_rates,
    wide,
)
from igmsweep.methods.clipping import clip_where_loud
from igmsweep.methods.shapley import shapley, subsets
from igmsweep.methods.span import Spanned

if TYPE_CHECKING:
    from torch import Tensor

    from igmsweep.data.loader import Batch
    from igmsweep.models.multimodal import Output


class AGMParams(Spanned):
    """Parameters of AGM."""

    presets = {"paper": {"model.head": []}}

    name: str = "agm"
    fusion: Literal["concat", "sum"] = "concat"
    """One head on the concatenated features, or the sum of the logits of a head per modality."""
    alpha: float = Field(1.0, ge=0)
    """Strength of the modulation; 0, without clipping, is joint training."""
    cap: float = 10.0
    """tau_m - r_m counts as at most this; 10 for two modalities, 7 for three."""
    blank: Literal["inputs", "features"] = "inputs"
    """What of a modality outside S is blanked out."""
    clip: float = Field(1.0, ge=0)
    """The norm to which gradients are clipped where the fused head's largest one passes 1; 0 never clips."""
    acts_on: ActsOn = "auto"
    """Where kappa acts; see `ActsOn`. On rates it acts on the modality's learning rate, the fused head's stays."""
    most: float = Field(10.0, ge=1)
    """On rates, kappa counts as at most this and at least its inverse: no clipping bounds a step there."""

    @classmethod
    def defaults(cls, kinds: Mapping[str, str]) -> dict[str, Any]:
        return {"cap": 10.0 if len(kinds) == 2 else 7.0}


class AGM(Method):
    """Fused cross-entropy; each modality's way to it is scaled by how its strength compares with its own past."""

    Params = AGMParams
    about = About(
        "Boosting multi-modal model performance with adaptive gradient modulation",
        "Li et al., ICCV",
        2023,
        "concat, late (sum)",
        cost=1.9,
    )
    params: AGMParams

    @classmethod
    def layout(cls, params: MethodParams) -> Layout:
        assert isinstance(params, AGMParams)
        return Layout("concat" if params.fusion == "concat" else "late")

    def begin_stage(self, run: Run) -> None:
        self.params.warn(run)

    def step(self, run: Run, batch: Batch) -> dict[str, Tensor]:
        with run.autocast():
            output = run.model(batch.inputs)
        whole = fused_logits(output)
        log: dict[str, Tensor] = {}
        rates: dict[str, float] = {}
        logits = whole
        if self.params.acts(run.progress):
            by_rate = on_rates(self.params.acts_on, run)
            with torch.set_grad_enabled(not by_rate):
                shares = self._shares(run, batch, whole)
            kappa = self._kappa({name: g.detach() for name, g in shares.items()}, batch.labels)
            log = {f"agm/kappa/{name}": each for name, each in kappa.items()}
            if by_rate:
                factors = torch.stack(list(kappa.values())).clamp(1 / self.params.most, self.params.most)
                rates = dict(zip(kappa, factors.tolist(), strict=True))
            else:
                logits = whole + torch.stack([(kappa[m] - 1) * (g - g.detach()) for m, g in shares.items()]).sum(0)
        loss = cross_entropy(logits, batch.labels)
        loss.backward()
        if self.params.clip > 0:
            heads = run.model.shared() or [p for each in run.model.heads.values() for p in each.parameters()]
            clip_where_loud(list(run.model.parameters()), heads, self.params.clip)
        run.update(rates=rates)
        return {"loss": loss.detach(), **log}

    def fuse(self, output: Output) -> Tensor:
        return fuse_logits(output)

    def _shares(self, run: Run, batch: Batch, whole: Tensor) -> dict[str, Tensor]:
        """g_m of a batch, (batch, classes) each."""
        names = self.modalities
        values = {names: whole}
        with run.evaluating(), run.autocast():
            present = run.model.encode(batch.inputs)
            absent = {
                name: torch.zeros_like(z)
                if self.params.blank == "features"
                else run.model.features(name, run.model.blank(batch.inputs[name][:1])).expand_as(z)
                for name, z in present.items()
            }
            for subset in subsets(names)[:-1]:  # the last is all of them
                seen = {name: present[name] if name in subset else absent[name] for name in names}
                values[subset] = fused_logits(run.model.classify(seen))
        return shapley(values, names)

    def _kappa(self, shares: Mapping[str, Tensor], labels: Tensor) -> dict[str, Tensor]:
        """kappa_m of this step, from its strengths and the means of all before it, which then take them in."""
        count = len(shares)
        strengths = torch.stack([_strength(g, labels) for g in shares.values()]).double()
        steps = self.state.get("steps", 0)
        means = self.state.get("means", torch.zeros_like(strengths))
        scale = count / (count - 1)
        r = torch.exp(scale * (strengths.mean() - strengths))
        tau = torch.exp(scale * (means.mean() - means))
        kappa = torch.exp(self.params.alpha * (tau - r).clamp_max(self.params.cap)).to(labels.device)
        self.state["steps"] = steps + 1
        self.state["means"] = means + (strengths - means) / (steps + 1)
        kind = next(iter(shares.values())).dtype
        return dict(zip(shares, kappa.to(kind), strict=True))


def _strength(share: Tensor, labels: Tensor) -> Tensor:
    """CE of a share of the logits, 0-d; a probability counts as at least 1e-8."""
    p = torch.softmax(wide(share), dim=-1)[torch.arange(len(labels), device=labels.device), labels]
    return -p.clamp_min(1e-8).log().mean()
