"""OGM-GE against its equations in plain float64, and what users rely on: who is slowed, by how much, and under Adam too."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from fused import (
    agree_in_any_order,
    back,
    first_step,
    give_weights,
    logits_of,
    parts_of,
    same_bits,
    size_of_change,
)
from hypothesis import given
from hypothesis import strategies as st
from plain import SGD, Net, Tiny, agree, batches, slope, softmax, tiny_training, train_to_the_end, weights_of
from torch import nn

from igmsweep.config import TrainConfig
from igmsweep.methods.ogm import coefficients
from igmsweep.seeds import derived_seed
from igmsweep.train import Training, train

EPOCHS = 2
SHORT = {"stages__cycles": 1, "stages__epochs": 1, "optim__batch_size": 50}  # three steps
SCORES = st.lists(st.floats(0, 64, width=32), min_size=2, max_size=4)


@pytest.mark.parametrize("modalities", [2, 3])
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"ge": False, "fusion": "sum"},
        {"ge": False, "ratio": "weakest", "alpha": 0.3},
        {"scope": "all", "fusion": "sum"},
        {"ge": False, "acts_on": "rate"},
        {"acts_on": "rate", "fusion": "sum"},
        {"start": 0.5, "ge": False},
        {"end": 0.5},
    ],
    ids=str,
)
def test_a_training_is_its_equations(toy_config, modalities, changes):
    """s_m = sum_i softmax(W_m z_m + b / M)[y_i]; rho_m = mean_j s_m / s_j; k_m = 1 - tanh(alpha rho_m) where rho_m > 1,
    else 1; g <- k_m g + N(0, std(g)^2) for the encoder's weight tensors."""
    method = {"name": "ogm", **changes}
    training = tiny_training(toy_config(modalities, method, stages__cycles=1, stages__epochs=EPOCHS, model__head=[]))
    params = training.config.method
    net = Net(weights_of(training))
    sgd = SGD(net)
    names = training.config.modalities
    slowed = 0
    for epoch in range(EPOCHS):
        generator = torch.Generator().manual_seed(derived_seed(training.config.seed, "method", epoch))
        for batch in batches(training, epoch):
            z = {m: net.encode(m, batch.x[m]) for m in names}
            grads: dict[str, np.ndarray] = {}
            dz = back(net, params.fusion, z, slope(logits_of(net, params.fusion, z), batch.y), grads)
            for m in names:
                net.encode_back(m, batch.x[m], z[m], dz[m], grads)
            if not params.start <= epoch / EPOCHS < params.end:
                sgd.step(grads)
                continue

            rows = np.arange(len(batch.y))
            parts = parts_of(net, params.fusion, z)
            s = {m: softmax(parts[m])[rows, batch.y].sum() + 1e-8 for m in names}
            k = {}
            for m in names:
                ratios = [s[m] / s[j] for j in names if j != m]
                rho = np.mean(ratios) if params.ratio == "mean" else np.max(ratios)
                k[m] = 1 - np.tanh(params.alpha * rho) if rho > 1 else 1.0
                slowed += k[m] < 1

            for m in names:
                for part in ("weight", "bias") if params.scope == "all" else ("weight",):
                    g = grads[f"encoders.{m}.layer.{part}"]
                    factor = 1.0 if params.acts_on == "rate" else k[m]
                    noise = torch.randn(g.shape, generator=generator, dtype=torch.float64).numpy() if params.ge else 0
                    grads[f"encoders.{m}.layer.{part}"] = factor * g + noise * (g.std(ddof=1) + 1e-8)
            sgd.step(grads, k if params.acts_on == "rate" else None)
    train_to_the_end(training)
    assert slowed > 0
    agree(training, net.w)


@pytest.mark.slow
@pytest.mark.parametrize("modalities", [2, 3])
@pytest.mark.parametrize("fusion", ["concat", "sum"])
def test_without_strength_and_noise_it_is_joint_training_to_the_bit(toy_config, fusion, modalities):
    ogm = {"name": "ogm", "fusion": fusion, "alpha": 1e-12, "ge": False}
    joint = toy_config(modalities, {"name": "joint", "fusion": fusion}, model__head=[], **SHORT)
    assert same_bits(toy_config(modalities, ogm, **SHORT), joint)


def test_outside_its_window_it_is_joint_training_to_the_bit(toy_config):
    joint = toy_config(2, {"name": "joint", "fusion": "concat"}, model__head=[], **SHORT)
    assert same_bits(toy_config(2, {"name": "ogm", "end": 0.0}, **SHORT), joint)
    assert not same_bits(toy_config(2, {"name": "ogm", "end": 1.0, "ge": False}, **SHORT), joint)


@pytest.mark.parametrize("fusion", ["concat", "sum"])
def test_the_order_of_the_modalities_does_not_matter(toy_config, fusion):
    method = {"name": "ogm", "fusion": fusion, "ge": False}
    config = toy_config(3, method, **SHORT)
    other = TrainConfig(data=f"{Path(__file__).parent / 'reordered_toy.py'}:M2_M0_M1", method=method, device="cpu")
    other = other.override({key.replace("__", "."): value for key, value in SHORT.items()})
    one, two = tiny_training(config), tiny_training(other)
    assert one.model.modalities != two.model.modalities
    give_weights(one, two)
    train_to_the_end(one), train_to_the_end(two)
    agree_in_any_order(one, two)


def test_k_is_the_papers_rule():
    """Eq. 10: k = 1 - tanh(alpha rho) where rho > 1, else 1; by hand for scores of 6 and 4 (rho 1.5 and 2/3)."""
    k = coefficients(torch.tensor([6.0, 4.0]), 0.8)
    assert k.tolist() == pytest.approx([1 - np.tanh(0.8 * 1.5), 1.0], abs=1e-6)
    # three modalities: rho_1 = (6/4 + 6/3) / 2, rho_2 = (4/6 + 4/3) / 2 = 1, rho_3 < 1; against the weakest, rho_2 = 4/3
    scores = torch.tensor([6.0, 4.0, 3.0], dtype=torch.float64)
    assert coefficients(scores, 0.8).tolist() == pytest.approx([1 - np.tanh(0.8 * 1.75), 1, 1], abs=1e-6)
    expected = [1 - np.tanh(0.8 * 2), 1 - np.tanh(0.8 * 4 / 3), 1]
    assert coefficients(scores, 0.8, "weakest").tolist() == pytest.approx(expected, abs=1e-6)


@given(SCORES, st.floats(1e-3, 100), st.sampled_from(["mean", "weakest"]))
def test_the_weakest_is_never_slowed_and_scores_of_zero_give_no_nan(scores, alpha, ratio):
    k = coefficients(torch.tensor(scores, dtype=torch.float64), alpha, ratio)
    assert ((k >= 0) & (k <= 1)).all()
    assert k[int(np.argmin(scores))] == 1
    if len(set(scores)) == 1:
        assert (k == 1).all()
    if len(scores) == 2:
        assert (k < 1).sum() <= 1
    back_to_front = coefficients(torch.tensor(scores[::-1], dtype=torch.float64), alpha, ratio)
    assert torch.allclose(back_to_front.flip(0), k, atol=1e-12)


@pytest.mark.parametrize("ge", [True, False])
def test_tensors_of_one_element_stay_finite(toy_config, ge):
    """Their standard deviation is not a number; the factor acts on them all the same."""

    class Scaled(Tiny):
        def __init__(self, inputs: int, features: int) -> None:
            super().__init__(inputs, features)
            self.scale = nn.Parameter(torch.ones(1))

        def forward(self, x):
            return self.scale * super().forward(x)

    training = tiny_training(toy_config(2, {"name": "ogm", "scope": "all", "ge": ge}, **SHORT))
    for name in training.model.modalities:
        training.model.encoders[name] = Scaled(64, training.model.sizes[name]).double()
    train_to_the_end(training)
    assert all(torch.isfinite(x).all() for x in training.model.state_dict().values())
    assert all(training.model.encoders[name].scale != 1 for name in training.model.modalities)


@pytest.mark.slow
@pytest.mark.parametrize("scope", ["conv", "weights", "all"])
def test_the_scope_says_which_tensors_of_the_encoder_are_slowed(toy_config, scope):
    """k is 0 to the bit, and there is no weight decay: what is in the scope of the leader does not move."""
    method = {"name": "ogm", "scope": scope, "ge": False, "alpha": 1000.0}
    change, log = first_step(toy_config(2, method, optim__weight_decay=0.0))
    leader = next(name for name in ("m0", "m1") if log[f"ogm/k/{name}"] == 0)
    rest = {name: bool(x.any()) for name, x in change.items() if "running" not in name and "num_batches" not in name}
    for name, moved in rest.items():
        in_scope = name.startswith(f"encoders.{leader}") and (change[name].ndim >= 3 or scope == "all")
        assert moved != in_scope, name


def test_under_adam_the_factor_acts_on_rates(toy_config):
    """A constant factor on a gradient cancels under Adam: the leader would be slowed in name alone."""
    steps = {}
    for acts_on in ("auto", "rate", "gradient"):
        method = {"name": "ogm", "ge": False, "alpha": 1.0, "acts_on": acts_on}
        change, log = first_step(toy_config(2, method, optim__name="adam", optim__weight_decay=0.0))
        k = {name: float(log[f"ogm/k/{name}"]) for name in ("m0", "m1")}
        steps[acts_on] = {name: size_of_change(change, f"encoders.{name}.stem") for name in k}
    leader = min(k, key=lambda name: k[name])
    assert k[leader] < 0.3
    assert steps["auto"] == steps["rate"]
    assert steps["auto"][leader] == pytest.approx(k[leader] * steps["gradient"][leader], rel=0.01)


@pytest.mark.slow
def test_under_sgd_the_factor_acts_on_gradients(toy_config):
    configs = {
        acts_on: toy_config(2, {"name": "ogm", "acts_on": acts_on}, **SHORT) for acts_on in ("auto", "gradient", "rate")
    }
    assert same_bits(configs["auto"], configs["gradient"])
    assert not same_bits(configs["auto"], configs["rate"])


@pytest.mark.parametrize("fusion", ["concat", "sum"])
def test_it_trains_in_bfloat16_and_on_frozen_encoders(toy_config, fusion):
    method = {"name": "ogm", "fusion": fusion}
    result = train(toy_config(2, method, precision="bf16", **SHORT))
    assert result.history[-1]["train/loss"] < 1.2
    training = Training(toy_config(2, method, model__frozen__m0=True, **SHORT))
    before = {name: x.clone() for name, x in training.model.encoders["m0"].state_dict().items()}
    for _ in training.epochs():
        pass
    assert all(torch.equal(x, before[name]) for name, x in training.model.encoders["m0"].state_dict().items())


def test_scores_leave_batch_statistics_to_the_one_pass(toy_config):
    ogm, _ = first_step(toy_config(2, "ogm"))
    joint, _ = first_step(toy_config(2, {"name": "joint", "fusion": "concat"}, model__head=[]))
    statistics = [name for name in ogm if "running" in name or "num_batches" in name]
    assert statistics
    assert all(torch.equal(ogm[name], joint[name]) for name in statistics)
