"""Version 2 of a space file: `.*`, kinds and `on:`, completed by a data set."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from igmsweep.errors import UserError
from igmsweep.gate.yaml_text import YamlLoader
from igmsweep.spaces import SearchSpace, TunedData
from igmsweep.spaces.expand import expand

TWO = TunedData(("cremad",), {"audio": "audio", "video": "video"})
THREE = TunedData(("mine", "my/samples.csv"), {"sound": "audio", "note": "text", "picture": "image"})
ONE = TunedData(("single",), {"note": "text"})

FILE = """
version: 2
params:
  method.sam:   {type: categorical, choices: [true, false]}
  method.rho.*: {type: float, low: 1e-9, high: 0.5, log: true, when: {method.sam: true}}
  optim.lr.*:   {type: float, low: 1e-4, high: 1e-1, log: true, kinds: {text: {low: 1e-6}}}
  method.tau:   {type: float, low: 0.1, high: 10}
fixed: {stages.cycles: 2}
enqueue: [paper, {optim.lr.*: 0.01, method.tau: 1}]
forbid: [{method.rho.*: {gt: 0.1}, optim.lr.*: {gt: 0.05}}]
"""


def read(text: str = FILE, **changes: Any) -> dict[str, Any]:
    plain: dict[str, Any] = yaml.load(text, Loader=YamlLoader)
    return plain | changes


def space(data: TunedData = TWO, on: Any = None, **changes: Any) -> SearchSpace:
    plain = read(**changes) | ({} if on is None else {"on": on})
    return SearchSpace.from_dict(expand(plain, data, "s.yaml"), "s.yaml")


def described(data: TunedData = TWO, on: Any = None, **changes: Any) -> dict[str, Any]:
    return space(data, on, **changes).described()


@pytest.mark.parametrize(("data", "count"), [(ONE, 1), (TWO, 2), (THREE, 3)])
def test_every_modality_stands_where_the_star_stands_in_training_order(data: TunedData, count: int) -> None:
    paths = list(described(data)["params"])
    assert paths == [
        "method.sam",
        *(f"method.rho.{name}" for name in data.kinds),
        *(f"optim.lr.{name}" for name in data.kinds),
        "method.tau",
    ]
    assert len(paths) == 2 + 2 * count


def test_a_kind_of_modality_has_fields_of_its_own() -> None:
    params = described(THREE)["params"]
    assert [params[f"optim.lr.{name}"]["low"] for name in THREE.kinds] == [1e-4, 1e-6, 1e-4]
    assert params["optim.lr.note"] == {"type": "float", "low": 1e-6, "high": 0.1, "log": True}


def test_rules_and_configurations_are_spelt_out_too() -> None:
    plain = described()
    assert plain["enqueue"] == ["paper", {"optim.lr.audio": 0.01, "optim.lr.video": 0.01, "method.tau": 1}]
    assert plain["forbid"] == [  # one modality above both bounds is enough
        {"method.rho.audio": {"gt": 0.1}, "optim.lr.audio": {"gt": 0.05}},
        {"method.rho.video": {"gt": 0.1}, "optim.lr.video": {"gt": 0.05}},
    ]
    values = {"method.rho.audio": 0.2, "optim.lr.audio": 0.01, "method.rho.video": 0.2, "optim.lr.video": 0.06}
    assert space().forbidden(values)
    assert not space().forbidden(values | {"optim.lr.video": 0.05})


def test_a_condition_of_a_star_on_a_star_is_on_the_same_modality() -> None:
    params = read()["params"]
    params["method.rho.*"]["when"] = {"optim.lr.*": {"lt": 0.01}}
    params["method.tau"]["when"] = {"optim.lr.*": {"lt": 0.01}}
    found = described(params=params, forbid=[])["params"]
    assert found["method.rho.video"]["when"] == {"optim.lr.video": {"lt": 0.01}}
    assert found["method.tau"]["when"] == {f"optim.lr.{name}": {"lt": 0.01} for name in TWO.kinds}


def test_choices_may_be_the_modalities() -> None:
    params = {"method.modality": {"type": "categorical", "choices": "modalities"}}
    found = described(THREE, params=params, enqueue=[], forbid=[])["params"]
    assert found["method.modality"]["choices"] == ["sound", "note", "picture"]


def test_one_modality_counts_more_than_all_whichever_stands_first() -> None:
    one = {"optim.lr.audio": {"high": 0.05}}
    every = {"optim.lr.*": {"type": "float", "low": 1e-4, "high": 1e-1, "log": True}}
    for params in (one | every, every | one):
        found = described(params=params, enqueue=[], forbid=[])["params"]
        assert [found[f"optim.lr.{name}"]["high"] for name in TWO.kinds] == [0.05, 0.1]
    fixed = described(fixed={"stages.epochs.audio": 3, "stages.epochs.*": 1})["fixed"]
    assert fixed == {"stages.epochs.audio": 3, "stages.epochs.video": 1}


def test_a_data_set_changes_fields_takes_away_adds_and_replaces_lists() -> None:
    on = {
        "cremad": {
            "metric": {"name": "val/loss", "mode": "min"},
            "params": {
                "optim.lr.*": {"low": 1e-3},
                "optim.lr.video": {"high": 0.02},
                "method.rho.*": None,
                "method.tau": {"type": "categorical", "choices": [1, 2]},
                "optim.batch_size": {"type": "int", "low": 4, "high": 64},
            },
            "fixed": {"stages.cycles": 3, "optim.momentum": 0.8},
            "enqueue": ["paper"],
            "forbid": [],
        },
        "somebody_elses": {"params": {"method.tau": None}},
    }
    plain = described(on=on)
    assert plain["params"] == {
        "method.sam": {"type": "categorical", "choices": [True, False]},
        "optim.lr.audio": {"type": "float", "low": 1e-3, "high": 0.1, "log": True},
        "optim.lr.video": {"type": "float", "low": 1e-3, "high": 0.02, "log": True},
        "method.tau": {"type": "categorical", "choices": [1, 2]},
        "optim.batch_size": {"type": "int", "low": 4, "high": 64, "log": False},
    }
    assert list(plain["params"])[-1] == "optim.batch_size"
    assert plain["metric"] == {"name": "val/loss", "mode": "min"}
    assert plain["fixed"] == {"stages.cycles": 3, "optim.momentum": 0.8}
    assert (plain["enqueue"], plain["forbid"]) == (["paper"], [])
    assert described(THREE, on) == described(THREE)  # no other data set is touched


def test_a_data_set_of_ones_own_is_found_by_its_name_and_by_what_was_typed() -> None:
    for name in THREE.names:
        found = described(THREE, {name: {"params": {"method.tau": {"high": 3}}}})
        assert found["params"]["method.tau"]["high"] == 3


def test_what_a_data_set_fixes_is_not_searched_there_and_the_other_way_round() -> None:
    plain = described(on={"cremad": {"fixed": {"method.tau": 0.4}, "enqueue": []}})
    assert "method.tau" not in plain["params"]
    assert plain["fixed"]["method.tau"] == 0.4
    plain = described(on={"cremad": {"fixed": {"optim.lr": 0.01}, "enqueue": [], "forbid": []}})
    assert not [path for path in plain["params"] if path.startswith("optim.lr")]
    plain = described(on={"cremad": {"params": {"stages.cycles": {"type": "int", "low": 1, "high": 4}}}})
    assert plain["fixed"] == {}
    assert "stages.cycles" in plain["params"]
    both = {"params": {"optim.momentum": {"type": "float", "low": 0, "high": 0.9}}, "fixed": {"optim.momentum": 0.5}}
    with pytest.raises(UserError, match=r"fixed\.optim\.momentum.*searched under params too"):
        described(on={"cremad": both})


def test_a_condition_can_be_taken_away() -> None:
    on = {"cremad": {"fixed": {"method.sam": True}, "params": {"method.rho.*": {"when": None}}}}
    assert "when" not in described(on=on)["params"]["method.rho.audio"]


def test_on_read_as_true_by_another_yaml_reader_is_the_same_section() -> None:
    plain = yaml.safe_load(
        "version: 2\nparams: {optim.momentum: {type: float, low: 0, high: 0.9}}\non: {cremad: {enqueue: [paper]}}"
    )
    assert True in plain
    assert expand(plain, TWO)["enqueue"] == ["paper"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"parms": {}}, ["'parms'", "did you mean 'params'"]),
        ({"version": 3}, ["version", "found 3", "expected 2"]),
        ({"on": []}, []),
        ({"on": ["cremad"]}, ["on:", "mapping"]),
        ({"on": {"cremda": {}}}, ["on.cremda", "did you mean 'cremad'"]),
        ({"on": {"Twitter2015": {}}}, ["on.Twitter2015", "did you mean 'twitter2015'"]),
        ({"on": {"sarcasm": {"parms": {}}}}, ["on.sarcasm", "'parms'", "did you mean 'params'"]),
        ({"on": {"cremad": ["paper"]}}, ["on.cremad", "expected some of metric, params"]),
        (
            {"on": {"cremad": {"params": {"method.tua": None}}}},
            ["on.cremad", "method.tua", "did you mean 'method.tau'"],
        ),
        ({"on": {"cremad": {"params": {"method.tua": {"low": 1}}}}}, ["method.tua.type", "found None"]),
        ({"on": {"cremad": {"params": {"method.tau": {"low": 20}}}}}, ["method.tau", "low 20", "high 10"]),
        ({"params": {"method.tau": {"type": "float", "low": 1, "high": 2, "kinds": {}}}}, ["method.tau.kinds", ".*"]),
        (
            {"params": {"optim.lr.*": {"type": "float", "low": 1, "high": 2, "kinds": {"txt": {"low": 1.5}}}}},
            ["optim.lr.*.kinds", "'txt'", "did you mean 'text'"],
        ),
        (
            {"params": {"method.modality": {"type": "categorical", "choices": "modality"}}},
            ["method.modality.choices", "'modality'", "did you mean 'modalities'"],
        ),
        ({"params": {"optim.lr.*": 0.1}}, ["optim.lr.audio", "found 0.1", "fixed"]),
        ({"params": {}}, ["params", "at least one"]),
        ({"params": ["method.tau"]}, ["params", "at least one"]),
        ({"enqueue": "paper"}, ["enqueue", "expected a list"]),
        ({"fixed": [1]}, ["fixed", "expected a mapping"]),
    ],
)
def test_a_bad_file_is_refused_by_its_key(changes: dict[str, Any], words: list[str]) -> None:
    changes = {"enqueue": [], "forbid": []} | changes
    if not words:
        described(**changes)  # an empty section is none
        return
    with pytest.raises(UserError) as caught:
        described(**changes)
    line = str(caught.value)
    assert "\n" not in line
    assert line.startswith("s.yaml: ")
    for word in words:
        assert word in line, line


def test_a_near_name_beside_the_built_in_one_is_another_data_set() -> None:
    on = {"cremad": {"enqueue": []}, "cremad2": {"enqueue": ["paper"]}}
    assert described(on=on)["enqueue"] == []
    mine = TunedData(("cremad2",), TWO.kinds)
    assert described(mine, {"cremad2": {"enqueue": ["paper"]}})["enqueue"] == ["paper"]
