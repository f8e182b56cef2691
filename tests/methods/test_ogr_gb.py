"""OGR-GB against its equations in plain float64, and what bounds its weights."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from fused import agree_in_any_order, begun, give_weights
from hypothesis import given, settings
from hypothesis import strategies as st
from plain import (
    SGD,
    Batch,
    Net,
    agree,
    arrays,
    batches,
    cross_entropies,
    gradients,
    predict,
    slope,
    tiny_training,
    train_to_the_end,
    weights_of,
    whole,
)

from igmsweep.config import TrainConfig
from igmsweep.errors import Diverged, UserError
from igmsweep.methods.ogr_gb import OGRGBParams, blend
from igmsweep.train import Training, train

EPOCHS = 4


def losses(net: Net, names: list[str], batch: Batch) -> dict[str, float]:
    """Mean cross-entropies of the heads, each modality's and the fused one's."""
    return {k: float(cross_entropies(each, batch.y).mean()) for k, each in predict(net, names, batch).items()}


def blended(net: Net, names: list[str], batch: Batch, w: dict[str, float]) -> dict[str, np.ndarray]:
    """Gradient of sum_k w_k CE_k."""
    logits = predict(net, names, batch)
    return gradients(net, names, batch, {k: w[k] * slope(logits[k], batch.y) for k in w})


def estimate(training: Training, net: Net, epoch: int, length: int) -> dict[str, float]:
    """w_k = (1/Z) G_k / O_k^2 with G_k = L_V(N) - L_V(N+n) and O_k = (L_V - L_T)(N+n) - (L_V - L_T)(N)."""
    names = list(training.config.modalities)
    train, held = training.run.holdout(0.1)
    seen, unseen = whole(train.clean(1.0, 0)), whole(held)
    raw = {}
    for k in [*names, "fused"]:
        probe = Net(net.w)
        sgd = SGD(probe)
        for number in range(length):
            train.epoch = epoch + number
            for batch in arrays(train):
                sgd.step(blended(probe, names, batch, {k: 1.0}))
        v_before, t_before = losses(net, names, unseen)[k], losses(net, names, seen)[k]
        v_after, t_after = losses(probe, names, unseen)[k], losses(probe, names, seen)[k]
        gain = v_before - v_after
        overfit = (v_after - t_after) - (v_before - t_before)
        raw[k] = max(gain, 1e-4) / max(overfit**2, 1e-6)
    largest = max(raw.values())
    raw = {k: max(value, largest / 100) for k, value in raw.items()}
    return {k: value / sum(raw.values()) for k, value in raw.items()}


@pytest.mark.slow
@pytest.mark.parametrize("modalities", [2, 3])
@pytest.mark.parametrize("mode", ["offline", "online"])
def test_losses_are_weighted_by_gain_over_squared_overfitting(toy_config, modalities, mode):
    """Copies of the model train one head's branch each on nine tenths of the training set; offline for the whole length
    and once, online for a super-epoch (here 3, so that the last is cut short) and again before each. Online, all are trained on the
    same nine tenths."""
    method = {"name": "ogr_gb", "mode": mode, "super_epoch": 3}
    training = tiny_training(toy_config(modalities, method, stages__cycles=1, stages__epochs=EPOCHS, model__head=[]))
    names = list(training.config.modalities)
    net = Net(weights_of(training))
    sgd = SGD(net)
    found = []
    for epoch in range(EPOCHS):
        if mode == "offline" and epoch == 0:
            found.append(estimate(training, net, 0, EPOCHS))
        elif mode == "online" and epoch % 3 == 0:
            found.append(estimate(training, net, epoch, min(3, EPOCHS - epoch)))
        kept, _ = training.run.holdout(0.1)
        kept.epoch = epoch
        for batch in batches(training, epoch) if mode == "offline" else arrays(kept):
            sgd.step(blended(net, names, batch, found[-1]))
    train_to_the_end(training)
    agree(training, net.w)
    told = training.method.diagnostics()["weights"]
    assert [row["epoch"] for row in told] == ([0] if mode == "offline" else [0, 3])
    for row, w in zip(told, found, strict=True):
        assert {k: row[k] for k in w} == pytest.approx(w, rel=1e-9)
    assert len({round(value, 6) for value in found[0].values()}) > 1  # the losses are not all alike


@pytest.mark.slow
def test_the_order_of_the_modalities_does_not_matter(toy_config):
    fixed = {"stages__cycles": 1, "stages__epochs": 2, "model__head": []}
    data = f"{Path(__file__).parent / 'reordered_toy.py'}:M2_M0_M1"
    config = toy_config(3, "ogr_gb", **fixed)
    one = tiny_training(config)
    other = tiny_training(
        TrainConfig(data=data, method="ogr_gb", device="cpu").override(
            {key.replace("__", "."): value for key, value in fixed.items()}
        )
    )
    give_weights(one, other)
    train_to_the_end(one)
    train_to_the_end(other)
    agree_in_any_order(one, other)


@pytest.mark.slow
@pytest.mark.parametrize("modalities", [2, 3])
def test_all_weight_on_the_fused_loss_is_joint_training_bit_for_bit(toy_config, modalities):
    weights = [0.0] * modalities + [1.0]
    ours = train(toy_config(modalities, {"name": "ogr_gb", "weights": weights}, stages__cycles=1, stages__epochs=1))
    joint = train(
        toy_config(
            modalities, {"name": "joint", "fusion": "concat"}, stages__cycles=1, stages__epochs=1, model__head=[]
        )
    )
    found = ours.model.state_dict()
    assert all(torch.equal(x, found[name]) for name, x in joint.model.state_dict().items())
    assert ours.history[-1]["val/acc"] == joint.history[-1]["val/acc"]


def test_weights_of_one_are_joint_training_with_unimodal_losses(toy_config):
    ours = train(toy_config(2, {"name": "ogr_gb", "weights": [1, 1, 1]}, stages__cycles=1, stages__epochs=1))
    method = {"name": "joint", "fusion": "concat", "unimodal_weight": 1.0}
    joint = train(toy_config(2, method, stages__cycles=1, stages__epochs=1, model__head=[]))
    found = ours.model.state_dict()
    assert all(torch.equal(x, found[name]) for name, x in joint.model.state_dict().items())


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["offline", "online"])
def test_an_estimate_leaves_the_model_as_it_was(toy_config, mode):
    """Weights, batch-norm statistics, modes, gradients and the loader's epoch: the copies took it all."""
    training = Training(toy_config(2, {"name": "ogr_gb", "mode": mode}, stages__cycles=1, stages__epochs=1))
    training.run.stage = training.stages[0]
    training._new_optimizer()
    training._prepare_epoch()
    before = {name: x.clone() for name, x in training.model.state_dict().items()}
    modes = [module.training for module in training.model.modules()]
    assert any(name.endswith("running_mean") for name in before)
    loader = training.method.begin_epoch(training.run)
    assert all(torch.equal(x, before[name]) for name, x in training.model.state_dict().items())
    assert [module.training for module in training.model.modules()] == modes
    assert all(parameter.grad is None for parameter in training.model.parameters())
    assert training.run.train.epoch == loader.epoch == 0
    assert not training.run.optimizer.state


def test_online_what_is_held_out_is_never_trained_on(toy_config, monkeypatch):
    """Else the estimate of the second super-epoch would call generalisation what the first has memorised."""
    method = {"name": "ogr_gb", "mode": "online", "super_epoch": 1, "holdout": 0.3}
    training = Training(toy_config(2, method, stages__cycles=1, stages__epochs=2))
    step, seen = training.method.step, set()
    monkeypatch.setattr(
        training.method, "step", lambda run, batch: (seen.update(batch.index.tolist()), step(run, batch))[1]
    )
    train_to_the_end(training)
    kept, held = training.run.holdout(0.3)
    assert seen == set(kept.rows.tolist())
    assert not seen & set(held.rows.tolist())


def test_a_cut_that_leaves_nothing_to_train_on_is_one_line(toy_config):
    training = Training(toy_config(2, {"name": "ogr_gb", "holdout": 0.999}, stages__cycles=1, stages__epochs=1))
    with pytest.raises(UserError, match=r"method\.holdout: found 0\.999, which leaves 1 of 150"):
        train_to_the_end(training)


def test_validation_data_is_not_looked_at_for_the_weights(toy_config, monkeypatch):
    training = Training(toy_config(2, "ogr_gb", stages__cycles=1, stages__epochs=1))
    monkeypatch.setattr(type(training.run.val), "__iter__", _only_training(training))
    begun(training)
    assert sum(training.method.state["weights"].values()) == pytest.approx(1)


def _only_training(training):
    original = type(training.run.val).__iter__

    def iterate(loader):
        assert loader.partition is training.data.train
        return original(loader)

    return iterate


numbers = st.floats(-10, 10)


@settings(deadline=None)
@given(st.lists(st.tuples(numbers, numbers), min_size=2, max_size=4), st.floats(1, 1000))
def test_weights_sum_to_one_and_keep_their_ratio(pairs, ratio):
    params = OGRGBParams(most_ratio=ratio)
    w = blend(*({str(k): pair[i] for k, pair in enumerate(pairs)} for i in (0, 1)), params)
    assert sum(w.values()) == pytest.approx(1)
    assert max(w.values()) <= ratio * min(w.values()) * (1 + 1e-9)


def test_a_loss_that_does_not_overfit_has_a_bounded_weight():
    """O^2 of 0 does not make a weight infinite: G / 1e-6, and no more than 100 times another's."""
    w = blend({"a": 0.5, "b": 0.5}, {"a": 0.0, "b": 1.0}, OGRGBParams())
    assert w["a"] / w["b"] == pytest.approx(100)
    w = blend({"a": 0.5, "b": 0.5}, {"a": 0.0, "b": 1e-3}, OGRGBParams())
    assert w["a"] == pytest.approx(w["b"])


def test_a_loss_that_rises_earns_no_weight():
    """Public code takes |G|: a modality whose held-out loss rises would be favoured."""
    w = blend({"rises": -5.0, "falls": 0.5}, {"rises": 0.5, "falls": 0.5}, OGRGBParams())
    assert w["falls"] == pytest.approx(100 / 101)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_copy_that_diverges_earns_the_least_weight(bad):
    w = blend({"a": -bad, "b": 0.5}, {"a": bad, "b": 0.5}, OGRGBParams())
    assert w["b"] == pytest.approx(100 / 101)
    with pytest.raises(Diverged, match="every copy"):
        blend({"a": -bad, "b": -bad}, {"a": bad, "b": bad}, OGRGBParams())


@pytest.mark.parametrize("weights", [[1, 1], [1, 1, 1, 1], [-1, 1, 1], [0, 0, 0]])
def test_fixed_weights_that_do_not_fit_are_refused(toy_config, weights):
    with pytest.raises(UserError, match=r"method\.weights: found \[.*expected 3 numbers of at least 0.*m0, m1"):
        toy_config(2, {"name": "ogr_gb", "weights": weights})


def test_a_loss_of_no_weight_leaves_its_head_as_it_was(toy_config):
    """A head without a loss has no gradient at all, so that neither weight decay nor momentum moves it."""
    training = tiny_training(
        toy_config(2, {"name": "ogr_gb", "weights": [0, 0.5, 0.5]}, stages__cycles=1, stages__epochs=1)
    )
    before = {name: x.clone() for name, x in training.model.state_dict().items()}
    train_to_the_end(training)
    now = training.model.state_dict()
    assert torch.equal(now["heads.m0.0.weight"], before["heads.m0.0.weight"])
    assert not torch.equal(now["heads.m1.0.weight"], before["heads.m1.0.weight"])
    assert training.method.diagnostics() == {}
