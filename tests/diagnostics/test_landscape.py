"""Landscapes: exact on a quadratic, the same for equal networks, and nothing is left changed."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from igmsweep.diagnostics import Landscape, filter_normalised, landscape, landscape_of, objective_of
from igmsweep.train import Training


def test_a_quadratic_has_its_known_contours():
    """loss = (w - c)' A (w - c) / 2 around its minimum c: at steps a, b it is q(a u + b v) / 2, exactly."""
    a = torch.tensor([[3.0, 1.0, 0.0], [1.0, 2.0, 0.0], [0.0, 0.0, 5.0]], dtype=torch.float64)
    c = torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64)
    w = c.clone()
    u, v = torch.eye(3, dtype=torch.float64)[:2]
    steps, losses = landscape(
        lambda: float((w - c) @ a @ (w - c) / 2), {"w": w}, {"w": u}, {"w": v}, span=2.0, points=5
    )
    assert steps == [-2, -1, 0, 1, 2]
    for i, x in enumerate(steps):
        for j, y in enumerate(steps):
            assert losses[i][j] == pytest.approx((3 * x * x + 2 * x * y + 2 * y * y) / 2, abs=1e-12)
    assert torch.equal(w, c)


def test_the_rise_is_the_mean_over_the_edge():
    found = Landscape([-1, 0, 1], [[2, 2, 2], [2, 0.5, 2], [2, 2, 2]], (0, 1), 4, "kept")
    assert found.centre == 0.5
    assert found.rise() == 1.5
    assert Landscape.from_dict(found.to_dict()) == found


@pytest.mark.parametrize(
    ("span", "points", "word"), [(0.0, 5, "span"), (-1.0, 5, "span"), (1.0, 4, "points"), (1.0, 1, "points")]
)
def test_a_plane_that_cannot_be(span, points, word):
    w = torch.ones(2)
    with pytest.raises(ValueError, match=word):
        landscape(lambda: 0.0, {"w": w}, {"w": w}, {"w": w}, span, points)


def test_weights_are_put_back_after_a_failure():
    w = torch.tensor([[0.1, 0.2], [0.3, 0.4]])
    before = w.clone()

    def broken() -> float:
        raise RuntimeError("out of memory")

    with pytest.raises(RuntimeError):
        landscape(broken, {"w": w}, {"w": torch.ones_like(w)}, {"w": torch.ones_like(w)})
    assert torch.equal(w, before)


class Rectified(nn.Module):
    """A convolution and two linear layers with rectifiers and biases, in float64."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layers = nn.ModuleList([nn.Conv2d(2, 4, 3), nn.Linear(4 * 16, 8), nn.Linear(8, 3)]).double()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        conv, one, two = self.layers
        return two(torch.relu(one(torch.relu(conv(x)).flatten(1))))


@settings(deadline=None, max_examples=10)
@given(st.floats(0.01, 100), st.floats(0.01, 100), st.integers(0, 50))
def test_a_network_rescaled_layer_by_layer_gives_the_same_picture(first, second, seed):
    torch.manual_seed(1)
    x, y = torch.randn(16, 2, 6, 6, dtype=torch.float64), torch.arange(16) % 3
    pictures = []
    for scales in ((1.0, 1.0, 1.0), (first, second, 1 / (first * second))):
        net = Rectified()
        with torch.no_grad():
            passed = 1.0  # what the layers so far multiply by, and so their biases
            for layer, scale in zip(net.layers, scales, strict=True):
                passed *= scale
                layer.weight *= scale
                layer.bias *= passed
        weights = dict(net.named_parameters())
        u, v = filter_normalised(weights, seed), filter_normalised(weights, seed + 1)
        value = lambda net=net: float(nn.functional.cross_entropy(net(x), y))  # noqa: E731
        pictures.append(np.array(landscape(value, weights, u, v, points=5)[1]))
    np.testing.assert_allclose(pictures[0], pictures[1], rtol=1e-9)


def test_a_direction_has_the_norm_of_each_filter_and_leaves_biases_alone():
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(16, 5))
    weights = dict(net.named_parameters())
    found = filter_normalised(weights, 3)
    for name, weight in weights.items():
        assert found[name].shape == weight.shape
        if weight.ndim < 2:
            assert not found[name].any()
            continue
        norms = found[name].flatten(1).norm(dim=1)
        assert torch.allclose(norms, weight.detach().flatten(1).norm(dim=1))
    again = filter_normalised(weights, 3)
    assert all(torch.equal(found[name], again[name]) for name in weights)
    other = filter_normalised(weights, 4)
    assert not torch.equal(found["0.weight"], other["0.weight"])


def test_a_weight_of_the_same_name_and_shape_is_drawn_the_same_beside_other_heads():
    one = {"encoder": torch.ones(4, 3), "head": torch.ones(2, 4)}
    two = {"head": torch.ones(5, 4), "encoder": torch.ones(4, 3)}
    assert torch.equal(filter_normalised(one, 0)["encoder"], filter_normalised(two, 0)["encoder"])


@pytest.mark.parametrize("statistics", ["kept", "again"])
@pytest.mark.parametrize("modality", [None, "m0"])
def test_a_trained_model_is_left_as_it_was(toy_training: Training, statistics, modality):
    objective = objective_of(toy_training, samples=16, modality=modality)
    before = {name: x.clone() for name, x in toy_training.model.state_dict().items()}
    (found,) = landscape_of(objective, points=3, pairs=1, statistics=statistics)
    after = toy_training.model.state_dict()
    assert all(torch.equal(x, after[name]) for name, x in before.items())
    assert not any(module.training for module in toy_training.model.modules())
    assert found.samples == objective.samples <= 16
    assert found.modality == modality
    if statistics == "kept":
        assert found.centre == pytest.approx(objective.value())


def test_the_objective_is_the_mean_over_its_samples_of_the_prediction_that_is_made(toy_training: Training):
    objective = objective_of(toy_training, samples=10_000)
    assert objective.samples == len(toy_training.data.train)
    total = 0.0
    for batch in objective.batches:
        p = toy_training.method.fuse(toy_training.model(batch.inputs)).detach()
        total -= sum(float(row[label].log()) for row, label in zip(p, batch.labels, strict=True))
    assert objective.value() == pytest.approx(total / objective.samples, rel=1e-5)
    with pytest.raises(ValueError, match="m0, m1"):
        objective_of(toy_training, modality="smell")
