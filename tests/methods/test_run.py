"""What a run offers a method: factors on rates, rest, modes that come back, losses over a loader, early ends."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from igmsweep.methods.base import Stage, cycles, lead_in
from igmsweep.train import Training


def begun(config) -> Training:
    """A training whose first stage has begun, with gradients of one batch."""
    training = Training(config)
    run = training.run
    run.stage = training.stages[0]
    training._new_optimizer()
    training.model.train()
    return training


def backward(training: Training) -> None:
    batch = next(iter(training.run.train))
    output = training.model(batch.inputs)
    torch.stack([F.cross_entropy(z, batch.labels) for z in output.logits.values()]).sum().backward()


def moved(training: Training, before: dict[str, torch.Tensor], name: str) -> float:
    now = training.model.state_dict()
    keys = [key for key, _ in training.model.named_parameters() if f".{name}." in key]
    return math.sqrt(sum(float((now[key] - before[key]).double().square().sum()) for key in keys))


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_a_factor_acts_on_the_step_under_sgd_and_under_adam(toy_config, optimizer):
    """Under Adam a factor on the gradient would cancel."""
    steps = {}
    for factor in (1.0, 0.1):
        training = begun(toy_config(2, "joint", optim__name=optimizer))
        training.run.scale("m0", factor)
        before = {key: x.clone() for key, x in training.model.state_dict().items()}
        backward(training)
        training.run.update()
        steps[factor] = moved(training, before, "m0"), moved(training, before, "m1")
    assert steps[0.1][0] == pytest.approx(0.1 * steps[1.0][0], rel=1e-3)
    assert steps[0.1][1] == steps[1.0][1]


def test_a_factor_and_the_schedule_do_not_fight(toy_config):
    """A rate that a method changes still decays, and the factor is in what an epoch reports."""
    training = Training(
        toy_config(2, "joint", optim__schedule="step", optim__step_size=1, stages__epochs=3, stages__cycles=1)
    )
    training.run.scale("m0", 0.5)
    rows = [epoch.metrics for epoch in training.epochs()]
    assert [row["lr/m0"] for row in rows] == pytest.approx([0.025, 0.0025, 0.00025])
    assert [row["lr/m1"] for row in rows] == pytest.approx([0.05, 0.005, 0.0005])


def test_a_modality_at_rest_keeps_weights_momentum_and_statistics(toy_config):
    training = begun(toy_config(2, "joint"))
    run = training.run
    backward(training)
    run.update()
    run.scale("m0", 0.0)
    assert run.awake == ("m1",)
    assert not any(module.training for module in training.model.encoders["m0"].modules())
    state = {key: x.clone() for key, x in training.model.branch("m0").state_dict().items()}
    momentum = [run.optimizer.state[p]["momentum_buffer"].clone() for p in training.model.part("m0")]
    for _ in range(2):
        backward(training)
        run.update()
    assert all(torch.equal(x, state[key]) for key, x in training.model.branch("m0").state_dict().items())
    now = [run.optimizer.state[p]["momentum_buffer"] for p in training.model.part("m0")]
    assert all(torch.equal(one, other) for one, other in zip(now, momentum, strict=True))


def test_an_update_of_some_parts_leaves_the_others_and_forgets_their_gradients(toy_config):
    training = begun(toy_config(2, "joint"))
    before = {key: x.clone() for key, x in training.model.state_dict().items()}
    backward(training)
    training.run.update(["m1"])
    assert moved(training, before, "m0") == 0 < moved(training, before, "m1")
    assert all(parameter.grad is None for parameter in training.model.parameters())


def test_a_part_that_is_not_there_is_named(toy_config):
    run = begun(toy_config(2, "joint")).run
    with pytest.raises(ValueError, match=r"unknown part 'mO', expected one of m0, m1, shared"):
        run.update(["mO"])
    with pytest.raises(ValueError, match="scale: unknown part 'audio'"):
        run.scale("audio", 0.5)


@pytest.mark.parametrize("factor", [-0.1, float("nan"), float("inf")])
def test_an_impossible_factor_is_refused(toy_config, factor):
    with pytest.raises(ValueError, match=r"expected a finite factor of at least 0"):
        begun(toy_config(2, "joint")).run.scale("m0", factor)


def test_modes_come_back_as_they_were_also_after_an_error(toy_config):
    training = begun(toy_config(2, "joint"))
    training.model.branch("m0").eval()
    before = [module.training for module in training.model.modules()]
    with pytest.raises(ZeroDivisionError), training.run.evaluating():
        assert not any(module.training for module in training.model.modules())
        raise ZeroDivisionError
    assert [module.training for module in training.model.modules()] == before


def test_mean_losses_weigh_batches_by_their_size(toy_config):
    """The last batch is smaller than the others: the mean is over samples."""
    training = begun(toy_config(2, "joint"))
    run = training.run

    def losses(output, labels):
        return {name: F.cross_entropy(z, labels) for name, z in output.logits.items()}

    found = run.mean_losses(run.clean(), losses)
    with torch.no_grad(), run.evaluating():
        pieces = [(training.model(batch.inputs), batch.labels) for batch in run.clean()]
        for name in ("m0", "m1"):
            each = torch.cat([F.cross_entropy(o.logits[name], y, reduction="none").double() for o, y in pieces])
            assert found[name] == pytest.approx(float(each.mean()), rel=1e-6)
    assert len({len(labels) for _, labels in pieces}) == 2
    with pytest.raises(ValueError, match="found no batch"):
        run.mean_losses([], losses)


@pytest.mark.slow
def test_a_stage_and_a_training_may_end_early(toy_config):
    training = Training(toy_config(2, "igm", stages__epochs=3))
    training.method.end_epoch = lambda run, row: run.end_stage() if row["active"] == "m1" else None
    rows = [epoch.metrics for epoch in training.epochs()]
    assert [row["active"] for row in rows] == ["m0", "m0", "m0", "m1"] * 2
    assert [row["stage_end"] for row in rows] == [False, False, True, True] * 2
    assert [row["cycle_end"] for row in rows] == [False, False, False, True] * 2

    training = Training(toy_config(2, "igm", stages__epochs=3))
    training.method.end_epoch = lambda run, row: run.end_training() if run.epoch == 1 else None
    rows = [epoch.metrics for epoch in training.epochs()]
    assert len(rows) == 2
    assert rows[-1]["stage_end"] and rows[-1]["cycle_end"]


def test_a_stage_has_its_own_factor_on_the_rates(toy_config):
    training = Training(toy_config(2, "joint"))
    training.stages = [Stage(("m0", "m1"), 1), Stage(("m0",), 1, rate=0.1)]
    assert [epoch.metrics["lr/m0"] for epoch in training.epochs()] == pytest.approx([0.05, 0.005])


@settings(deadline=None)
@given(
    st.integers(1, 3),
    st.lists(st.tuples(st.integers(1, 4), st.sampled_from([0.5, 1.0])), min_size=1, max_size=3),
    st.floats(0, 0.999),
)
def test_a_lead_in_is_the_first_share_of_the_same_epochs(count, turns, share):
    """Epoch by epoch: modalities, rate and cycle are as they were, only the kind of the first ones is another."""
    stages = cycles(count, [Stage((f"m{i}",), epochs, rate=rate) for i, (epochs, rate) in enumerate(turns)])
    found = lead_in(stages, share, "pretrain")

    def epochs(of):
        return [(stage.active, stage.rate, stage.cycle) for stage in of for _ in range(stage.epochs)]

    names = [stage.name for stage in found for _ in range(stage.epochs)]
    total = len(names)
    assert epochs(found) == epochs(stages)
    assert names == sorted(names)  # `pretrain` comes before `train`
    first = names.count("pretrain")
    assert first < total
    assert first == 0 if share == 0 else abs(first - share * total) <= 0.5 or first in (1, total - 1)
    assert first >= 1 or share == 0 or total == 1
    assert all(stage.epochs >= 1 for stage in found)
    assert sum(stage.last_of_cycle for stage in found) == count  # a cycle ends once, with the last epoch it had
    assert found[-1].last_of_cycle


def test_a_lead_in_by_hand():
    one, two = Stage(("a",), 2), Stage(("b",), 2, rate=0.1)
    assert lead_in([one, two], 0.0, "pretrain") == [one, two]
    assert lead_in([one, two], 0.5, "pretrain") == [Stage(("a",), 2, "pretrain"), two]
    assert lead_in([one, two], 0.75, "pretrain") == [
        Stage(("a",), 2, "pretrain"),
        Stage(("b",), 1, "pretrain", rate=0.1),
        Stage(("b",), 1, rate=0.1),
    ]
    assert lead_in([one], 0.01, "pretrain") == [Stage(("a",), 1, "pretrain"), Stage(("a",), 1)]
    assert lead_in([Stage(("a",), 1)], 0.9, "pretrain") == [Stage(("a",), 1)]  # something is left to train
