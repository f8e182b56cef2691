"""SAM: Eq. 7 and 8 directly, exact restoration, and what float32 makes of a tiny rho."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from igmsweep.sam import ascent, dropout_state, perturbed, second_pass


def model_with_gradients(seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    model = nn.Sequential(nn.Linear(5, 7), nn.BatchNorm1d(7), nn.ReLU(), nn.Linear(7, 3))
    nn.functional.cross_entropy(model(torch.randn(8, 5)), torch.randint(0, 3, (8,))).backward()
    return model


@settings(deadline=None, max_examples=40)
@given(rho=st.sampled_from([0.0, 1e-15, 1e-10, 1e-4, 0.05, 0.5, 100.0]), seed=st.integers(0, 1000))
def test_every_weight_comes_back_bit_for_bit(rho, seed):
    model = model_with_gradients(seed)
    before = [parameter.detach().clone() for parameter in model.parameters()]
    with perturbed(list(model.parameters()), rho):
        pass
    assert all(torch.equal(now, old) for now, old in zip(model.parameters(), before, strict=True))


def test_weights_come_back_when_the_pass_inside_fails():
    model = model_with_gradients()
    before = [parameter.detach().clone() for parameter in model.parameters()]
    with pytest.raises(RuntimeError), perturbed(list(model.parameters()), 0.1):
        raise RuntimeError
    assert all(torch.equal(now, old) for now, old in zip(model.parameters(), before, strict=True))


def test_the_perturbation_is_rho_g_over_the_global_norm():
    gradients = [torch.randn(4, 3), torch.randn(7)]
    flat = torch.cat([gradient.flatten() for gradient in gradients]).double()
    found = torch.cat([step.flatten() for step in ascent(gradients, 0.3)]).double()
    assert torch.allclose(found, 0.3 * flat / flat.norm(), atol=1e-7)
    assert float(found.norm()) == pytest.approx(0.3, rel=1e-6)


def test_the_released_form_normalises_each_tensor_by_itself():
    steps = ascent([torch.randn(4, 3), torch.randn(7)], 0.3, norm="tensor")
    assert [float(step.norm()) for step in steps] == pytest.approx([0.3, 0.3])


def test_a_zero_gradient_gives_a_zero_perturbation():
    for norm in ("global", "tensor"):
        assert all(torch.equal(step, torch.zeros(3)) for step in ascent([torch.zeros(3)] * 2, 0.5, norm))


def test_the_gradient_is_taken_at_the_perturbed_weights():
    """For the loss w^4 / 4 the gradient at w + e is (w + e)^3, with e = rho sign(w^3) for a single weight."""
    weight = nn.Parameter(torch.tensor([2.0], dtype=torch.float64))
    (weight**4 / 4).sum().backward()
    with perturbed([weight], 0.5):
        (weight**4 / 4).sum().backward()
    assert float(weight.grad) == pytest.approx(2.5**3)
    assert weight.item() == 2.0


def test_moved_counts_the_weights_that_float32_lets_move():
    shares = {}
    for rho in (0.0, 1e-15, 1e-4, 0.5):
        with perturbed(list(model_with_gradients().parameters()), rho, count=True) as found:
            shares[rho] = float(found.moved)
            assert found.inert == (shares[rho] == 0)
    assert shares[0.0] == 0
    assert shares[1e-15] < 0.2 < 0.8 < shares[0.5] <= 1
    assert shares[1e-15] < shares[1e-4] <= shares[0.5]


def test_batch_norm_statistics_are_updated_once_a_step():
    model = model_with_gradients()
    norm = model[1]
    mean, variance, count = norm.running_mean.clone(), norm.running_var.clone(), norm.num_batches_tracked.clone()
    with second_pass([model]):
        inside = model(torch.randn(8, 5))
    assert torch.equal(norm.running_mean, mean)
    assert torch.equal(norm.running_var, variance)
    assert torch.equal(norm.num_batches_tracked, count)
    assert norm.track_running_stats
    assert inside.requires_grad


def test_the_second_pass_can_draw_the_same_dropout_masks():
    model = nn.Sequential(nn.Dropout(0.5))
    again = dropout_state([model], torch.device("cpu"))
    first = model(torch.ones(100))
    again()
    assert torch.equal(model(torch.ones(100)), first)
    assert dropout_state([nn.Linear(2, 2)], torch.device("cpu")) is None


def test_a_perturbation_that_moves_nothing_is_told_and_keeps_the_gradients():
    model = model_with_gradients()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter[parameter == 0] = 0.1  # zeros move at any rho
    before = [parameter.grad.clone() for parameter in model.parameters()]
    with perturbed(list(model.parameters()), 1e-15) as found:
        assert found.inert
        assert found.moved is None
    assert all(torch.equal(now.grad, old) for now, old in zip(model.parameters(), before, strict=True))
    with perturbed(list(model.parameters()), 0.1) as found:
        assert not found.inert
        assert all(parameter.grad is None for parameter in model.parameters())
