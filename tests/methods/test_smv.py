"""SMV against its equations in plain float64: what is drawn again, and the training on it."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction
from itertools import combinations, permutations, product

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from plain import SGD, Net, agree, slope, tiny_training, train_to_the_end, weights_of

from igmsweep.methods.shapley import shapley
from igmsweep.methods.smv import SMV, copies_of
from igmsweep.train import Training, train

SLOW = 0.001
"""A learning rate under which the toy data is not learnt at once: there is something to draw again."""
QUICK = {"stages__cycles": 1, "stages__epochs": 3, "model__head": [], "optim__batch_size": 15, "optim__lr": SLOW}


def subsets(names):
    return [each for size in range(1, len(names) + 1) for each in combinations(names, size)]


def shares(values, names):
    """Exact Shapley values: the mean over all orders of what a modality adds to those before it."""
    found = dict.fromkeys(names, Fraction(0))
    orders = list(permutations(names))
    for order in orders:
        for place, name in enumerate(order):
            before = tuple(each for each in names if each in order[:place])
            after = tuple(each for each in names if each in order[: place + 1])
            found[name] += Fraction(values[after] - (values[before] if before else 0), len(orders))
    return found


def drawn_again(phi):
    """n extra copies: 0 from 1 on, 1 in (0.4, 1), 2 in (-0.1, 0.4), 3 below."""
    if phi >= 1:
        return 0
    if phi > Fraction(2, 5):
        return 1
    return 2 if phi > Fraction(-1, 10) else 3


def fused(net, z, names, present):
    """W [z_1 .. z_M] + b with zeros in the place of the absent; `present` (batch,) bool by modality."""
    return net.head("joint", np.concatenate([z[m] * present[m][:, None] for m in names], axis=1))


def contributions(net, loader, names):
    """Exact phi by row and modality, of clean samples: v(S) = |S| where the prediction from S is right, else 0."""
    found = {}
    for batch in loader:
        z = {m: net.encode(m, batch.inputs[m].flatten(1).double().numpy()) for m in names}
        count = len(batch.labels)
        right = {
            subset: fused(net, z, names, {m: np.full(count, m in subset) for m in names}).argmax(1)
            == batch.labels.numpy()
            for subset in subsets(names)
        }
        for place, row in enumerate(batch.index.tolist()):
            found[row] = shares({each: len(each) * int(right[each][place]) for each in right}, names)
    return found


def watched(training):
    """The batches of every epoch as the method's steps see them."""
    epochs: list[list] = []
    begin = training.method.begin_epoch

    def begin_epoch(run):
        epochs.append([])
        for batch in begin(run):
            epochs[-1].append(batch)
            yield batch

    training.method.begin_epoch = begin_epoch
    return epochs


def drawn(epoch, names):
    """How often each row came with each set of modalities."""
    found: Counter = Counter()
    for batch in epoch:
        for place, row in enumerate(batch.index.tolist()):
            kept = tuple(m for m in names if batch.mask is None or bool(batch.mask[m][place]))
            found[row, kept] += 1
    return found


def fit(net, epochs, names, rest):
    """Cross-entropy of the fused logits on the batches of every epoch; `rest(epoch)` is called after each."""
    sgd = SGD(net, SLOW)
    for number, epoch in enumerate(epochs):
        for batch in epoch:
            y = batch.labels.numpy()
            x = {m: batch.inputs[m].flatten(1).double().numpy() for m in names}
            here = {m: np.full(len(y), True) if batch.mask is None else batch.mask[m].numpy() for m in names}
            z = {m: net.encode(m, x[m]) for m in names}
            grads: dict[str, np.ndarray] = {}
            joined = np.concatenate([z[m] * here[m][:, None] for m in names], axis=1)
            dz = net.head_back("joint", joined, slope(fused(net, z, names, here), y), grads)
            for m, each in zip(names, np.split(dz, len(names), axis=1), strict=True):
                if here[m].any():  # an encoder that sees nobody has no gradient, and its momentum rests
                    net.encode_back(m, x[m], z[m], each * here[m][:, None], grads)
            sgd.step(grads)
        rest(number)


def together(training, expected):
    """Train, and the reference on the same batches; `expected(net)` after an epoch is what the next one draws besides."""
    names = training.config.modalities
    net = Net(weights_of(training))
    epochs = watched(training)
    history = train_to_the_end(training)
    everything = Counter({(row, names): 1 for row in training.run.train.rows.tolist()})
    assert drawn(epochs[0], names) == everything

    def rest(number):
        if number + 1 < len(epochs):
            training.run.epoch = number
            expected(net, drawn(epochs[number + 1], names) - everything)
            lone = history[number + 1]["smv/samples"] - drawn(epochs[number + 1], names).total()
            assert lone in (0, 1)  # a last batch of one sample is left out

    fit(net, epochs, names, rest)
    agree(training, net.w)


@pytest.mark.slow
@pytest.mark.parametrize(("modalities", "most"), [(2, 3), (2, 1), (3, 2)])
def test_samples_are_drawn_again_with_one_modality_each_by_their_contribution(toy_config, modalities, most):
    method = {"name": "smv", "warmup": 0.0, "copies": most}
    training = tiny_training(toy_config(modalities, method, **QUICK))
    seen: Counter = Counter()

    def expected(net, again):
        phi = contributions(net, training.run.clean(), training.config.modalities)
        copies = {
            (row, (m,)): min(most, drawn_again(each[m]))
            for row, each in phi.items()
            for m in training.config.modalities
        }
        seen.update(copies.values())
        lost = Counter(copies) - again
        assert not again - Counter(copies)
        assert lost.total() <= 1  # a last batch of one sample is left out

    together(training, expected)
    assert len([number for number in seen if seen[number]]) > 1  # the case is no empty one


@pytest.mark.parametrize(("modalities", "part", "alpha"), [(2, 1.0, 2.0), (3, 0.4, 3.0)])
def test_the_modality_with_the_larger_gap_is_drawn_again_by_the_gap(toy_config, modalities, part, alpha):
    """int(alpha x (largest gap - smallest) x 2 / 3 x N) rows; the gaps 1 - mean phi are estimated on a part."""
    method = {"name": "smv", "warmup": 0.0, "level": "modality", "part": part, "alpha": alpha}
    training = tiny_training(toy_config(modalities, method, **QUICK))
    counts = []

    def expected(net, again):
        phi = contributions(net, training.run.clean(part), training.config.modalities)
        assert len(phi) == pytest.approx(part * len(training.run.train.rows), abs=2)
        gaps = {m: 1 - sum(each[m] for each in phi.values()) / len(phi) for m in training.config.modalities}
        count = int(
            float(max(gaps.values()) - min(gaps.values())) * alpha * 2 / 3 * len(training.run.train.rows) + 1e-6
        )
        assert {kept for _, kept in again} <= {(max(gaps, key=gaps.get),)}
        assert again.total() in (count, count - 1)  # a last batch of one sample is left out
        counts.append(count)

    together(training, expected)
    assert max(counts) > 0


@pytest.mark.slow
@pytest.mark.parametrize("method", [{"copies": 0}, {"level": "modality", "alpha": 0.0}, {"warmup": 1.0}])
def test_without_copies_or_before_the_first_valuation_it_is_joint_training(toy_config, method):
    smv = train(toy_config(2, {"name": "smv"} | method, stages__cycles=1))
    joint = train(toy_config(2, {"name": "joint", "fusion": "concat"}, model__head=[], stages__cycles=1))
    weights = joint.model.state_dict()
    assert all(torch.equal(x, weights[name]) for name, x in smv.model.state_dict().items())


@pytest.mark.slow
@pytest.mark.parametrize(("warmup", "plain"), [(0.0, 1), (0.25, 1), (0.5, 2), (0.75, 3)])
def test_the_first_valuation_ends_the_warm_up(toy_config, warmup, plain):
    """Released: after 5 of 60 epochs; the valuation is at the end of the fifth, so that the sixth draws by it."""
    method = {"name": "smv", "warmup": warmup, "level": "modality", "part": 0.1, "alpha": 3.0}
    training = Training(toy_config(2, method, stages__cycles=1, stages__epochs=4))
    valued = ["phi" in training.method.state for _ in training.epochs()]
    assert valued == [number + 1 >= plain for number in range(4)]


def test_a_share_that_is_no_exact_number_of_epochs_is_rounded():
    """0.07 x 100 is more than 7 in floating point."""
    from types import SimpleNamespace

    from igmsweep.methods.smv import SMVParams

    method = SMV(SMVParams(warmup=0.07), ("a", "b"))
    valued = []
    method._value = lambda run: valued.append(run.epoch + 1)
    for epoch in range(100):
        method.end_epoch(SimpleNamespace(epoch=epoch, epochs=100), {})
    assert valued == list(range(7, 100))  # and nothing follows the last


def test_contributions_of_two_modalities_and_their_copies():
    """The work: phi_1 = (v(1) + v(12) - v(2)) / 2 in {-.5, 0, .5, 1, 1.5}, drawn 3, 2, 1, 0, 0 times again."""
    found = set()
    for one, two, both in product((0, 1), (0, 1), (0, 2)):
        values = {("a",): one, ("b",): two, ("a", "b"): both}
        phi = shapley({name: torch.tensor(float(v)) for name, v in values.items()}, ("a", "b"))
        assert float(phi["a"]) == (one + both - two) / 2
        found.add(float(phi["a"]))
    assert sorted(found) == [-0.5, 0.0, 0.5, 1.0, 1.5]
    assert copies_of(np.array(sorted(found))).tolist() == [3, 2, 1, 0, 0]
    assert [int(np.clip(round(2 * (1 - phi)), 0, 3)) for phi in sorted(found)] == [3, 2, 1, 0, 0]  # its closed form
    assert copies_of(np.array(sorted(found)), 2).tolist() == [2, 2, 1, 0, 0]


@pytest.mark.parametrize("count", [3, 4])
def test_copies_follow_the_exact_contribution_and_not_its_round_off(count):
    """Every pattern of right predictions of three modalities, some of four, where a sum of float32 shares misses 1."""
    names = tuple("abcd"[:count])
    groups = subsets(names)
    if count == 3:
        patterns = np.array(list(product((0, 1), repeat=len(groups))))
    else:
        patterns = np.random.default_rng(0).integers(0, 2, (400, len(groups)))
    values = {group: len(group) * torch.tensor(patterns[:, i]).float() for i, group in enumerate(groups)}
    phi = shapley(values, names)
    for number, pattern in enumerate(patterns.tolist()):
        exact = shares({group: len(group) * right for group, right in zip(groups, pattern, strict=True)}, names)
        for name in names:
            copies = copies_of(phi[name][number : number + 1].numpy())
            assert copies.item() == drawn_again(exact[name])


@settings(max_examples=50, deadline=None)
@given(st.integers(2, 4), st.integers(0, 10_000))
def test_shares_sum_to_the_whole_and_go_with_their_modality(count, seed):
    """Efficiency and symmetry: whoever is called what, shares are the same."""
    rng = np.random.default_rng(seed)
    names = tuple("abcd"[:count])
    values = {group: torch.from_numpy(rng.normal(size=5)) for group in subsets(names)}
    found = shapley(values, names)
    assert torch.allclose(sum(found.values()), values[names])
    order = tuple(rng.permutation(names))
    other = shapley({tuple(m for m in order if m in group): v for group, v in values.items()}, order)
    assert all(torch.allclose(found[m], other[m]) for m in names)
    exact = {
        m: [float(shares({g: Fraction(float(v[i])) for g, v in values.items()}, names)[m]) for i in (0,)] for m in names
    }
    assert all(found[m][0].item() == pytest.approx(exact[m][0]) for m in names)


@pytest.mark.slow
@pytest.mark.parametrize("level", ["sample", "modality"])
def test_a_valuation_leaves_weights_statistics_and_modes_alone(toy_config, level):
    training = Training(toy_config(3, {"name": "smv", "level": level, "warmup": 0.0}))
    next(training.epochs())
    run, method = training.run, training.method
    training.model.encoders["m1"].train()
    training.model.encoders["m2"].eval()
    modes = [module.training for module in training.model.modules()]
    before = {name: x.clone() for name, x in training.model.state_dict().items()}
    noise = torch.get_rng_state()
    method.state.clear()
    method.end_epoch(run, {})
    assert set(method.state) == {"rows", "phi"}
    assert all(torch.equal(x, before[name]) for name, x in training.model.state_dict().items())
    assert modes == [module.training for module in training.model.modules()]
    assert torch.equal(noise, torch.get_rng_state())
    assert all(parameter.grad is None for parameter in training.model.parameters())


def test_nobody_to_draw_again_is_a_plain_epoch_and_a_lone_last_sample_is_left_out(toy_config):
    training = Training(toy_config(2, "smv", optim__batch_size=15))
    next(training.epochs())
    run, method = training.run, training.method
    count = len(run.train.rows)
    method.state |= {"rows": torch.from_numpy(run.train.rows), "phi": torch.ones(count, 2)}
    assert method.begin_epoch(run) is run.train
    method.state["phi"][0, 1] = 0.5
    assert count % 15 == 0
    batches = list(method.begin_epoch(run))
    assert [len(batch.labels) for batch in batches] == [15] * (count // 15)


def test_nobody_right_draws_every_sample_twice_again_for_each_modality():
    """v = 0 everywhere: phi = 0, and no division by anything."""
    zero = {group: torch.zeros(4) for group in subsets(("a", "b", "c"))}
    assert all(copies_of(each.numpy()).tolist() == [2] * 4 for each in shapley(zero, ("a", "b", "c")).values())
