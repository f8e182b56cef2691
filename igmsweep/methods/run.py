"""What a method may touch while it trains: the stage it is in, the model, the data and the optimiser."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

from igmsweep.errors import nearest
from igmsweep.late import torch
from igmsweep.schema.sections import SHARED
from igmsweep.seeds import derived_seed

if TYPE_CHECKING:
    from torch import Tensor, nn

    from igmsweep.data.loader import Batch, Loader
    from igmsweep.models.multimodal import MultimodalModel, Output


@dataclass(frozen=True)
class Stage:
    """Consecutive epochs that train the same modalities under one optimiser and one schedule, which start anew with it.

    Attributes:
        active: the modalities that are trained.
        epochs: how many, at least 1; the method may end the stage sooner (`Run.end_stage`).
        name: `train`, or the method's own word for a stage of another kind, such as `pretrain` or `rectify`.
        rate: factor on every learning rate, above 0.
        cycle: outer iteration, from 0 (Out_Iters of Algorithm 1).
        last_of_cycle: whether every modality has had its turn when it ends, so that scores can be compared.
    """

    active: tuple[str, ...]
    epochs: int
    name: str = "train"
    rate: float = 1.0
    cycle: int = 0
    last_of_cycle: bool = False


def cycles(count: int, stages: Sequence[Stage]) -> list[Stage]:
    """The stages of one cycle, `count` times over.

    Examples:
        >>> [(stage.active, stage.cycle, stage.last_of_cycle) for stage in cycles(2, [Stage(("a",), 1), Stage(("b",), 1)])]
        [(('a',), 0, False), (('b',), 0, True), (('a',), 1, False), (('b',), 1, True)]
    """
    last = len(stages) - 1
    return [
        replace(stage, cycle=number, last_of_cycle=place == last)
        for number in range(count)
        for place, stage in enumerate(stages)
    ]


def lead_in(stages: Sequence[Stage], share: float, name: str) -> list[Stage]:
    """The same epochs, of which the first `share` are a kind of their own: `pretrain` and the like stay in the budget.

    Args:
        share: in [0, 1); the epochs are rounded, at least one stays as it was, and above 0 at least one is changed where
            there are two.

    Examples:
        >>> [(stage.name, stage.epochs) for stage in lead_in(cycles(2, [Stage(("a",), 3)]), 0.7, "pretrain")]
        [('pretrain', 3), ('pretrain', 1), ('train', 2)]
    """
    total = sum(stage.epochs for stage in stages)
    left = min(total - 1, max(1, round(share * total))) if share > 0 else 0
    found: list[Stage] = []
    for stage in stages:
        first = min(left, stage.epochs)
        left -= first
        if first:
            whole = first == stage.epochs
            found.append(replace(stage, epochs=first, name=name, last_of_cycle=whole and stage.last_of_cycle))
        if first < stage.epochs:
            found.append(replace(stage, epochs=stage.epochs - first))
    return found


Ending = Literal["", "stage", "training"]
GOES_ON: Ending = ""

Losses = Callable[["Output", "Tensor"], Mapping[str, "Tensor"]]
"""`losses(output, labels)`: mean losses of a batch by name, 0-d tensors."""


@dataclass
class Run:
    """One training as its method sees it.

    `train` draws shuffled, augmented batches; `clean` gives training samples without augmentation (for covariances,
    prototypes, valuations); `holdout` cuts the training set in two where a method needs held-out loss without looking at
    validation data.
    """

    model: MultimodalModel
    train: Loader
    val: Loader
    device: torch.device
    seed: int
    make_optimizer: Callable[[Mapping[str, Sequence[nn.Parameter]], float], torch.optim.Optimizer]
    """The configured optimiser over named groups of parameters, times a factor on their rates; see `new_optimizer`."""
    precision: Literal["fp32", "bf16"] = "fp32"
    optimizer: torch.optim.Optimizer | None = None
    stage: Stage | None = None
    stage_index: int = 0
    stage_epoch: int = 0
    """Epoch within the stage, from 0."""
    epoch: int = 0
    """Epoch within the whole training, from 0."""
    epochs: int = 1
    """Epochs of the whole training as planned, at least 1."""
    epoch_step: int = 0
    """Step within the epoch, from 0; 0 before the first."""
    generator: torch.Generator | None = None
    """Randomness on the device, seeded anew every epoch: mixup draws from it."""
    notes: list[str] = field(default_factory=list)
    """Lines for the person who reads the result; each is said once."""
    scales: dict[str, float] = field(default_factory=dict)
    """Factors that `scale` has set; part of every checkpoint."""
    rescore: bool = False
    """Whether `end_epoch` has said that it changed weights; see `changed_weights`."""
    ending: Ending = GOES_ON
    """What the method has asked to end after this epoch."""

    @property
    def active(self) -> tuple[str, ...]:
        """The modalities that the current stage trains."""
        assert self.stage is not None
        return self.stage.active

    @property
    def awake(self) -> tuple[str, ...]:
        """The active modalities that `scale` has not put to rest."""
        return tuple(name for name in self.active if self.scales.get(name) != 0)

    def clean(self, share: float = 1.0, shuffle: bool = False) -> Loader:
        """Training samples without augmentation.

        Args:
            share: above 0, at most 1; under 1 the classes keep their shares, and every epoch draws anew.
            shuffle: in a seeded order; a `share` under 1 always is. Means over batches need it, where files are
                sorted by class.
        """
        if share < 1.0:
            return self.train.clean(share, seed=derived_seed(self.seed, "share", self.epoch))
        return self.train.shuffled(self.seed) if shuffle else self.train.clean(1.0, seed=self.seed)

    def holdout(self, share: float) -> tuple[Loader, Loader]:
        """The training set cut in two, `1 - share` and `share` of every class, the same cut on every call."""
        return self.train.cut(share, seed=self.seed)

    def autocast(self) -> AbstractContextManager[Any]:
        """bfloat16 autocast where `precision: bf16` asks for it; parameters and gradients stay float32."""
        if self.precision == "bf16":
            return torch.autocast(self.device.type, dtype=torch.bfloat16)
        return nullcontext()

    @contextmanager
    def evaluating(self, model: nn.Module | None = None) -> Iterator[None]:
        """Inside, the model (or a copy of it) is in evaluation mode; after it every module is in the mode it was in."""
        model = self.model if model is None else model
        modes = [(module, module.training) for module in model.modules()]
        model.eval()
        try:
            yield
        finally:
            for module, training in modes:
                module.training = training  # not `train()`, which reaches down to modules of another mode

    def mean_losses(
        self, batches: Iterable[Batch], losses: Losses, model: MultimodalModel | None = None
    ) -> dict[str, float]:
        """Losses over all samples of a loader: evaluation mode, no gradients, batches weighted by their size.

        Args:
            losses: mean losses of one batch by name.
            model: the run's own, or a copy of it.

        Raises:
            ValueError: there is no batch.
        """
        model = self.model if model is None else model
        totals: dict[str, Tensor] = {}
        count = 0
        with torch.no_grad(), self.evaluating(model):
            for batch in batches:
                size = len(batch.labels)
                for name, loss in losses(model(batch.inputs, batch.mask), batch.labels).items():
                    totals[name] = totals.get(name, torch.zeros((), device=self.device)) + loss.double() * size
                count += size
        if count == 0:
            raise ValueError("mean_losses: found no batch, expected a loader with samples")
        return {name: float(total) / count for name, total in totals.items()}

    def new_optimizer(self, groups: Mapping[str, Sequence[nn.Parameter]], rate: float = 1.0) -> torch.optim.Optimizer:
        """A fresh optimiser of the configured kind over some parameters, such as those of a copy of the model.

        Args:
            groups: parameters by modality, or under `shared`: the name says whose learning rate they get.
            rate: factor on these learning rates.
        """
        return self.make_optimizer(groups, rate)

    @property
    def progress(self) -> float:
        """The share of the planned epochs that lie behind, in [0, 1)."""
        return self.epoch / self.epochs

    @property
    def adaptive(self) -> bool:
        """Whether the optimiser divides a gradient by its own size (Adam), so that a constant factor on it cancels."""
        return isinstance(self.optimizer, torch.optim.Adam)

    def update(self, parts: Sequence[str] | None = None, rates: Mapping[str, float] | None = None) -> None:
        """One optimiser step on the gradients at hand, then forget them (None, so that momentum rests too).

        Args:
            parts: groups that are moved, modalities or `shared`; None is all of them. What is left out, and a modality
                whose `scale` is 0, keeps its weights and its momentum as they are.
            rates: factors on the learning rates of some groups for this step alone, at least 0.

        Raises:
            ValueError: a part that the model does not have, or a factor below 0 or not finite.
        """
        assert self.optimizer is not None
        for name in (*(parts or ()), *(rates or ())):
            self._known(name, "update")
        for name, factor in (rates or {}).items():
            if not 0 <= factor < float("inf"):
                raise ValueError(f"update: found {factor} for {name}, expected a finite factor of at least 0")
        groups = self.optimizer.param_groups
        before = [group["lr"] for group in groups]
        for group in groups:
            factor = self.scales.get(group["name"], 1.0)
            if factor == 0 or (parts is not None and group["name"] not in parts):
                for parameter in group["params"]:
                    parameter.grad = None
            group["lr"] = group["lr"] * factor * (rates or {}).get(group["name"], 1.0)
        self.optimizer.step()
        for group, rate in zip(groups, before, strict=True):
            group["lr"] = rate  # the schedule's own, which never sees a factor
        self.optimizer.zero_grad(set_to_none=True)

    def scale(self, part: str, factor: float) -> None:
        """Multiply the learning rate of a modality, or of `shared`, from now on, beside whatever the schedule does.

        A factor on the rate acts under Adam too, where one on the gradient cancels. 0 puts a modality to rest: its
        weights and its momentum stay as they are until another factor is set, its batch-norm statistics until the epoch
        after that.

        Raises:
            ValueError: a factor below 0, one that is not finite, or a part that the model does not have.
        """
        self._known(part, "scale")
        if not 0 <= factor < float("inf"):
            raise ValueError(f"scale: found {factor} for {part}, expected a finite factor of at least 0")
        self.scales[part] = float(factor)
        if factor == 0 and part == SHARED:
            self.model.extra.eval()
            if self.model.joint is not None:
                self.model.joint.eval()
        elif factor == 0:
            self.model.branch(part).eval()

    def changed_weights(self) -> None:
        """Said in `end_epoch` by a method that has changed weights there, such as put back its best ones: validation is
        scored again, so that an epoch's metrics are those of the weights that it ends with."""
        self.rescore = True

    def end_stage(self) -> None:
        """End the current stage after this epoch."""
        self.ending = self.ending or "stage"

    def end_training(self) -> None:
        """End the whole training after this epoch."""
        self.ending = "training"

    def _known(self, part: str, what: str) -> None:
        known = [*self.model.modalities, SHARED]
        if part not in known:
            raise ValueError(f"{what}: unknown part '{part}', expected one of {', '.join(known)}{nearest(part, known)}")

    def note(self, line: str) -> None:
        """Keep a line for the result, once."""
        if line not in self.notes:
            self.notes.append(line)
