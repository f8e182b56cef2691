"""The path that is found, by trainings with known answers; nothing is trained twice, whatever happens on the way."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from igmsweep.ablation.outcome import Ablation
from igmsweep.ablation.run import AblationRequest, ablate, dry
from igmsweep.errors import NothingCompleted, UserError
from igmsweep.record.status import status

Sweep = Callable[..., Path]
Trained = Callable[[], list[str]]
IMAGE, TAU, MOMENTUM = "optim.lr.image 0.025 → 0.08", "method.tau 0.4 → 5", "optim.momentum 0.9 → 0.1"


def path_of(found: Ablation) -> list[str]:
    return [point.name for point in found.points[1:]]


def respec(folder: Path, **changes: Any) -> None:
    """Change what a `sweep.yaml` says."""
    spec = yaml.safe_load((folder / "sweep.yaml").read_text())
    (folder / "sweep.yaml").write_text(yaml.safe_dump({**spec, **changes}))


def test_additive_effects_come_out_as_they_are(sweep_of: Sweep, trained: Trained) -> None:
    found = ablate(AblationRequest(sweep_of()))
    assert path_of(found) == [IMAGE, TAU, MOMENTUM]  # lr.audio is the same at both ends
    assert [point.gain.mean for point in found.points[1:] if point.gain] == pytest.approx([0.2, 0.1, -0.03])
    assert found.total is not None and found.total.mean == pytest.approx(0.27)
    assert (found.seeds, found.trained, found.left) == ((1, 2, 3), 7 * 3, 0)  # the search has had seed 0
    assert len(trained()) == len(set(trained())) == 21
    assert found.points[1].passed == pytest.approx({TAU: 0.601, MOMENTUM: 0.471})


def test_what_is_written_tells_the_same(sweep_of: Sweep) -> None:
    folder = sweep_of()
    found = ablate(AblationRequest(folder, seeds=2))
    place = folder / "ablation" / "trial1"
    told = json.loads((place / "ablation.json").read_text())
    assert told["steps"][1]["change"] == {"optim.lr.image": [0.025, 0.08]}
    assert told["steps"][1]["scores"] == {"1": 0.701, "2": 0.702} and told["words"] == found.words()
    frame = pd.read_csv(place / "ablation.csv")
    assert frame["change"].tolist() == ["the paper's default", IMAGE, TAU, MOMENTUM]
    assert frame["gain"].tolist()[1:] == pytest.approx([0.2, 0.1, -0.03]) and frame["n"].tolist() == [2] * 4
    assert r"optim.lr.image 0.025 $\to$ 0.08" in (place / "ablation.tex").read_text()
    assert f"| 1. {IMAGE} | 70.2 ± 0.1 |" in (place / "ablation.md").read_text()
    page = (place / "ablation.html").read_text()
    assert (
        IMAGE in page and "The test set was not opened" in page and "http" not in page.replace("http://www.w3.org", "")
    )
    assert (place / "figures" / "ablation.svg").is_file() and (place / "figures" / "ablation.pdf").is_file()
    assert status(place)["counts"]["complete"] == 14  # it is a sweep like any other


def test_what_depends_on_another_is_taken_where_it_gives_most(sweep_of: Sweep) -> None:
    found = ablate(AblationRequest(sweep_of(by="interacting")))
    assert path_of(found) == [IMAGE, TAU, MOMENTUM]
    assert [point.gain.mean for point in found.points[1:] if point.gain] == pytest.approx([0.2, 0.3, -0.03])
    assert found.points[1].passed[TAU] == pytest.approx(found.points[0].mean - 0.1)  # type: ignore[operator]


def test_parameters_that_make_sense_together_move_together(sweep_of: Sweep) -> None:
    folder = sweep_of(
        "params:\n  method.sam: {type: categorical, choices: [true, false]}\n"
        "  method.rho.image: {type: float, low: 1.0e-15, high: 0.5, log: true, when: {method.sam: true}}\n"
        "  optim.lr.image: {type: float, low: 0.001, high: 0.1}\n"
        "enqueue: [paper, {method.sam: true, method.rho.image: 0.02, optim.lr.image: 0.08}]\n"
    )
    respec(folder, paper={"method.sam": False, "optim.lr.image": 0.025})  # rho then begins as the base has it
    found = ablate(AblationRequest(folder, seeds=1))
    assert path_of(found) == [IMAGE, "method.sam off → on, method.rho.image – → 0.02"]
    assert found.points[1].gain is None and "One seed says nothing about chance" in " ".join(found.words())


@pytest.mark.slow
@pytest.mark.parametrize("order", ["greedy", "surrogate"])
def test_killed_anywhere_the_same_command_goes_on_and_trains_nothing_twice(
    order: Any, sweep_of: Sweep, trained: Trained, trained_by: Callable[[str], None], tmp_path: Path
) -> None:
    folder = sweep_of(trials=12)
    whole = ablate(AblationRequest(folder, order=order))
    done = sorted(trained())
    for path in (folder / "ablation").rglob("*"):
        path.unlink() if path.is_file() else None
    (tmp_path / "cache" / "trained").write_text("")
    trained_by("additive_until")
    (tmp_path / "cache" / "kill").write_text("1 ctrl-c\n5 exit\n9 ctrl-c\n")
    request = AblationRequest(folder, order=order)
    first = ablate(request)
    assert first.interrupted == 130 and first.left > 0 and "Not finished" in " ".join(first.words())
    with pytest.raises(SystemExit):
        ablate(request)
    assert len(trained()) == 5
    assert ablate(request).interrupted == 130
    again = ablate(request)
    assert again.points == whole.points and again.left == 0
    assert sorted(trained()) == done


@pytest.mark.slow
def test_more_seeds_add_to_what_is_there_and_orders_share_it(sweep_of: Sweep, trained: Trained) -> None:
    folder = sweep_of(trials=12)
    ablate(AblationRequest(folder, 2, "surrogate", trial=1))
    assert len(trained()) == 4 * 2  # the path's own configurations
    assert "6 trainings are left" in dry(AblationRequest(folder, 2, "greedy", trial=1))[-1]
    found = ablate(AblationRequest(folder, 2, "greedy", trial=1))
    assert len(trained()) == 7 * 2 == found.trained
    assert "7 trainings are left" in dry(AblationRequest(folder, 3, "greedy", trial=1))[-1]
    assert ablate(AblationRequest(folder, 3, "surrogate", trial=1)).seeds == (1, 2, 3)
    assert len(trained()) == len(set(trained())) == 7 * 3
    assert ablate(AblationRequest(folder, 2, trial=1)).seeds == (1, 2) and len(trained()) == 21


@pytest.mark.slow
def test_the_model_orders_the_steps_and_its_guesses_stand_beside_what_was_trained(sweep_of: Sweep) -> None:
    folder = sweep_of(trials=60, sampler="random")
    found = ablate(AblationRequest(folder, seeds=2, order="surrogate", trial=1))
    assert path_of(found)[:2] == [IMAGE, TAU] and found.learnt == 60
    assert found.explained is not None and 0.5 < found.explained <= 1
    told = json.loads((folder / "ablation" / "trial1" / "ablation.json").read_text())
    guesses = [step["guess"] for step in told["steps"]]
    assert guesses[0] is None and 0.1 < guesses[1] < 0.35 and 0.04 < guesses[2] < 0.16
    assert any(line.startswith("The model misses what was trained by") for line in found.words())


def test_many_changes_are_ordered_by_the_model_unless_somebody_says_otherwise(sweep_of: Sweep) -> None:
    names = [
        "optim.lr.image",
        "optim.lr.audio",
        "method.rho.image",
        "method.rho.audio",
        "method.tau",
        "optim.weight_decay",
    ]
    lines = [f"  {name}: {{type: float, low: 1.0e-15, high: 1.0}}" for name in names]
    folder = sweep_of("\n".join(["params:", *lines, "enqueue: [paper]"]), trials=12)
    lines = dry(AblationRequest(folder, trial=3))
    assert "surrogate, in 6 steps" in lines[0] and "7 configurations, 3 seeds each: 21 trainings" in lines[-1]
    assert "22 configurations, 3 seeds each: 66 trainings" in dry(AblationRequest(folder, trial=3, order="greedy"))[-1]


def test_folds_are_those_of_the_sweep(sweep_of: Sweep, trained: Trained) -> None:
    found = ablate(AblationRequest(sweep_of(folds=2), seeds=2))
    assert path_of(found) == [IMAGE, TAU, MOMENTUM]
    assert len(trained()) == 7 * 2 * 2 and {line.split()[1] for line in trained()} == {"0", "1"}


def test_a_metric_that_is_to_be_small_goes_down_first_where_it_falls_most(sweep_of: Sweep) -> None:
    space = "metric: {name: val/loss, mode: min}\n" + (
        "params:\n  method.tau: {type: float, low: 0.1, high: 10.0}\n  optim.lr.image: {type: float, low: 0.001, high: 0.1}\n"
        "enqueue: [paper, {method.tau: 5.0, optim.lr.image: 0.08}]\n"
    )
    found = ablate(AblationRequest(sweep_of(space)))
    assert path_of(found) == [IMAGE, TAU]
    assert found.total is not None and found.total.mean == pytest.approx(-0.3) and found.total.unit == "of loss"


def test_what_fails_is_not_taken_while_something_else_does_not(sweep_of: Sweep) -> None:
    folder = sweep_of(by="failing_with_tau")
    found = ablate(AblationRequest(folder))
    assert path_of(found)[0] == IMAGE and found.trained == 20
    page = (folder / "ablation" / "trial1" / "ablation.html").read_text()
    assert TAU in page and found.left == 0


def test_a_time_budget_ends_it_and_says_what_is_left(sweep_of: Sweep, caplog: pytest.LogCaptureFixture) -> None:
    folder = sweep_of()
    found = ablate(AblationRequest(folder, options={"time_budget_s": 1e-6}))
    assert found.left == 21 and found.interrupted == 0
    assert ablate(AblationRequest(folder)).left == 0


def test_what_cannot_be_ablated_is_one_line(sweep_of: Sweep, tmp_path: Path) -> None:
    folder = sweep_of()
    for request, words in (
        (AblationRequest(folder, order="greddy"), "did you mean 'greedy'"),  # type: ignore[arg-type]
        (AblationRequest(folder, seeds=0), "--seeds: found 0"),
        (AblationRequest(folder, trial=9), "--trial: found 9, expected a completed trial"),
        (AblationRequest(folder, trial=0), "trial 0 is the paper's default itself"),
        (AblationRequest(folder, order="surrogate"), "2 completed trials, expected at least 10"),
        (AblationRequest(tmp_path), "not a sweep"),
    ):
        with pytest.raises(UserError, match=words):
            ablate(request)
    ablate(AblationRequest(folder, seeds=1))
    respec(folder, paper={"method.tau": 0.7})  # somebody changed where the path begins
    with pytest.raises(UserError, match=r"was made with method\.tau 0\.4, now 0\.7: another path"):
        ablate(AblationRequest(folder, seeds=1))
    respec(folder, paper={})
    with pytest.raises(UserError, match="has no paper's values"):
        ablate(AblationRequest(folder))
    assert not (folder / "test_eval.json").exists()


def test_a_sweep_without_a_completed_trial_and_one_that_names_code(sweep_of: Sweep) -> None:
    folder = sweep_of()
    spec = yaml.safe_load((folder / "sweep.yaml").read_text())
    base = spec["base_config"]
    respec(folder, base_config={**base, "data": {**base["data"], "name": "somebodys.py:DATA"}})
    with pytest.raises(UserError, match="a Python file that would be run"):
        ablate(AblationRequest(folder))
    (folder / "trials.jsonl").write_text("")
    for path in folder.glob("trials/*/result.json"):
        path.unlink()
    with pytest.raises(NothingCompleted, match="no trial has completed"):
        ablate(AblationRequest(folder))


def test_the_command_prints_the_table_and_machine_readable_output(
    sweep_of: Sweep, trained: Trained, capsys: pytest.CaptureFixture[str]
) -> None:
    from typer.testing import CliRunner

    from igmsweep.cli.app import app

    folder = sweep_of()
    planned = CliRunner().invoke(app, ["ablate", str(folder), "--dry-run"])
    assert planned.exit_code == 0 and "21 trainings are left, 1 at a time" in planned.stdout
    assert not trained() and not (folder / "ablation").exists()
    done = CliRunner().invoke(app, ["ablate", str(folder), "--local", "--seeds", "2", "--json"])
    assert done.exit_code == 0
    assert json.loads(done.stdout)["steps"][1]["change"] == {"optim.lr.image": [0.025, 0.08]}
    lines = done.stderr.splitlines()
    (row,) = [line for line in lines if line.startswith("1. ")]
    assert IMAGE in row and "70.2 ± 0.1" in row and "+20.0 [+20.0, +20.0]" in row


def test_what_cannot_be_trained_is_told_before_any_decoding(
    sweep_of: Sweep, tmp_path: Path, undecoded: Callable[[str], None]
) -> None:
    folder = sweep_of()
    shutil.rmtree(tmp_path / "cache")
    for path in [folder / "sweep.yaml", *folder.rglob("*.json*"), *folder.rglob("*.yaml")]:
        path.write_text(path.read_text().replace("resnet_mini", "resnet_mimi"))
    undecoded("avdigits")
    with pytest.raises(UserError, match=r"^model\.encoder\.audio: unknown encoder 'resnet_mimi'"):
        ablate(AblationRequest(folder, seeds=1))
    assert not (tmp_path / "cache").exists()
