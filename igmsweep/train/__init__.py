"""One training: `train` runs it, `fit` is the same as a generator of epochs. Neither knows Ray, Optuna or the command line."""

from igmsweep.config import TrainConfig
from igmsweep.train.loop import (
    Epoch,
    Report,
    Training,
    TrainResult,
    evaluate,
    fit,
    new_model,
    pick_device,
    plan,
    train,
)

__all__ = [
    "Epoch",
    "Report",
    "TrainConfig",
    "TrainResult",
    "Training",
    "evaluate",
    "fit",
    "new_model",
    "pick_device",
    "plan",
    "train",
]
