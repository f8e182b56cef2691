"""One options object: what is declared once is checked, recorded, taken up again and offered on the command line."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
import yaml

import igmsweep
from igmsweep.cli.options import SWEEP
from igmsweep.errors import UserError
from igmsweep.sweep import ResumeRequest, SweepRequest, resume_sweep, run_sweep
from igmsweep.sweep.options import SweepOptions, declared, on_resume, recorded, resumed

NAMES = [each.name for each in dataclasses.fields(SweepOptions)]
SPEC = {"trials": 8, "folds": None, "seeds": 2, "repeat_top": 4, "retries": 5, "trial_timeout_s": 60.0}
SPEC |= {"keep_checkpoints": "all", "keep_predictions": "none", "resources": {"runner": "local", "cpus_per_trial": 2.0}}


def test_every_option_is_declared_with_its_name_and_offered_on_the_command_line():
    assert sorted(declared()) == sorted(NAMES) == sorted(SWEEP)
    for name, option in declared().items():
        (offered,) = SWEEP[name].__metadata__
        assert option.flag in {flag for part in (offered.default, *offered.param_decls) for flag in part.split("/")}


def test_an_option_is_spelt_where_it_is_declared_offered_and_used_and_nowhere_else():
    places = [
        str(path.relative_to(Path(igmsweep.__file__).parent))
        for path in Path(igmsweep.__file__).parent.rglob("*.py")
        for line in path.read_text(encoding="utf-8").splitlines()
        if "trial_timeout" in line
    ]
    assert sorted(places) == ["cli/options.py", "sweep/controller.py", "sweep/options.py"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"trials": 0}, "--trials: found 0, expected at least 1"),
        ({"folds": 1}, "--folds: found 1, expected at least 2"),
        ({"retries": -1}, "--retries: found -1, expected at least 0"),
        ({"time_budget_s": 0.0}, "--time-budget: found 0 s, expected more than 0"),
        ({"max_concurrent": 0}, "--max-concurrent: found 0, expected at least 1"),
        ({"trials": "many"}, "--trials: found 'many', expected a number"),
        (
            {"keep_checkpoints": "al"},
            "--keep-checkpoints: found 'al', expected one of best, all, none .did you mean 'all'",
        ),
        ({"sampler": "tep"}, "--sampler: found 'tep', .*did you mean 'tpe'"),
        ({"sampler": "sobl"}, "--sampler: found 'sobl', .*did you mean 'sobol'"),
        ({"sampler": "tpe+sobol"}, "--sampler: found 'tpe.sobol', .*did you mean 'sobol.tpe'"),
        ({"local": True, "loggers": {"wandb": ""}}, "--log: .*leave --local out"),
        ({"name": "a/b"}, "--name: found 'a/b', expected a plain folder name"),
    ],
)
def test_a_check_names_the_option(changes, message):
    with pytest.raises(UserError, match=f"^{message}"):
        SweepRequest("avdigits", **changes).check()


def test_a_resumed_sweep_has_each_option_from_where_it_is_declared_to_be():
    assert set(recorded()) == set(SPEC) - {"resources"}
    options = resumed(SPEC, {}, {})
    assert (options.trials, options.seeds, options.repeat_top, options.keep_checkpoints) == (8, 2, 4, "all")
    assert (options.local, options.cpus_per_trial, options.time_budget_s) == (True, 2.0, None)
    assert options.keep_predictions == "none"
    before = {name: value for name, value in SPEC.items() if name != "keep_predictions"}  # a folder of 0.1.0
    assert resumed(before, {}, {}).keep_predictions == "auto"
    assert resumed(SPEC, {"trials": 20, "seeds": 3}, {}).trials == 20  # an earlier resume has extended it
    given = resumed(SPEC, {"trials": 20}, {"trials": 30, "retries": 0, "local": False})
    assert (given.trials, given.retries, given.local, given.trial_timeout_s) == (30, 0, False, 60.0)


def test_an_option_that_a_resumed_sweep_cannot_be_given_is_an_error(tmp_path):
    for name in ("folds", "keep_checkpoints", "trails"):
        with pytest.raises(UserError, match=f"unknown option '{name}'"):
            ResumeRequest(tmp_path, **{name: 3})
    assert "folds" not in on_resume()
    assert ResumeRequest(tmp_path, trials=None, retries=3).given == {"retries": 3}


@pytest.mark.slow
def test_what_was_asked_is_recorded_and_stays_when_it_is_not_given_anew(cycles_request):
    sweep = run_sweep(cycles_request(trials=2, local=True, quiet=True, retries=7, trial_timeout_s=50.0))
    spec = yaml.safe_load((sweep.dir / "sweep.yaml").read_text())
    assert {name: spec[name] for name in recorded()} == {
        **{"trials": 2, "folds": None, "seeds": 1, "repeat_top": 3, "retries": 7},
        **{"trial_timeout_s": 50.0, "keep_checkpoints": "best", "keep_predictions": "auto"},
    }
    assert len(resume_sweep(ResumeRequest(sweep.dir, trials=3, quiet=True)).rows) == 3
    assert len(resume_sweep(ResumeRequest(sweep.dir, quiet=True)).rows) == 3
    sessions = json.loads((sweep.dir / "meta.json").read_text())["sessions"]
    assert [(each["trials"], each["runner"]) for each in sessions] == [(2, "local"), (3, "local"), (3, "local")]
