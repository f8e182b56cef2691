"""Fused logits in plain float64, and trainings side by side: what the tests of methods with one fused loss share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from plain import Arrays, Net
from torch import Tensor

from igmsweep.config import TrainConfig
from igmsweep.data.loader import Batch
from igmsweep.train import Training, train


def logits_of(net: Net, fusion: str, z: Arrays) -> np.ndarray:
    """`concat`: W [z_1 .. z_M] + b. `sum`: sum_m W_m z_m + b_m. (batch, classes)."""
    if fusion == "sum":
        return sum(net.head(f"heads.{m}", z[m]) for m in z)
    return net.head("joint", np.concatenate(list(z.values()), axis=1))


def back(net: Net, fusion: str, z: Arrays, dl: np.ndarray, grads: Arrays) -> Arrays:
    """From the gradient with respect to the fused logits to those with respect to the features, by modality."""
    if fusion == "sum":
        return {m: net.head_back(f"heads.{m}", z[m], dl, grads) for m in z}
    dz = net.head_back("joint", np.concatenate(list(z.values()), axis=1), dl, grads)
    ends = np.cumsum([each.shape[1] for each in z.values()])[:-1]
    return dict(zip(z, np.split(dz, ends, axis=1), strict=True))


def parts_of(net: Net, fusion: str, z: Arrays) -> Arrays:
    """What each modality adds to the fused logits: W_m z_m + b / M, or its own head's logits."""
    if fusion == "sum":
        return {m: net.head(f"heads.{m}", z[m]) for m in z}
    ends = np.cumsum([each.shape[1] for each in z.values()])[:-1]
    columns = np.split(net.w["joint.0.weight"], ends, axis=1)
    return {m: z[m] @ w.T + net.w["joint.0.bias"] / len(z) for m, w in zip(z, columns, strict=True)}


def begun(training: Training) -> Batch:
    """The first epoch has begun, up to its first batch, which is returned."""
    training.run.stage = training.stages[0]
    training._new_optimizer()
    training._prepare_epoch()
    training.method.begin_stage(training.run)
    return next(iter(training.method.begin_epoch(training.run)))


def first_step(config: TrainConfig) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """The change of every weight and statistic in the first step, and what the step tells."""
    training = Training(config)
    batch = begun(training)
    before = {name: x.clone() for name, x in training.model.state_dict().items()}
    log = training.method.step(training.run, batch)
    return {name: x - before[name] for name, x in training.model.state_dict().items()}, log


def size_of_change(change: Mapping[str, Tensor], prefix: str) -> float:
    """Euclidean norm over all tensors whose name begins with `prefix`."""
    squares = [x.double().square().sum() for name, x in change.items() if name.startswith(prefix)]
    return float(torch.stack(squares).sum().sqrt())


def same_bits(one: TrainConfig, other: TrainConfig) -> bool:
    """Whether two trainings end with the same weights and batch-norm statistics, bit for bit."""
    first, second = (train(config).model.state_dict() for config in (one, other))
    assert set(first) == set(second)
    return all(torch.equal(first[name], second[name]) for name in first)


def give_weights(source: Training, target: Training) -> None:
    """Weights by name; the columns of a head on concatenated features in the order of the target's modalities."""
    weights = {name: x.clone() for name, x in source.model.state_dict().items()}
    if "joint.0.weight" in weights:
        weights["joint.0.weight"] = in_order(source, weights["joint.0.weight"], target.model.modalities)
    target.model.load_state_dict(weights)


def agree_in_any_order(one: Training, other: Training) -> None:
    """The weights of trainings whose modalities stand in another order agree to round-off."""
    first, second = one.model.state_dict(), other.model.state_dict()
    for name, x in first.items():
        expected = in_order(one, x, other.model.modalities) if name == "joint.0.weight" else x
        assert torch.allclose(second[name], expected, rtol=0, atol=1e-12), name


def in_order(training: Training, joined: Tensor, names: Sequence[str]) -> Tensor:
    """The columns of a fused head's weight, (classes, sum of d), in another order of the modalities."""
    columns = training.model.slices()
    return torch.cat([joined[:, columns[name]] for name in names], dim=1)
