"""The contract that every method keeps, on two and three modalities."""

from __future__ import annotations

import math
import sys
from functools import partialmethod
from pathlib import Path

import pytest
import torch
from torch.nn import functional as F

from igmsweep import methods
from igmsweep.data import load_search
from igmsweep.errors import UserError
from igmsweep.methods.base import entropy_weights
from igmsweep.train import Training, train

sys.path.insert(0, str(Path(__file__).parent))  # the methods under test
from variants import VARIANTS

SHIPPED = [name for name, method in VARIANTS.items() if ".py" not in method["name"]]
FIRST = ("igm", "mla", "joint", "unimodal")
LEARNS = [(name, 2) for name in SHIPPED] + [
    (name, 3) for name in SHIPPED if name in methods.names() or VARIANTS[name]["name"] in FIRST
]
"""Every method on two and on three modalities as it comes, further settings of the ten of Table 1 on two."""
GENTLE = {"optim__lr": 0.02}
"""AGM compares running with batch statistics, and at 0.05 three modalities fall back from all right to chance."""
STAGED = ["mslr", "domfn", "mses-stops", "reconboost", "reconboost-pretrained"]
"""Of the ten, where a training has several stages or its method changes weights: `best_fused` is not `best_val`."""
HANDOVERS = [
    (name, rule)
    for name in VARIANTS
    for rule in ("last", "best_val", "best_fused")
    if rule != "best_fused" or name in STAGED or ".py" in VARIANTS[name]["name"] or VARIANTS[name]["name"] in FIRST
]
RATES = {"m0": 0.1, "m1": 0.2, "m2": 0.05}


def quick(toy_config, modalities, variant, **changes):
    """Four steps an epoch, at rates that differ between the modalities: enough for all but learning."""
    rates = {f"optim__lr__m{number}": RATES[f"m{number}"] for number in range(modalities)}
    return toy_config(modalities, VARIANTS[variant], **{"optim__batch_size": 48} | rates | changes)


@pytest.mark.slow
@pytest.mark.parametrize(("variant", "modalities"), LEARNS)
def test_every_method_learns_with_finite_losses(toy_config, variant, modalities):
    changes = GENTLE if variant == "agm" else {}
    config = toy_config(modalities, VARIANTS[variant], stages__cycles=3, **changes)
    result = train(config)
    assert result.metrics["val/acc"] > 0.6
    assert all(value == value for value in result.metrics.values())
    assert result.history[-1]["train/loss"] < result.history[0]["train/loss"] + 1


@pytest.mark.slow
@pytest.mark.parametrize(("variant", "handover"), HANDOVERS)
def test_a_results_scores_are_those_of_the_weights_it_ends_with(toy_config, variant, handover):
    result = train(quick(toy_config, 2, variant, stages__cycles=1, stages__handover=handover))
    again = result.evaluate(load_search(result.config.data).val)
    assert {f"val/{name}": value for name, value in again.items()} == {
        name: value for name, value in result.metrics.items() if name.startswith("val/")
    }


@pytest.mark.slow
@pytest.mark.parametrize("variant", VARIANTS)
def test_prediction_leaves_the_model_as_it_was(toy_config, variant):
    result = train(quick(toy_config, 3, variant, stages__cycles=1, stages__epochs=1))
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
    assert {"igm", "mla", "joint", "unimodal"} <= set(methods.names())
    with pytest.raises(UserError, match=r"unknown method 'igmm'.*did you mean 'igm'"):
        methods.get("igmm")


@pytest.mark.slow
@pytest.mark.parametrize("variant", VARIANTS)
def test_a_training_cut_after_any_epoch_goes_on_with_the_same_bits(toy_config, tmp_path, variant):
    config = quick(toy_config, 2, variant, optim__schedule="plateau", optim__patience=0)
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
    config = quick(toy_config, 2, variant, stages__cycles=1)
    one, two = train(config), train(config)
    assert without_time(one.history) == without_time(two.history)
    assert one.metrics == two.metrics
    assert without_time(train(config.override({"seed": 1})).history) != without_time(one.history)


TELLS = {
    "ogm-sum": "ogm/k/m0",
    "ogm-rate": "ogm/k/m0",
    "domfn-penalise": "domfn/fused",
    "mses-stops": "lr/m1",
    "mslr-smooth": "lr/m0",
    "mslr-window-1": "lr/m1",
    "pmr-sum": "pmr/beta/m1",
    "agm-features": "agm/kappa/m0",
    "smv-at-once": "smv/samples",
    "smv-modality": "smv/samples",
    "reconboost-pretrained": "stage_name",
}
"""A metric that changes from epoch to epoch because the method acts."""


@pytest.mark.slow
@pytest.mark.parametrize("variant", TELLS)
def test_methods_act_within_the_few_epochs_of_these_tests(toy_config, variant):
    """Else a training that goes on with the same bits says nothing of their state."""
    history = train(quick(toy_config, 2, variant)).history
    assert len({row[TELLS[variant]] for row in history if TELLS[variant] in row}) > 1


@pytest.mark.slow
@pytest.mark.parametrize("name", methods.names())
def test_every_method_trains_in_bfloat16(toy_config, name):
    """Weights stay float32, the loss is that of float32 to bfloat16's three digits, and not its very bits."""
    changes = {"stages__cycles": 1, "optim__lr": 0.01}
    full = Training(toy_config(3, name, optim__batch_size=48, **changes))
    half = Training(toy_config(3, name, optim__batch_size=48, precision="bf16", **changes))
    (exact, *_), rows = [epoch.metrics for epoch in full.epochs()], [epoch.metrics for epoch in half.epochs()]
    assert all(math.isfinite(value) for row in rows for value in row.values() if isinstance(value, float))
    assert rows[0]["train/loss"] == pytest.approx(exact["train/loss"], rel=0.05)
    assert rows[0]["train/loss"] != exact["train/loss"]
    assert {x.dtype for x in half.model.parameters()} == {torch.float32}


@pytest.mark.slow
@pytest.mark.parametrize("name", methods.names())
def test_every_method_learns_under_adam(toy_config, name):
    result = train(toy_config(2, name, optim__name="adam", optim__lr=0.01))
    assert all(math.isfinite(value) for row in result.history for value in row.values() if isinstance(value, float))
    assert result.metrics["val/acc"] > 0.6


@pytest.mark.slow
@pytest.mark.parametrize("name", ["agm", "mmpareto", "smv"])
def test_methods_that_run_encoders_out_of_turn_agree_with_themselves_compiled(toy_config, name, monkeypatch):
    """Passes in evaluation mode, two backward passes through one forward, batches of any length.

    Traced as `compile: true` has it, but run by torch's own kernels: no compiler is needed, and none is waited for.
    """
    pytest.importorskip("torch._dynamo")
    monkeypatch.setattr(torch.nn.Module, "compile", partialmethod(torch.nn.Module.compile, backend="aot_eager"))
    torch._dynamo.reset()
    traced = torch._dynamo.utils.counters["stats"]
    traced.clear()
    config = quick(toy_config, 2, name, stages__cycles=1, **{"method__warmup": 0.0} if name == "smv" else {})
    eager = train(config)
    assert not traced
    compiled = train(config.override({"compile": True}))
    assert traced["unique_graphs"] >= 2
    for one, other in zip(eager.history, compiled.history, strict=True):
        assert other["train/loss"] == pytest.approx(one["train/loss"], rel=2e-3)
        assert other["val/loss"] == pytest.approx(one["val/loss"], rel=2e-3)
    assert list(eager.model.state_dict()) == list(compiled.model.state_dict())


@pytest.mark.parametrize("name", methods.names())
def test_a_method_for_two_modalities_refuses_data_of_one_in_one_line(toy_config, name):
    about = methods.get(name).about
    assert about is not None
    if about.modalities == 1:
        assert toy_config(1, name).modalities == ("m0",)
        return
    with pytest.raises(UserError) as caught:
        toy_config(1, name)
    assert f"method.name: {name} needs {about.modalities} modalities or more" in str(caught.value)
    assert str(caught.value).endswith("has 1")
    assert "\n" not in str(caught.value)


def same(one: dict, other: dict) -> bool:
    return all(torch.equal(one[name], other[name]) for name in one)


def without_time(history: list[dict]) -> list[dict]:
    return [{key: value for key, value in row.items() if key != "seconds"} for row in history]
