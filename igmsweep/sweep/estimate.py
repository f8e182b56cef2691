"""How long a trial takes here: measured on a few real steps of the configuration, on a few samples of its data.

A training of a few batches runs through every stage once. What is timed is the training's own code, so that whatever it
does (second passes, covariances, validation) is in the figures. Only the samples that it needs are decoded, into memory. Where the time
is limited, steps are measured on smaller batches, or told from forward passes; the estimate says so.
"""

from __future__ import annotations

import tempfile
import time
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from igmsweep import data as datasets
from igmsweep.config import TrainConfig
from igmsweep.sweep.effort import STEPS, affordable
from igmsweep.sweep.step_estimate import StepEstimate
from igmsweep.sweep.timing import (
    computing_with,
    encoder_seconds,
    input_seconds,
    metrics_seconds,
    model_seconds,
    peak_memory,
    reset_memory,
    timed_start,
)

if TYPE_CHECKING:
    from igmsweep.data.base import Partition, SearchData
    from igmsweep.data.few import Few
    from igmsweep.train import Training

__all__ = ["STEPS", "WITHIN", "Measured", "StepEstimate", "estimate", "few_samples", "trial_seconds"]

WITHIN = 40.0
"""Seconds that a dry run measures, so that with the libraries it loads it ends within a minute."""
DECODING = 0.3
"""Share of the time that goes into decoding samples."""
TINY = 2
"""Samples of the forward passes that tell how much more can be measured."""

FORWARD_AND_BACKWARD = 3.0
"""A training step in forward passes: a backward pass costs two."""
UNKNOWN_COST = 2.0
"""What a method is taken to cost against joint training where nobody has measured it."""


def few_samples(config: TrainConfig, within: float | None = None) -> Few:
    """The few samples that `estimate` measures on; nothing is written.

    Raises:
        UserError, DataError: as `igmsweep.data.listed` and `decode_few`.
    """
    from igmsweep.data.few import decode_few

    return decode_few(datasets.listed(config.data), config.data, DECODING * (WITHIN if within is None else within))


def estimate(
    config: TrainConfig,
    data: SearchData | None = None,
    *,
    few: Few | None = None,
    within: float | None = None,
    threads: int | None = None,
) -> StepEstimate:
    """Measure a few steps of a training and say what the whole of it takes.

    Nothing is written, and no more than a few samples are decoded.

    Args:
        config: the training; its own batch size, precision, device and method are what is measured.
        data: training and validation partitions, of which a few samples are taken; None decodes a few.
        few: those of `few_samples`, for several estimates on the same data.
        within: seconds to keep to, as near as the length of a step allows; None: as long as it takes.
        threads: that a trial computes with, so that many trials at a time are not measured with the whole machine each; None: as
            this process does.

    Raises:
        UserError: what the training itself would raise: missing data or weights, a device that is not there.
        Diverged: the loss is not finite within the first steps.
    """
    from igmsweep.models.setup import check_size
    from igmsweep.train import Training, pick_device, plan

    began, device = time.perf_counter(), pick_device(config.device)
    if data is None:
        few = few or few_samples(config, within)
        whole, train, val = few.data, few.train, few.val
    else:
        whole, train, val = data, len(data.train), len(data.val)
    batch = config.optim.batch_size
    check_size(batch, train)
    # three epochs a stage: one to warm up, one to be timed, and one whose end hands over to the next stage
    changes = {"stages.cycles": 1, "stages.epochs": 3, "stages.handover": "last"}
    with (
        tempfile.TemporaryDirectory(prefix="igmsweep-estimate-") as scratch,
        warnings.catch_warnings(),
        computing_with(threads),
    ):
        warnings.simplefilter("ignore")  # a few samples lack classes
        short = config.override({**changes, "data.cache": scratch})
        reset_memory(device)
        tiny = _filled(whole, TINY, TINY)
        start, training = timed_start(short.override({"optim.batch_size": min(batch, TINY)}), tiny)
        forward = {name: encoder_seconds(training, tiny.val, name) for name in training.config.modalities}
        resting = {name: seconds for name, seconds in forward.items() if config.model.frozen[name]}
        forward |= dict.fromkeys(resting, 0.0)  # features are there when a step begins
        encoding = sum(resting.values())
        start = max(0.0, start - 2 * TINY * encoding)
        left = None if within is None else within - (time.perf_counter() - began) - start
        effort = affordable(batch, forward, encoding, plan(short, training.method), left)
        if effort is not None:
            filled = _filled(whole, effort.steps * effort.batch, effort.val)
            training = Training(short.override({"optim.batch_size": effort.batch}), data=filled)
            seconds = _epochs(training, None if within is None else began + within)
            parts = _measure(training, seconds, train, val).scaled(batch / effort.batch)
        else:
            parts = Measured({}, {}, val * sum(forward.values()) + metrics_seconds(training, val), 0.0)

    stages = plan(config, training.method)
    epoch_steps = _batches(train, batch)
    steps: dict[str, int] = {}
    for stage in stages:
        name = "+".join(stage.active)
        steps[name] = steps.get(name, 0) + stage.epochs * epoch_steps
    guessed = tuple(name for name in steps if name not in parts.step)
    parts = parts.completed(guessed, forward, batch * _passes(training))
    return StepEstimate(
        {name: parts.step[name] for name in steps},
        steps,
        parts.input_share,
        parts.evaluation,
        parts.hand_over,
        start + trial_seconds(parts, steps, sum(stage.epochs for stage in stages), len(stages)),
        start,
        (train + val) * encoding,
        peak_memory(device),
        device.type,
        batch,
        effort,
        guessed,
        few,
    )


@dataclass(frozen=True)
class Measured:
    """The parts of a trial, in seconds, as StepEstimate has them."""

    step: dict[str, float]
    input_share: dict[str, float]
    evaluation: float
    hand_over: float

    def scaled(self, factor: float) -> Measured:
        """With steps of `factor` times as many samples."""
        return replace(self, step={name: factor * seconds for name, seconds in self.step.items()})

    def completed(self, names: Sequence[str], forward: Mapping[str, float], passes: float) -> Measured:
        """With steps that were not measured, by the forward passes of what they train.

        Args:
            forward: seconds of one sample's forward pass, by modality.
            passes: what a step takes in these, where none was measured.
        """
        alone = {name: sum(forward[each] for each in name.split("+")) for name in (*self.step, *names)}
        if self.step and sum(alone[name] for name in self.step):
            passes = sum(self.step.values()) / sum(alone[name] for name in self.step)
        told = {name: max(1e-6, passes * alone[name]) for name in names}
        return replace(self, step=self.step | told, input_share=self.input_share | dict.fromkeys(names, 0.0))


def trial_seconds(parts: Measured, steps: dict[str, int], epochs: int, stages: int) -> float:
    """Seconds of all steps, of a validation after every epoch, and of what lies between the stages."""
    training = sum(count * parts.step[name] for name, count in steps.items())
    return training + epochs * parts.evaluation + (stages - 1) * parts.hand_over


def _measure(training: Training, seconds: dict[str, list[float]], train: int, val: int) -> Measured:
    """Take apart the epochs of the short training, and scale what grows with the data to its `train` and `val` samples."""
    run = training.run
    count = len(run.train)
    forward = model_seconds(training, run.val)  # a sample, all modalities
    short_evaluation = len(run.val.rows) * forward + metrics_seconds(training, len(run.val.rows))
    evaluation = val * forward + metrics_seconds(training, val)
    one = forward / max(1, len(training.config.modalities))
    step, share, between = {}, {}, []
    for name, epochs in seconds.items():
        # a stage of a method's own may be shorter than the three epochs that were asked for
        timed = epochs[min(1, len(epochs) - 1)]
        run.train.modalities = tuple(name.split("+"))
        # where an epoch is over in no time, chance may leave less than what its forward passes alone take
        least = max(1e-6, len(run.train.rows) * one * len(run.train.modalities))
        step[name] = max(least, timed - short_evaluation) / count
        share[name] = min(1.0, input_seconds(run.train, training.device) / step[name])
        if len(epochs) > 2:
            between.append(max(0.0, epochs[2] - timed))
    ends = between[:-1] or [0.0]  # the last stage hands over to nobody
    fixed = sum(ends) / len(ends)
    clean = len(run.train.rows) * one
    # a method that looks at the training set between stages takes at least the forward passes of the short one
    hand_over = fixed - clean + train * one if fixed > clean else fixed
    return Measured(step, share, evaluation, hand_over)


def _epochs(training: Training, deadline: float | None) -> dict[str, list[float]]:
    """Seconds of the epochs of a short training, by what they train; it ends early when the time is over."""
    seconds: dict[str, list[float]] = {}
    for epoch in training.epochs():
        seconds.setdefault(epoch.metrics["active"], []).append(epoch.metrics["seconds"])
        if deadline is not None and time.perf_counter() > deadline:
            break
    return seconds


def _passes(training: Training) -> float:
    """A step's cost in forward passes of its samples, where none was measured: joint training's times the method's own factor."""
    about = training.method.about
    return FORWARD_AND_BACKWARD * ((about and about.cost) or UNKNOWN_COST)


def _filled(data: SearchData, train: int, val: int) -> SearchData:
    """The same with so many samples from all over each side, again and again where there are fewer."""
    return replace(data, train=_rows(data.train, train), val=_rows(data.val, val))


def _rows(partition: Partition, count: int) -> Partition:
    if count > len(partition):
        return partition.take(np.resize(np.arange(len(partition)), count))
    return partition.take(np.linspace(0, len(partition) - 1, count).round().astype(np.int64))


def _batches(samples: int, batch_size: int) -> int:
    full, rest = divmod(samples, batch_size)
    return full + int(rest > 1 or (rest == 1 and full == 0))  # as the loader cuts them
