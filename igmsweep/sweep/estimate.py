"""How long a trial takes here: measured on a few real steps of the configuration, on the data that it will train on.

A training of a few batches runs through every stage once. What is timed is the training's own code, so that whatever it
does (second passes, covariances, reading from maps, validation) is in the figures.
"""

from __future__ import annotations

import math
import resource
import tempfile
import time
import warnings
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from igmsweep import data as datasets
from igmsweep.config import TrainConfig
from igmsweep.data.progress import clock
from igmsweep.metrics import classification_metrics

if TYPE_CHECKING:
    import torch

    from igmsweep.data.base import Partition, SearchData
    from igmsweep.data.loader import Loader
    from igmsweep.train import Training

STEPS = 4
"""Steps of an epoch that is timed."""


@dataclass(frozen=True)
class StepEstimate:
    """What a few steps say about a whole trial. Times are seconds of wall clock on `device`, with nothing beside it.

    Attributes:
        step: seconds of a training step, by the modalities that it trains (`audio`, or `audio+video`).
        steps: training steps of the whole trial, likewise.
        input_share: share of a step that goes into making its batch, likewise; 0 to 1.
        evaluation: seconds of one validation, which follows every epoch.
        hand_over: seconds between two stages: covariances and their decompositions.
        trial: seconds of the whole trial, its start included.
        start: seconds of building the model, the data's cache being there.
        once: seconds of encoding all samples for frozen encoders, which the first trial alone spends; 0 without any.
        memory: peak bytes: allocated on a GPU, resident of this process on a CPU.
        device: `cuda` or `cpu`.
    """

    step: dict[str, float]
    steps: dict[str, int]
    input_share: dict[str, float]
    evaluation: float
    hand_over: float
    trial: float
    start: float
    once: float
    memory: int
    device: str

    def sweep(self, trials: int, concurrent: int) -> float:
        """Seconds of a sweep whose trials do not slow each other down, so the least that it takes."""
        return self.once + math.ceil(trials / max(1, concurrent)) * self.trial

    def lines(self, trials: int | None = None, concurrent: int = 1) -> list[str]:
        """For a person: a step, a trial and, with `trials`, the sweep."""
        steps = ", ".join(
            f"{name} {seconds * 1000:.3g} ms ({self.input_share[name]:.0%} of it input)"
            for name, seconds in self.step.items()
        )
        lines = [
            f"a step: {steps}; {self.device}, at most {self.memory / 2**20:.0f} MiB",
            f"a trial: about {clock(self.trial)} ({sum(self.steps.values())} steps), measured on {STEPS} steps a stage",
        ]
        if trials is not None:
            lines.append(
                f"the sweep: at least {clock(self.sweep(trials, concurrent))} ({trials} trials, {concurrent} at a time)"
            )
        return lines


def estimate(config: TrainConfig, data: SearchData | None = None) -> StepEstimate:
    """Measure a few steps of a training and say what the whole of it takes.

    The data's cache is built when it is missing, as for a training; nothing is written besides.

    Args:
        config: the training; its own batch size, precision, device and method are what is measured.
        data: training and validation partitions; None loads them as `config.data` says.

    Raises:
        UserError: what the training itself would raise: missing data or weights, a device that is not there.
        Diverged: the loss is not finite within the first steps.
    """
    from igmsweep.train import pick_device, plan

    device = pick_device(config.device)
    whole = datasets.load_search(config.data) if data is None else data
    batch = config.optim.batch_size
    few = replace(whole, train=_few(whole.train, STEPS * batch), val=_few(whole.val, max(2 * batch, 16)))
    # three epochs a stage: one to warm up, one to be timed, and one whose end hands over to the next stage
    changes = {"stages.cycles": 1, "stages.epochs": 3, "stages.handover": "last"}
    with tempfile.TemporaryDirectory(prefix="igmsweep-estimate-") as scratch, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a few samples lack classes
        short = config.override({**changes, "data.cache": scratch})
        _reset_memory(device)
        start, training = _timed_start(short, few)
        once = 0.0
        if any(config.model.frozen.values()):
            again, training = _timed_start(short, few)  # the features are there now
            samples = len(whole.train) + len(whole.val)
            once, start = max(0.0, start - again) * samples / (len(few.train) + len(few.val)), again
        seconds: dict[str, list[float]] = {}
        for epoch in training.epochs():
            seconds.setdefault(epoch.metrics["active"], []).append(epoch.metrics["seconds"])
        measured = _measure(training, seconds, len(whole.train), len(whole.val))

    stages = plan(config, training.method)
    epoch_steps = _batches(len(whole.train), batch)
    steps: dict[str, int] = {}
    for stage in stages:
        name = "+".join(stage.active)
        steps[name] = steps.get(name, 0) + stage.epochs * epoch_steps
    return StepEstimate(
        measured.step,
        steps,
        measured.input_share,
        measured.evaluation,
        measured.hand_over,
        start + trial_seconds(measured, steps, sum(stage.epochs for stage in stages), len(stages)),
        start,
        once,
        _peak_memory(device),
        device.type,
    )


@dataclass(frozen=True)
class Measured:
    """The parts of a trial, in seconds, as StepEstimate has them."""

    step: dict[str, float]
    input_share: dict[str, float]
    evaluation: float
    hand_over: float


def trial_seconds(parts: Measured, steps: dict[str, int], epochs: int, stages: int) -> float:
    """Seconds of all steps, of a validation after every epoch, and of what lies between the stages."""
    training = sum(count * parts.step[name] for name, count in steps.items())
    return training + epochs * parts.evaluation + (stages - 1) * parts.hand_over


def _measure(training: Training, seconds: dict[str, list[float]], train: int, val: int) -> Measured:
    """Take apart the epochs of the short training, and scale what grows with the data to its `train` and `val` samples."""
    run = training.run
    count = len(run.train)
    forward = _forward_seconds(training, run.val)  # a sample, all modalities
    short_evaluation = len(run.val.rows) * forward + _metrics_seconds(training, len(run.val.rows))
    evaluation = val * forward + _metrics_seconds(training, val)
    step, share, between = {}, {}, []
    for name, epochs in seconds.items():
        # a stage of a method's own may be shorter than the three epochs that were asked for
        timed = epochs[min(1, len(epochs) - 1)]
        step[name] = max(1e-6, timed - short_evaluation) / count
        run.train.modalities = tuple(name.split("+"))
        share[name] = min(1.0, _input_seconds(run.train, training.device) / step[name])
        if len(epochs) > 2:
            between.append(max(0.0, epochs[2] - timed))
    ends = between[:-1] or [0.0]  # the last stage hands over to nobody
    fixed = sum(ends) / len(ends)
    one = forward / max(1, len(training.config.modalities))
    clean = len(run.train.rows) * one
    # a method that looks at the training set between stages takes at least the forward passes of the short one
    hand_over = fixed - clean + train * one if fixed > clean else fixed
    return Measured(step, share, evaluation, hand_over)


def _timed_start(config: TrainConfig, data: SearchData) -> tuple[float, Training]:
    from igmsweep.train import Training

    began = time.perf_counter()
    training = Training(config, data=data)
    _synchronise(training.device)
    return time.perf_counter() - began, training


def _forward_seconds(training: Training, loader: Loader) -> float:
    """Seconds of one sample's way through the model, without gradients."""
    import torch

    training.model.eval()
    best = math.inf
    with torch.no_grad():
        for _ in range(2):  # the first warms up
            began = time.perf_counter()
            for batch in loader.only(training.method.modalities):
                training.model(batch.inputs)
            _synchronise(training.device)
            best = min(best, time.perf_counter() - began)
    return best / len(loader.rows)


def _metrics_seconds(training: Training, samples: int) -> float:
    """Seconds of scoring the fused prediction and every modality's."""
    classes = len(training.data.dataset.classes)
    rng = np.random.default_rng(0)
    probabilities, labels = rng.dirichlet(np.ones(classes), samples), rng.integers(classes, size=samples)
    began = time.perf_counter()
    classification_metrics(probabilities, labels)
    return (time.perf_counter() - began) * (1 + len(training.method.modalities))


def _input_seconds(loader: Loader, device: torch.device) -> float:
    """Seconds of making one batch, augmentation included."""
    began = time.perf_counter()
    for _ in loader:
        _synchronise(device)
    return (time.perf_counter() - began) / len(loader)


def _few(partition: Partition, count: int) -> Partition:
    """`count` samples from all over a partition."""
    rows = np.linspace(0, len(partition) - 1, min(count, len(partition))).round().astype(np.int64)
    return partition.take(np.unique(rows))


def _batches(samples: int, batch_size: int) -> int:
    full, rest = divmod(samples, batch_size)
    return full + int(rest > 1 or (rest == 1 and full == 0))  # as the loader cuts them


def _reset_memory(device: torch.device) -> None:
    import torch

    if device.type == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(device)


def _peak_memory(device: torch.device) -> int:
    import torch

    if device.type == "cuda":
        return int(torch.cuda.max_memory_allocated(device))
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024  # Linux counts it in KiB


def _synchronise(device: torch.device) -> None:
    import torch

    if device.type == "cuda":
        torch.cuda.synchronize(device)
