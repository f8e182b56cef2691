"""MSLR against its equations in plain float64, and its three strategies."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from fused import agree_in_any_order, give_weights, same_bits
from plain import (
    SGD,
    Net,
    agree,
    batches,
    gradients,
    predict,
    slope,
    tiny_training,
    train_to_the_end,
    weights_of,
    whole,
)

from igmsweep.config import TrainConfig
from igmsweep.methods.mslr import pace
from igmsweep.train import Training

EPOCHS, WINDOW, MOST = 6, 2, 2.0
RATES = (0.0002, 0.0008, 0.0004)


@pytest.mark.slow
@pytest.mark.parametrize("modalities", [2, 3])
@pytest.mark.parametrize("strategy", ["keep", "smooth", "dynamic"])
def test_each_modality_goes_at_its_own_rate(toy_config, modalities, strategy):
    """Two of six epochs train sum_m CE(l_m), the rest CE(sum_m l_m), with eta_m(t) = lr_m (keep), lambda lr_m + (1 - lambda)
    mean lr with lambda = 1 - t / T, counted from the end of pre-training (smooth), or lr_m r_m(t), r_m = acc_m(t) /
    mean(acc_m(t - w .. t - 1)) within [1 / 2, 2], from the epoch after the w + 1st on (dynamic). The optimiser starts anew after the pre-training."""
    method = {"name": "mslr", "strategy": strategy, "window": WINDOW, "pretrain": 1 / 3, "most": MOST}
    config = toy_config(modalities, method, stages__cycles=1, stages__epochs=EPOCHS, model__head=[])
    names = list(config.modalities)
    lr = dict(zip(names, RATES, strict=False))
    training = tiny_training(config.override({f"optim.lr.{m}": rate for m, rate in lr.items()}))
    val = whole(training.run.val)
    net = Net(weights_of(training))
    common = float(np.mean(list(lr.values())))
    past: dict[str, list[float]] = {m: [] for m in names}
    rates = dict(lr)
    told = []
    for epoch in range(EPOCHS):
        if epoch in (0, 2):
            sgd = SGD(net, 1.0)
        if strategy == "smooth" and epoch >= 2:
            kept = 1 - (epoch - 2) / (EPOCHS - 2)
            rates = {m: kept * lr[m] + (1 - kept) * common for m in names}
        told.append(dict(rates))
        for batch in batches(training, epoch):
            logits = predict(net, names, batch)
            losses = names if epoch < 2 else ["fused"]
            dl = {k: slope(logits[k], batch.y) for k in losses}
            sgd.step(gradients(net, names, batch, dl), rates)
        if strategy == "dynamic" and epoch >= 2:
            for m in names:
                accuracy = float((predict(net, names, val)[m].argmax(1) == val.y).mean())
                if len(past[m]) >= WINDOW:
                    ratio = accuracy / np.mean(past[m][-WINDOW:])
                    rates[m] = lr[m] * float(np.clip(ratio, 1 / MOST, MOST))
                past[m].append(accuracy)
    rows = train_to_the_end(training)
    agree(training, net.w)
    assert [row["stage_name"] for row in rows] == ["pretrain"] * 2 + ["train"] * 4
    for row, found in zip(rows, told, strict=True):
        assert [row[f"lr/{m}"] for m in names] == pytest.approx([found[m] for m in names])
    assert (told[-1] == lr) == (strategy == "keep")


def test_the_order_of_the_modalities_does_not_matter(toy_config):
    fixed = {"stages.cycles": 1, "stages.epochs": 4, "optim.lr": 0.002, "optim.lr.m1": 0.004}
    data = f"{Path(__file__).parent / 'reordered_toy.py'}:M2_M0_M1"
    method = {"name": "mslr", "window": 1}
    one = tiny_training(toy_config(3, method).override(fixed))
    other = tiny_training(TrainConfig(data=data, method=method, device="cpu").override(fixed))
    give_weights(one, other)
    rows = train_to_the_end(one)
    train_to_the_end(other)
    agree_in_any_order(one, other)
    assert rows[-1]["lr/m2"] != 0.002


@pytest.mark.slow
@pytest.mark.parametrize("strategy", ["keep", "dynamic"])
def test_until_the_rates_move_it_is_joint_training_bit_for_bit(toy_config, strategy):
    """`dynamic` has no window of accuracies before its second epoch is over (window 1): two epochs are joint ones."""
    fixed = {"stages__cycles": 1, "stages__epochs": 2, "model__head": []}
    ours = toy_config(3, {"name": "mslr", "strategy": strategy, "window": 1, "pretrain": 0.0}, **fixed)
    assert same_bits(ours, toy_config(3, "joint", **fixed))


def test_pretraining_is_the_modalities_own_losses_bit_for_bit(toy_config):
    training = Training(toy_config(2, {"name": "mslr", "pretrain": 0.5}, stages__cycles=1, stages__epochs=2))
    next(training.epochs())
    joint = Training(
        toy_config(2, {"name": "joint", "fusion": "separate"}, stages__cycles=1, stages__epochs=1, model__head=[])
    )
    train_to_the_end(joint)
    now = training.model.state_dict()
    assert all(torch.equal(x, now[name]) for name, x in joint.model.state_dict().items())


@pytest.mark.parametrize(
    ("accuracy", "past", "expected"),
    [
        (0.6, 0.5, 1.2),
        (0.4, 0.5, 0.8),
        (0.9, 0.1, 2.0),
        (0.01, 0.5, 0.5),
        (0.0, 0.5, 0.5),
        (0.3, 0.0, 2.0),
        (0.0, 0.0, 1.0),
    ],
)
def test_the_pace_is_the_accuracy_over_that_of_the_past_within_bounds(accuracy, past, expected):
    """Also where the modality has not classified a single sample right."""
    assert pace(accuracy, past, 2.0) == pytest.approx(expected)


def test_smooth_ends_near_the_common_rate_under_a_schedule(toy_config):
    """The factor is of the present rates: a decay moves both ends alike."""
    config = toy_config(
        2,
        {"name": "mslr", "strategy": "smooth", "pretrain": 0.0},
        stages__cycles=1,
        stages__epochs=4,
        optim__schedule="step",
        optim__step_size=2,
    ).override({"optim.lr.m0": 0.01, "optim.lr.m1": 0.03})
    rows = train_to_the_end(tiny_training(config))
    expected = [(0.01, 0.03), (0.0125, 0.0275), (0.0015, 0.0025), (0.00175, 0.00225)]
    for row, pair in zip(rows, expected, strict=True):
        assert (row["lr/m0"], row["lr/m1"]) == pytest.approx(pair)


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_a_pace_acts_under_adam_too(toy_config, monkeypatch, optimizer):
    """Rates are scaled, not gradients, whose scale Adam forgets."""
    config = toy_config(2, {"name": "mslr", "window": 1, "pretrain": 0.0}, stages__cycles=1, stages__epochs=3)
    steps = {}
    for accuracy in (0.5, 0.25):
        training = tiny_training(config.override({"optim.name": optimizer}))
        end_epoch = training.method.end_epoch
        told = {1: accuracy}

        def end(run, row, end_epoch=end_epoch, told=told):
            end_epoch(run, {**row, "val/m0/acc": told.get(run.epoch, 0.5), "val/m1/acc": 0.5})

        monkeypatch.setattr(training.method, "end_epoch", end)
        epochs = training.epochs()
        next(epochs), next(epochs)
        training.run.epoch = 2
        training._prepare_epoch()
        before = {name: x.clone() for name, x in training.model.state_dict().items()}
        training.method.step(training.run, next(iter(training.run.train)))
        now = training.model.state_dict()
        steps[accuracy] = {name: now[name] - before[name] for name in ("heads.m0.0.weight", "heads.m1.0.weight")}
    slow, usual = steps[0.25], steps[0.5]
    assert torch.allclose(slow["heads.m0.0.weight"], 0.5 * usual["heads.m0.0.weight"], rtol=1e-3, atol=1e-7)
    assert torch.equal(slow["heads.m1.0.weight"], usual["heads.m1.0.weight"])
