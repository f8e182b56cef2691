"""How much of a training can be measured in a given time: real batches, smaller ones, or forward passes alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from igmsweep.methods.base import Stage

STEPS = 4
"""Steps of an epoch that is timed."""
PASSES = 8.0
"""What a training step is taken to cost at most, in forward passes of its samples: two forward and backward passes, as SAM has
them, at three each, and what surrounds them."""


@dataclass(frozen=True)
class Effort:
    """The size of a short training: steps an epoch, samples a step, and samples that are validated."""

    steps: int
    batch: int
    val: int


def affordable(
    batch: int, forward: Mapping[str, float], encoding: float, stages: Sequence[Stage], seconds: float | None
) -> Effort | None:
    """The most telling short training that is expected to end in time; None: not even one step of two samples.

    Args:
        batch: samples of the configuration's own step.
        forward: seconds of one sample's forward pass, by modality; 0 where its encoder rests.
        encoding: seconds of encoding one sample for the encoders that rest, which happens once.
        stages: of the short training.
        seconds: None: no limit.
    """

    def fits(effort: Effort) -> bool:
        samples = effort.steps * effort.batch + effort.val
        return seconds is None or samples * encoding + _seconds(effort, forward, stages) <= seconds

    return next(filter(fits, _efforts(batch)), None)


def _efforts(batch: int) -> Iterator[Effort]:
    for steps in (STEPS, 2, 1):
        yield Effort(steps, batch, max(2 * batch, 16))
    while batch > 2:
        batch = max(2, batch // 2)
        yield Effort(1, batch, batch)


def _seconds(effort: Effort, forward: Mapping[str, float], stages: Sequence[Stage]) -> float:
    validation = effort.val * sum(forward.values())
    return 2 * validation + sum(
        stage.epochs * (effort.steps * effort.batch * PASSES * sum(forward[name] for name in stage.active) + validation)
        for stage in stages
    )
