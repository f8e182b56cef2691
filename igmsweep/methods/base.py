"""The contract between the training loop and a method: what differs between methods, and nothing else.

The loop in `igmsweep.train` asks a method which modalities each pass trains, hands it batches, and tells it when an
epoch and a pass end. A method does its own forward and backward passes and its own gradient surgery in `step`, because
the methods of the field need different loop bodies: SAM runs backward twice, MLA steps once a modality, AGM runs
forward with modalities masked. `docs/contract.md` maps every method of the paper's Table 1 onto these few functions.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from igmsweep.late import F, torch
from igmsweep.schema.sections import MethodParams

if TYPE_CHECKING:
    from torch import Tensor

    from igmsweep.data.loader import Batch, Loader
    from igmsweep.models.multimodal import MultimodalModel, Output

__all__ = ["Method", "MethodParams", "Run", "Stage", "entropy_weights", "fuse_entropy", "fuse_mean"]


@dataclass(frozen=True)
class Stage:
    """Consecutive epochs that train the same modalities under one optimiser and one schedule."""

    active: tuple[str, ...]
    epochs: int
    cycle: int
    """Outer iteration, from 0."""
    last_of_cycle: bool = False


@dataclass
class Run:
    """What a method may touch while it trains.

    `train` draws shuffled, augmented batches; `clean(share)` gives the training set in order and without augmentation
    (for covariances, prototypes, valuations); `holdout(share)` cuts it in two where a method needs held-out loss
    without looking at validation data.
    """

    model: MultimodalModel
    train: Loader
    val: Loader
    device: torch.device
    seed: int
    precision: Literal["fp32", "bf16"] = "fp32"
    optimizer: torch.optim.Optimizer | None = None
    stage: Stage | None = None
    stage_index: int = 0
    stage_epoch: int = 0
    """Epoch within the stage, from 0."""
    epoch: int = 0
    """Epoch within the whole training, from 0."""
    stage_step: int = 0
    """Step within the epoch, from 0."""
    generator: torch.Generator | None = None
    """Randomness on the device, seeded anew every epoch: mixup draws from it."""
    notes: list[str] = field(default_factory=list)
    """Lines for the person who reads the result; each is said once."""
    spectra: dict[str, Any] = field(default_factory=dict)

    @property
    def active(self) -> tuple[str, ...]:
        """The modalities that the current stage trains."""
        assert self.stage is not None
        return self.stage.active

    def clean(self, share: float = 1.0) -> Loader:
        """Training samples in a fixed order, without augmentation; the first `share` of a seeded permutation."""
        return self.train.clean(share, seed=self.seed)

    def holdout(self, share: float) -> tuple[Loader, Loader]:
        """The training set cut in two, `1 - share` and `share` of it, the same cut on every call."""
        return self.train.cut(share, seed=self.seed)

    def autocast(self) -> AbstractContextManager[Any]:
        """bfloat16 autocast where `precision: bf16` asks for it; parameters and gradients stay float32."""
        if self.precision == "bf16":
            return torch.autocast(self.device.type, dtype=torch.bfloat16)
        return nullcontext()

    def update(self) -> None:
        """One optimiser step on the gradients at hand, then forget them (None, so that momentum rests too)."""
        assert self.optimizer is not None
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)

    def group(self, modality: str) -> dict[str, Any]:
        """The optimiser's parameter group of a modality; its `lr` may be changed."""
        assert self.optimizer is not None
        for group in self.optimizer.param_groups:
            if group["name"] == modality:
                return group
        raise KeyError(modality)

    def note(self, line: str) -> None:
        """Keep a line for the result, once."""
        if line not in self.notes:
            self.notes.append(line)


class Method:
    """Base of every method. Only `step` must be written; the rest has defaults.

    State that must survive an interruption lives in `self.state`: tensors, numbers, strings, lists and dictionaries of
    these. Hyper-parameters are `self.params`, an instance of the class's `Params`.
    """

    Params: ClassVar[type[MethodParams]] = MethodParams
    fusion: ClassVar[Literal["late", "shared", "concat"]] = "late"
    """`late`: a head per modality; `shared`: one head for all; `concat`: one head on the concatenated features, with
    `extra_heads` deciding whether unimodal heads stand beside it."""
    extra_heads: ClassVar[bool] = False
    sees: ClassVar[Literal["active", "all"]] = "active"
    """Modalities that batches carry: those the stage trains, or all (for methods that consult resting modalities)."""

    def __init__(self, params: MethodParams, modalities: Sequence[str]) -> None:
        self.params = params
        self.modalities = tuple(modalities)
        self.state: dict[str, Any] = {}

    @classmethod
    def layout(cls, params: MethodParams) -> tuple[str, bool]:
        """`(fusion, extra_heads)` of the model that this method trains; may depend on its parameters."""
        return cls.fusion, cls.extra_heads

    def passes(self, modalities: Sequence[str]) -> list[tuple[str, ...]]:
        """One outer iteration: which modalities are trained together, pass after pass. Default: all at once."""
        return [tuple(modalities)]

    def begin_stage(self, run: Run) -> None:
        """Called before the first epoch of a stage."""

    def begin_epoch(self, run: Run) -> Iterable[Batch]:
        """The batches of this epoch; a method may redraw samples or mask modalities here."""
        return run.train

    def step(self, run: Run, batch: Batch) -> dict[str, Tensor]:
        """Forward, backward, gradient surgery, optimiser step. Returns 0-d tensors to log (no `.item()` here)."""
        raise NotImplementedError

    def end_epoch(self, run: Run, metrics: Mapping[str, float]) -> None:
        """Called after each epoch with its metrics, `train/loss`, `val/acc`, `val/<modality>/loss` and so on."""

    def end_stage(self, run: Run) -> dict[str, float]:
        """Called after the last epoch of a stage, on the weights that are handed over. Returns metrics to log."""
        return {}

    def fuse(self, output: Output) -> Tensor:
        """Class probabilities, (batch, classes), from a model output."""
        return fuse_mean(output)

    def state_dict(self) -> dict[str, Any]:
        """Everything besides the model that a continued training needs."""
        return self.state

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take up a saved state."""
        self.state = state


def entropy_weights(log_probabilities: Tensor) -> Tensor:
    """Weights per sample over modalities, (modalities, batch), from their entropies (MLA, Zhang et al. 2024).

    w_j is proportional to exp(max_i H_i - H_j), which is softmax(-H) over the modalities.

    Args:
        log_probabilities: (modalities, batch, classes).
    """
    entropy = -(log_probabilities.exp() * log_probabilities).sum(-1)
    return torch.softmax(-entropy, dim=0)


def fuse_entropy(output: Output) -> Tensor:
    """Probabilities of the modalities, averaged per sample by `entropy_weights` (Sec. 4.3)."""
    log_p = torch.stack([F.log_softmax(logits.float(), dim=-1) for logits in output.logits.values()])
    return (entropy_weights(log_p).unsqueeze(-1) * log_p.exp()).sum(0)


def fuse_mean(output: Output) -> Tensor:
    """Fused logits' softmax where the model fuses, else the mean of the modalities' softmaxes."""
    if output.fused is not None:
        return torch.softmax(output.fused.float(), dim=-1)
    return torch.stack([torch.softmax(logits.float(), dim=-1) for logits in output.logits.values()]).mean(0)
