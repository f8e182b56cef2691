"""Seconds and bytes of the parts of a training: its start, forward passes, batches, scores; peak memory."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from igmsweep.config import TrainConfig
from igmsweep.metrics import classification_metrics

if TYPE_CHECKING:
    import torch

    from igmsweep.data.base import Partition, SearchData
    from igmsweep.data.loader import Batch, Loader
    from igmsweep.train import Training

SLOW = 4.0
"""Seconds of a forward pass after which it is not repeated: what warming up takes is little of it."""


@contextmanager
def computing_with(threads: int | None) -> Iterator[None]:
    """torch computes with so many threads of the CPU meanwhile, as a trial does; None: as before."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(threads or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def timed_start(config: TrainConfig, data: SearchData) -> tuple[float, Training]:
    """A training that is ready to begin, and the seconds that this took."""
    from igmsweep.train import Training

    began = time.perf_counter()
    training = Training(config, data=data)
    synchronise(training.device)
    return time.perf_counter() - began, training


def model_seconds(training: Training, loader: Loader) -> float:
    """Seconds of one sample's forward pass through the whole model: the faster of two passes, of which the first warms up."""
    used = loader.only(training.method.modalities)
    return min(_pass_seconds(training, used, lambda batch: training.model(batch.inputs)) for _ in range(2))


def encoder_seconds(training: Training, partition: Partition, name: str) -> float:
    """Seconds of one sample's forward pass through one modality's encoder, a frozen one too, by a batch of these samples; where
    the one sample that warms up is slow, by that."""
    from igmsweep.data.loader import Loader

    alone = replace(partition, arrays={name: partition.arrays[name]})

    def timed(some: Partition) -> float:
        loader = Loader(training.data.dataset, some, len(some), training.device)
        return _pass_seconds(training, loader, lambda batch: training.model.features(name, batch.inputs[name]))

    first = timed(alone.take(np.arange(1)))
    return first if first > SLOW else timed(alone)


def _pass_seconds(training: Training, loader: Loader, forward: Callable[[Batch], object]) -> float:
    """Seconds a sample of a pass over a loader's samples in evaluation, without gradients."""
    import torch

    training.model.eval()
    began = time.perf_counter()
    with torch.no_grad():
        for batch in loader:
            forward(batch)
    synchronise(training.device)
    return (time.perf_counter() - began) / len(loader.rows)


def metrics_seconds(training: Training, samples: int) -> float:
    """Seconds of scoring the fused prediction and every modality's."""
    classes = len(training.data.dataset.classes)
    rng = np.random.default_rng(0)
    probabilities, labels = rng.dirichlet(np.ones(classes), samples), rng.integers(classes, size=samples)
    began = time.perf_counter()
    classification_metrics(probabilities, labels)
    return (time.perf_counter() - began) * (1 + len(training.method.modalities))


def input_seconds(loader: Loader, device: torch.device) -> float:
    """Seconds of making one batch, augmentation included."""
    began = time.perf_counter()
    for _ in loader:
        synchronise(device)
    return (time.perf_counter() - began) / len(loader)


def reset_memory(device: torch.device) -> None:
    import torch

    if device.type == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(device)


def peak_memory(device: torch.device) -> int:
    import torch

    if device.type == "cuda":
        return int(torch.cuda.max_memory_allocated(device))
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024  # Linux counts it in KiB


def synchronise(device: torch.device) -> None:
    import torch

    if device.type == "cuda":
        torch.cuda.synchronize(device)
