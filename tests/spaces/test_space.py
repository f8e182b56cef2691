"""Search-space files: what they mean, and every refusal in one line that names the key."""

from __future__ import annotations

import pickle
import time

import optuna
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from igmsweep.config import TrainConfig
from igmsweep.errors import UserError
from igmsweep.spaces.space import SearchSpace, canonical

PLAIN = """
version: 1
metric: {name: val/acc, mode: max}
params:
  method.rho.audio: {type: float, low: 1e-15, high: 0.5, log: true, when: {method.sam: true}}
  method.sam:       {type: categorical, choices: [true, false]}
  method.scope:     {type: categorical, choices: [none, head, 0.3]}
  method.tau:       {type: float, low: 1e-3, high: 100, log: true, when: {method.scope: {not: none}}}
  optim.batch_size: {type: int, low: 8, high: 64, log: true, when: {method.tau: {gt: 1}}}
enqueue: [paper, {method.sam: false, method.scope: head, method.tau: 2}]
forbid: [{method.sam: false, method.scope: none}]
"""


def loaded(tmp_path, text: str = PLAIN, **changes) -> SearchSpace:
    plain = yaml.safe_load(text)
    plain.update(changes)
    (tmp_path / "s.yaml").write_text(yaml.safe_dump(plain, sort_keys=False))
    return SearchSpace.load(tmp_path / "s.yaml")


def param(**changes):
    return {
        "params": {"method.tau": {"type": "float", "low": 0.1, "high": 1.0, **changes}},
        "enqueue": [],
        "forbid": [],
    }


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"parms": {}}, ["'parms'", "did you mean 'params'"]),
        ({"version": 2}, ["version", "found 2", "--data"]),
        ({"version": 3}, ["version", "found 3", "expected 1 or 2"]),
        ({"on": {"cremad": {}}}, ["'on'", "version: 2"]),
        ({"params": {"optim.lr.*": {"type": "float", "low": 0.1, "high": 1.0}}}, ["optim.lr.*", "version: 2"]),
        ({"metric": {"name": "test/acc"}}, ["metric.name", "test/acc", "val/"]),
        ({"metric": {"name": "val/acc", "mode": "mx"}}, ["metric.mode", "'mx'"]),
        ({"params": {}}, ["params", "at least one"]),
        (param(low=2.0), ["method.tau", "low 2", "high 1"]),
        (param(low=1.0), ["method.tau", "not below"]),
        (param(low=0.0, log=True), ["method.tau", "logarithmic", "above 0"]),
        (param(low="tiny"), ["method.tau.low", "'tiny'", "number"]),
        (param(type="flot"), ["method.tau.type", "did you mean 'float'"]),
        (param(min=0.1), ["method.tau.min", "'low'"]),
        (param(hgh=1), ["method.tau.hgh", "did you mean 'high'"]),
        (param(when={"method.sma": True}), ["method.tau.when", "method.sma"]),
        (param(when={"method.tau": 1}), ["method.tau", "circle"]),
        (param(log="yes please"), ["method.tau.log", "true or false"]),
        ({"params": {"method.sam": {"type": "categorical", "choices": []}}}, ["method.sam.choices"]),
        ({"params": {"method.sam": {"type": "categorical", "choices": [1, 1]}}}, ["twice"]),
        ({"params": {"method.tau": 0.4}}, ["method.tau", "fixed"]),
        ({"fixed": {"method.sam": True}}, ["fixed.method.sam", "searched"]),
        ({"enqueue": [{"method.tau": 1e6}]}, ["enqueue[0]", "method.tau", "outside"]),
        ({"enqueue": [{"method.tua": 1}]}, ["enqueue[0]", "did you mean 'method.tau'"]),
        ({"forbid": [{"method.smm": True}]}, ["forbid[0]", "method.smm"]),
        ({"forbid": [{"method.sam": True}, {"method.sam": False}]}, ["forbid", "leaves no configuration"]),
    ],
)
def test_a_bad_file_is_refused_by_its_key(tmp_path, changes, words):
    with pytest.raises(UserError) as caught:
        loaded(tmp_path, **changes)
    line = str(caught.value)
    assert "\n" not in line
    assert line.startswith("s.yaml")
    for word in words:
        assert word in line, line


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"params": {"method.tua": {"type": "float", "low": 0.1, "high": 1.0}}}, ["method.tua", "method.tau"]),
        (param(low=-1.0), ["method.tau", "found -1", "greater than 0"]),
        (
            {"params": {"method.sam": {"type": "categorical", "choices": ["yes", "no"]}}},
            ["method.sam", "'yes'", "true or false"],
        ),
        ({"params": {"seed": {"type": "int", "low": 0, "high": 9}}}, ["seed", "cannot be searched"]),
        ({"params": {"method.scope": {"type": "categorical", "choices": ["head", 1.5]}}}, ["method.scope", "1.5"]),
        ({**param(), "fixed": {"stages.epoch": 3}}, ["fixed", "stages.epoch", "stages.epochs"]),
    ],
)
def test_a_space_that_does_not_fit_the_configuration_is_refused(tmp_path, changes, words):
    space = loaded(tmp_path, **{"enqueue": [], "forbid": [], **changes})
    with pytest.raises(UserError) as caught:
        space.check(TrainConfig(data="avdigits"))
    for word in words:
        assert word in str(caught.value)


def test_numbers_without_a_dot_are_numbers_and_conditions_come_after_what_they_name(tmp_path):
    space = loaded(tmp_path)
    tau = next(param for param in space.params if param.path == "method.tau")
    assert tau.low == 0.001
    order = [param.path for param in space.params]
    assert order.index("method.sam") < order.index("method.rho.audio")
    assert order.index("method.tau") < order.index("optim.batch_size")


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 10**6))
def test_proposals_respect_ranges_conditions_and_types(seed):
    space = SearchSpace.from_dict(yaml.safe_load(PLAIN.replace("1e-15", "1.0e-15").replace("1e-3", "1.0e-3")))
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    values = space(optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=seed)).ask())
    assert ("method.rho.audio" in values) == values["method.sam"]
    assert ("method.tau" in values) == (values["method.scope"] != "none")
    assert ("optim.batch_size" in values) == (values.get("method.tau", 0) > 1)
    assert 1e-15 <= values.get("method.rho.audio", 0.1) <= 0.5
    assert isinstance(values.get("optim.batch_size", 8), int)


def test_a_grid_is_every_allowed_combination_on_the_parameters_own_axis(tmp_path):
    space = loaded(tmp_path)
    found = list(space.grid(3))
    assert len({canonical(values) for values in found}) == len(found)
    assert not any(space.forbidden(values) for values in found)
    taus = sorted({values["method.tau"] for values in found if "method.tau" in values})
    assert taus == pytest.approx([1e-3, 0.1**0.5, 100])
    # scope none: sam on, 3 rho; scope head and 0.3: (3 rho + 1 without sam) x (2 tau below 1 + 1 tau above x 3 sizes)
    assert len(found) == 3 + 2 * 4 * (2 + 3)


def test_a_space_can_be_pickled_for_ray(tmp_path):
    space = loaded(tmp_path)
    assert pickle.loads(pickle.dumps(space)) == space


@pytest.mark.parametrize(
    ("param", "told"),
    [
        ({"type": "int", "low": 1, "high": 10**400}, "found an integer of 1329 bits"),
        ({"type": "float", "low": 0.0, "high": 1.0, "step": 1e-320}, "step: .*more than 1,000,000 steps"),
        (
            {"type": "float", "low": 0.0, "high": 1e308, "step": 0.1},
            "high: found 1e.308, expected a number of at most 1e.100",
        ),
        (
            {"type": "categorical", "choices": list(range(1, 100_000))},
            "choices: found 99,999 values, expected at most 1,000",
        ),
    ],
)
def test_numbers_that_nobody_means_are_one_line(param, told):
    with pytest.raises(UserError, match=told) as refused:
        SearchSpace.from_dict({"version": 1, "params": {"method.tau": param}}, "s")
    assert len(str(refused.value)) <= 500


def test_rules_over_many_choices_are_checked_at_once():
    paths = ["optim.lr.audio", "optim.lr.image", "method.rho.audio", "method.tau"]
    params = {path: {"type": "categorical", "choices": [0.001 * (1 + n) for n in range(200)]} for path in paths}
    content = {"version": 1, "params": params}
    began = time.monotonic()
    with pytest.raises(UserError, match="forbid: leaves no configuration to try"):
        SearchSpace.from_dict({**content, "forbid": [{"method.tau": {"gt": 0}}]}, "s")
    space = SearchSpace.from_dict({**content, "forbid": [{path: {"lt": 0.15} for path in paths}]}, "s")
    assert space.forbidden(dict.fromkeys(paths, 0.1)) and time.monotonic() - began < 10  # a hang, not a speed
