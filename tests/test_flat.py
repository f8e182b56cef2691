"""T against the direct float64 formula, its properties, and where it acts."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from igmsweep.flat import (
    FlatMatrix,
    InputCovariance,
    _truncated,
    flat_matrix,
    flat_matrix_reference,
    identity,
    input_rows,
    modify_gradients,
    scoped_layers,
    unpaired,
)


def covariance(size: int, rank: int, seed: int, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    rows = torch.randn(rank, size, generator=generator, dtype=torch.float64)
    scales = torch.logspace(0, -3, rank, dtype=torch.float64)
    rows = rows * scales[:, None]
    return (rows.T @ rows).to(dtype)


@settings(deadline=None, max_examples=60)
@given(size=st.integers(2, 40), rank=st.integers(1, 60), seed=st.integers(0, 10**6), log_tau=st.floats(-3, 2))
def test_t_agrees_with_the_float64_formula_and_its_spectrum_lies_in_its_bounds(size, rank, seed, log_tau):
    tau = 10.0**log_tau
    y = covariance(size, rank, seed)
    ours, reference = flat_matrix(y, tau).dense().double(), flat_matrix_reference(y, tau)
    assert (ours - reference).norm() / reference.norm() < 1e-5
    values = torch.linalg.eigvalsh(ours)
    assert values.min() >= math.exp(-tau) - 1e-6
    assert values.max() <= 1 + 1e-6
    assert torch.allclose(ours, ours.T, atol=1e-6)


def test_t_is_the_matrix_exponential_of_the_scaled_covariance():
    y, tau = covariance(12, 30, 3), 1.7
    values = torch.linalg.eigvalsh(y)
    scaled = (y - values[0] * torch.eye(12, dtype=y.dtype)) / (values[-1] - values[0])
    assert torch.allclose(flat_matrix(y, tau).dense().double(), torch.matrix_exp(-tau * scaled), atol=1e-6)


@pytest.mark.parametrize("y", [torch.zeros(7, 7), torch.eye(7), 1e-20 * torch.eye(7), 3e10 * torch.eye(7).double()])
def test_a_flat_spectrum_gives_the_identity(y):
    assert flat_matrix(y, 0.4).is_identity
    assert torch.equal(flat_matrix(y, 0.4).dense(), torch.eye(7))


@pytest.mark.parametrize("tau", [0.0, -1.0, float("nan")])
def test_tau_must_be_positive(tau):
    with pytest.raises(ValueError, match="tau"):
        flat_matrix(torch.eye(3), tau)


def test_a_covariance_with_nan_is_refused():
    with pytest.raises(ValueError, match="finite"):
        flat_matrix(torch.full((3, 3), float("nan")), 0.4)


def test_the_truncated_decomposition_equals_the_full_one_within_its_bound():
    y = covariance(900, 40, 5)
    fast = _truncated(y, 0.4, 2e-6)
    assert fast is not None
    reference = flat_matrix_reference(y, 0.4)
    error = torch.linalg.matrix_norm(fast.dense().double() - reference, 2)
    assert error < 1e-5
    assert (fast.dense().double() - reference).norm() / reference.norm() < 1e-5


def test_a_slowly_decaying_spectrum_falls_back_to_the_full_decomposition():
    generator = torch.Generator().manual_seed(0)
    rows = torch.randn(2000, 800, generator=generator, dtype=torch.float64)
    y = rows.T @ rows
    assert _truncated(y, 5.0, 2e-6) is None
    reference = flat_matrix_reference(y, 5.0)
    assert (flat_matrix(y, 5.0).dense().double() - reference).norm() / reference.norm() < 1e-5


def test_applying_equals_multiplying_by_the_dense_matrix():
    matrix = flat_matrix(covariance(20, 8, 1), 2.0)
    rows = torch.randn(5, 20)
    assert torch.allclose(matrix.apply(rows), rows @ matrix.dense(), atol=1e-5)


def test_the_identity_changes_no_bit():
    rows = torch.randn(5, 20)
    assert torch.equal(identity(20).apply(rows), rows)
    dense = FlatMatrix(torch.eye(20), torch.ones(20), 1.0, 20)
    assert torch.equal(dense.apply(rows), rows)


def test_damped_is_the_mean_of_one_minus_sigma():
    y = covariance(15, 6, 2)
    values = torch.linalg.eigvalsh(flat_matrix_reference(y, 3.0))
    assert flat_matrix(y, 3.0).damped() == pytest.approx(float((1 - values).mean()), abs=1e-6)


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (nn.Conv2d(3, 5, 3, stride=2, padding=1), (4, 3, 9, 10)),
        (nn.Conv2d(2, 4, (1, 5), padding=(0, 2), bias=False), (3, 2, 6, 7)),
        (nn.Conv1d(2, 3, 4, stride=3), (5, 2, 20)),
        (nn.Conv3d(2, 3, (2, 3, 3), padding=1), (2, 2, 5, 6, 7)),
        (nn.Linear(6, 4), (8, 6)),
        (nn.Linear(6, 4), (2, 5, 6)),
    ],
)
def test_rows_times_weight_is_the_layer(layer, shape):
    """Patches and their order are right exactly when rows @ weight' + bias is what the layer computes."""
    x = torch.randn(shape)
    out = layer(x)
    rows = input_rows(layer, x) @ layer.weight.reshape(layer.weight.shape[0], -1).T
    if layer.bias is not None:
        rows = rows + layer.bias
    channels_last = out if isinstance(layer, nn.Linear) else out.movedim(1, -1)
    assert torch.allclose(rows, channels_last.reshape(rows.shape), atol=1e-5)


@pytest.mark.parametrize("kind", ["batch_mean", "samples", "centered"])
def test_covariance_is_the_direct_sum(kind):
    layer = nn.Linear(4, 2)
    batches = [torch.randn(6, 4) for _ in range(3)]
    found = InputCovariance({"l": layer}, kind)
    with found.watch(), torch.no_grad():
        for x in batches:
            layer(x)
    everything = torch.cat(batches).double()
    if kind == "batch_mean":
        expected = sum(torch.outer(x.double().mean(0), x.double().mean(0)) for x in batches)
    elif kind == "samples":
        expected = everything.T @ everything
    else:
        expected = (everything - everything.mean(0)).T @ (everything - everything.mean(0))
    assert torch.allclose(found.matrix("l").double(), expected, atol=1e-6)
    values = torch.linalg.eigvalsh(expected)
    assert found.mean("l") == pytest.approx(float(values.mean()) / found.rows("l"), rel=1e-5)
    assert found.participation("l") == pytest.approx(float(values.sum() ** 2 / values.square().sum()), rel=1e-5)
    assert not layer._forward_pre_hooks


def test_a_convolutions_batch_mean_covariance_is_over_patches_of_the_mean_image():
    layer = nn.Conv2d(2, 3, 3, padding=1)
    x = torch.randn(5, 2, 6, 6)
    found = InputCovariance({"c": layer})
    found.update("c", x)
    rows = torch.nn.functional.unfold(x.mean(0, keepdim=True), 3, padding=1)[0].T.double()
    assert torch.allclose(found.matrix("c").double(), rows.T @ rows, atol=1e-4)


def branch() -> nn.ModuleDict:
    encoder = nn.Sequential(nn.Conv2d(1, 4, 3, bias=False), nn.BatchNorm2d(4), nn.Conv2d(4, 8, 3, bias=False))
    return nn.ModuleDict({"encoder": encoder, "head": nn.Sequential(nn.Linear(8, 6), nn.ReLU(), nn.Linear(6, 3))})


def test_scope_walks_from_the_deepest_layer_until_its_share_is_reached():
    model = branch()  # 36 + 8 + 288 + 54 + 21 = 407 parameters
    assert list(scoped_layers(model, "none")) == []
    assert list(scoped_layers(model, 0.0)) == []
    assert list(scoped_layers(model, "head")) == ["head.2", "head.0"]
    assert list(scoped_layers(model, 0.05)) == ["head.2"]
    assert list(scoped_layers(model, 0.3)) == ["head.2", "head.0", "encoder.2"]
    assert list(scoped_layers(model, 1.0)) == ["head.2", "head.0", "encoder.2", "encoder.0"]
    with pytest.raises(ValueError, match="scope"):
        scoped_layers(model, 1.5)


def test_layers_pair_by_position_and_input_size_never_by_shape_alone():
    one, other = branch(), branch()
    other["encoder"][0] = nn.Conv2d(3, 4, 3, bias=False)
    ones, others = scoped_layers(one, 1.0), scoped_layers(other, 1.0)
    assert unpaired(ones, others) == ["encoder.0"]
    assert unpaired({"head.0": ones["head.0"]}, others) == ["head.2", "encoder.2", "encoder.0"]


def test_modified_gradients_are_grad_at_t_and_biases_stay():
    torch.manual_seed(0)
    linear, conv = nn.Linear(6, 3), nn.Conv2d(2, 4, 3)
    for parameter in [*linear.parameters(), *conv.parameters()]:
        parameter.grad = torch.randn_like(parameter)
    matrices = {"l": flat_matrix(covariance(6, 3, 0), 2.0), "c": flat_matrix(covariance(18, 7, 1), 2.0)}
    before = {"l": linear.weight.grad.clone(), "c": conv.weight.grad.clone(), "b": conv.bias.grad.clone()}
    cosine = modify_gradients({"l": linear, "c": conv}, matrices)
    assert torch.allclose(linear.weight.grad, before["l"] @ matrices["l"].dense(), atol=1e-5)
    expected = (before["c"].reshape(4, 18) @ matrices["c"].dense()).reshape(4, 2, 3, 3)
    assert torch.allclose(conv.weight.grad, expected, atol=1e-5)
    assert torch.equal(conv.bias.grad, before["b"])
    old = torch.cat([before["l"].flatten(), before["c"].flatten()])
    new = torch.cat([linear.weight.grad.flatten(), conv.weight.grad.flatten()])
    assert float(cosine) == pytest.approx(float(torch.cosine_similarity(old, new, dim=0)), abs=1e-5)
