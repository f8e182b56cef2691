"""The loss around a trained model, on planes of filter-normalised directions (Li et al., NeurIPS 2018).

Pictures of two methods can be compared where the directions' draws, the span, the samples and the loss are the same; all
four are recorded with the values. A picture is two directions of thousands: several pairs are drawn, and the curvature
(`igmsweep.diagnostics.curvature`) belongs beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

from igmsweep.diagnostics.directions import filter_normalised
from igmsweep.diagnostics.objective import Objective

Statistics = Literal["kept", "again"]
"""Batch normalisation: `kept`, the statistics of the trained model at every point; `again`, taken anew at each point
from the same samples."""


@dataclass(frozen=True)
class Landscape:
    """Losses on a square of a plane through the weights.

    Attributes:
        steps: (points,) ascending multiples of the directions, with 0 in the middle.
        loss: (points, points), `loss[i][j]` at weights + steps[i] first + steps[j] second.
        seeds: of the two directions.
        samples: how many the loss is a mean over.
        statistics: of batch normalisation.
        modality: whose own loss; None: of the fused prediction.
    """

    steps: list[float]
    loss: list[list[float]]
    seeds: tuple[int, int]
    samples: int
    statistics: Statistics
    modality: str | None = None

    @property
    def centre(self) -> float:
        """The loss of the trained model."""
        middle = len(self.steps) // 2
        return self.loss[middle][middle]

    def rise(self) -> float:
        """How far the loss lies above that of the trained model, in the mean over the square's edge."""
        last = len(self.steps) - 1
        edge = [
            value for i, row in enumerate(self.loss) for j, value in enumerate(row) if i in (0, last) or j in (0, last)
        ]
        return sum(edge) / len(edge) - self.centre

    def to_dict(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self)

    @classmethod
    def from_dict(cls, found: Mapping[str, Any]) -> Landscape:
        """What `to_dict` gave."""
        return cls(**{**found, "seeds": tuple(found["seeds"])})


def landscape(
    value: Callable[[], float],
    parameters: Mapping[str, Tensor],
    first: Mapping[str, Tensor],
    second: Mapping[str, Tensor],
    span: float = 1.0,
    points: int = 21,
) -> tuple[list[float], list[list[float]]]:
    """`steps` and losses of a plane, see `Landscape`; the weights are put back exactly, whatever happens.

    Args:
        value: the loss at the weights as they are.
        parameters: the weights that are moved, in place.
        first, second: directions, a tensor for each parameter.
        span: the largest multiple, above 0.
        points: along each direction, odd, at least 3.

    Raises:
        ValueError: a span or number of points that cannot be.
    """
    if not span > 0:
        raise ValueError(f"span: found {span}, expected more than 0")
    if points < 3 or points % 2 == 0:
        raise ValueError(f"points: found {points}, expected an odd number of at least 3")
    half = points // 2
    steps = [span * (number - half) / half for number in range(points)]
    with _put_back(parameters) as origin, torch.no_grad():
        losses = []
        for along in steps:
            row = []
            for across in steps:
                for name, weight in parameters.items():
                    weight.copy_(origin[name])
                    weight.add_(first[name], alpha=along).add_(second[name], alpha=across)
                row.append(value())
            losses.append(row)
    return steps, losses


def landscape_of(
    objective: Objective,
    span: float = 1.0,
    points: int = 21,
    pairs: int = 3,
    seed: int = 0,
    statistics: Statistics = "kept",
) -> Iterator[Landscape]:
    """Landscapes of a trained model, one for each pair of directions, as they are done.

    Args:
        pairs: of directions; the draws of pair k are those of every other model with this `seed`.
    """
    parameters = objective.parameters()
    value = objective.value if statistics == "kept" else lambda: _with_fresh_statistics(objective)
    for pair in range(pairs):
        seeds = (seed + 2 * pair, seed + 2 * pair + 1)
        first, second = (filter_normalised(parameters, each) for each in seeds)
        steps, losses = landscape(value, parameters, first, second, span, points)
        yield Landscape(steps, losses, seeds, objective.samples, statistics, objective.modality)


@contextmanager
def _put_back(parameters: Mapping[str, Tensor]) -> Iterator[dict[str, Tensor]]:
    origin = {name: weight.detach().clone() for name, weight in parameters.items()}
    try:
        yield origin
    finally:
        with torch.no_grad():
            for name, weight in parameters.items():
                weight.copy_(origin[name])


def _with_fresh_statistics(objective: Objective) -> float:
    """The loss with batch-norm statistics of these weights on these samples; those of the model are put back."""
    norms = [each for each in objective.model.modules() if isinstance(each, nn.modules.batchnorm._BatchNorm)]
    kept = [(norm, norm.momentum, {name: x.clone() for name, x in norm.named_buffers()}) for norm in norms]
    try:
        for norm in norms:
            norm.reset_running_stats()
            norm.momentum = None  # a plain mean over the batches
            norm.train()
        with torch.no_grad():
            for part in objective.parts():
                part()
        for norm in norms:
            norm.eval()
        return objective.value()
    finally:
        for norm, momentum, buffers in kept:
            norm.momentum = momentum
            norm.eval()
            for name, x in norm.named_buffers():
                x.copy_(buffers[name])
