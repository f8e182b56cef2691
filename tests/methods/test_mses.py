"""MSES against its equations in plain float64, and what rest means."""

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
from igmsweep.train import Training, train

PATIENCE, SMOOTHING = 1, 0.6


@pytest.mark.slow
@pytest.mark.parametrize("modalities", [2, 3])
@pytest.mark.parametrize("mu", [0.0, 0.7])
def test_a_modality_goes_back_to_its_best_epoch_and_rests(toy_config, modalities, mu):
    """L = CE(sum_m l_m) + mu sum_m CE(l_m). After epoch t: s_m(t) = 0.6 v_m(t-1) + 0.4 v_m(t), s_m(1) = v_m(1), with v_m the
    validation loss of l_m; where s_m has not been under its best for more than `patience` epochs, m's weights are those of
    that best epoch again, for good."""
    method = {"name": "mses", "patience": PATIENCE, "smoothing": SMOOTHING, "mu": mu}
    epochs = 12
    config = toy_config(modalities, method, stages__cycles=1, stages__epochs=epochs, model__head=[])
    names = list(config.modalities)
    rates = dict(zip(names, (0.6, 0.1, 0.3), strict=False))  # so that they do not all stop at once
    training = tiny_training(config.override({f"optim.lr.{m}": rate for m, rate in rates.items()}))
    val = whole(training.run.val)
    net = Net(weights_of(training))
    sgd = SGD(net, 1.0)
    v: dict[str, list[float]] = {m: [] for m in names}
    best = {m: float("inf") for m in names}
    best_epoch = dict.fromkeys(names, 0)
    best_weights: dict[str, dict[str, np.ndarray]] = {}
    rested: dict[str, int] = {}
    for epoch in range(epochs):
        for batch in batches(training, epoch):
            logits = predict(net, names, batch)
            dl = {
                k: (1.0 if k == "fused" else mu) * slope(logits[k], batch.y) for k in ["fused", *(names if mu else [])]
            }
            grads = gradients(net, names, batch, dl)
            sgd.step({key: g for key, g in grads.items() if not any(f".{m}." in key for m in rested)}, rates)
        for m in names:
            if m in rested:
                continue
            v[m].append(float(cross_entropies(predict(net, names, val)[m], val.y).mean()))
            s = v[m][-1] if epoch == 0 else SMOOTHING * v[m][-2] + (1 - SMOOTHING) * v[m][-1]
            own = {key: x.copy() for key, x in net.w.items() if f".{m}." in key}
            if s < best[m]:
                best[m], best_epoch[m], best_weights[m] = s, epoch, own
            elif epoch - best_epoch[m] > PATIENCE:
                net.w |= best_weights[m]
                rested[m] = epoch
        if len(rested) == len(names):
            break
    rows = train_to_the_end(training)
    agree(training, net.w)
    assert len(rows) == epoch + 1
    assert rested and min(rested.values()) < epoch  # the others went on
    assert [line.split()[1] for line in training.run.notes] == [
        m for m, _ in sorted(rested.items(), key=lambda x: x[1])
    ]


def state(training: Training, name: str) -> dict[str, torch.Tensor]:
    return {key: x.clone() for key, x in training.model.branch(name).state_dict().items()}


def one_rests(training: Training, monkeypatch: pytest.MonkeyPatch, losses: list[float]) -> Training:
    """A training whose modality m0 seems to have these validation losses, m1 ever better ones."""
    end_epoch = training.method.end_epoch

    def told(run, metrics):
        end_epoch(run, {**metrics, "val/m0/loss": losses[run.epoch], "val/m1/loss": 1 / (1 + run.epoch)})

    monkeypatch.setattr(training.method, "end_epoch", told)
    return training


@pytest.mark.slow
def test_nothing_of_a_resting_modality_moves(toy_config, monkeypatch):
    """Weights, batch-norm statistics and momentum: weight decay is strong here, and momentum was there."""
    config = toy_config(2, {"name": "mses", "patience": 1}, stages__cycles=1, stages__epochs=6, optim__weight_decay=0.1)
    training = one_rests(Training(config), monkeypatch, [1.0, 0.5, 2.0, 3.0, 4.0, 5.0])
    seen = []
    rows = []
    for epoch in training.epochs():
        seen.append((state(training, "m0"), state(training, "m1")))
        rows.append(epoch.metrics)
    best, rest = seen[1][0], seen[3][0]
    assert any("running_mean" in key for key in best)
    for m0, _ in seen[3:]:
        assert all(torch.equal(x, best[key]) for key, x in m0.items())
    assert not all(torch.equal(x, rest[key]) for key, x in seen[2][0].items())
    assert any(not torch.equal(x, seen[5][1][key]) for key, x in seen[4][1].items())  # m1 trains on
    assert [row["lr/m0"] for row in rows] == [0.05] * 4 + [0.0] * 2
    assert training.run.notes == ["mses: m0 went back to epoch 2 and rests from epoch 5 on"]


def test_metrics_are_those_of_the_weights_that_were_put_back(toy_config, monkeypatch):
    config = toy_config(2, {"name": "mses", "patience": 1}, stages__cycles=1, stages__epochs=4)
    training = one_rests(tiny_training(config), monkeypatch, [0.5, 1.0, 2.0, 3.0])
    rows = train_to_the_end(training)
    assert rows[2]["val/m0/loss"] == rows[0]["val/m0/loss"]
    assert rows[1]["val/m0/loss"] != rows[0]["val/m0/loss"]


@pytest.mark.parametrize(("smoothing", "best", "rests"), [(0.0, 2, 5), (0.6, 3, 6)])
def test_smoothing_is_over_two_epochs_of_raw_losses(toy_config, monkeypatch, smoothing, best, rests):
    """Losses 1, 0.5, 0.6, 0.7, 0.8: as they are the best is epoch 2. Smoothed by 0.6 they are 1, 0.8, 0.54, 0.64, 0.74 and
    the best is epoch 3: 0.6 * 0.5 + 0.4 * 0.6 = 0.54, where an average of averages would give 0.72, then 0.712."""
    config = toy_config(2, {"name": "mses", "patience": 1, "smoothing": smoothing}, stages__cycles=1, stages__epochs=5)
    training = one_rests(tiny_training(config), monkeypatch, [1.0, 0.5, 0.6, 0.7, 0.8])
    train_to_the_end(training)
    assert training.run.notes == [f"mses: m0 went back to epoch {best} and rests from epoch {rests} on"]


def test_the_training_ends_when_all_rest(toy_config, monkeypatch):
    config = toy_config(2, {"name": "mses", "patience": 1}, stages__cycles=2, stages__epochs=4)
    training = tiny_training(config)
    end_epoch = training.method.end_epoch
    worse = {"m0": [1, 2, 3, 4, 5, 6, 7, 8], "m1": [2, 1, 2, 3, 4, 5, 6, 7]}
    monkeypatch.setattr(
        training.method,
        "end_epoch",
        lambda run, row: end_epoch(run, {**row, **{f"val/{m}/loss": float(worse[m][run.epoch]) for m in worse}}),
    )
    rows = train_to_the_end(training)
    # smoothed: m0 1.0, 1.4, 2.4; m1 2.0, 1.6, 1.4, 2.4, 3.4
    assert len(rows) == 5
    assert rows[-1]["stage_end"] and rows[-1]["cycle_end"]
    assert training.run.awake == ()
    assert "weights" not in training.method.state["m0"]  # they are in the model, and once is enough


@pytest.mark.slow
@pytest.mark.parametrize("mu", [0.0, 0.5])
def test_before_any_stop_it_is_joint_training_bit_for_bit(toy_config, mu):
    fixed = {"stages__cycles": 1, "stages__epochs": 1, "model__head": []}
    assert same_bits(
        toy_config(3, {"name": "mses", "mu": mu, "patience": 100}, **fixed),
        toy_config(3, {"name": "joint", "fusion": "sum", "unimodal_weight": mu}, **fixed),
    )


def test_the_order_of_the_modalities_does_not_matter(toy_config):
    fixed = {"stages.cycles": 1, "stages.epochs": 5, "optim.lr": 0.6}
    data = f"{Path(__file__).parent / 'reordered_toy.py'}:M2_M0_M1"
    method = {"name": "mses", "patience": 1}
    one = tiny_training(toy_config(3, method).override(fixed))
    other = tiny_training(TrainConfig(data=data, method=method, device="cpu").override(fixed))
    give_weights(one, other)
    train_to_the_end(one)
    train_to_the_end(other)
    agree_in_any_order(one, other)


@pytest.mark.slow
def test_a_resumed_training_keeps_who_rests_and_the_best_weights(toy_config, tmp_path):
    config = toy_config(2, {"name": "mses", "patience": 1}, stages__cycles=1, stages__epochs=7, optim__lr=0.3)
    whole_run = train(config, lambda step, row, save: save(tmp_path / f"{step}.pt"))
    resting = next(row["epoch"] for row in whole_run.history if row["lr/m0"] == 0 or row["lr/m1"] == 0)
    assert resting > 2
    for cut in {resting - 2, resting - 1, resting} & set(range(1, len(whole_run.history))):
        rest = train(config, resume=tmp_path / f"{cut}.pt")
        assert rest.notes == whole_run.notes
        now = rest.model.state_dict()
        assert all(torch.equal(x, now[key]) for key, x in whole_run.model.state_dict().items())


def test_a_frozen_encoder_is_not_kept_among_the_best_weights(toy_config, tmp_path):
    config = toy_config(2, {"name": "mses", "patience": 1}, stages__cycles=1, stages__epochs=1, model__frozen__m0=True)
    training = Training(config.override({"data.cache": str(tmp_path)}))
    train_to_the_end(training)
    kept = {name: set(training.method.state[name]["weights"]) for name in ("m0", "m1")}
    assert kept["m0"] and all(key.startswith("head") for key in kept["m0"])
    assert any(key.startswith("encoder") for key in kept["m1"])
