"""The contract that every method keeps, on two and three modalities."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch
from torch.nn import functional as F

from igmsweep import methods
from igmsweep.data import load_search
from igmsweep.methods.base import entropy_weights
from igmsweep.train import Training, train

sys.path.insert(0, str(Path(__file__).parent))  # the methods under test
from variants import VARIANTS


@pytest.mark.slow
@pytest.mark.parametrize("modalities", [2, 3])
@pytest.mark.parametrize("variant", [name for name, method in VARIANTS.items() if ".py" not in method["name"]])
def test_every_method_learns_with_finite_losses(toy_config, variant, modalities):
    config = toy_config(modalities, VARIANTS[variant], stages__cycles=3)
    result = train(config)
    assert result.metrics["val/acc"] > 0.6
    assert all(value == value for value in result.metrics.values())
    assert result.history[-1]["train/loss"] < result.history[0]["train/loss"] + 1


@pytest.mark.slow
@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("handover", ["last", "best_val", "best_fused"])
def test_a_results_scores_are_those_of_the_weights_it_ends_with(toy_config, variant, handover):
    result = train(toy_config(2, VARIANTS[variant], stages__cycles=1, stages__handover=handover, optim__lr=0.2))
    again = result.evaluate(load_search(result.config.data).val)
    assert {f"val/{name}": value for name, value in again.items()} == {
        name: value for name, value in result.metrics.items() if name.startswith("val/")
    }


@pytest.mark.slow
@pytest.mark.parametrize("variant", VARIANTS)
def test_prediction_leaves_the_model_as_it_was(toy_config, variant):
    result = train(toy_config(3, VARIANTS[variant], stages__cycles=1, stages__epochs=1))
    before = {name: tensor.clone() for name, tensor in result.model.state_dict().items()}
    result.evaluate(load_search(result.config.data).val)
    assert all(torch.equal(tensor, before[name]) for name, tensor in result.model.state_dict().items())


@pytest.mark.slow
@pytest.mark.parametrize("variant", ["igm", "igm-released", "unimodal-second"])
def test_a_stage_changes_nothing_of_a_modality_at_rest(toy_config, variant):
    training = Training(toy_config(3, VARIANTS[variant], stages__epochs=1, stages__handover="last"))
    last = {name: state(training, name) for name in training.config.modalities}
    for epoch in training.epochs():
        for name in training.config.modalities:
            now = state(training, name)
            same = all(torch.equal(now[key], last[name][key]) for key in now)
            assert same == (name not in epoch.metrics["active"].split("+"))
            last[name] = now


def state(training: Training, modality: str) -> dict[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in training.model.branch(modality).state_dict().items()}


def test_entropy_weights_are_per_sample_and_favour_the_surer_modality():
    logits = torch.tensor([[[4.0, 0, 0], [0.1, 0, 0]], [[0.1, 0, 0], [4.0, 0, 0]]])
    weights = entropy_weights(F.log_softmax(logits, dim=-1))
    assert torch.allclose(weights.sum(0), torch.ones(2))
    assert weights[0, 0] > 0.5 > weights[1, 0]
    assert weights[1, 1] > 0.5 > weights[0, 1]
    assert torch.allclose(entropy_weights(F.log_softmax(logits[:, :1], dim=-1)), weights[:, :1])


def test_names_and_unknown_methods():
    from igmsweep.errors import UserError

    assert {"igm", "mla", "joint", "unimodal"} <= set(methods.names())
    with pytest.raises(UserError, match=r"unknown method 'igmm'.*did you mean 'igm'"):
        methods.get("igmm")


@pytest.mark.slow
@pytest.mark.parametrize("variant", VARIANTS)
def test_a_training_cut_after_any_epoch_goes_on_with_the_same_bits(toy_config, tmp_path, variant):
    config = toy_config(2, VARIANTS[variant], optim__schedule="plateau", optim__patience=0)
    whole = train(config, lambda step, row, save: save(tmp_path / f"{step}.pt"))
    assert len(whole.history) > 2
    for cut in range(1, len(whole.history)):
        rest = train(config, resume=tmp_path / f"{cut}.pt")
        assert same(whole.model.state_dict(), rest.model.state_dict())
        assert without_time(rest.history) == without_time(whole.history)
        assert (rest.metrics, rest.notes, rest.diagnostics) == (whole.metrics, whole.notes, whole.diagnostics)


@pytest.mark.slow
@pytest.mark.parametrize("variant", [name for name in VARIANTS if "inert" not in name])
def test_the_same_configuration_gives_the_same_metrics_and_another_seed_does_not(toy_config, variant):
    one, two = train(toy_config(2, VARIANTS[variant])), train(toy_config(2, VARIANTS[variant]))
    assert without_time(one.history) == without_time(two.history)
    assert one.metrics == two.metrics
    assert without_time(train(toy_config(2, VARIANTS[variant], seed=1)).history) != without_time(one.history)


def same(one: dict, other: dict) -> bool:
    return all(torch.equal(one[name], other[name]) for name in one)


def without_time(history: list[dict]) -> list[dict]:
    return [{key: value for key, value in row.items() if key != "seconds"} for row in history]
