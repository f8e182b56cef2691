"""The shipped spaces: what each method searches on each built-in data set; learning rates and weight decay in all."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from igmsweep import data, methods
from igmsweep.config import TrainConfig
from igmsweep.errors import UserError
from igmsweep.spaces import SearchSpace, find_space, load_space, space_names
from igmsweep.sweep import SweepRequest
from igmsweep.sweep.plan import Plan, make_plan

FOUR = ("igm", "mla", "joint", "unimodal")
LR = {
    "avdigits": {"audio": (1e-3, 1e-1), "image": (1e-3, 1e-1)},
    "cremad": {"audio": (1e-4, 1e-1), "video": (1e-4, 1e-1)},
    "kinetics_sounds": {"audio": (1e-4, 1e-1), "video": (1e-4, 1e-1)},
    "twitter2015": {"text": (1e-6, 1e-4), "image": (1e-6, 1e-3)},
    "sarcasm": {"text": (1e-6, 1e-4), "image": (1e-6, 1e-3)},
    "nvgesture": {"depth": (1e-4, 1e-1), "rgb": (1e-4, 1e-1), "flow": (1e-4, 1e-1)},
}
"""Learning rates of every modality, in training order."""


def choice(*choices: Any) -> dict[str, Any]:
    return {"type": "categorical", "choices": list(choices)}


def span(low: float, high: float, **when: Any) -> dict[str, Any]:
    return {"type": "float", "low": low, "high": high, "log": True, **when}


def expected(method: str, dataset: str) -> tuple[list[tuple[str, dict[str, Any]]], list[str]]:
    """Parameters in order, and what runs first."""
    rates = [(f"optim.lr.{name}", span(*bounds)) for name, bounds in LR[dataset].items()]
    rates.append(("optim.weight_decay", span(1e-6, 1e-2)))
    if method == "igm":
        rho = [(f"method.rho.{name}", span(1e-15, 0.5, when={"method.sam": True})) for name in LR[dataset]]
        return [
            ("method.scope", choice("none", "head", 0.3, 0.5, 1.0)),
            ("method.tau", span(1e-3, 100, when={"method.scope": {"not": "none"}})),
            ("method.sam", choice(True, False)),
            *rho,
            *rates,
        ], (["paper"] if dataset == "avdigits" else ["paper", "released"])
    if method == "mla":
        regulariser = span(1e-3, 10, when={"method.projector": "exact"})
        return [("method.projector", choice("exact", "off")), ("method.regulariser", regulariser), *rates], ["paper"]
    if method == "joint":
        return [("method.fusion", choice("sum", "concat", "separate")), *rates], ["paper"]
    return [("method.modality", choice(*LR[dataset])), *rates], []


@pytest.mark.parametrize("dataset", LR)
@pytest.mark.parametrize("method", FOUR)
def test_a_method_searches_on_a_data_set_what_it_is_known_to(method: str, dataset: str) -> None:
    config = TrainConfig(data=dataset, method=method)
    params, enqueue = expected(method, dataset)
    former = dataset if method == "igm" else f"{dataset}-{method}"
    for space in (
        load_space(None, config),
        load_space(method, config),
        load_space(former, config),
        SearchSpace.load(former),  # a former name brings its data set with it
    ):
        described = space.described()
        assert list(described["params"].items()) == params
        assert described["metric"] == {"name": "val/acc", "mode": "max"}
        assert (described["enqueue"], described["fixed"], described["forbid"]) == (enqueue, {}, [])
        assert described["version"] == 1
        space.check(config)


def test_every_built_in_method_has_a_space_and_every_data_set_is_in_the_table() -> None:
    assert {*methods.names(), "default", "demo"} == set(space_names())
    assert list(LR) == list(data.DATASETS)


@pytest.mark.parametrize("dataset", LR)
@pytest.mark.parametrize("method", [*methods.names(), "default"])
def test_a_plan_is_made_with_every_preset_that_runs_first(method: str, dataset: str) -> None:
    request = SweepRequest(data=dataset, method="igm" if method == "default" else method, space=method)
    plan = make_plan(request)
    assert plan.spec["space"]["source"] == f"{method}.yaml on {dataset}"
    assert len(plan.enqueued) == len(plan.space.enqueue)
    assert method == "unimodal" or plan.enqueued[0].source == "enqueue:paper", (
        "every comparison begins with the paper's own configuration"
    )


def test_the_demo_searches_four_parameters_and_begins_with_the_papers_configuration() -> None:
    plan = make_plan(SweepRequest(data="avdigits", space="demo", sampler="random"))
    assert [param.path for param in plan.space.params] == [
        *("method.scope", "method.tau", "method.rho.image", "optim.lr.image")
    ]
    assert [entry.source for entry in plan.enqueued] == ["enqueue:paper"] and plan.spec["method"] == "igm"


def preset_plan(method: str) -> Plan:
    return make_plan(SweepRequest(data="avdigits", method=method, overrides={"method.preset": "released"}))


def test_a_preset_that_is_asked_for_runs_first_in_the_papers_place() -> None:
    plan = preset_plan("mmpareto")
    assert [entry.source for entry in plan.enqueued] == ["enqueue:released"]
    assert plan.enqueued[0].params["method.rescale"] == plan.spec["paper"]["method.rescale"] == "tensor"
    assert [entry.source for entry in preset_plan("igm").enqueued] == ["enqueue:released"]  # enqueued once, not twice


def test_a_preset_that_is_asked_for_and_lies_outside_a_range_is_told(caplog: pytest.LogCaptureFixture) -> None:
    assert preset_plan("domfn").enqueued == ()
    assert "method.threshold: found 0.4, outside" in caplog.text and "does not run first" in caplog.text


def test_a_name_that_is_none_is_refused_with_the_nearest() -> None:
    with pytest.raises(UserError, match=r"no shipped space 'unimodel'.*did you mean 'unimodal'"):
        find_space("unimodel")
    with pytest.raises(UserError, match=r"no shipped space 'cremad-mal'"):
        find_space("cremad-mal")
    with pytest.raises(UserError, match=r"igm\.yaml: version: found 2.*--data"):
        SearchSpace.load("igm")


def test_spaces_are_read_without_the_heavy_libraries() -> None:
    code = (
        "import sys\nfrom igmsweep.config import TrainConfig\nimport igmsweep.spaces as s\n"
        "config = TrainConfig(data='nvgesture', method='mla')\ns.load_space(None, config).check(config)\n"
        "heavy = ('torch', 'optuna', 'ray', 'pandas', 'plotly', 'sklearn')\n"
        "print([name for name in heavy if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr


def test_a_file_that_extends_a_shipped_one_lays_its_own_over_it(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(
        "version: 2\nextends: default\nparams:\n  method.tau: {type: float, low: 0.1, high: 1}\n"
        "  optim.lr.*: {high: 0.05}\non:\n  avdigits: {params: {method.tau: {high: 2}}}\n"
    )
    here = load_space(file, TrainConfig(data="avdigits")).described()["params"]
    assert list(here) == ["method.tau", "optim.lr.audio", "optim.lr.image", "optim.weight_decay"]
    assert here["method.tau"] == {"type": "float", "low": 0.1, "high": 2, "log": False}
    assert here["optim.lr.audio"] == {
        "type": "float",
        "low": 1e-3,
        "high": 0.05,
        "log": True,
    }  # low: default's own `on`
    there = load_space(file, TrainConfig(data="cremad")).described()["params"]
    assert there["optim.lr.audio"]["low"] == 1e-4


def test_what_an_extending_file_fixes_is_not_searched(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("version: 2\nextends: unimodal\nfixed: {method.modality: image}\nenqueue: [paper]\n")
    found = load_space(file, TrainConfig(data="avdigits", method="unimodal")).described()
    assert list(found["params"]) == ["optim.lr.audio", "optim.lr.image", "optim.weight_decay"]
    assert (found["fixed"], found["enqueue"]) == ({"method.modality": "image"}, ["paper"])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("version: 2\nextends: defualt\n", "extends: found 'defualt', expected one of .*did you mean 'default'"),
        ("version: 1\nextends: default\n", "extends: it needs version: 2, found 1"),
    ],
)
def test_a_base_that_cannot_be_extended_is_one_line(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "mine.yaml").write_text(text)
    with pytest.raises(UserError, match=words):
        load_space(tmp_path / "mine.yaml", TrainConfig(data="avdigits"))


@pytest.mark.parametrize(("data", "modality"), [("cremad", "image"), ("twitter2015", "audio")])
def test_the_demo_on_other_modalities_says_which_is_not_there(data: str, modality: str) -> None:
    with pytest.raises(
        UserError, match=rf"^demo.yaml on {data}: method.rho.{modality}: {data} has no modality '{modality}', "
    ):
        load_space("demo", TrainConfig(data=data))
