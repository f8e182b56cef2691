"""PMR against its equations in plain float64, and what users rely on: prototypes are class means, no class is a trap."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from fused import agree_in_any_order, back, begun, first_step, give_weights, logits_of, same_bits
from hypothesis import given
from hypothesis import strategies as st
from plain import (
    SGD,
    Arrays,
    Net,
    agree,
    batches,
    cross_entropies,
    slope,
    softmax,
    tiny_training,
    train_to_the_end,
    weights_of,
)

from igmsweep.config import TrainConfig
from igmsweep.data.loader import Loader
from igmsweep.methods.pmr import behind
from igmsweep.methods.prototypes import distances, entropy, prototypical
from igmsweep.train import Training, train

EPOCHS, CLASSES = 3, 3
SHORT = {"stages__cycles": 1, "stages__epochs": 1, "optim__batch_size": 50}  # three steps


@pytest.mark.parametrize("modalities", [2, 3])
@pytest.mark.parametrize(
    "changes",
    [
        {"alpha": 3.0, "fraction": 0.3, "entropy": 5.0, "entropy_end": 0.5},
        {"alpha": 3.0, "fusion": "sum", "momentum": 0.7, "entropy": 0.0},
        {"coefficients": "hard", "entropy": 0.0, "end": 0.6},
        {"alpha": 0.0, "entropy": 20.0, "entropy_end": 1.0, "end": 1.0, "fraction": 1.0},
    ],
    ids=str,
)
def test_a_training_is_its_equations(toy_config, modalities, changes):
    """c_m[k] = mean z_m of class k, c <- (1 - mom) c_new + mom c_old; q_m = softmax(-||z_m - c_m||); s_m = sum_i q_m,i[y_i];
    beta_m = clip(max_j s_j / s_m - 1, 0, 1), or 1[s_m < max_j s_j]; L = CE + alpha sum_m beta_m CE(-||z_m - c_m||, y)
    - mu max_j beta_j H(q of the leader)."""
    training = tiny_training(
        toy_config(modalities, {"name": "pmr", **changes}, stages__cycles=1, stages__epochs=EPOCHS, model__head=[])
    )
    params = training.config.method
    net = Net(weights_of(training))
    sgd = SGD(net)
    names = training.config.modalities
    prototypes: dict[str, np.ndarray] = {}
    acted = 0.0
    for epoch in range(EPOCHS):
        acts = epoch / EPOCHS < params.end
        if acts:
            training.run.epoch = epoch  # every epoch looks at other samples
            for m, new in class_means(net, training, params.fraction).items():
                old = prototypes.get(m, new)
                prototypes[m] = (1 - params.momentum) * new + params.momentum * old
        for batch in batches(training, epoch):
            z = {m: net.encode(m, batch.x[m]) for m in names}
            grads: Arrays = {}
            dz = back(net, params.fusion, z, slope(logits_of(net, params.fusion, z), batch.y), grads)
            if acts:
                rows = np.arange(len(batch.y))
                away = {m: z[m][:, None, :] - prototypes[m][None, :, :] for m in names}  # (batch, classes, d)
                d = {m: np.sqrt((away[m] ** 2).sum(-1)) for m in names}
                q = {m: softmax(-d[m]) for m in names}
                s = {m: q[m][rows, batch.y].sum() for m in names}
                best = max(s.values())
                if params.coefficients == "hard":
                    beta = {m: float(s[m] < best) for m in names}
                else:
                    beta = {m: min(max(best / s[m] - 1, 0.0), 1.0) for m in names}
                for m in names:
                    du = params.alpha * beta[m] * slope(-d[m], batch.y)  # by u = -d
                    if s[m] == best and epoch / EPOCHS < params.entropy_end:
                        h = -(q[m] * np.log(q[m])).sum(1, keepdims=True)
                        du = du + params.entropy * max(beta.values()) * q[m] * (np.log(q[m]) + h) / len(rows)
                    dz[m] = dz[m] + (du[:, :, None] * -away[m] / d[m][:, :, None]).sum(1)
                    acted += beta[m]
            for m in names:
                net.encode_back(m, batch.x[m], z[m], dz[m], grads)
            sgd.step(grads)
    train_to_the_end(training)
    assert acted > 0.01
    agree(training, net.w)


def class_means(net: Net, training: Training, share: float) -> Arrays:
    """The mean feature of every class, (classes, d), over samples without augmentation."""
    z: dict[str, list[np.ndarray]] = {m: [] for m in training.config.modalities}
    y: list[np.ndarray] = []
    for batch in training.run.clean(share):
        y.append(batch.labels.numpy())
        for m in z:
            z[m].append(net.encode(m, batch.inputs[m].flatten(1).double().numpy()))
    labels = np.concatenate(y)
    return {m: np.stack([np.concatenate(each)[labels == k].mean(0) for k in range(CLASSES)]) for m, each in z.items()}


@pytest.mark.slow
@pytest.mark.parametrize("modalities", [2, 3])
@pytest.mark.parametrize("fusion", ["concat", "sum"])
def test_without_weights_it_is_joint_training_to_the_bit(toy_config, fusion, modalities):
    pmr = {"name": "pmr", "fusion": fusion, "alpha": 0.0, "entropy": 0.0}
    joint = toy_config(modalities, {"name": "joint", "fusion": fusion}, model__head=[], **SHORT)
    assert same_bits(toy_config(modalities, pmr, **SHORT), joint)


def test_prototypes_touch_neither_statistics_nor_randomness(toy_config):
    """Passes for prototypes are made, and weigh next to nothing: the rest of the training is joint training."""
    pmr = {"name": "pmr", "alpha": 1e-30, "entropy": 0.0}
    joint = toy_config(2, {"name": "joint", "fusion": "concat"}, model__head=[], **SHORT)
    assert same_bits(toy_config(2, pmr, **SHORT), joint)
    assert not same_bits(toy_config(2, {**pmr, "alpha": 5.0}, **SHORT), joint)


@pytest.mark.parametrize("fusion", ["concat", "sum"])
def test_the_order_of_the_modalities_does_not_matter(toy_config, fusion):
    method = {"name": "pmr", "fusion": fusion, "alpha": 3.0}
    config = toy_config(3, method, **SHORT)
    other = TrainConfig(data=f"{Path(__file__).parent / 'reordered_toy.py'}:M2_M0_M1", method=method, device="cpu")
    other = other.override({key.replace("__", "."): value for key, value in SHORT.items()})
    one, two = tiny_training(config), tiny_training(other)
    give_weights(one, two)
    train_to_the_end(one), train_to_the_end(two)
    agree_in_any_order(one, two)


def test_prototypes_are_the_class_means_of_features_in_evaluation_mode(toy_config):
    """Of all samples, without augmentation; the second time a share `momentum` of the old ones stays."""
    training = Training(toy_config(2, {"name": "pmr", "fraction": 1.0, "momentum": 0.25}))
    run = training.run
    begun(training)
    first = means(training)
    for name, expected in first.items():
        assert torch.allclose(training.method.state[name], expected, atol=1e-6)
    with torch.no_grad():
        for parameter in run.model.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    training.method.begin_epoch(run)
    for name, new in means(training).items():
        assert not torch.allclose(new, first[name], atol=1e-2)
        assert torch.allclose(training.method.state[name], 0.75 * new + 0.25 * first[name], atol=1e-6)


def means(training: Training) -> dict[str, torch.Tensor]:
    training.model.eval()
    partition = training.data.train
    labels = torch.as_tensor(partition.labels)
    with torch.no_grad():
        z = training.model.encode({m: torch.as_tensor(np.array(x)) for m, x in partition.arrays.items()})
    training.model.train()
    return {m: torch.stack([each[labels == k].mean(0) for k in range(CLASSES)]) for m, each in z.items()}


def test_a_class_without_samples_keeps_its_prototype_and_one_without_any_is_left_out(toy_config):
    training = Training(toy_config(2, {"name": "pmr", "fraction": 1.0, "momentum": 0.0, "alpha": 2.0}))
    run, method = training.run, training.method
    labels = training.data.train.labels
    share = {"classes": [0]}

    def clean(_: float) -> Loader:
        rows = np.flatnonzero(np.isin(labels, share["classes"]))
        return Loader(run.train.dataset, training.data.train, 16, run.device, rows=rows)

    run.clean = clean
    batch = begun(training)
    assert method.state["known"].tolist() == [True, False, False]
    log = method.step(run, batch)  # most labels have no prototype
    assert torch.isfinite(log["loss"])
    assert all(torch.isfinite(x).all() for x in run.model.state_dict().values())
    old = method.state["m0"][0].clone()
    share["classes"] = [1, 2]
    method.begin_epoch(run)
    assert method.state["known"].all()
    assert torch.equal(method.state["m0"][0], old)
    assert all(torch.isfinite(method.state[name]).all() for name in ("m0", "m1"))


def test_a_fraction_too_small_for_every_class_trains_all_the_same(toy_config):
    """Two samples of three classes: the third one's labels have no prototypical loss."""
    result = train(toy_config(2, {"name": "pmr", "fraction": 0.01}, **SHORT))
    assert np.isfinite(result.history[-1]["train/loss"])


def test_samples_without_a_prototype_take_no_part_in_the_loss():
    """The mean is over the samples that have one."""
    z = torch.randn(6, 4, dtype=torch.float64)
    labels = torch.tensor([0, 1, 2, 0, 1, 2])
    known = torch.tensor([True, True, False])
    u = distances(z, torch.randn(3, 4, dtype=torch.float64), known)
    kept = labels != 2
    expected = cross_entropies(u[kept][:, :2].numpy(), labels[kept].numpy()).mean()
    assert float(prototypical(u, labels, known)) == pytest.approx(expected, abs=1e-12)
    nobody = prototypical(u, torch.full((6,), 2), known)
    assert nobody == 0


def test_a_feature_on_its_prototype_has_a_finite_gradient():
    z = torch.zeros(1, 4, requires_grad=True)
    u = distances(z, torch.zeros(2, 4), torch.tensor([True, False]))
    assert u[0, 1] == float("-inf")
    (u[0, 0] + entropy(u)).backward()
    assert torch.isfinite(z.grad).all()


def test_q_is_by_euclidean_distance_not_squared():
    u = distances(torch.tensor([[3.0, 4.0]]), torch.tensor([[0.0, 0.0], [3.0, 0.0]]), torch.ones(2, dtype=torch.bool))
    assert u.tolist() == [pytest.approx([-5.0, -4.0])]


def test_beta_is_how_far_a_modality_is_behind():
    """clip(max s / s_m - 1, 0, 1) by hand: 6 and 4 give 0.5, three times as much gives 1; released: whoever is behind."""
    assert behind(torch.tensor([6.0, 4.0])).tolist() == pytest.approx([0, 0.5])
    assert behind(torch.tensor([6.0, 2.0, 5.0])).tolist() == pytest.approx([0, 1, 0.2])
    assert behind(torch.tensor([6.0, 2.0, 5.0]), hard=True).tolist() == [0, 1, 1]
    assert behind(torch.tensor([6.0, 6.0]), hard=True).tolist() == [0, 0]


@given(st.lists(st.floats(0, 64), min_size=2, max_size=4), st.booleans())
def test_beta_is_in_0_to_1_and_0_for_the_leader_also_where_scores_are_0(scores, hard):
    beta = behind(torch.tensor(scores, dtype=torch.float64), hard)
    assert ((beta >= 0) & (beta <= 1)).all()
    assert beta[int(np.argmax(scores))] == 0
    if 0 in scores and max(scores) > 1e-6:
        assert beta[scores.index(0)] == 1


def test_the_entropy_is_that_of_q_and_its_reward_raises_that_of_the_leader(toy_config):
    """One step on L - mu max beta H: the modality with the best score ends with a larger H than without the reward."""
    u = torch.tensor([[-1.0, -1.0, -1.0], [0.0, -50.0, -50.0]])
    assert float(entropy(u)) == pytest.approx(np.log(3) / 2, abs=1e-6)
    reached = {}
    for mu in (1e-9, 20.0):
        method = {"name": "pmr", "alpha": 0.0, "entropy": mu, "coefficients": "hard", "fraction": 1.0}
        training = tiny_training(toy_config(2, method, **SHORT))
        batch, state = begun(training), training.method.state
        beta = {m: float(x) for m, x in training.method.step(training.run, batch).items() if "beta" in m}
        (leader,) = [m.rpartition("/")[2] for m, x in beta.items() if x == 0]
        z = training.model.encode(batch.inputs)[leader].detach()
        reached[mu] = float(entropy(distances(z, state[leader], state["known"])))
    assert reached[20.0] > reached[1e-9] + 1e-5


@pytest.mark.parametrize("fusion", ["concat", "sum"])
def test_it_trains_in_bfloat16_and_on_frozen_encoders(toy_config, fusion):
    method = {"name": "pmr", "fusion": fusion}
    training = Training(toy_config(2, method, precision="bf16", **SHORT))
    row = train_to_the_end(training)[-1]
    assert row["train/loss"] < 1.2
    assert training.method.state["m0"].dtype == torch.float32
    training = Training(toy_config(2, method, model__frozen__m0=True, **SHORT))
    before = {name: x.clone() for name, x in training.model.encoders["m0"].state_dict().items()}
    train_to_the_end(training)
    assert all(torch.equal(x, before[name]) for name, x in training.model.encoders["m0"].state_dict().items())


def test_statistics_are_those_of_the_one_pass_of_a_step(toy_config):
    pmr, _ = first_step(toy_config(2, {"name": "pmr", "fraction": 1.0}))
    joint, _ = first_step(toy_config(2, {"name": "joint", "fusion": "concat"}, model__head=[]))
    statistics = [name for name in pmr if "running" in name or "num_batches" in name]
    assert statistics
    assert all(torch.equal(pmr[name], joint[name]) for name in statistics)
