"""DOMFN against its equations in plain float64, and its gate."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from fused import agree_in_any_order, give_weights
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from plain import (
    SGD,
    Net,
    agree,
    batches,
    cross_entropies,
    gradients,
    onehot,
    predict,
    softmax,
    tiny_training,
    train_to_the_end,
    weights_of,
)

from igmsweep.config import TrainConfig
from igmsweep.methods.domfn import DOMFN, DOMFNParams, divergences
from igmsweep.models.multimodal import Output
from igmsweep.train import Training, train

EPOCHS = 4
ETA = 0.5


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def slopes(
    logits: dict[str, np.ndarray], y: np.ndarray, tau: float, sign: float
) -> tuple[dict[str, np.ndarray], float]:
    """Gradients of the batch's mean loss with respect to logits, sample by sample, and the share of samples that agree.

    Agreement: sum_m (CE_m^2 / 2 + sign eta D_m) + sum_m CE_m + CE_fused. Divergence: sum_m CE_m. CE_k is taken on
    o_k = sigmoid(l_k), and D_m = max_c (o_m[c] - mean_j o_j[c])^2.
    """
    names = [k for k in logits if k != "fused"]
    o = {k: sigmoid(each) for k, each in logits.items()}
    mean = np.mean([o[m] for m in names], axis=0)
    ce = {k: cross_entropies(o[k], y) for k in o}
    d_ce = {k: softmax(o[k]) - onehot(y, o[k].shape[1]) for k in o}
    found = {k: np.zeros_like(each) for k, each in o.items()}
    fused = 0
    for i in range(len(y)):
        furthest = {m: int(np.argmax((o[m][i] - mean[i]) ** 2)) for m in names}
        agrees = all((o[m][i, furthest[m]] - mean[i, furthest[m]]) ** 2 < tau for m in names)
        fused += agrees
        for m in names:
            found[m][i] += d_ce[m][i]
            if agrees:
                found[m][i] += ce[m][i] * d_ce[m][i]
                c = furthest[m]
                for j in names:  # o_j is in the mean too
                    inner = float(j == m) - 1 / len(names)
                    found[j][i, c] += sign * ETA * 2 * (o[m][i, c] - mean[i, c]) * inner
        if agrees:
            found["fused"][i] += d_ce["fused"][i]
    return {k: found[k] * o[k] * (1 - o[k]) / len(y) for k in found}, fused / len(y)


def alone(logits: dict[str, np.ndarray], y: np.ndarray) -> dict[str, np.ndarray]:
    """The same of sum_m CE_m, before fusion begins."""
    found = {}
    for m in logits:
        if m != "fused":
            o = sigmoid(logits[m])
            found[m] = (softmax(o) - onehot(y, o.shape[1])) * o * (1 - o) / len(y)
    return found


@pytest.mark.slow
@pytest.mark.parametrize(("modalities", "threshold"), [(2, 0.0005), (3, 0.004)])
@pytest.mark.parametrize("divergence", ["reward", "penalise"])
def test_samples_that_agree_are_fused_and_others_train_single_modalities(toy_config, modalities, threshold, divergence):
    """A quarter of the epochs trains the modalities alone, then every sample goes by its own divergence; the rates of
    the second part have a factor."""
    method = {"name": "domfn", "threshold": threshold, "divergence": divergence, "pretrain": 0.25, "rate": 0.5}
    training = tiny_training(toy_config(modalities, method, stages__cycles=1, stages__epochs=EPOCHS, optim__lr=0.3))
    names = list(training.config.modalities)
    net = Net(weights_of(training))
    shares = []
    for epoch in range(EPOCHS):
        if epoch in (0, 1):  # an optimiser a stage
            sgd = SGD(net, 0.3 if epoch == 0 else 0.15)
        for batch in batches(training, epoch):
            logits = predict(net, names, batch)
            if epoch == 0:
                sgd.step(gradients(net, names, batch, alone(logits, batch.y)))
            else:
                dl, share = slopes(logits, batch.y, threshold, -1.0 if divergence == "reward" else 1.0)
                sgd.step(gradients(net, names, batch, dl))
                shares.append(share)
    rows = train_to_the_end(training)
    agree(training, net.w)
    assert 0.05 < np.mean(shares) < 0.95  # both kinds of samples were there
    assert np.mean([row["domfn/fused"] for row in rows[1:]]) == pytest.approx(np.mean(shares))
    assert "domfn/fused" not in rows[0]


@pytest.mark.slow
def test_the_order_of_the_modalities_does_not_matter(toy_config):
    method = {"name": "domfn", "threshold": 0.004}
    fixed = {"stages__cycles": 1, "stages__epochs": 2}
    data = f"{Path(__file__).parent / 'reordered_toy.py'}:M2_M0_M1"
    one = tiny_training(toy_config(3, method, **fixed))
    other = tiny_training(
        TrainConfig(data=data, method=method, device="cpu").override({"stages.cycles": 1, "stages.epochs": 2})
    )
    give_weights(one, other)
    train_to_the_end(one)
    train_to_the_end(other)
    agree_in_any_order(one, other)


@settings(deadline=None)
@given(hnp.arrays(float, st.tuples(st.integers(2, 4), st.integers(1, 3), st.integers(2, 5)), elements=st.floats(0, 1)))
def test_no_divergence_passes_its_bound(outputs):
    """D_m <= ((M - 1) / M)^2 for outputs in [0, 1]: a quarter for two modalities, 0.444 for three."""
    found = divergences(torch.from_numpy(outputs))
    modalities = outputs.shape[0]
    assert found.shape == outputs.shape[:2]
    assert found.max() <= ((modalities - 1) / modalities) ** 2 + 1e-12


@pytest.mark.parametrize(("modalities", "bound"), [(2, 0.25), (3, 4 / 9)])
def test_the_bound_is_reached(modalities, bound):
    outputs = torch.zeros(modalities, 1, 3)
    outputs[0] = 1.0
    assert divergences(outputs).max() == pytest.approx(bound)


def test_the_released_threshold_never_parts_two_modalities(toy_config):
    """gamma tau = 0.8 * 0.5 = 0.4 is above a quarter, however far apart the logits are."""
    config = toy_config(2, {"name": "domfn", "preset": "released"})
    assert config.method.threshold == pytest.approx(0.4)
    method = DOMFN(config.method, ("m0", "m1"))
    far = {"m0": torch.full((4, 3), 90.0), "m1": torch.full((4, 3), -90.0)}
    fused = torch.randn(4, 3)
    assert torch.equal(method.fuse(Output({}, far, fused)), torch.softmax(torch.sigmoid(fused), -1))
    rows = train(config.override({"stages.cycles": 1, "stages.epochs": 2, "method.pretrain": 0.0})).history
    assert [row["domfn/fused"] for row in rows] == [1.0, 1.0]


def test_a_sample_that_diverges_is_predicted_by_the_surest_modality():
    """Of equally sure modalities by the first; the code leaves ties undefined."""
    method = DOMFN(DOMFNParams(threshold=0.01), ("a", "b", "c"))
    logits = {
        "a": torch.tensor([[0.0, 0.1, 0.0], [3.0, 0.0, 0.0], [-2.0, 2.0, 0.0]]),
        "b": torch.tensor([[0.0, 0.0, 0.1], [0.0, 5.0, 0.0], [2.0, -2.0, 0.0]]),
        "c": torch.tensor([[0.1, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, 0.0, 0.0]]),
    }
    fused = torch.tensor([[0.0, 0.0, 9.0], [0.0, 0.0, 9.0], [0.0, 0.0, 9.0]])
    found = method.fuse(Output({}, logits, fused))
    expected = torch.stack([fused[0], logits["b"][1], logits["a"][2]])
    assert torch.equal(found, torch.softmax(torch.sigmoid(expected), -1))
    assert torch.allclose(found.sum(-1), torch.ones(3))


def test_the_fused_head_rests_while_the_modalities_are_trained_alone(toy_config):
    training = Training(toy_config(2, {"name": "domfn", "pretrain": 0.5}, stages__cycles=1, stages__epochs=2))
    assert [(stage.name, stage.rate) for stage in training.stages] == [("pretrain", 1.0), ("train", 1.0)]
    first = {name: x.clone() for name, x in training.model.state_dict().items()}
    epochs = training.epochs()
    next(epochs)
    now = {name: x.clone() for name, x in training.model.state_dict().items()}
    assert all(torch.equal(x, first[name]) for name, x in now.items() if name.startswith("joint"))
    assert not torch.equal(now["heads.m0.0.weight"], first["heads.m0.0.weight"])
    next(epochs)
    assert not torch.equal(training.model.state_dict()["joint.0.weight"], now["joint.0.weight"])


def test_while_modalities_are_trained_alone_the_surest_predicts(toy_config):
    """The fused head is as it was drawn: scores of its predictions would judge a pre-training by chance."""
    config = toy_config(2, {"name": "domfn", "pretrain": 0.5}, stages__cycles=1, stages__epochs=6)
    rows = train_to_the_end(Training(config))
    for row in rows[1:]:
        assert row["val/acc"] >= min(row["val/m0/acc"], row["val/m1/acc"]) > 0.5
    method = DOMFN(config.method, ("a", "b"))
    logits = {"a": torch.tensor([[3.0, 0.0, 0.0]]), "b": torch.tensor([[2.9, 0.0, 0.0]])}
    fused = torch.tensor([[0.0, 0.0, 9.0]])
    assert method.fuse(Output({}, logits, fused)).argmax() == 2  # they agree
    method.own = method.modules(None)
    assert method.fuse(Output({}, logits, fused)).argmax() == 2
    method.own["gate"].fuses.fill_(0)
    assert method.fuse(Output({}, logits, fused)).argmax() == 0


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_where_no_sample_of_a_batch_agrees_the_fused_head_rests_with_its_momentum(toy_config, optimizer):
    method = {"name": "domfn", "pretrain": 0.0, "threshold": 0.25}
    training = Training(toy_config(2, method, stages__cycles=1, stages__epochs=2, optim__name=optimizer))
    next(training.epochs())  # some agree, and there is momentum
    training.method.params = training.method.params.model_copy(update={"threshold": -1.0})
    training.begin(0)
    head = [p.detach().clone() for p in training.model.shared()]
    own = [p.detach().clone() for p in training.model.part("m0")]
    for batch in training.run.train:
        training.method.step(training.run, batch)
    assert all(torch.equal(p, x) for p, x in zip(training.model.shared(), head, strict=True))
    assert not all(torch.equal(p, x) for p, x in zip(training.model.part("m0"), own, strict=True))


def test_where_no_sample_agrees_every_modality_trains_on_its_own_loss_alone(toy_config):
    alone = {"name": "domfn", "threshold": 1e-12, "pretrain": 0.0}
    settings = {"stages__cycles": 1, "stages__epochs": 1, "optim__weight_decay": 0.0}
    closed = Training(toy_config(2, alone, **settings))
    first = {name: x.clone() for name, x in closed.model.state_dict().items()}
    (row,) = train_to_the_end(closed)
    assert row["domfn/fused"] == 0
    assert all(torch.equal(x, first[name]) for name, x in closed.model.state_dict().items() if "joint" in name)
    before = Training(toy_config(2, alone | {"threshold": 0.2, "pretrain": 0.5}, **settings | {"stages__epochs": 2}))
    next(before.epochs())  # the same epoch as one of `pretrain`
    now = before.model.state_dict()
    for name, x in closed.model.state_dict().items():
        assert "gate" in name or torch.allclose(x, now[name], atol=1e-5), name


def test_heads_are_of_their_own_kinds(toy_config):
    """Linear heads for the modalities; Linear(64), ReLU, Linear for the fused one, whatever `model.head` says."""
    model = Training(toy_config(2, "domfn")).model
    assert [type(each).__name__ for each in model.joint] == ["Linear", "ReLU", "Linear"]
    assert model.joint[0].out_features == 64
    assert all(len(model.heads[name]) == 1 for name in model.modalities)
