"""Sweeps end to end on known answers: the ledger, failures, duplicates, interruptions, Ray and without."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import optuna
import pytest
import yaml

from igmsweep.errors import ResourceError, UserError
from igmsweep.record.ledger import Ledger
from igmsweep.sweep import SweepRequest, run_sweep, trial
from igmsweep.sweep.resources import Machine, allot

TRAINABLES = Path(__file__).parent.parent / "trainables.py"
SPACE = """
params:
  method.tau:     {type: float, low: 0.01, high: 100.0, log: true}
  optim.lr.audio: {type: float, low: 0.001, high: 0.1}
enqueue: [{method.tau: 1.0, optim.lr.audio: 0.01}, {method.tau: 99.0, optim.lr.audio: 0.01}, {method.tau: 1.0, optim.lr.audio: 0.01}, {method.tau: 2.0, optim.lr.audio: 0.095}]
"""


@pytest.fixture
def request_of(tmp_path, small_avdigits, trained_by):
    (tmp_path / "space.yaml").write_text(SPACE)

    def make(**changes) -> SweepRequest:
        trained_by(changes.pop("trained_by", "quick"))
        values = {
            "data": "avdigits",
            "space": tmp_path / "space.yaml",
            "trials": 8,
            "name": "s",
            "out": tmp_path / "out",
            "overrides": {"data.root": str(small_avdigits), "data.cache": str(tmp_path / "cache")},
            "local": True,
        }
        return SweepRequest(**{**values, **changes})

    return make


def results(folder: Path) -> dict[int, dict]:
    return {int(path.parent.name): json.loads(path.read_text()) for path in sorted(folder.glob("trials/*/result.json"))}


def check_folder(folder: Path, trials: int) -> None:
    """What every sweep promises, whatever ran it."""
    rows = Ledger(folder / "trials.jsonl").rows()
    assert sorted(rows) == list(range(trials))
    assert rows[0]["state"] == "complete"
    assert rows[0]["metrics"]["val/acc"] == 1.0
    assert rows[1]["state"] == "failed"
    assert rows[1]["error"] == {"class": "nan", "message": "the training loss became nan in epoch 1"}
    assert rows[3]["error"]["class"] == "bug"
    assert "\n" not in rows[3]["error"]["message"]
    assert "Traceback" in (folder / "trials/00003/error.txt").read_text()
    for number, result in results(folder).items():
        # the echo: what the trainer says it trained with is what was proposed
        for path, value in rows[number]["params"].items():
            node = result["config"]
            for key in path.split("."):
                node = node[key]
            assert node == value
        assert yaml.safe_load((folder / f"trials/{number:05d}/config.yaml").read_text()) == result["config"]
    study = optuna.load_study(
        study_name=None,
        storage=optuna.storages.JournalStorage(
            optuna.storages.journal.JournalFileBackend(str(folder / "study.journal"))
        ),
    )
    states = {trial.user_attrs["trial"]: trial.state.name for trial in study.trials}
    assert {number: {"complete": "COMPLETE", "failed": "FAIL"}[row["state"]] for number, row in rows.items()} == states
    described = yaml.safe_load((folder / "sweep.yaml").read_text())
    assert described["data"]["split"] == "official"
    assert described["metric"] == {"name": "val/acc", "mode": "max"}
    assert json.loads((folder / "meta.json").read_text())["versions"]["igmsweep"]


def test_a_local_sweep_keeps_every_promise_without_ray(request_of):
    result = run_sweep(request_of())
    check_folder(result.dir, 8)
    assert result.exit_code == 0
    assert result.best["trial"] == 0
    rows = result.rows
    assert rows[2]["duplicate_of"] == 0  # an exact duplicate is answered, not trained
    assert 2 not in results(result.dir)
    assert len(result.trials) == 8


@pytest.mark.slow
def test_a_ray_sweep_writes_the_same_folder(request_of):
    result = run_sweep(request_of(local=False, max_concurrent=1))
    check_folder(result.dir, 8)
    local = run_sweep(request_of(name="t"))
    # one trial at a time, the same seed: the same configurations
    assert {n: row["params"] for n, row in result.rows.items()} == {n: row["params"] for n, row in local.rows.items()}


@pytest.mark.slow
def test_the_same_seed_proposes_the_same_and_another_does_not(request_of):
    sweeps = [run_sweep(request_of(name=name, seed=seed)) for name, seed in (("a", 0), ("b", 0), ("c", 1))]
    params = [[row["params"] for row in sweep.rows.values()] for sweep in sweeps]
    assert params[0] == params[1] != params[2]


def test_a_metric_that_is_nan_fails_the_trial_and_not_the_sweep(request_of):
    result = run_sweep(request_of(trained_by="nan", trials=3))
    assert result.exit_code == 4
    assert {row["error"]["class"] for row in result.rows.values() if row["state"] == "failed"} == {"nan"}


@pytest.mark.slow
@pytest.mark.parametrize("sampler", ["tpe", "random", "sobol", "sobol+tpe", "grid", "gp"])
def test_samplers(request_of, sampler):
    pytest.importorskip("scipy")
    result = run_sweep(request_of(sampler=sampler, trials=12))
    assert len(result.rows) == 12
    sources = {row["source"] for row in result.rows.values()}
    assert sources == {"enqueue", *sampler.split("+")}


def test_a_folder_that_holds_a_sweep_is_not_overwritten(request_of):
    run_sweep(request_of(trials=1))
    with pytest.raises(UserError, match="already holds a sweep"):
        run_sweep(request_of(trials=1))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [((3, None, None), "--cpus-per-trial"), ((1, 0.5, None), "--gpus-per-trial"), ((1, None, 3), "--max-concurrent")],
)
def test_what_can_never_be_granted_is_refused(arguments, words):
    with pytest.raises(ResourceError, match=words) as caught:
        allot(Machine(2, 0), *arguments)
    assert caught.value.exit_code == 5


def test_fractions_of_gpus_and_cores_decide_how_many_run():
    assert allot(Machine(2, 0), 1, None, None).concurrent == 2
    assert allot(Machine(8, 1), 1, 0.25, None).concurrent == 4
    assert allot(Machine(2, 1), 1, 0.25, None).concurrent == 2
    assert allot(Machine(16, 2), 1, 0.4, None).concurrent == 4
    assert allot(Machine(16, 2), 1, None, None).gpus == 1.0


def test_a_cut_last_line_of_the_ledger_is_passed_over(tmp_path):
    ledger = Ledger(tmp_path / "trials.jsonl")
    ledger.append(0, "complete", metrics={"val/acc": 1.0})
    ledger.append(1, "running", params={"a": 1})
    ledger.append(1, "complete", metrics={"val/acc": 0.5})
    with ledger.path.open("a") as file:
        file.write('{"trial": 2, "state": "comp')
    rows = ledger.rows()
    assert sorted(rows) == [0, 1]
    assert rows[1]["params"] == {"a": 1}
    assert rows[1]["state"] == "complete"


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.parametrize("runner", ["local", "ray"])
def test_an_interruption_leaves_a_folder_that_analyze_reads(request_of, tmp_path, number, code, runner):
    asked = request_of()
    script = (
        "import sys\nfrom pathlib import Path\nfrom igmsweep.cli.terminal import install\n"
        "from igmsweep.sweep import SweepRequest, run_sweep, trial\n"
        f"install()\ntrial.TRAINABLE = {str(TRAINABLES) + ':slow'!r}\n"
        f"space = Path({str(tmp_path / 'interrupted.yaml')!r})\n"
        f"result = run_sweep(SweepRequest(data='avdigits', space=space, trials=5, name='s', out=Path({str(asked.out)!r}), "
        f"overrides={dict(asked.overrides)!r}, local={runner == 'local'}, max_concurrent=1))\n"
        "sys.exit(result.exit_code)\n"
    )
    (tmp_path / "interrupted.yaml").write_text(
        SPACE.split("enqueue")[0]
        + "enqueue: [{method.tau: 0.1, optim.lr.audio: 0.01}, {method.tau: 1.0, optim.lr.audio: 0.02}]\n"
    )
    process = subprocess.Popen([sys.executable, "-c", script], stderr=subprocess.PIPE, text=True, env=dict(os.environ))
    deadline = time.monotonic() + 120
    while not (tmp_path / "cache" / "sleeping").exists():
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < deadline
        time.sleep(0.2)
    process.send_signal(number)
    text = process.communicate(timeout=120)[1]
    assert process.returncode == code, text
    assert "analyze" in text
    rows = Ledger(asked.out / "s" / "trials.jsonl").rows()
    assert rows[0]["state"] == "complete"
    assert rows[1]["state"] == "interrupted"
    from igmsweep.analysis import analyze

    assert analyze([asked.out / "s"])


@pytest.mark.slow
def test_no_output_of_a_search_changes_with_a_poisoned_test_split(request_of, small_avdigits, monkeypatch):
    """Real trainings: everything the search writes is the same after the test files have become garbage."""
    tiny = {"stages.cycles": 1, "stages.epochs": 1, "model.width": 4}

    def outcome(name: str) -> list:
        asked = request_of(name=name, trials=2)
        monkeypatch.setattr(trial, "TRAINABLE", "igmsweep.train:train")
        result = run_sweep(SweepRequest(**{**asked.__dict__, "overrides": {**asked.overrides, **tiny}}))
        described = yaml.safe_load((result.dir / "sweep.yaml").read_text())
        curves = [
            [{k: v for k, v in json.loads(line).items() if k != "seconds"} for line in path.read_text().splitlines()]
            for path in sorted(result.dir.glob("trials/*/metrics.jsonl"))
        ]
        rows = [(row["params"], row["state"], row["metrics"]) for row in result.rows.values()]
        return [described["data"], rows, curves]

    clean = outcome("clean")
    for line in (small_avdigits / "annotations" / "test.csv").read_text().splitlines():
        name = line.split(",")[0]
        (small_avdigits / "AudioWAV" / f"{name}.wav").write_bytes(b"poison")
        for picture in (small_avdigits / "Image-01-FPS" / name).iterdir():
            picture.unlink()
    (small_avdigits / "annotations" / "test.csv").write_text("poison")
    assert outcome("poisoned") == clean


@pytest.mark.slow
def test_a_trials_own_record_proves_what_it_trained_with(request_of, monkeypatch):
    """Not the file that was written before the training: what the optimiser and T say of themselves afterwards."""
    tiny = {"stages.cycles": 2, "stages.epochs": 1, "model.width": 4, "optim.schedule": "none"}
    asked = request_of(trials=4)
    monkeypatch.setattr(trial, "TRAINABLE", "igmsweep.train:train")
    result = run_sweep(SweepRequest(**{**asked.__dict__, "overrides": {**asked.overrides, **tiny}}))
    curves = set()
    trained = results(result.dir)
    assert len(trained) == 3  # one of the four is a duplicate
    for number, found in trained.items():
        params = result.rows[number]["params"]
        epochs = [
            json.loads(line) for line in (result.dir / f"trials/{number:05d}/metrics.jsonl").read_text().splitlines()
        ]
        assert len(epochs) == found["epochs"] == 4
        assert {row["lr/audio"] for row in epochs if row["active"] == "audio"} == {params["optim.lr.audio"]}
        told = json.loads((result.dir / f"trials/{number:05d}/diagnostics.json").read_text())
        assert told["tau"] == params["method.tau"]
        assert set(told["spectra"]) == {"audio", "image"}
        curves.add(tuple(row["train/loss"] for row in epochs))
    assert len(curves) == len(trained)  # no two distinct configurations give identical curves


def test_trials_keep_their_predictions_unless_told_not_to(tmp_path, small_avdigits):
    from igmsweep.record.predictions import read_predictions

    (tmp_path / "space.yaml").write_text("params:\n  method.tau: {type: float, low: 0.1, high: 1.0}\n")
    tiny = {"data.root": str(small_avdigits), "data.cache": str(tmp_path / "cache"), "model.width": 4}
    tiny |= {"stages.cycles": 1, "stages.epochs": 1}
    request = SweepRequest(
        data="avdigits", space=tmp_path / "space.yaml", trials=2, out=tmp_path, local=True, quiet=True, overrides=tiny
    )
    sweep = run_sweep(replace(request, name="kept"))
    found = [read_predictions(tmp_path / "kept" / "trials" / f"{number:05d}") for number in range(2)]
    assert all(each is not None for each in found)
    assert found[0].samples == found[1].samples
    assert found[0].correct.mean() == pytest.approx(sweep.rows[0].metrics["val/acc"])
    run_sweep(replace(request, name="folds", folds=2, trials=1))
    assert len({read_predictions(tmp_path / "folds/trials/00000", fold).samples for fold in range(2)}) == 2
    run_sweep(replace(request, name="none", trials=1, keep_predictions="none"))
    assert not list((tmp_path / "none").rglob("predictions.npz"))
