"""Eigenvalue and trace against the exact Hessian of a small network."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from igmsweep.diagnostics import filter_norms, largest_eigenvalue, objective_of, trace


@pytest.fixture
def net() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 3)).double()


def parts_of(net: nn.Module):
    torch.manual_seed(1)
    x, y = torch.randn(20, 4, dtype=torch.float64), torch.arange(20) % 3
    return [
        lambda rows=rows: nn.functional.cross_entropy(net(x[rows]), y[rows], reduction="sum") / len(x)
        for rows in (slice(0, 13), slice(13, 20))
    ], (x, y)


def exact(net: nn.Module, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """By torch.func.hessian over the flat vector of weights."""
    weights = dict(net.named_parameters())
    flat = torch.cat([each.detach().reshape(-1) for each in weights.values()])

    def loss(vector: torch.Tensor) -> torch.Tensor:
        pieces, start = {}, 0
        for name, each in weights.items():
            pieces[name] = vector[start : start + each.numel()].reshape(each.shape)
            start += each.numel()
        return nn.functional.cross_entropy(torch.func.functional_call(net, pieces, (x,)), y)

    return torch.func.hessian(loss)(flat)


@pytest.mark.parametrize("scaled", [False, True])
def test_the_largest_eigenvalue_and_the_trace_are_those_of_the_exact_hessian(net, scaled):
    parts, data = parts_of(net)
    parameters = list(net.parameters())
    scales = list(filter_norms(dict(net.named_parameters())).values()) if scaled else None
    hessian = exact(net, *data)
    if scales is not None:
        d = torch.cat([each.reshape(-1) for each in scales])
        hessian = d[:, None] * hessian * d[None, :]
    wanted = float(torch.linalg.eigvalsh(hessian)[-1])
    assert largest_eigenvalue(parts, parameters, scales, tolerance=1e-6) == pytest.approx(wanted, rel=1e-4)
    whole = trace(parts, parameters, scales, probes=1000)  # more probes than weights: every direction once
    assert whole.value == pytest.approx(float(hessian.trace()), rel=1e-4)
    assert whole.error == 0
    estimated = trace(parts, parameters, scales, probes=40)
    assert abs(estimated.value - float(hessian.trace())) < 4 * estimated.error
    assert estimated.error > 0


def test_of_a_network_rescaled_layer_by_layer_the_scaled_curvature_stays(net):
    with torch.no_grad():
        net[0].bias.zero_()
    parts, _ = parts_of(nn.Sequential(net[0], nn.ReLU(), net[2]))
    found = []
    for factor in (1.0, 10.0):
        with torch.no_grad():
            net[0].weight *= factor
            net[2].weight /= factor
        parameters, scales = list(net.parameters()), list(filter_norms(dict(net.named_parameters())).values())
        found.append((largest_eigenvalue(parts, parameters), largest_eigenvalue(parts, parameters, scales)))
    assert found[1][1] == pytest.approx(found[0][1], rel=1e-2)
    assert found[1][0] != pytest.approx(found[0][0], rel=0.5)


def test_small_matrices_linear_losses_and_too_few_probes():
    w = torch.tensor([1.0, 2.0], dtype=torch.float64, requires_grad=True)
    assert largest_eigenvalue([lambda: w[0] ** 2 * 3 - w[1] ** 2], [w]) == pytest.approx(6)
    assert largest_eigenvalue([lambda: w.sum()], [w]) == 0
    assert trace([lambda: w[0] ** 2 * 3 - w[1] ** 2], [w], probes=2).value == pytest.approx(4)
    with pytest.raises(ValueError, match="probes"):
        trace([lambda: w.sum()], [w], probes=1)


def test_one_that_does_not_converge_is_not_a_number(net):
    parts, _ = parts_of(net)
    found = largest_eigenvalue(parts, list(net.parameters()), tolerance=0, most=1)
    assert math.isnan(found) or found > 0


@pytest.mark.slow
def test_of_a_trained_model(toy_training):
    objective = objective_of(toy_training, samples=24)
    parameters = objective.parameters()
    scales = list(filter_norms(parameters).values())
    top = largest_eigenvalue(objective.parts(), list(parameters.values()), scales)
    assert math.isfinite(top)
    assert top > 0
    assert all(each.grad is None for each in parameters.values())
