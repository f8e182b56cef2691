"""What a method does to gradients: the cosine between a layer's gradient before and after it (Fig. 1)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

import torch
from torch import Tensor

from igmsweep.legible import quoted
from igmsweep.methods.base import Run
from igmsweep.train import Training


@dataclass(frozen=True)
class GradientChange:
    """Cosines of one modality's layers.

    Attributes:
        modality: whose loss gave the gradients.
        cosines: by the parameter's name, one a batch, in [-1, 1]: 1 where a batch was left as it was, 0 where nothing was left
            of the gradient. Parameters that no batch changed are left out.
        unchanged: how many parameters with two dimensions or more were never changed.
    """

    modality: str
    cosines: dict[str, list[float]]
    unchanged: int


def gradient_change(training: Training, modality: str, batches: int = 32) -> GradientChange:
    """Cosines between the gradients that a step of the method finds and those that it gives to the optimiser.

    The method takes its own steps, `Method.modify` and all, on the next training batches of the modality's stage; what the
    optimiser would do with them is left out, so that all batches see the same weights. A method's state moves on, so the
    training is not to be used for anything else afterwards.

    Args:
        training: as it was after a whole cycle at least, so that there is something to modify by.
        batches: at least 1.

    Raises:
        ValueError: no stage of the method trains this modality.
    """
    stages = [index for index, stage in enumerate(training.stages) if modality in stage.active]
    if not stages:
        raise ValueError(f"modality: no stage trains {quoted(modality)}; stages train {_trained(training)}")
    run, method = training.run, training.method
    training.begin(stages[-1])
    names = {id(each): name for name, each in training.model.named_parameters() if each.ndim >= 2}
    every: dict[str, list[float]] = {}
    changed: set[str] = set()
    before: dict[str, Tensor] = {}
    original = method.modify

    def gradients() -> dict[str, Tensor]:
        return {
            names[id(each)]: each.grad.detach().clone()
            for each in training.model.parameters()
            if each.grad is not None and id(each) in names
        }

    def modify(given: Run) -> dict[str, Tensor]:
        before.clear()
        before.update(gradients())
        log = original(given)
        own = given.model.part(modality)
        trained = any(each.grad is not None and bool(each.grad.any()) for each in own)
        if not trained:  # MLA takes its modalities one after the other in one step
            return log
        for name, after in gradients().items():
            every.setdefault(name, []).append(_cosine(before[name], after))
            if not torch.equal(before[name], after):
                changed.add(name)
        return log

    stand_in = replace(run)
    stand_in.update = lambda *_, **__: training.model.zero_grad(set_to_none=True)  # type: ignore[method-assign]
    method.__dict__["modify"] = modify
    try:
        for number, batch in enumerate(islice(_endless(training), batches)):
            stand_in.epoch_step = number
            method.step(stand_in, batch)
    finally:
        del method.__dict__["modify"]
    return GradientChange(modality, {name: every[name] for name in every if name in changed}, len(every) - len(changed))


def _endless(training: Training) -> Iterable[Any]:
    while True:
        yield from training.method.begin_epoch(training.run)


def _cosine(old: Tensor, new: Tensor) -> float:
    a, b = old.double().reshape(-1), new.double().reshape(-1)
    if torch.equal(a, b):
        return 1.0
    length = float(a.norm() * b.norm())
    return float(a @ b) / length if length > 0 else 0.0 * length  # NaN stays NaN


def _trained(training: Training) -> str:
    return ", ".join(dict.fromkeys(name for stage in training.stages for name in stage.active))
