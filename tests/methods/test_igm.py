"""IGM: Algorithm 1's order, T and SAM at their identities, every parameter felt, the released form."""

from __future__ import annotations

from contextlib import contextmanager

import pytest
import torch

from igmsweep.sam import Perturbation
from igmsweep.train import Training, train


def state(training: Training, modality: str) -> dict[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in training.model.branch(modality).state_dict().items()}


def test_igm_trains_modalities_in_turn_and_takes_t_from_the_one_before(toy_config):
    training = Training(toy_config(3, "igm", stages__cycles=2, stages__epochs=1))
    sources = []
    before = training.method._matrices_for

    def spy(run, target):
        found = before(run, target)
        sources.append((target, bool(found)))
        return found

    training.method._matrices_for = spy
    active = [epoch.metrics["active"] for epoch in training.epochs()]
    assert active == ["m0", "m1", "m2"] * 2
    # m0 has no predecessor in the first cycle: T = I (Algorithm 1)
    assert sources == [("m0", False), ("m1", True), ("m2", True), ("m0", True), ("m1", True), ("m2", True)]
    assert set(training.method.state["T"]) == {"m0", "m1", "m2"}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("plain", "same"),
    [
        ({"sam": False, "gm": False}, {"sam": True, "rho": 0.0, "gm": False}),
        ({"sam": False, "gm": False}, {"sam": False, "gm": True, "scope": "none"}),
        ({"sam": False, "gm": False}, {"sam": False, "gm": True, "gm_targets": []}),
        ({"sam": True, "rho": 0.05, "gm": False}, {"sam": True, "rho": 0.05, "gm": True, "scope": 0.0}),
    ],
)
def test_gm_with_t_equal_to_i_and_sam_with_rho_0_are_plain_training_bit_for_bit(toy_config, plain, same):
    results = [train(toy_config(2, {"name": "igm", **values})) for values in (plain, same)]
    for one, other in zip(*(result.model.state_dict().values() for result in results), strict=True):
        assert torch.equal(one, other)


@pytest.mark.slow
def test_a_dense_identity_t_gives_the_bits_of_plain_training(toy_config):
    from igmsweep.flat import FlatMatrix

    def run(identity: bool):
        training = Training(toy_config(2, {"name": "igm", "sam": False, "gm": identity}))
        if identity:

            def fake(run, target):
                layers = ["head.0", "head.2", "head.3"]
                found = {}
                for name in layers:
                    size = run.model.branch(target).get_submodule(name).weight.shape[1]
                    found[name] = FlatMatrix(torch.eye(size), torch.ones(size), 1.0, size)
                return found

            training.method._matrices_for = fake
        list(training.epochs())
        return training.model.state_dict()

    one, other = run(False), run(True)
    assert all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.slow
@pytest.mark.parametrize(
    "values",
    [{"tau": 4.0}, {"scope": 1.0}, {"rho": 0.05}, {"covariance": "samples"}, {"gm_targets": ["m0"]}, {"gm": False}],
)
def test_each_parameter_of_igm_reaches_the_weights(toy_config, values):
    base = {"name": "igm", "tau": 1.0, "rho": 0.01, "scope": "head"}
    results = [train(toy_config(2, {**base, **extra})) for extra in ({}, values)]
    assert any(
        not torch.equal(one, other)
        for one, other in zip(*(result.model.state_dict().values() for result in results), strict=True)
    )


@pytest.mark.slow
def test_unidirectional_modification_touches_one_target_only(toy_config):
    result = train(toy_config(2, {"name": "igm", "gm_targets": ["m1"], "tau": 3.0}))
    seen = {row["active"] for row in result.history if "gm/cosine" in row}
    assert seen == {"m1"}


@pytest.mark.slow
def test_a_layer_without_a_twin_is_reported(toy_config):
    training = Training(toy_config(2, {"name": "igm", "scope": 1.0}))
    stem = training.model.encoders["m1"].stem
    training.model.encoders["m1"].stem = torch.nn.Conv2d(1, stem.out_channels, 5, stride=2, padding=2, bias=False)
    list(training.epochs())
    assert any("encoder.stem" in note and "no twin" in note for note in training.run.notes)


@pytest.mark.slow
def test_a_tiny_rho_is_said_to_move_nothing_once(toy_config):
    result = train(toy_config(2, {"name": "igm", "rho": 1e-15}, stages__cycles=4))
    notes = [note for note in result.notes if note.startswith("sam: rho")]
    assert 1 <= len(notes) <= 2  # once a modality at most
    assert result.metrics["sam/moved"] < 0.1


@pytest.mark.slow
@pytest.mark.parametrize("rho", [1e-15, 1e-12, 1e-9])
@pytest.mark.parametrize("mix", [1.0, 0.3])
def test_a_second_pass_that_is_left_out_would_have_given_the_same_bits(toy_config, monkeypatch, rho, mix):
    """The same training once as it is, and once with every second pass run although no weight moved."""
    import igmsweep.methods.igm as module

    left_out = []
    as_it_is = module.perturbed

    @contextmanager
    def always(parameters, rho, count=False):
        with as_it_is(parameters, rho, count) as found:
            left_out.append(found.inert)
            for parameter in parameters:
                parameter.grad = None
            yield Perturbation(found.moved, False)

    config = toy_config(2, {"name": "igm", "rho": rho, "sam_mix": mix}, stages__cycles=1)
    one = train(config)
    monkeypatch.setattr(module, "perturbed", always)
    other = train(config)
    states = one.model.state_dict(), other.model.state_dict()
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
    assert one.metrics == other.metrics
    assert any(left_out)  # or nothing was tested


@pytest.mark.slow
def test_an_inert_second_pass_may_be_left_out(toy_config):
    result = train(toy_config(2, {"name": "igm", "rho": 1e-30, "sam_skip_inert": True}, stages__cycles=3))
    plain = train(toy_config(2, {"name": "igm", "sam": False}, stages__cycles=3))
    assert result.metrics["val/acc"] == plain.metrics["val/acc"]


def test_the_released_form_drifts_along_the_perturbation(toy_config):
    """A perturbation that is never taken back moves the weights even with a vanishing learning rate."""
    values = {"name": "igm", "sam_form": "released", "sam_mix": 0.3, "rho": 0.01, "gm": False}
    drifting = Training(toy_config(2, values, optim__lr=1e-30, stages__cycles=1, stages__epochs=1))
    before = state(drifting, "m0")
    list(drifting.epochs())
    moved = [not torch.equal(a, b) for a, b in zip(before.values(), state(drifting, "m0").values(), strict=True)]
    assert any(moved)
