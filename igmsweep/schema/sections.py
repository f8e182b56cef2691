"""The sections of a configuration, and the base of every method's parameters."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, field_serializer, field_validator

from igmsweep.legible import quoted

PER_MODALITY = (
    "model.encoder",
    "model.weights",
    "model.frozen",
    "optim.lr",
    "stages.epochs",
)  # a method adds its own, see MethodParams
SHARED = "shared"  # optim.lr.shared: the learning rate of parameters that belong to no single modality

MOST_EPOCHS = 1_000_000
"""Of a modality in a cycle."""
MOST_RATE = 1e30
"""Of a learning rate and a weight decay; the optimiser cannot take what no float32 holds."""
WIDEST = 2**16
"""Numbers in a layer of a head."""


class Section(BaseModel):
    """One frozen part of a configuration; unknown keys are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class DataConfig(Section):
    """Which data set, where it lies, and how validation data is kept apart from training data."""

    name: str
    root: Path | None = None
    """Folder of the data set; None: `$IGMSWEEP_DATA/<name>`, else the user's cache folder."""
    cache: Path | None = None
    """Folder of the decoded arrays that all trials of a node share; None: `$IGMSWEEP_CACHE`, else the user's cache."""
    group: str = "none"
    """What stands on one side of a split only: `none`, or `group`, which becomes the data set's own word for its groups, such
    as `speaker`, `image`, `video`."""
    folds: int | None = Field(None, ge=2)
    fold: int | None = Field(None, ge=0)
    val_fraction: float | None = Field(None, gt=0, lt=1)
    """Carve this share of train for validation; None: the data set's own validation list where it has one."""
    split_seed: int = Field(0, ge=0, lt=2**32)
    bad_files: Literal["error", "skip", "blank"] = "error"
    """Samples with a file that cannot be used: `error` refuses to train and names them, `skip` leaves them out, `blank`
    puts silence or a grey picture in the file's place."""
    bad_share: float = Field(0.01, ge=0, le=1)
    """Largest share of a part's samples that may be left out or filled, silent ones included; beyond it nothing is trained."""
    store: Literal["raw", "jpeg"] = "raw"
    """How the cache keeps pictures: as they are, or as JPEG (quality 95), a sixth of the size, decoded in every epoch."""
    silent_files: Literal["keep", "skip"] = "keep"
    """Samples whose sound is nothing but silence."""
    options: dict[str, Any] = {}
    """The data set's own settings, such as `data.options.frontend`; spelt out in full after construction."""

    @field_serializer("root", "cache")
    def _path_as_text(self, path: Path | None) -> str | None:
        return None if path is None else str(path)


class ModelConfig(Section):
    """Encoders, and the head of Sec. 4.2: FC(d, 256), ReLU, FC(256, 64), FC(64, classes)."""

    encoder: dict[str, str]
    width: int = Field(16, ge=4, le=512)
    """Channels of the first block of the small encoders; ignored by encoders of a fixed size."""
    head: Annotated[tuple[Annotated[int, Field(ge=1, le=WIDEST)], ...], Field(max_length=64)] = (256, 64)
    """Hidden sizes of each head, shallow to deep; () is a single linear layer."""
    weights: dict[str, str]
    """Each encoder's start: `none` (random), `pretrained` (its usual weights, if they are on this machine), a path, or a
    name in the user's Hugging Face cache. Nothing is ever downloaded."""
    frozen: dict[str, bool]
    """Encoders that are not trained: they run once a sample, without augmentation, and their features are cached."""
    project: int | None = Field(None, ge=1, le=WIDEST)
    """Size of the features that enter the heads; an encoder of another size gets a linear layer to it."""


class OptimConfig(Section):
    """The optimiser, which starts anew at every stage, with a learning rate per modality."""

    name: Literal["sgd", "adam"] = "sgd"
    lr: dict[str, float]
    momentum: float = Field(0.9, ge=0, lt=1)
    beta2: float = Field(0.999, gt=0, lt=1)
    """Adam's decay of the squared gradients; `momentum` is SGD's alone."""
    weight_decay: float = Field(1e-4, ge=0, le=MOST_RATE)
    batch_size: int = Field(32, ge=1)
    schedule: Literal["plateau", "step", "step_early", "warmup", "none"] = "plateau"
    """`plateau`: times `factor` when the training loss has not improved for `patience` epochs (Sec. 4.2). `step`: times
    `factor` after every `step_size` epochs of a stage. `step_early`: one epoch sooner, as the released code has it, which
    moves its schedule before the epoch. `warmup`: the first epoch of a stage at `factor` times the rate."""
    factor: float = Field(0.1, gt=0, lt=1)
    patience: int = Field(5, ge=0)
    step_size: int = Field(40, ge=1)
    """Epochs between two steps of `step` and `step_early`."""

    @field_validator("lr")
    @classmethod
    def _positive(cls, lr: dict[str, float]) -> dict[str, float]:
        return _each(lr, lambda value: 0 < value <= MOST_RATE, f"greater than 0 and at most {MOST_RATE:g}")


class StagesConfig(Section):
    """`cycles` outer iterations (Out_Iters of Algorithm 1), `epochs` of each modality in each of them."""

    cycles: int = Field(1, ge=1, le=100_000)
    epochs: dict[str, int]
    handover: Literal["last", "best_val", "best_fused"] = "last"
    """Which weights a stage hands to the next, and the last stage to the result. `last`: its last epoch's. `best_val`:
    those of its epoch with the best validation score of what it trained. `best_fused`: those with the best fused score of
    all epochs so far, so that a stage that does not beat the ones before it is discarded (the released code's rule, which
    reads the test split for it)."""
    handover_by: Literal["acc", "map", "f1", "loss"] = "acc"
    """The validation metric by which `best_val` and `best_fused` choose; a sweep takes the metric it searches by."""

    @field_validator("epochs")
    @classmethod
    def _positive(cls, epochs: dict[str, int]) -> dict[str, int]:
        return _each(epochs, lambda value: 1 <= value <= MOST_EPOCHS, f"of at least 1 and at most {MOST_EPOCHS:,}")


class MethodParams(Section):
    """Base of every method's parameters. Subclasses add typed fields with the paper's defaults."""

    model_config = ConfigDict(use_attribute_docstrings=True)  # what a parameter means, for `igmsweep methods`

    per_modality: ClassVar[tuple[str, ...]] = ()
    """Names of the fields that hold one value per modality."""
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {"paper": {}}
    """Named settings: dotted configuration paths and their values."""

    name: str
    preset: str = "paper"

    @classmethod
    def defaults(cls, kinds: Mapping[str, str]) -> dict[str, Any]:
        """Defaults that depend on the data; `kinds` maps a modality's name to its kind (`audio`, `image`, ...)."""
        return {}

    def check(self, modalities: Sequence[str]) -> None:
        """Raise UserError for values that do not fit the data set's modalities."""


def _each(values: dict[str, Any], holds: Callable[[Any], bool], expected: str) -> dict[str, Any]:
    for name, value in values.items():
        if not holds(value):
            raise ValueError(f"{name}: expected a value {expected}, found {quoted(value)}")
    return values
