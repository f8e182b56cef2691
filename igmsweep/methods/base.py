"""The contract between the training loop and a method: what differs between methods, and nothing else.

The loop in `igmsweep.train` asks a method for its stages, hands it batches, and tells it when an epoch and a stage end. A
method does its own forward and backward passes and its own gradient surgery in `step`, because the methods of the field
need different loop bodies: SAM runs backward twice, MLA steps once a modality, AGM runs forward with modalities masked.
`docs/contract.md` maps every method of the paper's Table 1 onto these few functions.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from igmsweep.late import F, torch
from igmsweep.methods.run import Run, Stage, cycles, lead_in
from igmsweep.schema.sections import MethodParams

if TYPE_CHECKING:
    from torch import Tensor, nn

    from igmsweep.data.loader import Batch
    from igmsweep.models.multimodal import MultimodalModel, Output

__all__ = [
    "About",
    "ActsOn",
    "Layout",
    "Method",
    "MethodParams",
    "Run",
    "Stage",
    "cross_entropy",
    "cycles",
    "entropy_weights",
    "fuse_entropy_logits",
    "fuse_entropy_probabilities",
    "fuse_logits",
    "fuse_mean",
    "fused_logits",
    "fused_loss",
    "lead_in",
    "on_rates",
    "unimodal_losses",
    "wide",
]


@dataclass(frozen=True)
class Layout:
    """The heads of the model that a method trains.

    Attributes:
        fusion: `late`: a head per modality; `shared`: one head for all; `concat`: one head on the concatenated features.
        heads: with `concat`, whether a head per modality stands beside the fused one.
        hidden: hidden sizes of every head; None is `model.head`, () a single linear layer.
        own_hidden: the same for the heads per modality beside a fused one, where they are of another kind.
    """

    fusion: Literal["late", "shared", "concat"] = "late"
    heads: bool = False
    hidden: tuple[int, ...] | None = None
    own_hidden: tuple[int, ...] | None = None


@dataclass(frozen=True)
class About:
    """What `igmsweep methods` tells of a method besides its parameters.

    Attributes:
        title: the work, in the words of its own title.
        source: authors and venue.
        year: of publication.
        fusion: how the paper joins the modalities; other forms behind it, the default first.
        modalities: the fewest that it can train, at least 1; none has a most.
        cost: time of a default training over that of `joint` with as many epochs of each modality, on avdigits, by
            `benchmarks/method_cost.py`. None: not measured.
    """

    title: str
    source: str = ""
    year: int | None = None
    fusion: str = "late"
    modalities: int = 2
    cost: float | None = None


class Method:
    """Base of every method. Only `step` must be written; the rest has defaults.

    State that must survive an interruption lives in `self.state`, all of it: tensors, numbers, strings, lists and
    dictionaries of these. A training may be stopped after any epoch and goes on with a new object that is given that
    state. Hyper-parameters are `self.params`, an instance of the class's `Params`.
    """

    Params: ClassVar[type[MethodParams]] = MethodParams
    about: ClassVar[About | None] = None
    """The work it comes from; `igmsweep methods` shows it, and a data set of too few modalities is refused by it."""
    sees: ClassVar[Literal["active", "all"]] = "active"
    """Modalities that batches carry: those the stage trains, or all (for methods that consult resting modalities)."""
    summary: ClassVar[tuple[str, ...]] = ()
    """Metrics of epochs whose means over the training belong to its result, such as `sam/moved`."""
    space: ClassVar[Mapping[str, Any] | None] = None
    """The search space of a method of your own, as a file would have it; a method that ships with igmsweep has a file."""

    def __init__(self, params: MethodParams, modalities: Sequence[str]) -> None:
        self.params = params
        self.modalities = tuple(modalities)
        self.state: dict[str, Any] = {}
        self.own: Mapping[str, nn.Module] | nn.ModuleDict = {}
        """The modules that `modules` brought, on the run's device."""

    @classmethod
    def layout(cls, params: MethodParams) -> Layout:
        """The heads of the model that this method trains; may depend on its parameters."""
        return Layout()

    @classmethod
    def validates(cls, params: MethodParams) -> bool:
        """Whether the training itself goes by validation scores, so that validation data cannot be trained on."""
        return False

    def modules(self, model: MultimodalModel) -> Mapping[str, nn.Module]:
        """Modules of the method's own, such as a learnable rate. They are trained in the optimiser's group `shared`,
        are handed over and saved with the model, and are `self.own` from then on. Called once, after seeding."""
        return {}

    def stages(self, count: int, epochs: Mapping[str, int]) -> list[Stage]:
        """All stages of a training, in order. Default: one a cycle, all modalities together for the longest of their
        epochs, so that every encoder is updated as often as under an alternating method.

        Args:
            count: cycles, `stages.cycles`.
            epochs: of each modality in a cycle, `stages.epochs`.
        """
        return cycles(count, [Stage(self.modalities, max(epochs[name] for name in self.modalities))])

    def begin_stage(self, run: Run) -> None:
        """Called once a stage, before its first epoch."""

    def begin_epoch(self, run: Run) -> Iterable[Batch]:
        """The batches of this epoch; a method may redraw samples or mask modalities here.

        This is also the place to rebuild what derives from `state`: a resumed training begins with an epoch.
        """
        return run.train

    def step(self, run: Run, batch: Batch) -> dict[str, Tensor]:
        """Forward, backward, gradient surgery, optimiser step. Returns 0-d tensors to log, `loss` among them (no
        `.item()` here). A method whose loss changes its meaning from epoch to epoch returns `plain` too, one that does not:
        the plateau schedule goes by it. A batch that has none may leave it out."""
        raise NotImplementedError

    def modify(self, run: Run) -> dict[str, Tensor]:
        """Change the gradients at hand in place, between a backward pass and the optimiser's step, and return what is worth
        logging. A method whose surgery is here rather than inside `step` can be looked at from outside
        (`igmsweep.diagnostics.gradient_change`); `step` calls it."""
        return {}

    def end_epoch(self, run: Run, metrics: Mapping[str, float]) -> None:
        """Called after each epoch with its metrics, `train/loss`, `val/acc`, `val/<modality>/loss` and so on. A method that
        changes weights here says so, `run.changed_weights()`."""

    def end_stage(self, run: Run) -> dict[str, float]:
        """Called after the last epoch of a stage, on the weights that are handed over; not after the last stage, which hands
        over to nobody. Returns metrics to log."""
        return {}

    def fuse(self, output: Output) -> Tensor:
        """Class probabilities, (batch, classes), from a model output."""
        return fuse_mean(output)

    def diagnostics(self) -> dict[str, Any]:
        """What the method has to tell besides metrics, as plain data for a file beside the result; small."""
        return {}


ActsOn = Literal["auto", "gradient", "rate"]
"""Where a method's factor acts: on the gradient, on the learning rate, or (`auto`) on the rate under Adam, which cancels
a constant factor on the gradient, and on the gradient under SGD, as the papers have it."""


def on_rates(acts_on: ActsOn, run: Run) -> bool:
    """Whether a method's factors act on learning rates in this run."""
    return acts_on == "rate" or (acts_on == "auto" and run.adaptive)


def wide(x: Tensor) -> Tensor:
    """The tensor in float32, or as it is where it is wider: losses and softmaxes of bfloat16 logits are taken there."""
    return x if x.dtype == torch.float64 else x.float()


def cross_entropy(logits: Tensor, labels: Tensor, reduction: Literal["mean", "none"] = "mean") -> Tensor:
    """Softmax cross-entropy of (batch, classes) logits, their mean or (batch,) of them, in float32 or wider."""
    return F.cross_entropy(wide(logits), labels, reduction=reduction)


def fused_logits(output: Output) -> Tensor:
    """(batch, classes) logits of the fused prediction: those of the model's fused head, else the modalities' sum."""
    if output.fused is not None:
        return wide(output.fused)
    return torch.stack([wide(logits) for logits in output.logits.values()]).sum(0)


def unimodal_losses(output: Output, labels: Tensor) -> Tensor:
    """Sum over the modalities of the cross-entropies of their own heads, 0-d."""
    return torch.stack([cross_entropy(logits, labels) for logits in output.logits.values()]).sum()


def fused_loss(output: Output, labels: Tensor, unimodal_weight: float = 0.0) -> Tensor:
    """Cross-entropy of `fused_logits`, 0-d; above a weight of 0 with so much of `unimodal_losses` beside it."""
    loss = cross_entropy(fused_logits(output), labels)
    return loss + unimodal_weight * unimodal_losses(output, labels) if unimodal_weight > 0 else loss


def entropy_weights(log_probabilities: Tensor) -> Tensor:
    """Weights per sample over modalities, (modalities, batch), from their entropies (MLA, Zhang et al. 2024).

    w_j is proportional to exp(max_i H_i - H_j), which is softmax(-H) over the modalities.

    Args:
        log_probabilities: (modalities, batch, classes).
    """
    entropy = -(log_probabilities.exp() * log_probabilities).sum(-1)
    return torch.softmax(-entropy, dim=0)


def fuse_entropy_logits(output: Output) -> Tensor:
    """Softmax of the modalities' logits, averaged per sample by `entropy_weights`: as MLA fuses."""
    logits = torch.stack([wide(logits) for logits in output.logits.values()])
    weights = entropy_weights(F.log_softmax(logits, dim=-1))
    return torch.softmax((weights.unsqueeze(-1) * logits).sum(0), dim=-1)


def fuse_entropy_probabilities(output: Output) -> Tensor:
    """Probabilities of the modalities, averaged per sample by `entropy_weights`."""
    log_p = torch.stack([F.log_softmax(wide(logits), dim=-1) for logits in output.logits.values()])
    return (entropy_weights(log_p).unsqueeze(-1) * log_p.exp()).sum(0)


def fuse_mean(output: Output) -> Tensor:
    """Fused logits' softmax where the model fuses, else the mean of the modalities' softmaxes."""
    if output.fused is not None:
        return torch.softmax(wide(output.fused), dim=-1)
    return torch.stack([torch.softmax(wide(logits), dim=-1) for logits in output.logits.values()]).mean(0)


def fuse_logits(output: Output) -> Tensor:
    """Softmax of `fused_logits`: as a method predicts that trains the fused head, or the sum of the logits."""
    return torch.softmax(fused_logits(output), dim=-1)
