"""Which space is searched when nobody names one: every method, every data set, one's own of both."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from igmsweep import methods
from igmsweep.config import TrainConfig
from igmsweep.errors import UserError
from igmsweep.spaces import SearchSpace, for_training, load_space
from igmsweep.sweep import SweepRequest, run_sweep
from igmsweep.sweep.plan import Plan, make_plan

ROOT = Path(__file__).parent.parent.parent
TEMPERED = f"{ROOT / 'docs' / 'examples' / 'my_method.py'}:Tempered"
TOY3 = f"{ROOT / 'tests' / 'toy.py'}:TOY3"

METHODS = '''
from typing import ClassVar

from igmsweep.methods.base import Method, MethodParams
from igmsweep.methods.igm import IGM, IGMParams


class Params(MethodParams):
    name: str = "mine"
    warmth: dict[str, float] = {}
    heat: float = 1.0
    per_modality: ClassVar = ("warmth",)

    @classmethod
    def defaults(cls, kinds):
        return {"warmth": dict.fromkeys(kinds, 1.0)}


class Bare(Method):
    Params = Params


class Brings(Method):
    Params = Params
    space = {
        "params": {
            "method.warmth.*": {"type": "float", "low": 0.1, "high": 10, "log": True},
            "method.heat": {"type": "categorical", "choices": (1.0, 2.0)},
            "optim.lr.*": {"type": "float", "low": 1e-4, "high": 1e-1, "log": True},
        },
        "enqueue": ("paper",),
        "on": {"toy3": {"params": {"optim.lr.*": {"low": 1e-3}}}},
    }


class Wrong(Method):
    Params = Params
    space = ["method.heat"]


class Slip(Method):
    Params = Params
    space = {"params": {"method.heta": {"type": "float", "low": 0.1, "high": 10}}}


class Builds(IGM):
    pass


class Leaves(IGM):
    """Another step for IGM's passes, without its parameters."""

    Params = Params
'''

DATA = """
from igmsweep.data.base import DataSet, Modality


class Mine(DataSet):
    name = "mine"
    classes = ("a", "b")
    modalities = {"x": Modality("x", "image", (1, 8, 8), "resnet_mini"), "t": Modality("t", "text", (3, 8), "bert")}

    def __init__(self, **optim):
        self.optim = optim  # what this copy trains with

    def defaults(self, method):
        return {"optim": self.optim}

    def index(self, root, part):
        return []

    def read(self, sample):
        return {}

    def recipe(self):
        return {}

    def transform(self, inputs, training, generator):
        return inputs


ADAM = Mine(name="adam", lr=2e-5)
LARGE = Mine(lr=0.5)
PLAIN = Mine(weight_decay=0.0)
"""


@pytest.fixture
def own(tmp_path: Path) -> Path:
    (tmp_path / "own.py").write_text(METHODS)
    (tmp_path / "data.py").write_text(DATA)
    return tmp_path


def table(folder: Path, columns: tuple[str, ...]) -> str:
    """A CSV file of texts, pictures and sounds; the files need not be there for a plan."""
    fields = {"note": "some words", "photo": "p/1.jpg", "sound": "s/1.wav"}
    rows = [f"{label},{','.join(fields[name] for name in columns)}" for label in ("cat", "dog") * 3]
    (folder / "samples.csv").write_text("\n".join([f"label,{','.join(columns)}", *rows]) + "\n")
    return str(folder / "samples.csv")


def planned(**request: object) -> Plan:
    return make_plan(SweepRequest(**request))  # type: ignore[arg-type]


@pytest.mark.parametrize("method", methods.names())
@pytest.mark.parametrize("columns", [("note",), ("photo", "note"), ("sound", "photo", "note")])
def test_every_method_searches_a_csv_file_without_a_space(
    tmp_path: Path, method: str, columns: tuple[str, ...]
) -> None:
    about = methods.get(method).about
    if about is not None and about.modalities > len(columns):
        with pytest.raises(UserError, match=f"method.name: {method} needs 2 modalities or more, .*samples.csv has 1"):
            planned(data=table(tmp_path, columns), method=method)
        return
    plan = planned(data=table(tmp_path, columns), method=method)
    params = plan.spec["space"]["params"]
    assert [path for path in params if path.startswith("optim.lr.")] == [f"optim.lr.{name}" for name in columns]
    assert params["optim.lr.note"]["low"] == 1e-6  # where a pretrained BERT trains
    assert params["optim.lr.note"]["high"] == 0.1
    assert plan.spec["space"]["source"] == f"{method}.yaml on samples"
    if method == "unimodal":
        assert params["method.modality"]["choices"] == list(columns)
    assert len(plan.enqueued) == len(plan.space.enqueue)


def test_a_data_set_in_python_and_a_method_of_ones_own_need_no_space_either() -> None:
    plan = planned(data=TOY3, method=TEMPERED)
    assert list(plan.spec["space"]["params"]) == [
        *(f"optim.lr.m{number}" for number in range(3)),
        "optim.weight_decay",
    ]
    assert list(planned(data=TOY3).spec["space"]["params"])[3:6] == [f"method.rho.m{number}" for number in range(3)]


def test_a_method_that_brings_no_space_says_what_is_searched(own: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "igmsweep")
    space = for_training(TrainConfig(data="avdigits", method=f"{own / 'own.py'}:Bare"))
    assert space.source == "default.yaml on avdigits"
    (line,) = caplog.messages
    assert "own.py:Bare brings no search space" in line
    assert "learning rates and weight decay" in line


def test_a_method_brings_its_space_in_its_class(own: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "igmsweep")
    name = f"{own / 'own.py'}:Brings"
    plan = planned(data=TOY3, method=name)
    params = plan.spec["space"]["params"]
    assert list(params) == [
        *(f"method.warmth.m{number}" for number in range(3)),
        "method.heat",
        *(f"optim.lr.m{number}" for number in range(3)),
    ]
    assert params["method.heat"]["choices"] == [1.0, 2.0]
    assert params["optim.lr.m0"]["low"] == 1e-3
    assert plan.spec["space"]["source"] == "own.py:Brings on toy3"
    assert [entry.source for entry in plan.enqueued] == ["enqueue:paper"]
    assert planned(data="cremad", method=name).spec["space"]["params"]["optim.lr.video"]["low"] == 1e-4
    assert caplog.messages == []


def test_a_method_that_builds_on_a_shipped_one_is_searched_as_that(own: Path) -> None:
    assert for_training(TrainConfig(data="cremad", method=f"{own / 'own.py'}:Builds")).source == "igm.yaml on cremad"
    leaves = for_training(TrainConfig(data="cremad", method=f"{own / 'own.py'}:Leaves"))  # it has none of IGM's keys
    assert leaves.source == "default.yaml on cremad"


def test_a_faulty_space_of_a_class_is_one_line(own: Path) -> None:
    with pytest.raises(UserError, match=r"own\.py:Wrong: space: found list, expected a mapping"):
        planned(data="avdigits", method=f"{own / 'own.py'}:Wrong")
    with pytest.raises(UserError, match=r"own\.py:Slip on avdigits: unknown parameter 'method\.heta'.*'method\.heat'"):
        planned(data="avdigits", method=f"{own / 'own.py'}:Slip")


def test_a_range_is_stretched_to_hold_the_data_sets_own_learning_rate(
    own: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "igmsweep")
    plan = planned(data=f"{own / 'data.py'}:ADAM")
    params = plan.spec["space"]["params"]
    assert (params["optim.lr.x"]["low"], params["optim.lr.x"]["high"]) == (2e-6, 0.1)
    assert (params["optim.lr.t"]["low"], params["optim.lr.t"]["high"]) == (1e-6, 0.1)  # it holds 2e-5 already
    assert [entry.source for entry in plan.enqueued] == ["enqueue:paper", "enqueue:released"]
    assert [line for line in caplog.messages if "optim.lr.x is searched in [2e-06, 0.1]" in line]
    params = planned(data=f"{own / 'data.py'}:LARGE", method="joint").spec["space"]["params"]
    assert params["optim.lr.x"]["high"] == 5.0


def test_a_preset_that_a_range_cannot_hold_does_not_run_first(own: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "igmsweep")
    plan = planned(data=f"{own / 'data.py'}:PLAIN", method="joint")
    assert plan.enqueued == ()
    assert [line for line in caplog.messages if "paper does not run first: optim.weight_decay 0" in line]


def test_a_file_of_ones_own_is_taken_as_it_is_written(own: Path) -> None:
    (own / "s.yaml").write_text(
        "version: 2\nparams: {optim.lr.*: {type: float, low: 1e-3, high: 1e-1, log: true}}\nenqueue: [paper]\n"
    )
    with pytest.raises(UserError, match=r"s\.yaml on mine: enqueue\[0\] \(paper\): optim\.lr\.x: found 2e-05, outside"):
        planned(data=f"{own / 'data.py'}:ADAM", space=own / "s.yaml")


def test_a_space_of_version_1_and_one_out_of_a_sweeps_folder_are_read_as_ever(tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text("params: {method.tau: {type: float, low: 1e-3, high: 1, log: true}}\n")
    config = TrainConfig(data="cremad")
    space = load_space(tmp_path / "s.yaml", config)
    assert (space.source, space) == ("s.yaml", SearchSpace.load(tmp_path / "s.yaml"))
    kept = planned(data="cremad").spec["space"]  # what sweep.yaml holds
    source = kept.pop("source")
    assert SearchSpace.from_dict(kept, source) == load_space(None, config)


def test_a_dry_run_without_the_data_prints_the_plan_and_why_there_is_no_estimate(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "igmsweep")
    request = SweepRequest(data="nvgesture", method="mla", dry_run=True, out=tmp_path, overrides={"device": "cpu"})
    assert run_sweep(request) is None
    said = caplog.messages
    assert any("optim.lr.flow" in line for line in said)
    assert said[-1].endswith("set IGMSWEEP_DATA to the folder that holds your data sets")
    assert "no estimate: " in said[-1]
