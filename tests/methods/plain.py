"""A tiny model in plain float64 numpy, its gradients written out by hand: what every method is checked against.

An encoder is z = tanh(A x + a). A head is linear, or linear, ReLU, linear. Weights are numpy arrays under the names that the
model's state has, so that a reference and a training are compared name by name. A reference takes the same batches as the
training, in the same order, and steps SGD with momentum and weight decay:

    g <- g + decay w;  v <- momentum v + g;  w <- w - rate v
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from igmsweep.config import TrainConfig
from igmsweep.data.loader import Loader
from igmsweep.train import Training

Arrays = dict[str, np.ndarray]
MOMENTUM, DECAY = 0.9, 1e-4  # as in the paper's Sec. 4.2, and in the toy data's configuration
RATE = 0.05


class Tiny(nn.Module):
    """z = tanh(A x + a) in float64."""

    def __init__(self, inputs: int, features: int) -> None:
        super().__init__()
        self.layer = nn.Linear(inputs, features)
        self.features = features

    def forward(self, x: Tensor) -> Tensor:
        return torch.tanh(self.layer(x.flatten(1).double()))


def tiny_training(config: TrainConfig) -> Training:
    """A training of the configuration whose encoders are tiny ones, in float64."""
    training = Training(config)
    torch.manual_seed(1)
    for name, modality in training.data.dataset.modalities.items():
        size = training.model.sizes[name]
        training.model.encoders[name] = Tiny(int(np.prod(modality.shape)), size)
    training.model.double()
    return training


def weights_of(training: Training) -> Arrays:
    """Copies of all parameters by name."""
    return {name: p.detach().numpy().copy() for name, p in training.model.named_parameters()}


def train_to_the_end(training: Training) -> list[dict[str, object]]:
    """Run all epochs; their metrics."""
    return [epoch.metrics for epoch in training.epochs()]


def agree(training: Training, reference: Arrays, tolerance: float = 1e-10) -> None:
    """Every weight is the reference's to `tolerance`."""
    now = weights_of(training)
    assert set(now) == set(reference)
    for name, weights in now.items():
        assert np.abs(weights - reference[name]).max() < tolerance, name


@dataclass
class Batch:
    """`x` (batch, inputs) per modality, `y` (batch,) labels, `rows` of the partition."""

    x: Arrays
    y: np.ndarray
    rows: np.ndarray


def batches(training: Training, epoch: int) -> Iterator[Batch]:
    """The training batches of an epoch, all modalities, as the training's own loader draws them."""
    loader = training.run.train.only(training.config.modalities)
    loader.epoch = epoch
    yield from arrays(loader)


def arrays(loader: Loader) -> Iterator[Batch]:
    """The batches of any loader, such as one of `run.holdout`'s two."""
    for batch in loader:
        x = {name: each.flatten(1).double().numpy() for name, each in batch.inputs.items()}
        yield Batch(x, batch.labels.numpy(), batch.index.numpy())


def whole(loader: Loader) -> Batch:
    """All samples of a loader as one batch."""
    found = list(arrays(loader))
    x = {name: np.concatenate([each.x[name] for each in found]) for name in found[0].x}
    return Batch(x, np.concatenate([each.y for each in found]), np.concatenate([each.rows for each in found]))


def softmax(logits: np.ndarray) -> np.ndarray:
    """Over the last axis."""
    e = np.exp(logits - logits.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def onehot(y: np.ndarray, classes: int) -> np.ndarray:
    """(batch, classes)."""
    return np.eye(classes)[y]


def cross_entropies(logits: np.ndarray, y: np.ndarray) -> np.ndarray:
    """-log softmax(logits)[y], (batch,)."""
    return -np.log(softmax(logits)[np.arange(len(y)), y])


def slope(logits: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Gradient of the mean cross-entropy with respect to the logits: (softmax - onehot) / batch."""
    return (softmax(logits) - onehot(y, logits.shape[1])) / len(y)


class Net:
    """Forward and backward passes on a dictionary of weights.

    Every backward function adds to `grads`, a dictionary by name; a weight that is not in it has no gradient.
    """

    def __init__(self, weights: Mapping[str, np.ndarray]) -> None:
        self.w: Arrays = {name: each.copy() for name, each in weights.items()}

    def encode(self, modality: str, x: np.ndarray) -> np.ndarray:
        """z = tanh(A x + a), (batch, d)."""
        key = f"encoders.{modality}.layer"
        return np.tanh(x @ self.w[f"{key}.weight"].T + self.w[f"{key}.bias"])

    def encode_back(self, modality: str, x: np.ndarray, z: np.ndarray, dz: np.ndarray, grads: Arrays) -> None:
        """From the gradient of the loss with respect to z."""
        key = f"encoders.{modality}.layer"
        du = dz * (1 - z**2)
        add(grads, f"{key}.weight", du.T @ x)
        add(grads, f"{key}.bias", du.sum(0))

    def head(self, key: str, z: np.ndarray) -> np.ndarray:
        """Logits of the head called `key`: `joint`, or `heads.m0`."""
        if f"{key}.2.weight" not in self.w:
            return z @ self.w[f"{key}.0.weight"].T + self.w[f"{key}.0.bias"]
        h = np.maximum(z @ self.w[f"{key}.0.weight"].T + self.w[f"{key}.0.bias"], 0)
        return h @ self.w[f"{key}.2.weight"].T + self.w[f"{key}.2.bias"]

    def head_back(self, key: str, z: np.ndarray, dl: np.ndarray, grads: Arrays) -> np.ndarray:
        """From the gradient with respect to its logits; returns the one with respect to z."""
        if f"{key}.2.weight" in self.w:
            h = np.maximum(z @ self.w[f"{key}.0.weight"].T + self.w[f"{key}.0.bias"], 0)
            add(grads, f"{key}.2.weight", dl.T @ h)
            add(grads, f"{key}.2.bias", dl.sum(0))
            dl = (dl @ self.w[f"{key}.2.weight"]) * (h > 0)
        add(grads, f"{key}.0.weight", dl.T @ z)
        add(grads, f"{key}.0.bias", dl.sum(0))
        return dl @ self.w[f"{key}.0.weight"]


def add(grads: Arrays, name: str, value: np.ndarray) -> None:
    """Sum up gradients of the same weight."""
    grads[name] = grads[name] + value if name in grads else value


def predict(net: Net, names: Sequence[str], batch: Batch) -> Arrays:
    """(batch, classes) logits by name: each modality's, and `fused`, which are those of the head `joint` on all features
    where there is one, else the sum of the modalities'."""
    z = {m: net.encode(m, batch.x[m]) for m in names}
    logits = {m: net.head(f"heads.{m}", z[m]) for m in names if f"heads.{m}.0.weight" in net.w}
    if "joint.0.weight" in net.w:
        return logits | {"fused": net.head("joint", np.concatenate([z[m] for m in names], axis=1))}
    return logits | {"fused": np.sum([logits[m] for m in names], axis=0)}


def gradients(net: Net, names: Sequence[str], batch: Batch, slopes: Mapping[str, np.ndarray]) -> Arrays:
    """Gradients of all weights from those with respect to logits, which are named as `predict` names them.

    A loss that is left out of `slopes` has no part in it, and what it alone would train has no gradient.
    """
    grads: Arrays = {}
    z = {m: net.encode(m, batch.x[m]) for m in names}
    dz: Arrays = {}
    own = {m: slopes[m] for m in names if m in slopes}
    if "fused" in slopes and "joint.0.weight" in net.w:
        joined = net.head_back("joint", np.concatenate([z[m] for m in names], axis=1), slopes["fused"], grads)
        dz = dict(zip(names, np.split(joined, np.cumsum([z[m].shape[1] for m in names])[:-1], axis=1), strict=True))
    elif "fused" in slopes:  # a sum of logits: each has the slope of the sum
        own = {m: own.get(m, 0) + slopes["fused"] for m in names}
    for m, dl in own.items():
        dz[m] = dz.get(m, 0) + net.head_back(f"heads.{m}", z[m], dl, grads)
    for m in dz:
        net.encode_back(m, batch.x[m], z[m], dz[m], grads)
    return grads


class SGD:
    """The optimiser of a stage; a weight without a gradient keeps its value and its velocity."""

    def __init__(self, net: Net, rate: float = RATE) -> None:
        self.net, self.rate, self.velocity = net, rate, {}

    def step(self, grads: Mapping[str, np.ndarray], factors: Mapping[str, float] | None = None) -> None:
        """`factors`: on the rates of weights whose name contains `.key.`, such as a modality's."""
        for name, gradient in grads.items():
            g = gradient + DECAY * self.net.w[name]
            v = MOMENTUM * self.velocity[name] + g if name in self.velocity else g
            self.velocity[name] = v
            factor = 1.0
            for key, each in (factors or {}).items():
                factor *= each if f".{key}." in name else 1.0
            self.net.w[name] = self.net.w[name] - self.rate * factor * v
