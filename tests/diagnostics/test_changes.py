"""Gradient changes and spectra of trained models."""

from __future__ import annotations

import math

import pytest
import torch

from igmsweep.diagnostics import Spectrum, gradient_change, input_spectra
from igmsweep.train import Training


def finished(config) -> Training:
    training = Training(config)
    list(training.epochs())
    return training


@pytest.mark.slow
def test_igms_cosines_are_between_a_gradient_and_itself_times_t(toy_config):
    """With the mean feature's direction damped by e^-tau, no cosine is below e^-tau; an inert T changes nothing."""
    training = finished(toy_config(method={"name": "igm", "tau": 2.0, "sam": False}))
    weights = {name: x.clone() for name, x in training.model.state_dict().items()}
    found = gradient_change(training, "m1", batches=20)
    assert set(found.cosines) == {name for name in weights if name.startswith("heads.m1") and name.endswith("weight")}
    for cosines in found.cosines.values():
        assert len(cosines) == 20
        assert all(math.exp(-2) < each < 1 for each in cosines)
    assert found.unchanged > 0  # the encoder's layers are out of scope
    assert all(
        torch.equal(x, weights[name])
        for name, x in training.model.state_dict().items()
        if "running" not in name and "num_batches" not in name
    )


@pytest.mark.slow
def test_without_gm_no_gradient_is_changed(toy_config):
    found = gradient_change(finished(toy_config(method={"name": "igm", "gm": False, "sam": False})), "m1", 3)
    assert found.cosines == {}
    assert found.unchanged > 0


def test_mla_changes_the_shared_head_alone(toy_config):
    found = gradient_change(finished(toy_config(method={"name": "mla"})), "m0", 5)
    assert list(found.cosines) == ["joint.0.weight"]
    assert len(found.cosines["joint.0.weight"]) == 5


@pytest.mark.slow
def test_a_modality_that_nobody_trains(toy_config):
    with pytest.raises(ValueError, match="stages train m0, m1"):
        gradient_change(finished(toy_config(method={"name": "igm"})), "smell")


def test_a_spectrum_by_hand():
    assert Spectrum([2.0, 2.0, 0.0], 3).effective_rank == pytest.approx(2)
    assert Spectrum([5.0, 0.0], 2).effective_rank == pytest.approx(1)
    assert Spectrum([0.0], 1).effective_rank == 0
    assert Spectrum([3.0, 1.0], 4).mean == 1


def test_spectra_are_those_of_the_mean_outer_product_of_inputs(toy_config):
    training = finished(toy_config(method={"name": "igm"}))
    found = input_spectra(training, "m0", scope="head")
    model, rows = training.model, []
    model.eval()
    for batch in training.run.clean().only(("m0",)):
        rows.append(model.features("m0", batch.inputs["m0"]).detach().double())
    z = torch.cat(rows)
    wanted = torch.linalg.eigvalsh(z.T @ z / len(z)).flip(0)
    first = next(name for name in reversed(found))  # the shallowest of the head
    assert torch.tensor(found[first].values, dtype=torch.float64) == pytest.approx(wanted, abs=1e-5)
    assert all(a >= b for a, b in zip(found[first].values, found[first].values[1:], strict=False))
    with pytest.raises(ValueError, match="m0, m1"):
        input_spectra(training, "smell")
