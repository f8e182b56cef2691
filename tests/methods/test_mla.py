"""MLA: one shared head, and a projector that is recursive least squares."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from plain import SGD, Net, agree, batches, slope, tiny_training, train_to_the_end, weights_of

from igmsweep.methods.mla import project
from igmsweep.train import Training


def test_mlas_projector_forgets_the_directions_it_has_seen():
    p = torch.eye(6, dtype=torch.float64)
    seen = torch.randn(3, 6, dtype=torch.float64)
    for _ in range(50):
        for z in seen:
            p = project(p, z, 1e-4)
    assert (p @ seen.T).norm() < 1e-2 * seen.norm()
    assert torch.allclose(p, p.T)
    values = torch.linalg.eigvalsh(p)
    assert values.min() > -1e-9
    assert values.max() < 1 + 1e-9
    # recursive least squares is the inverse of a regularised sum of outer products
    z, regulariser = seen[0], 0.1
    direct = torch.linalg.inv(torch.eye(6, dtype=torch.float64) + torch.outer(z, z) / regulariser)
    assert torch.allclose(project(torch.eye(6, dtype=torch.float64), z, regulariser), direct)


def test_twenty_updates_leave_a_gradient_nearly_its_length():
    """About sqrt(1 - 20 / 512) = 0.98 of it; divided by P's norm, as in the released code, 0.036 of it would be left."""
    random = torch.Generator().manual_seed(0)
    p = torch.eye(512, dtype=torch.float64)
    for step in range(20):
        features = torch.rand(64, 512, generator=random, dtype=torch.float64)
        p = project(p, features.mean(0), 0.1 * 0.1 ** (step / 20))
    gradient = torch.randn(6, 512, generator=random, dtype=torch.float64)
    assert (gradient @ p).norm() / gradient.norm() == pytest.approx(0.98, abs=0.01)


def test_mla_shares_one_head(toy_config):
    training = Training(toy_config(3, "mla"))
    assert not training.model.heads
    assert training.model.joint is not None
    assert len(list(training.model.joint.children())) == 1  # a single linear layer, as in MLA


@pytest.mark.parametrize("modalities", [2, 3])
@pytest.mark.parametrize("projector", ["exact", "off"])
@pytest.mark.parametrize("order", ["after", "before"])
def test_mla_is_its_equations(toy_config, modalities, projector, order):
    """In every batch, modality by modality: the gradient of CE(W z_m + b, y), the head's weight gradient times P, a step of
    this modality and the head; P <- P - P z z' P / (lambda + z' P z) with z the batch's mean feature and
    lambda = lambda_0 decay^(t / T)."""
    method = {"name": "mla", "projector": projector, "order": order, "regulariser": 0.2}
    training = tiny_training(toy_config(modalities, method, stages__cycles=1, stages__epochs=2, model__head=[]))
    net = Net(weights_of(training))
    sgd = SGD(net)
    p = np.eye(net.w["joint.0.weight"].shape[1])
    for epoch in range(2):
        found = list(batches(training, epoch))
        for number, batch in enumerate(found):
            regulariser = 0.2 * 0.1 ** (number / len(found))
            for m in training.config.modalities:
                z = net.encode(m, batch.x[m])
                grads: dict[str, np.ndarray] = {}
                dz = net.head_back("joint", z, slope(net.head("joint", z), batch.y), grads)
                net.encode_back(m, batch.x[m], z, dz, grads)
                mean = z.mean(0)
                renewed = p - np.outer(p @ mean, p @ mean) / (regulariser + mean @ p @ mean)
                if projector == "exact":
                    grads["joint.0.weight"] = grads["joint.0.weight"] @ (renewed if order == "before" else p)
                sgd.step(grads)
                p = renewed
    train_to_the_end(training)
    agree(training, net.w)
