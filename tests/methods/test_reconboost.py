"""ReconBoost against its equations in plain float64, and what its turns may touch."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from plain import (
    SGD,
    Net,
    add,
    agree,
    batches,
    cross_entropies,
    onehot,
    slope,
    softmax,
    tiny_training,
    train_to_the_end,
)
from plain import weights_of as weights
from torch.nn import functional as F

from igmsweep.methods.reconboost import ReconBoost, ReconBoostParams, boosting_loss
from igmsweep.methods.run import Stage
from igmsweep.train import Training, train

RATE = "extra.boost.rate"


class Reference:
    """Turns and rectifications on one shared head, F = rate x sum of logits."""

    def __init__(self, training: Training, **params) -> None:
        self.training, self.net, self.names = training, Net(weights(training)), training.config.modalities
        self.p = {"w1": 1.0, "w2_ratio": 0.2, "align": 0.5, "residual": "full", "alignment": "attached"} | params
        self.epoch, self.before, self.present = 0, None, []

    def features(self, batch, names):
        z = {m: self.net.encode(m, batch.x[m]) for m in names}
        return z, {m: self.net.head("joint", z[m]) for m in names}

    def back(self, batch, z, dl, grads):
        for m, each in dl.items():
            self.net.encode_back(m, batch.x[m], z[m], self.net.head_back("joint", z[m], each, grads), grads)

    def epochs(self, count, gradients):
        """`count` epochs under a new optimiser."""
        sgd = SGD(self.net)
        for _ in range(count):
            for batch in batches(self.training, self.epoch):
                sgd.step(gradients(batch))
            self.epoch += 1

    def pretrain(self, count):
        """sum_m CE(l_m, y)."""

        def gradients(batch):
            grads: dict[str, np.ndarray] = {}
            z, logits = self.features(batch, self.names)
            self.back(batch, z, {m: slope(logits[m], batch.y) for m in self.names}, grads)
            return grads

        self.epochs(count, gradients)
        self.present = list(self.names)

    def rectify(self, count):
        """CE(F, y) over all that have had a turn, and the boosting rate."""

        def gradients(batch):
            grads: dict[str, np.ndarray] = {}
            z, logits = self.features(batch, self.present)
            total = sum(logits.values())
            df = slope(self.net.w[RATE] * total, batch.y)
            add(grads, RATE, (df * total).sum())
            self.back(batch, z, dict.fromkeys(self.present, self.net.w[RATE] * df), grads)
            return grads

        self.epochs(count, gradients)

    def turn(self, own, count):
        """w1 CE(p, y) - w2 CE(p, softmax F_o) + align MSE(p, p_before), over the weights of one modality."""
        p, others = self.p, [m for m in self.present if m != own]

        def gradients(batch):
            grads: dict[str, np.ndarray] = {}
            z, logits = self.features(batch, [own])
            mine, (n, classes) = softmax(logits[own]), logits[own].shape
            y = onehot(batch.y, classes)
            _, rest = self.features(batch, others)
            q = softmax(self.net.w[RATE] * sum(rest.values())) if others else None
            if p["residual"] == "full":
                target, share = (q, 1 / n) if others else (np.zeros_like(y), 0.0)
                label = p["w1"] / n
            else:  # the mean over samples and classes of -w1 Y log p + w2 Y softmax(F_o) log p
                target, share = y * (q if others else 1.0), 1 / (n * classes)
                label = p["w1"] / (n * classes)
            # of -sum_c t_c log p_c with respect to the logits: p sum_c t_c - t
            dl = label * (mine - y)
            counts = np.where(np.log(mine) > -10, target, 0.0) if p["residual"] == "full" else target
            dl = dl - p["w1"] * p["w2_ratio"] * share * (mine * counts.sum(1, keepdims=True) - counts)
            if self.before in others and p["alignment"] == "attached":
                dp = 2 * p["align"] * (mine - softmax(rest[self.before])) / (n * classes)
                dl = dl + mine * (dp - (mine * dp).sum(1, keepdims=True))
            self.back(batch, z, {own: dl}, grads)
            return grads

        self.epochs(count, gradients)
        self.present = [m for m in self.names if m in (*self.present, own)]
        self.before = own


def check(toy_config, modalities, epochs, cycles, turns, tolerance=1e-10, pretrain=0, rectify=0.67, **params):
    method = {"name": "reconboost", "rectify": rectify, "pretrain": bool(pretrain)} | params
    config = toy_config(modalities, method, stages__cycles=cycles, stages__epochs=epochs, stages__handover="last")
    training = tiny_training(config)
    reference = Reference(training, **params)
    if pretrain:
        reference.pretrain(pretrain)
    for name, own, rectified in turns:
        reference.turn(name, own)
        reference.rectify(rectified)
    history = train_to_the_end(training)
    assert len(history) == reference.epoch
    agree(training, reference.net.w, tolerance)
    return history


@pytest.mark.parametrize("residual", ["full", "true_class"])
@pytest.mark.parametrize("alignment", ["attached", "released"])
def test_two_modalities_agree_with_the_equations(toy_config, residual, alignment):
    """Two cycles of one epoch a turn and one a rectification."""
    turns = [("m0", 1, 1), ("m1", 1, 1)] * 2
    check(toy_config, 2, 3, 2, turns, w1=1.5, w2_ratio=0.5, align=2.0, residual=residual, alignment=alignment)


@pytest.mark.parametrize("residual", ["full", "true_class"])
def test_three_modalities_agree_with_the_equations(toy_config, residual):
    turns = [("m0", 1, 1), ("m1", 1, 1), ("m2", 1, 1)] * 2
    check(toy_config, 3, 4, 2, turns, rectify=0.75, w1=1.5, w2_ratio=0.5, align=2.0, residual=residual)


def test_pretraining_is_the_sum_of_the_own_losses_and_everybody_is_in_the_ensemble_after_it(toy_config):
    check(toy_config, 2, 3, 2, [("m0", 1, 1), ("m1", 1, 1)], pretrain=3)


def test_a_released_turn_is_weighted_by_w1_less_w2_times_the_ensembles_probability_of_the_label():
    """(1 / C) (w1 - w2 q) CE as released; nobody there is w1 - w2."""
    logits, labels = torch.randn(7, 4, dtype=torch.float64), torch.arange(7) % 4
    q = torch.softmax(torch.randn(7, 4, dtype=torch.float64), -1)
    ce = torch.from_numpy(cross_entropies(logits.numpy(), labels.numpy()))
    weight = 5 - q[torch.arange(7), labels]
    assert torch.allclose(boosting_loss(logits, labels, q, 5, 1, true_class=True), (weight * ce).mean() / 4)
    assert torch.allclose(boosting_loss(logits, labels, None, 5, 1, true_class=True), 4 * ce.mean() / 4)
    assert torch.allclose(boosting_loss(logits, labels, None, 5, 1), 5 * ce.mean())


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.1, 500), st.floats(0.1, 500))
def test_the_full_residual_is_never_below_minus_ten_w2_and_its_slope_is_finite(seed, size, others):
    """Without a floor of -10 below log p it falls as fast as the logits grow."""
    generator = torch.Generator().manual_seed(seed)
    logits = (size * torch.randn(5, 3, generator=generator)).requires_grad_()
    q = torch.softmax(others * torch.randn(5, 3, generator=generator), -1)
    loss = boosting_loss(logits, torch.arange(5) % 3, q, 1.0, 1.0)
    loss.backward()
    assert loss.item() >= -10.001
    assert torch.isfinite(logits.grad).all()


def test_a_class_at_the_floor_is_pushed_no_further():
    logits = torch.tensor([[0.0, 0.0, -40.0]], dtype=torch.float64, requires_grad=True)
    q = torch.tensor([[0.0, 0.0, 1.0]], dtype=torch.float64)
    boosting_loss(logits, torch.tensor([0]), q, 1.0, 1.0).backward()
    own = logits.grad.clone()
    logits.grad = None
    F.cross_entropy(logits, torch.tensor([0])).backward()
    assert torch.equal(own, logits.grad)


def bits(toy_config, **params):
    method = {"name": "reconboost"} | params
    return train(toy_config(2, method, stages__cycles=1, stages__epochs=3)).model.state_dict()


@pytest.mark.slow
def test_the_alignment_has_a_gradient_attached_and_none_as_released(toy_config):
    attached, released, none = (
        bits(toy_config, alignment="attached"),
        bits(toy_config, alignment="released"),
        bits(toy_config, align=0.0),
    )
    assert all(torch.equal(released[name], none[name]) for name in none)
    assert any(not torch.equal(attached[name], none[name]) for name in none)


def plan(modalities, epochs, count=1, **params):
    names = tuple(f"m{i}" for i in range(modalities))
    return ReconBoost(ReconBoostParams(**params), names).stages(count, dict(zip(names, epochs, strict=True)))


def test_the_works_four_and_four_epochs_are_a_budget_of_twelve():
    """T1 = T2 = 4 after every turn of two modalities: each is trained 12 epochs a cycle, 8 of them in rectifications."""
    assert [(stage.name, stage.active, stage.epochs) for stage in plan(2, (12, 12))] == [
        ("train", ("m0",), 4),
        ("rectify", ("m0", "m1"), 4),
        ("train", ("m1",), 4),
        ("rectify", ("m0", "m1"), 4),
    ]


@pytest.mark.parametrize("pretrain", [False, True])
@pytest.mark.parametrize(
    ("epochs", "rectify"), [((1, 1), 0.67), ((5, 2), 0.67), ((7, 7), 0.0), ((3, 4, 9), 0.9), ((4, 4, 4), 0.3)]
)
def test_every_modality_gets_its_epochs_of_every_cycle(epochs, rectify, pretrain):
    stages = plan(len(epochs), epochs, 3, rectify=rectify, pretrain=pretrain)
    for cycle in range(3):
        own: list[Stage] = [stage for stage in stages if stage.cycle == cycle]
        assert [stage.last_of_cycle for stage in own] == [False] * (len(own) - 1) + [True]
        if pretrain and cycle == 0:
            assert [(stage.name, stage.epochs) for stage in own] == [("pretrain", max(epochs))]
            continue
        for number, count in enumerate(epochs):
            assert sum(stage.epochs for stage in own if f"m{number}" in stage.active) == count
        assert [stage.active[0] for stage in own if stage.name == "train"] == [f"m{i}" for i in range(len(epochs))]
    assert {stage.name for stage in plan(2, (2, 2), pretrain=True)} == {"train", "rectify"}


def parts(training):
    """Copies of every modality's weights and statistics, and of the boosting rate."""
    found = {m: training.model.branch(m).state_dict() for m in training.config.modalities} | {
        "rate": training.model.extra.state_dict()
    }
    return {name: {key: x.clone() for key, x in state.items()} for name, state in found.items()}


@pytest.mark.slow
def test_a_turn_moves_one_modality_and_a_rectification_those_that_have_had_one(toy_config):
    """The others are looked at in evaluation mode: their batch-norm statistics stay; so does the boosting rate."""
    training = Training(toy_config(3, {"name": "reconboost", "rectify": 0.75}, stages__cycles=1, stages__epochs=4))
    before = parts(training)
    moved, right = [], []
    for epoch in training.epochs():
        now = parts(training)
        moved.append([n for n, each in now.items() if any(not torch.equal(each[k], before[n][k]) for k in each)])
        before = now
        right.append(epoch.metrics)
    assert moved == [
        ["m0"],
        ["m0", "rate"],
        ["m1"],
        ["m0", "m1", "rate"],
        ["m2"],
        ["m0", "m1", "m2", "rate"],
    ]
    assert right[0]["val/acc"] == right[0]["val/m0/acc"]  # nobody else has had a turn
    assert right[1]["val/acc"] == right[1]["val/m0/acc"]


@pytest.mark.parametrize("preset", ["paper", "released"])
def test_presets_name_the_two_forms(toy_config, preset):
    method = toy_config(2, {"name": "reconboost", "preset": preset}).method
    forms = {"paper": ("full", "attached", 1.0), "released": ("true_class", "released", 5.0)}
    assert (method.residual, method.alignment, method.w1) == forms[preset]
    assert method.w1 * method.w2_ratio == pytest.approx({"paper": 0.2, "released": 1.0}[preset])


def test_a_cycle_too_short_for_rectification_is_told(toy_config):
    short = Training(toy_config(2, "reconboost", stages__cycles=1, stages__epochs=1))
    names = [epoch.metrics["stage_name"] for epoch in short.epochs()]
    assert set(names) == {"train"}
    assert [line for line in short.run.notes if "stages.epochs to 3 or more" in line]
    longer = Training(toy_config(2, "reconboost", stages__cycles=1, stages__epochs=3))
    assert "rectify" in [epoch.metrics["stage_name"] for epoch in longer.epochs()] and not longer.run.notes
