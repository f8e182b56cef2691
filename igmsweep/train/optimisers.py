"""The optimiser and the schedule of a stage, as a configuration asks for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.optim import lr_scheduler

from igmsweep.schema.sections import SHARED, OptimConfig


def new_optimizer(
    config: OptimConfig, groups: Mapping[str, Sequence[nn.Parameter]], rate: float = 1.0
) -> torch.optim.Optimizer:
    """SGD or Adam with a named group of parameters a modality, each at its own learning rate.

    Args:
        groups: parameters by modality, or under `shared`, whose rate is the modalities' mean unless it is configured.
        rate: factor on every learning rate.
    """
    rates = dict(config.lr)
    shared = rates.pop(SHARED, float(np.mean(list(rates.values()))))
    named: list[dict[str, Any]] = [
        {"name": name, "params": list(parameters), "lr": (shared if name == SHARED else rates[name]) * rate}
        for name, parameters in groups.items()
    ]
    if config.name == "sgd":
        return torch.optim.SGD(named, momentum=config.momentum, weight_decay=config.weight_decay)
    return torch.optim.Adam(named, betas=(0.9, config.beta2), weight_decay=config.weight_decay)


class Schedule:
    """Moves the learning rates of one stage at the ends of its epochs; starts anew with the optimiser."""

    def __init__(self, config: OptimConfig, optimizer: torch.optim.Optimizer) -> None:
        self._inner: lr_scheduler.LRScheduler | lr_scheduler.ReduceLROnPlateau | None = None
        factor, size = config.factor, config.step_size
        if config.schedule == "plateau":
            self._inner = lr_scheduler.ReduceLROnPlateau(optimizer, factor=factor, patience=config.patience)
        elif config.schedule == "step":
            self._inner = lr_scheduler.StepLR(optimizer, size, factor)
        elif config.schedule == "step_early":
            self._inner = lr_scheduler.LambdaLR(optimizer, lambda epoch: factor ** ((epoch + 1) // size))
        elif config.schedule == "warmup":
            self._inner = lr_scheduler.LambdaLR(optimizer, lambda epoch: factor if epoch == 0 else 1.0)

    def step(self, loss: float) -> None:
        """An epoch has ended with this mean training loss."""
        if isinstance(self._inner, lr_scheduler.ReduceLROnPlateau):
            self._inner.step(loss)
        elif self._inner is not None:
            self._inner.step()

    def state_dict(self) -> dict[str, Any] | None:
        """Plain values for a checkpoint."""
        return None if self._inner is None else self._inner.state_dict()

    def load_state_dict(self, state: dict[str, Any] | None) -> None:
        """Take up a saved state."""
        if self._inner is not None and state is not None:
            self._inner.load_state_dict(state)
