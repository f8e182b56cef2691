"""MMPareto against its equations in plain float64, its weights of least norm, and gradients that vanish."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from fused import agree_in_any_order, begun, first_step, give_weights, same_bits, size_of_change
from hypothesis import given, settings
from hypothesis import strategies as st
from plain import (
    SGD,
    Arrays,
    Net,
    agree,
    batches,
    gradients,
    predict,
    slope,
    tiny_training,
    train_to_the_end,
    weights_of,
)

from igmsweep.config import TrainConfig
from igmsweep.methods.mmpareto import least_norm
from igmsweep.train import Training

EPOCHS = 3


def dot(one: Arrays, other: Arrays) -> float:
    return float(sum((one[key] * other[key]).sum() for key in one))


def weight(mm: Arrays, u: Arrays) -> tuple[float, bool]:
    """a of a g_mm + (1 - a) g_u, and whether they are in conflict: a half where their cosine is not negative, else
    (g_u.g_u - g_mm.g_u) / ||g_mm - g_u||^2."""
    product = dot(mm, u)
    if product >= 0:
        return 0.5, False
    return (dot(u, u) - product) / (dot(mm, mm) + dot(u, u) - 2 * product), True


def length(gradient: Arrays) -> float:
    return float(np.sqrt(dot(gradient, gradient)))


def reconciled(mm: Arrays, u: Arrays, rescale: str) -> tuple[Arrays, bool]:
    """h = 2 a g_mm + 2 (1 - a) g_u, as long as g_mm + g_u where that is longer, over the encoder or tensor by tensor."""
    a, conflict = weight(mm, u)
    h = {key: 2 * a * mm[key] + 2 * (1 - a) * u[key] for key in mm}
    total = {key: mm[key] + u[key] for key in mm}
    groups = [list(mm)] if rescale == "encoder" else [[key] for key in mm]
    found = {}
    for keys in groups:
        longer = length({key: total[key] for key in keys}) / length({key: h[key] for key in keys})
        found |= {key: max(1.0, longer) * h[key] for key in keys}
    return found, conflict


@pytest.mark.slow
@pytest.mark.parametrize("modalities", [2, 3])
@pytest.mark.parametrize("rescale", ["encoder", "tensor"])
def test_two_gradients_an_encoder_are_reconciled(toy_config, modalities, rescale):
    """Heads take the plain gradient of L_mm + sum_m L_m, encoders gamma times the reconciled one."""
    method = {"name": "mmpareto", "rescale": rescale, "gamma": 1.5}
    config = toy_config(modalities, method, stages__cycles=1, stages__epochs=EPOCHS, model__head=[])
    training = in_conflict(tiny_training(config))
    names = list(config.modalities)
    net = Net(weights_of(training))
    sgd = SGD(net)
    conflicts: dict[str, list[float]] = {m: [] for m in names}
    per_epoch = []
    for epoch in range(EPOCHS):
        conflicts = {m: [] for m in names}
        for batch in batches(training, epoch):
            logits = predict(net, names, batch)
            fused = gradients(net, names, batch, {"fused": slope(logits["fused"], batch.y)})
            grads = {key: g for key, g in fused.items() if key.startswith("joint")}
            for m in names:
                own = gradients(net, names, batch, {m: slope(logits[m], batch.y)})
                encoder = [key for key in own if key.startswith(f"encoders.{m}.")]
                grads |= {key: own[key] for key in own if key.startswith(f"heads.{m}.")}
                h, conflict = reconciled({k: fused[k] for k in encoder}, {k: own[k] for k in encoder}, rescale)
                grads |= {key: 1.5 * each for key, each in h.items()}
                conflicts[m].append(float(conflict))
            sgd.step(grads)
        per_epoch.append({m: float(np.mean(each)) for m, each in conflicts.items()})
    rows = train_to_the_end(training)
    agree(training, net.w)
    for row, found in zip(rows, per_epoch, strict=True):
        assert {m: row[f"mmpareto/conflict/{m}"] for m in names} == pytest.approx(found)
    shares = [share for found in per_epoch for share in found.values()]
    assert 0 < np.mean(shares) < 1  # both branches were taken


def in_conflict(training: Training) -> Training:
    """Begin with heads that want opposite things of the encoders, as training alone seldom brings about on toy data."""
    columns = training.model.slices()
    with torch.no_grad():
        for name in training.model.modalities:
            training.model.joint[0].weight[:, columns[name]] = -training.model.heads[name][0].weight
    return training


def test_gradients_that_agree_are_summed(toy_config):
    """Where no encoder is in conflict and gamma is 1, it is joint training with unimodal losses."""
    fixed = {"stages__cycles": 1, "stages__epochs": 1, "model__head": []}
    ours = tiny_training(toy_config(2, {"name": "mmpareto", "gamma": 1.0}, **fixed))
    joint = tiny_training(toy_config(2, {"name": "joint", "fusion": "concat", "unimodal_weight": 1.0}, **fixed))
    columns = ours.model.slices()
    with torch.no_grad():
        for name in ours.model.modalities:
            ours.model.joint[0].weight[:, columns[name]] = ours.model.heads[name][0].weight
    joint.model.load_state_dict(ours.model.state_dict())
    (row,) = train_to_the_end(ours)
    train_to_the_end(joint)
    assert row["mmpareto/conflict/m0"] == row["mmpareto/conflict/m1"] == 0
    agree(ours, weights_of(joint), 1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("modalities", [2, 3])
def test_equal_weights_and_gamma_one_are_joint_training_bit_for_bit(toy_config, modalities):
    fixed = {"stages__cycles": 1, "stages__epochs": 1, "model__head": []}
    ours = toy_config(modalities, {"name": "mmpareto", "weights": "equal", "gamma": 1.0}, **fixed)
    joint = toy_config(modalities, {"name": "joint", "fusion": "concat", "unimodal_weight": 1.0}, **fixed)
    assert same_bits(ours, joint)


def test_the_order_of_the_modalities_does_not_matter(toy_config):
    fixed = {"stages.cycles": 1, "stages.epochs": 2, "model.head": []}
    data = f"{Path(__file__).parent / 'reordered_toy.py'}:M2_M0_M1"
    one = in_conflict(tiny_training(toy_config(3, "mmpareto").override(fixed)))
    other = tiny_training(TrainConfig(data=data, method="mmpareto", device="cpu").override(fixed))
    give_weights(one, other)
    train_to_the_end(one)
    train_to_the_end(other)
    agree_in_any_order(one, other)


vectors = st.lists(st.floats(-3, 3), min_size=4, max_size=4).map(np.array)


@settings(deadline=None)
@given(vectors, vectors)
def test_no_weight_on_a_grid_makes_a_shorter_gradient(mm, u):
    """The closed form, at its ends .999 and .001 as released (which miss the least norm by no more than a thousandth)."""
    found = float(least_norm(*(torch.tensor(float(x)) for x in (mm @ mm, u @ u, mm @ u))))
    assert 0 <= found <= 1
    grid = np.linspace(0, 1, 1001)
    norms = np.linalg.norm(grid[:, None] * mm + (1 - grid[:, None]) * u, axis=1)
    ours = np.linalg.norm(found * mm + (1 - found) * u)
    assert ours <= norms.min() + 1e-3 * np.linalg.norm(mm - u) + 1e-5


def test_the_closed_form_by_hand():
    """Orthogonal gradients of lengths 1 and 2: a = 4 / 5. One that lies along the other and is longer: its end."""
    for mm, u, product, expected in [(1, 4, 0, 0.8), (1, 4, 2, 0.999), (4, 1, 2, 0.001), (1, 1, -1, 0.5)]:
        found = least_norm(*(torch.tensor(float(each)) for each in (mm, u, product)))
        assert float(found) == pytest.approx(expected)


def step_with(training: Training, fused: float, own: float) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Gradients and values of encoder m0's weights after one reconciliation, its losses being `fused` and `own` times half the
    sum of the weights' squares: parallel gradients, in conflict where the signs differ."""
    begun(training)
    run = training.run
    squares = {m: sum((each**2).sum() for each in run.model.backbone(m)) / 2 for m in ("m0", "m1")}
    heads = sum((each**2).sum() for each in run.model.shared())
    mm = fused * squares["m0"] + squares["m1"] + heads
    losses = {m: (own if m == "m0" else 1.0) * squares[m] for m in squares}
    training.method._reconciled(run, mm, losses, 1.0)
    return [(each.grad, each.detach()) for each in run.model.backbone("m0")]


@pytest.mark.parametrize("rescale", ["encoder", "tensor"])
@pytest.mark.parametrize(("fused", "own"), [(0.0, 0.0), (1.0, 0.0), (0.0, 1.0), (1.0, -1.0)])
def test_gradients_of_nothing_stay_finite(toy_config, rescale, fused, own):
    """Cosine 0 / 0, and g_mm = -g_u, whose combination is nothing and cannot be lengthened (||h|| = 0)."""
    method = {"name": "mmpareto", "rescale": rescale}
    training = tiny_training(toy_config(2, method, stages__cycles=1, stages__epochs=1, model__head=[]))
    for gradient, values in step_with(training, fused, own):
        assert torch.allclose(gradient, (fused + own) * values, atol=1e-12)


def test_gradients_in_conflict_are_lengthened_to_the_sum(toy_config):
    """g_mm = w, g_u = -3 w: the least norm is nothing but round-off, and what becomes of it is no longer than the sum."""
    training = tiny_training(toy_config(2, "mmpareto", stages__cycles=1, stages__epochs=1, model__head=[]))
    pairs = step_with(training, 1.0, -3.0)
    found = torch.cat([gradient.flatten() for gradient, _ in pairs])
    total = torch.cat([(-2.0 * values).flatten() for _, values in pairs])
    assert found.isfinite().all()
    assert found.norm() <= total.norm() * (1 + 1e-9)


@pytest.mark.slow
@pytest.mark.parametrize("weights", ["pareto", "equal"])
@pytest.mark.parametrize(("optimizer", "acts_on"), [("sgd", "auto"), ("sgd", "rate"), ("adam", "auto")])
def test_gamma_acts_on_the_step(toy_config, optimizer, acts_on, weights):
    """On the gradient under SGD and on the rate under Adam: both ways an encoder's first step is gamma times as long. A
    rate is a whole modality's, so that it moves the modality's own head too; the fused head it leaves alone."""
    sizes = []
    for gamma in (1.0, 0.5):
        method = {"name": "mmpareto", "gamma": gamma, "acts_on": acts_on, "weights": weights}
        config = toy_config(2, method, optim__name=optimizer, optim__weight_decay=0.0, model__head=[])
        change, _ = first_step(config)
        sizes.append({part: size_of_change(change, part) for part in ("encoders.m0.stem", "heads.m0", "joint")})
    one, half = sizes
    assert half["joint"] == one["joint"] > 0
    assert half["encoders.m0.stem"] == pytest.approx(0.5 * one["encoders.m0.stem"], rel=1e-4)
    by_rate = "rate" in acts_on or optimizer == "adam"
    assert half["heads.m0"] == pytest.approx((0.5 if by_rate else 1.0) * one["heads.m0"], rel=1e-4)


def test_gamma_on_gradients_is_nothing_to_adam(toy_config):
    """Why `auto` goes by rates there: Adam divides a constant factor out again."""
    sizes = []
    for gamma in (1.0, 0.5):
        method = {"name": "mmpareto", "gamma": gamma, "acts_on": "gradient"}
        config = toy_config(2, method, optim__name="adam", optim__weight_decay=0.0, model__head=[])
        change, _ = first_step(config)
        sizes.append(size_of_change(change, "encoders.m0.stem"))
    assert sizes[1] == pytest.approx(sizes[0], rel=1e-3)
