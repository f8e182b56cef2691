"""One training: `train` runs it, `fit` is the same as a generator of epochs. Neither knows Ray, Optuna or the command line."""

from igmsweep.config import TrainConfig
from igmsweep.train.loop import (
    Training,
    fit,
    new_method,
    new_model,
    pick_device,
    plan,
    train,
)
from igmsweep.train.result import Epoch, Report, TrainResult
from igmsweep.train.scores import evaluate

__all__ = [
    "Epoch",
    "Report",
    "TrainConfig",
    "TrainResult",
    "Training",
    "evaluate",
    "fit",
    "new_method",
    "new_model",
    "pick_device",
    "plan",
    "train",
]
