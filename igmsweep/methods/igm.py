"""IGM: interactive multimodal learning via flat gradient modification (Jiang et al., IJCAI 2025).

Modalities are trained in turn. After a modality's stage the covariance of its layers' inputs gives a matrix T
(`igmsweep.flat`), and the next modality's gradients in the same layers are multiplied by it; every step is a
sharpness-aware one (`igmsweep.sam`). `preset: paper` is the paper's text; `preset: released` is the authors' code as it
runs, without two faults that are not repeated: it chooses weights on the test split (here: on validation), and it
applies every T of an equal shape to a layer (here: the T of the same position).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from pydantic import Field, field_validator

from igmsweep.errors import UserError, nearest
from igmsweep.flat import (
    FlatMatrix,
    InputCovariance,
    flat_matrix,
    modify_gradients,
    scoped_layers,
    uncompiled,
    unpaired,
)
from igmsweep.late import F, torch
from igmsweep.legible import quoted
from igmsweep.methods.base import (
    About,
    Layout,
    Method,
    MethodParams,
    Run,
    Stage,
    cross_entropy,
    cycles,
    fuse_entropy_logits,
    fuse_entropy_probabilities,
    fuse_mean,
    wide,
)
from igmsweep.sam import add_each, ascent, dropout_state, perturbed, second_pass, share_moved
from igmsweep.seeds import derived_seed

if TYPE_CHECKING:
    from torch import Tensor

    from igmsweep.data.loader import Batch
    from igmsweep.models.multimodal import Output


FUSIONS = {
    "entropy_logits": fuse_entropy_logits,
    "entropy_probabilities": fuse_entropy_probabilities,
    "mean": fuse_mean,
}

SPECTRUM = 16
"""Eigenvalues of each T that a result keeps, the smallest; the rest is close to one."""


class IGMParams(MethodParams):
    """Parameters of IGM with the paper's values."""

    per_modality: ClassVar[tuple[str, ...]] = ("rho",)
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "paper": {
            "method.tau": 0.4,
            "method.scope": "head",
            "method.gm": True,
            "method.sam": True,
            "method.sam_form": "paper",
            "method.sam_mix": 1.0,
            "method.mixup_alpha": 0.0,
            "method.fusion": "entropy_logits",
            "stages.handover": "last",
        },
        "released": {
            "method.tau": 0.4,
            "method.scope": "head",
            "method.gm": True,
            "method.sam": True,
            "method.sam_form": "released",
            "method.sam_mix": 0.3,
            "method.mixup_alpha": 1.0,
            "method.fusion": "mean",
            "stages.handover": "best_fused",
            "stages.handover_by": "f1",
            "optim.schedule": "step_early",
            "optim.step_size": 40,
        },
    }

    name: str = "igm"
    gm: bool = True
    """Flat gradient modification; false is "w/o GM" of Table 2."""
    tau: float = Field(0.4, gt=0)
    """Scaling factor of Eq. 4, above 0; the paper's Fig. 3 spans 1e-3 to 100."""
    scope: float | Literal["none", "head"] = "head"
    """What T modifies: `none`, `head`, or a share in [0, 1] of the parameters from the deepest layer up (Table 4)."""
    gm_targets: tuple[str, ...] | None = None
    """Modalities whose gradients are modified; None is all of them, fewer are Table 3's "w/o a-GM", "w/o v-GM"."""
    covariance: Literal["batch_mean", "samples", "centered"] = "batch_mean"
    """Of batch means (Eq. 2), of all samples, or of all samples with their mean removed."""
    sam: bool = True
    """Sharpness-aware steps; false is "IGM w/o SAM" of Table 1."""
    rho: dict[str, float]
    """Radius of Eq. 7 per modality, at least 0 (paper: 1e-10 for audio, 1e-15 for image and text)."""
    sam_form: Literal["paper", "released"] = "paper"
    """`released`: each tensor normalised by its own norm, only the head run again on the old features, and the
    perturbation never taken back."""
    sam_mix: float = Field(1.0, ge=0, le=1)
    """Weight of the perturbed loss; 1 is SAM itself, the released code mixes 0.3 of it with 0.7 of the plain loss."""
    sam_skip_inert: bool = False
    """Leave the second pass out for the rest of a stage when its first step moved less than 0.1 % of the weights. Where a
    step moves no weight at all it is always left out, as it could only give the same bits."""
    mixup_alpha: float = Field(0.0, ge=0)
    """Mixup of the trained modality with weights from Beta(alpha, alpha); 0 is none. Text is never mixed."""
    fusion: Literal["entropy_logits", "entropy_probabilities", "mean"] = "entropy_logits"
    """How the modalities are joined at test: logits by entropy weights, MLA's strategy (Sec. 4.3); probabilities by the
    same weights, as version 0.1.0 did; or the mean of probabilities."""

    @classmethod
    def defaults(cls, kinds: Mapping[str, str]) -> dict[str, Any]:
        return {"rho": {name: 1e-10 if kind == "audio" else 1e-15 for name, kind in kinds.items()}}

    @field_validator("scope", mode="before")
    @classmethod
    def _scope(cls, scope: Any) -> Any:
        if isinstance(scope, str) and scope not in ("none", "head"):
            try:
                scope = float(scope)
            except ValueError:
                raise ValueError(
                    f"found {quoted(scope)}, expected none, head or a share in [0, 1]{nearest(scope, ['none', 'head'])}"
                ) from None
        if isinstance(scope, bool) or (isinstance(scope, int | float) and not 0 <= scope <= 1):
            raise ValueError(f"found {quoted(scope)}, expected none, head or a share in [0, 1]")
        return scope

    @field_validator("fusion", mode="before")
    @classmethod
    def _fusion(cls, fusion: Any) -> Any:
        return "entropy_probabilities" if fusion == "entropy" else fusion  # the word of version 0.1.0

    @field_validator("rho")
    @classmethod
    def _rho(cls, rho: dict[str, float]) -> dict[str, float]:
        for name, value in rho.items():
            if value < 0:
                raise ValueError(f"{name}: expected a value of at least 0, found {quoted(value)}")
        return rho

    def check(self, modalities: Sequence[str]) -> None:
        for name in self.gm_targets or ():
            if name not in modalities:
                raise UserError(
                    f"method.gm_targets: unknown modality '{name}', expected some of {', '.join(modalities)}"
                    f"{nearest(name, modalities)}"
                )


class IGM(Method):
    """Algorithm 1: stages of one modality each, SAM steps, T of the modality trained just before."""

    Params = IGMParams
    about = About(
        "Interactive multimodal learning via flat gradient modification",
        "Jiang et al., IJCAI",
        2025,
        "late (entropy weights), mean",
        modalities=1,
        cost=1.7,
    )
    summary = ("sam/moved", "gm/damped", "gm/cosine")
    params: IGMParams

    @classmethod
    def layout(cls, params: MethodParams) -> Layout:
        return Layout("late")

    def stages(self, count: int, epochs: Mapping[str, int]) -> list[Stage]:
        return cycles(count, [Stage((name,), epochs[name]) for name in self.modalities])

    def begin_stage(self, run: Run) -> None:
        self.state["inert"] = False

    def begin_epoch(self, run: Run) -> Iterable[Batch]:
        (target,) = run.active
        self._branch = run.model.branch(target)
        self._matrices = self._matrices_for(run, target)
        self._layers = {name: self._branch.get_submodule(name) for name in self._matrices}
        return run.train

    def step(self, run: Run, batch: Batch) -> dict[str, Tensor]:
        (target,) = run.active
        log: dict[str, Tensor] = {}
        x, labels = batch.inputs[target], batch.labels
        mixed = self._mixup(run, x, labels)
        if self.params.sam and self.params.sam_form == "released":
            loss = self._released_step(run, mixed, log)
        else:
            loss = self._paper_step(run, mixed, log)
        log |= self.modify(run)
        run.update()
        return {"loss": loss.detach(), **log}

    def modify(self, run: Run) -> dict[str, Tensor]:
        """Gradients times T (Eq. 5 and 9)."""
        cosine = modify_gradients(self._layers, self._matrices)
        return {"gm/cosine": cosine} if cosine is not None and run.epoch_step == 0 else {}

    def _paper_step(self, run: Run, mixed: _Mixed, log: dict[str, Tensor]) -> Tensor:
        """Eq. 7 and 8; with `sam_mix` under 1, that share of the SAM gradient and the rest of the plain one."""
        (target,) = run.active
        rho, mix = self.params.rho[target], self.params.sam_mix
        again = dropout_state([self._branch], run.device)
        loss = mixed.loss(self._logits(run, mixed.x))
        loss.backward()
        if not self.params.sam or rho == 0 or mix == 0 or self.state["inert"]:
            return loss
        parameters = list(self._branch.parameters())
        plain = [None if p.grad is None else p.grad.clone() for p in parameters] if mix < 1 else []
        with perturbed(parameters, rho, count=run.epoch_step == 0) as found:
            if not found.inert:
                with second_pass([self._branch]):
                    if again is not None:
                        again()
                    mixed.loss(self._logits(run, mixed.x)).backward()
        for parameter, gradient in zip(parameters, plain, strict=False):
            if parameter.grad is not None and gradient is not None:
                parameter.grad.mul_(mix).add_(gradient, alpha=1 - mix)
        if found.moved is not None:
            log["sam/moved"] = found.moved
            if self.params.sam_skip_inert and run.stage_epoch == 0 and float(found.moved) < 1e-3:
                self.state["inert"] = True  # one host sync a stage, only when asked for
                run.note(f"sam: rho of {rho:.3g} for {target} moves no weight; the second pass is left out")
        return loss

    def _released_step(self, run: Run, mixed: _Mixed, log: dict[str, Tensor]) -> Tensor:
        """The authors' code: projection and head alone, perturbed, on the old features; the perturbation stays in the
        weights."""
        (target,) = run.active
        rho, mix = self.params.rho[target], self.params.sam_mix
        # the authors' image head begins with a layer to the text's width, which is our projection
        tail = torch.nn.Sequential(*(self._branch[name] for name in ("projection", "head") if name in self._branch))
        parameters = [parameter for parameter in self._branch.parameters() if parameter.requires_grad]
        with run.autocast():
            z = self._branch["encoder"](mixed.x)
            logits = tail(z)
        loss = mixed.loss(logits)
        gradients = torch.autograd.grad(loss, parameters, retain_graph=True, materialize_grads=True)
        steps = ascent(gradients, rho, norm="tensor")
        shifted = dict(zip(map(id, parameters), steps, strict=True))
        weights = {name: p + shifted[id(p)] for name, p in tail.named_parameters()}
        with run.autocast():
            second = torch.func.functional_call(tail, weights, (z,))
        # the released code takes the unmixed labels here
        total = (1 - mix) * loss + mix * cross_entropy(second, mixed.labels)
        total.backward()
        with torch.no_grad():
            before = [p.detach().clone() for p in parameters] if run.epoch_step == 0 else []
            add_each(parameters, steps)
            if before:
                log["sam/moved"] = share_moved(parameters, before)
        return loss

    def end_epoch(self, run: Run, metrics: Mapping[str, float]) -> None:
        moved = metrics.get("sam/moved")
        if moved is not None and moved < 0.01:
            (target,) = run.active
            run.note(
                f"sam: rho of {self.params.rho[target]:.3g} for {target} changes under 1 % of the weights in float32, "
                "so SAM is next to a second identical pass; see sam/moved"
            )

    def end_stage(self, run: Run) -> dict[str, float]:
        """Covariance over the training set in evaluation mode, and T from it (Algorithm 1, lines 11 to 13)."""
        (source,) = run.active
        if not self._modifies():
            return {}
        layers = scoped_layers(run.model.branch(source), self.params.scope)
        covariance = InputCovariance(layers, self.params.covariance)
        # compiled code would not call the hooks; in file order, sorted classes would make batches of one class each
        with torch.no_grad(), run.evaluating(), covariance.watch(), uncompiled(run.model):
            for batch in run.clean(shuffle=True).only((source,)):
                run.model.one(source, batch.inputs[source])
        matrices = {name: flat_matrix(covariance.matrix(name), self.params.tau) for name in layers}
        self.state.setdefault("T", {})[source] = {name: matrix.state() for name, matrix in matrices.items()}
        self.state.setdefault("spectra", {}).setdefault(source, []).append(
            {
                "stage": run.stage_index,
                "T": {name: matrix.spectrum(SPECTRUM) for name, matrix in matrices.items()},
                "damped": {name: matrix.damped() for name, matrix in matrices.items()},
                "mean": {name: covariance.mean(name) for name in layers},
                "participation": {name: covariance.participation(name) for name in layers},
            }
        )
        return {"gm/damped": float(np.mean([matrix.damped() for matrix in matrices.values()]))} if matrices else {}

    def fuse(self, output: Output) -> Tensor:
        return FUSIONS[self.params.fusion](output)

    def diagnostics(self) -> dict[str, Any]:
        """`spectra`, to four digits, by modality and stage but the last: of every T its smallest eigenvalues and `damped`; of
        the covariance that it is made of, the `mean` eigenvalue and the `participation` ratio."""
        spectra = self.state.get("spectra")
        return {"tau": self.params.tau, "spectra": _rounded(spectra)} if spectra else {}

    def _modifies(self) -> bool:
        return self.params.gm and self.params.scope not in ("none", 0.0)

    def _logits(self, run: Run, x: Tensor) -> Tensor:
        with run.autocast():
            return run.model.one(run.active[0], x)

    def _matrices_for(self, run: Run, target: str) -> dict[str, FlatMatrix]:
        """T of the modality before `target` (k = mod(j + m - 2, m) + 1), for the layers that have a twin."""
        targets = self.params.gm_targets
        if not self._modifies() or (targets is not None and target not in targets):
            return {}
        source = self.modalities[self.modalities.index(target) - 1]
        wanted = scoped_layers(run.model.branch(target), self.params.scope)
        twins = scoped_layers(run.model.branch(source), self.params.scope)
        alone = unpaired(twins, wanted)
        if alone:
            run.note(
                f"gm: {len(alone)} of {len(wanted)} layers of {target} have no twin in {source} and stay unmodified: "
                + ", ".join(sorted(alone))
            )
        saved = self.state.get("T", {}).get(source, {})  # empty in the first stage: T = I
        return {
            name: FlatMatrix(
                state["vectors"].to(run.device), state["sigma"].to(run.device), state["floor"], state["size"]
            )
            for name, state in saved.items()
            if name in wanted and name not in alone
        }

    def _mixup(self, run: Run, x: Tensor, labels: Tensor) -> _Mixed:
        alpha = self.params.mixup_alpha
        if (
            alpha == 0 or not x.is_floating_point()
        ):  # token ids cannot be mixed, and the released code leaves text alone
            return _Mixed(x, labels)
        share = float(
            np.random.default_rng(derived_seed(run.seed, "mixup", run.epoch, run.epoch_step)).beta(alpha, alpha)
        )
        order = torch.randperm(len(labels), generator=run.generator, device=x.device)
        return _Mixed(share * x + (1 - share) * x[order], labels, labels[order], share)


class _Mixed:
    """Inputs with one or two weighted label vectors."""

    def __init__(self, x: Tensor, labels: Tensor, others: Tensor | None = None, share: float = 1.0) -> None:
        self.x, self.labels, self.others, self.share = x, labels, others, share

    def loss(self, logits: Tensor) -> Tensor:
        logits = wide(logits)
        loss = F.cross_entropy(logits, self.labels)
        if self.others is None:
            return loss
        return self.share * loss + (1 - self.share) * F.cross_entropy(logits, self.others)


def _rounded(value: Any) -> Any:
    """Nested plain data with floats of four significant digits."""
    if isinstance(value, Mapping):
        return {key: _rounded(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_rounded(item) for item in value]
    return float(f"{value:.4g}") if isinstance(value, float) else value
