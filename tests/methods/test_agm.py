"""AGM against its equations in plain float64, and what users rely on: shares, clipping, blanks, and rates under Adam."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from fused import agree_in_any_order, back, begun, first_step, give_weights, logits_of, same_bits, size_of_change
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
    tiny_training,
    train_to_the_end,
    weights_of,
)
from torch import nn
from torch.nn import functional as F

from igmsweep.config import TrainConfig
from igmsweep.data.loader import Batch
from igmsweep.methods.agm import AGM, AGMParams
from igmsweep.methods.clipping import clip_where_loud
from igmsweep.train import Training

EPOCHS = 2
SHORT = {"stages__cycles": 1, "stages__epochs": 1, "optim__batch_size": 50}  # three steps

SHARES = {  # g_m as sums of f(S), as the work writes them out for two modalities and for three
    2: {
        "m0": {"m0 m1": 1 / 2, "m1": -1 / 2, "m0": 1 / 2},
        "m1": {"m0 m1": 1 / 2, "m0": -1 / 2, "m1": 1 / 2},
    },
    3: {
        m: {"m0 m1 m2": 1 / 3, f"{j} {k}": -1 / 3, m: 1 / 3}
        | {" ".join(sorted((m, j))): 1 / 6, j: -1 / 6, " ".join(sorted((m, k))): 1 / 6, k: -1 / 6}
        for m, j, k in (("m0", "m1", "m2"), ("m1", "m0", "m2"), ("m2", "m0", "m1"))
    },
}


@pytest.mark.parametrize("modalities", [2, 3])
@pytest.mark.parametrize(
    "changes",
    [
        {"clip": 0.0},
        {"fusion": "sum", "clip": 0.0},
        {"fusion": "sum", "blank": "features", "alpha": 2.0, "clip": 0.0},
        {"blank": "features", "cap": -0.02, "clip": 0.0},
        {"alpha": 2.0, "clip": 0.7},
        {"alpha": 2.0, "clip": 0.7, "fusion": "sum"},
        {"acts_on": "rate", "clip": 0.0},
        {"acts_on": "rate", "fusion": "sum", "start": 0.5},
    ],
    ids=str,
)
def test_a_training_is_its_equations(toy_config, modalities, changes):
    """e_m = CE(g_m, y); r_m = exp(M / (M - 1) (mean e - e_m)), tau_m the same of the means of all steps before;
    kappa_m = exp(alpha min(tau_m - r_m, cap)); the gradient of CE(sum_m g_m, y) that reaches g_m times kappa_m."""
    training = tiny_training(
        toy_config(modalities, {"name": "agm", **changes}, stages__cycles=1, stages__epochs=EPOCHS, model__head=[])
    )
    params = training.config.method
    loud = params.clip > 0 and params.acts_on != "rate"  # gradients above 1, for something to be clipped
    if loud:
        with torch.no_grad():
            for each in [training.model.joint] if training.model.joint is not None else training.model.heads.values():
                each[0].weight.mul_(30)
    net = Net(weights_of(training))
    sgd = SGD(net)
    names = training.config.modalities
    ratio = modalities / (modalities - 1)
    e_mean, steps = dict.fromkeys(names, 0.0), 0
    clipped = capped = 0
    for epoch in range(EPOCHS):
        for batch in batches(training, epoch):
            x0 = {m: np.zeros_like(batch.x[m]) for m in names}
            z = {m: net.encode(m, batch.x[m]) for m in names}
            z0 = {m: net.encode(m, x0[m]) if params.blank == "inputs" else np.zeros_like(z[m]) for m in names}

            def seen(who: str, z: Arrays = z, z0: Arrays = z0) -> Arrays:
                """Features where only these modalities are there."""
                return {m: z[m] if m in who.split() else z0[m] for m in names}

            everyone = " ".join(names)
            kappa = dict.fromkeys(names, 1.0)
            acts = params.start <= epoch / EPOCHS < params.end
            if acts:
                f = {who: logits_of(net, params.fusion, seen(who)) for m in names for who in SHARES[modalities][m]}
                g = {m: sum(c * f[who] for who, c in SHARES[modalities][m].items()) for m in names}
                assert np.allclose(sum(g.values()), f[everyone])
                e = {m: np.minimum(cross_entropies(g[m], batch.y), -np.log(1e-8)).mean() for m in names}
                for m in names:
                    r = np.exp(ratio * (np.mean(list(e.values())) - e[m]))
                    tau = np.exp(ratio * (np.mean(list(e_mean.values())) - e_mean[m]))
                    kappa[m] = np.exp(params.alpha * min(tau - r, params.cap))
                    capped += tau - r > params.cap
                e_mean = {m: e_mean[m] * steps / (steps + 1) + e[m] / (steps + 1) for m in names}
                steps += 1

            dl = slope(logits_of(net, params.fusion, z), batch.y)
            by_rate = params.acts_on == "rate"
            reach: dict[str, float] = {everyone: 1.0}  # the factor on dl that reaches f(S): sum_m kappa_m c_m(S)
            if acts and not by_rate:
                reach = {}
                for m in names:
                    for who, c in SHARES[modalities][m].items():
                        reach[who] = reach.get(who, 0.0) + kappa[m] * c
            grads: Arrays = {}
            for who, factor in reach.items():
                for m, dz in back(net, params.fusion, seen(who), factor * dl, grads).items():
                    if m in who.split():
                        net.encode_back(m, batch.x[m], z[m], dz, grads)
                    elif params.blank == "inputs":
                        net.encode_back(m, x0[m], z0[m], dz, grads)

            heads = [np.abs(each).max() for name, each in grads.items() if not name.startswith("encoders")]
            if params.clip > 0 and max(heads) > 1:
                norm = np.sqrt(sum((each**2).sum() for each in grads.values()))
                clipped += norm > params.clip
                grads = {name: each * min(1.0, params.clip / (norm + 1e-6)) for name, each in grads.items()}
            sgd.step(grads, kappa if by_rate else None)
    train_to_the_end(training)
    assert max(abs(k - 1) for k in kappa.values()) > 1e-3
    assert (clipped > 0) == loud
    assert capped > 0 or params.cap > 0
    agree(training, net.w)
    assert training.method.state["steps"] == steps
    assert np.allclose(training.method.state["means"].numpy(), [e_mean[m] for m in names], atol=1e-10)


@pytest.mark.slow
@pytest.mark.parametrize("modalities", [2, 3])
@pytest.mark.parametrize("changes", [{}, {"fusion": "sum"}, {"blank": "features"}, {"acts_on": "rate"}], ids=str)
def test_without_strength_and_clipping_it_is_joint_training_to_the_bit(toy_config, changes, modalities):
    """Batch-norm statistics too: blanked passes leave them alone."""
    agm = {"name": "agm", "alpha": 0.0, "clip": 0.0, **changes}
    fusion = changes.get("fusion", "concat")
    joint = toy_config(modalities, {"name": "joint", "fusion": fusion}, model__head=[], **SHORT)
    assert same_bits(toy_config(modalities, agm, **SHORT), joint)


def test_outside_its_window_it_is_joint_training_to_the_bit(toy_config):
    agm = {"name": "agm", "end": 0.0, "clip": 0.0}
    joint = toy_config(2, {"name": "joint", "fusion": "concat"}, model__head=[], **SHORT)
    assert same_bits(toy_config(2, agm, **SHORT), joint)
    assert not same_bits(toy_config(2, {**agm, "end": 1.0}, **SHORT), joint)


@pytest.mark.slow
@pytest.mark.parametrize("fusion", ["concat", "sum"])
def test_the_order_of_the_modalities_does_not_matter(toy_config, fusion):
    method = {"name": "agm", "fusion": fusion}
    config = toy_config(3, method, **SHORT)
    other = TrainConfig(data=f"{Path(__file__).parent / 'reordered_toy.py'}:M2_M0_M1", method=method, device="cpu")
    other = other.override({key.replace("__", "."): value for key, value in SHORT.items()})
    one, two = tiny_training(config), tiny_training(other)
    give_weights(one, two)
    train_to_the_end(one), train_to_the_end(two)
    agree_in_any_order(one, two)


def test_statistics_are_those_of_the_one_pass_in_training_mode(toy_config):
    agm, _ = first_step(toy_config(2, {"name": "agm", "alpha": 2.0}))
    joint, _ = first_step(toy_config(2, {"name": "joint", "fusion": "concat"}, model__head=[]))
    statistics = [name for name in agm if "running" in name or "num_batches" in name]
    assert statistics
    assert all(torch.equal(agm[name], joint[name]) for name in statistics)


@pytest.mark.parametrize("modalities", [2, 3])
@pytest.mark.parametrize("blank", ["inputs", "features"])
def test_the_shares_sum_to_the_logits_of_the_training_pass(toy_config, blank, modalities):
    training = Training(toy_config(modalities, {"name": "agm", "blank": blank}))
    batch = begun(training)
    modes = [module.training for module in training.model.modules()]
    whole = training.model(batch.inputs).fused
    shares = training.method._shares(training.run, batch, whole)
    assert tuple(shares) == training.config.modalities
    assert torch.allclose(sum(shares.values()), whole, atol=1e-5)
    assert [module.training for module in training.model.modules()] == modes


def test_of_a_blanked_text_the_first_token_stays(toy_config):
    """f(S) without the text is that of its first token alone, attended, the rest unattended; by hand, M = 2."""

    class Words(nn.Module):
        """The sum of the embeddings of the attended tokens."""

        def __init__(self, features: int) -> None:
            super().__init__()
            self.words = nn.Embedding(20, features)
            self.features = features

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return (self.words(x[:, 0]) * x[:, 1, :, None]).sum(1)

    training = Training(toy_config(2, "agm"))
    first = begun(training)
    training.model.encoders["m1"] = Words(training.model.sizes["m1"])
    tokens = torch.randint(2, 20, (len(first.labels), 3, 6), generator=torch.Generator().manual_seed(0))
    tokens[:, 0, 0], tokens[:, 1], tokens[:, 2] = 1, 1, 0
    batch = Batch({"m0": first.inputs["m0"], "m1": tokens}, first.labels, first.index)
    start = torch.zeros_like(tokens)
    start[:, :2, 0] = 1
    model = training.model.eval()
    whole = model(batch.inputs).fused
    without_text = model({"m0": batch.inputs["m0"], "m1": start}).fused
    text_alone = model({"m0": torch.zeros_like(batch.inputs["m0"]), "m1": tokens}).fused
    shares = training.method._shares(training.run, batch, whole)
    assert torch.allclose(shares["m0"], 0.5 * (whole - text_alone + without_text), atol=1e-5)
    assert torch.allclose(shares["m1"], 0.5 * (whole - without_text + text_alone), atol=1e-5)


@given(st.floats(-80, 80), st.floats(-80, 80), st.floats(0, 5))
def test_kappa_stays_finite_where_a_probability_is_0_or_1(one, other, alpha):
    """A probability counts as at least 1e-8, so that a strength is at most 18.4; the cap bounds kappa from above."""
    method = AGM(AGMParams(alpha=alpha), ("m0", "m1"))
    labels = torch.tensor([0, 0])
    for _ in range(3):
        logits = {"m0": torch.tensor([[one, 0.0]] * 2), "m1": torch.tensor([[other, 0.0]] * 2)}
        kappa = method._kappa(logits, labels)
        assert all(torch.isfinite(each) and 0 <= each <= np.exp(alpha * 10) * 1.001 for each in kappa.values())
    assert method.state["means"].max() <= -np.log(1e-8) + 1e-6


def test_the_cap_is_10_for_two_modalities_and_7_for_three(toy_config):
    assert toy_config(2, "agm").method.cap == 10
    assert toy_config(3, "agm").method.cap == 7


def test_the_modality_that_gains_on_its_past_is_slowed():
    """M = 2: r_1 = exp(e_2 - e_1), and tau = 1 in the first step, so kappa_1 = exp(1 - exp(e_2 - e_1))."""
    method = AGM(AGMParams(alpha=1.0), ("m0", "m1"))
    labels = torch.tensor([0, 1])
    shares = {"m0": torch.tensor([[2.0, 0.0], [0.0, 2.0]]), "m1": torch.tensor([[1.0, 0.0], [0.0, 1.0]])}
    e = {m: float(F.cross_entropy(g, labels)) for m, g in shares.items()}
    first = method._kappa(shares, labels)
    assert float(first["m0"]) == pytest.approx(np.exp(1 - np.exp(e["m1"] - e["m0"])), rel=1e-6)
    assert float(first["m1"]) == pytest.approx(np.exp(1 - np.exp(e["m0"] - e["m1"])), rel=1e-6)
    assert first["m0"] < 1 < first["m1"]
    second = method._kappa(shares, labels)  # as strong as before: nobody has gained
    assert [float(each) for each in second.values()] == pytest.approx([1, 1])


def test_gradients_are_clipped_where_the_heads_pass_1_and_only_there():
    """An encoder's large gradient alone clips nothing."""
    encoder, head = nn.Parameter(torch.zeros(3, 2)), nn.Parameter(torch.zeros(4))
    for top, clipped in ((0.99, False), (1.01, True)):
        encoder.grad, head.grad = torch.full((3, 2), 7.0), torch.tensor([0.1, 0.0, -top, 0.3])
        before = torch.cat([encoder.grad.flatten(), head.grad])
        clip_where_loud([encoder, head], [head], 0.5)
        after = torch.cat([encoder.grad.flatten(), head.grad])
        assert torch.allclose(after, before * 0.5 / before.norm() if clipped else before)


def test_a_gradient_whose_square_is_too_large_for_float32_is_clipped_all_the_same():
    """kappa may be exp(50) with the strengths that are searched: a norm of infinity would clip to 0."""
    head = nn.Parameter(torch.zeros(4))
    head.grad = torch.full((4,), 1e21)
    clip_where_loud([head], [head], 1.0)
    assert head.grad.tolist() == pytest.approx([0.5] * 4)


def test_under_adam_kappa_acts_on_rates(toy_config):
    """A constant factor on a gradient cancels under Adam: kappa would be there in name alone."""
    steps, kappa = {}, {}
    for acts_on, alpha in (("auto", 100.0), ("rate", 100.0), ("gradient", 0.0)):
        method = {"name": "agm", "acts_on": acts_on, "alpha": alpha, "fusion": "sum", "clip": 0.0}
        change, log = first_step(toy_config(2, method, optim__name="adam", optim__weight_decay=0.0))
        kappa[acts_on] = {name: float(log[f"agm/kappa/{name}"]) for name in ("m0", "m1")}
        steps[acts_on] = {name: size_of_change(change, f"encoders.{name}.stem") for name in ("m0", "m1")}
    assert steps["auto"] == steps["rate"]
    for name, factor in kappa["auto"].items():
        assert abs(factor - 1) > 0.1
        assert steps["auto"][name] == pytest.approx(factor * steps["gradient"][name], rel=0.01)


@pytest.mark.parametrize("most", [1.0, 3.0])
def test_on_rates_kappa_is_bounded(toy_config, monkeypatch, most):
    """It may reach exp(alpha cap), and nothing clips a step under Adam."""
    training = Training(toy_config(2, {"name": "agm", "most": most}, optim__name="adam", **SHORT))
    wild = {"m0": torch.tensor(1e9), "m1": torch.tensor(1e-9)}
    monkeypatch.setattr(training.method, "_kappa", lambda shares, labels: wild)
    given = []
    update = type(training.run).update
    monkeypatch.setattr(
        type(training.run),
        "update",
        lambda run, parts=None, rates=None: (given.append(rates), update(run, parts, rates))[1],
    )
    train_to_the_end(training)
    assert given
    assert all(rates == {"m0": pytest.approx(most), "m1": pytest.approx(1 / most)} for rates in given)


def test_under_sgd_kappa_acts_on_gradients(toy_config):
    configs = {
        acts_on: toy_config(2, {"name": "agm", "acts_on": acts_on}, **SHORT) for acts_on in ("auto", "gradient", "rate")
    }
    assert same_bits(configs["auto"], configs["gradient"])
    assert not same_bits(configs["auto"], configs["rate"])


@pytest.mark.parametrize("fusion", ["concat", "sum"])
def test_it_trains_in_bfloat16_and_on_frozen_encoders(toy_config, fusion):
    method = {"name": "agm", "fusion": fusion}
    assert train_to_the_end(Training(toy_config(2, method, precision="bf16", **SHORT)))[-1]["train/loss"] < 1.2
    training = Training(toy_config(2, method, model__frozen__m0=True, **SHORT))
    before = {name: x.clone() for name, x in training.model.encoders["m0"].state_dict().items()}
    train_to_the_end(training)
    assert all(torch.equal(x, before[name]) for name, x in training.model.encoders["m0"].state_dict().items())
