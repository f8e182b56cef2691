"""What `igmsweep methods` tells: every parameter of every method, what it may be, and where it is searched."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from igmsweep import methods
from igmsweep.spaces.catalogue import allowed, described, searched


@pytest.mark.parametrize("name", methods.names())
def test_every_shipped_method_tells_its_work_and_what_each_parameter_means(name: str) -> None:
    found = described(name)
    assert found["title"] and found["fusion"] and found["modalities"] in (1, 2)
    assert found["summary"].endswith((".", ",")) and next(iter(found["presets"])) == "paper"
    own = [key for key, each in found["parameters"].items() if each["searched"]]
    assert own, "a method's own space searches something of its own"
    json.dumps(found)
    for each in found["parameters"].values():
        assert each["allowed"]
        assert each["meaning"], "`igmsweep methods NAME` tells what each parameter means"
    works = {"joint", "unimodal"}
    assert (found["year"] is None) == (name in works) == (found["source"] is None)


def test_the_costs_shown_are_the_measured_ones() -> None:
    measured = json.loads((Path(__file__).parents[2] / "docs" / "method-cost.json").read_text())
    assert {name: described(name)["cost"] for name in methods.names()} == {
        name: 1.0 if name == "joint" else pytest.approx(measured[name]["ratio"], abs=0.0501) for name in methods.names()
    }


def test_words_for_a_legal_value_and_for_a_range() -> None:
    igm = methods.get("igm").Params.model_fields
    assert allowed(igm["tau"]) == "number > 0"
    assert allowed(igm["scope"]) == "number or none, head"
    assert allowed(igm["rho"]) == "number, per modality"
    assert allowed(igm["sam"]) == "true, false"
    assert described("igm")["parameters"]["tau"]["meaning"].startswith("Scaling factor of Eq. 4")
    assert searched({"type": "categorical", "choices": [True, "head"]}) == "true or head"
    assert searched({"type": "categorical", "choices": "modalities"}) == "the modalities"


def test_a_method_of_ones_own_is_told_too() -> None:
    file = Path(__file__).parents[2] / "docs" / "examples" / "my_method.py"
    found = described(f"{file}:Tempered")
    assert found["title"] is None and "temperature" in found["parameters"]
