"""Tools of others open a sweep: each test needs the tool's package, and is skipped without it."""

from __future__ import annotations

import json
import runpy
import shutil
from pathlib import Path

import pytest
import yaml

from igmsweep.record.folder import SweepFolder
from igmsweep.spaces.space import SearchSpace
from igmsweep.sweep import run_sweep

ROOT = Path(__file__).parent.parent.parent
DEMO = ROOT / "results" / "avdigits-igm"


def test_optuna_dashboard_shows_the_study(tmp_path):
    dashboard = pytest.importorskip("optuna_dashboard")
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    shutil.copy(DEMO / "study.journal", tmp_path)
    app = dashboard.wsgi(JournalStorage(JournalFileBackend(str(tmp_path / "study.journal"))))

    def get(path: str) -> dict:
        environ = {"REQUEST_METHOD": "GET", "PATH_INFO": path, "SERVER_NAME": "here", "SERVER_PORT": "80"}
        environ |= {"wsgi.url_scheme": "http", "QUERY_STRING": "after=0"}
        said: list[str] = []
        body = b"".join(app(environ, lambda status, headers, exc_info=None: said.append(status)))
        assert said == ["200 OK"]
        return json.loads(body)

    (study,) = get("/api/studies")["study_summaries"]
    trials = get(f"/api/studies/{study['study_id']}")["trials"]
    rows = SweepFolder.read(DEMO).rows
    assert {trial["number"] for trial in trials} == set(rows)
    assert [trial["values"][0] for trial in trials] == [rows[trial["number"]].score("val/acc") for trial in trials]


@pytest.mark.slow
def test_tensorboard_shows_every_trials_curve_and_parameters(cycles_request):
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    sweep = run_sweep(cycles_request(trials=2, loggers={"tensorboard": ""}))
    assert sweep is not None
    folders = sorted({path.parent for path in sweep.dir.glob("ray/**/events.out.tfevents.*")})
    assert len(folders) == 2
    curves = []
    for folder in folders:
        events = accumulator.EventAccumulator(str(folder))
        events.Reload()
        curves.append([event.value for event in events.Scalars("ray/tune/val/acc")])
        assert "_hparams_/session_start_info" in events.PluginTagToContent("hparams")
    assert all(len(curve) >= 3 for curve in curves)  # one a cycle at least
    scores = sorted(row.score("val/acc") or 0.0 for row in sweep.rows.values())
    assert sorted(curve[-1] for curve in curves) == pytest.approx(scores)


@pytest.mark.slow
def test_mlflow_has_a_run_a_trial(cycles_request, tmp_path):
    tracking = pytest.importorskip("mlflow").tracking
    address = f"sqlite:///{tmp_path / 'mlflow.db'}"
    sweep = run_sweep(cycles_request(trials=2, loggers={"mlflow": address}))
    assert sweep is not None
    client = tracking.MlflowClient(address)
    experiment = client.get_experiment_by_name("s")
    runs = client.search_runs([experiment.experiment_id])
    assert len(runs) == 2
    found = sorted(float(run.data.params["method.tau"]) for run in runs)
    assert found == pytest.approx(sorted(row.params["method.tau"] for row in sweep.rows.values()))
    assert all(len(client.get_metric_history(run.info.run_id, "val/acc")) >= 3 for run in runs)  # one a cycle at least


def test_smac_goes_on_from_a_sweeps_trials(tmp_path):
    pytest.importorskip("smac")
    facade = runpy.run_path(str(ROOT / "docs" / "examples" / "smac_run.py"))["smac_run"](DEMO, tmp_path)
    scores = [row.score("val/acc") for row in SweepFolder.read(DEMO).rows.values()]
    costs = [value.cost for value in facade.runhistory.values()]
    assert sorted(costs) == pytest.approx(sorted(-score for score in scores))
    written = tmp_path / "avdigits-igm" / "0"  # DeepCAVE opens this folder
    assert all((written / name).is_file() for name in ("configspace.json", "runhistory.json", "scenario.json"))
    described = yaml.safe_load((DEMO / "sweep.yaml").read_text(encoding="utf-8"))["space"]
    space = SearchSpace.from_dict({key: described[key] for key in ("version", "params", "fixed", "forbid")})
    asked = dict(facade.ask().config).items()
    space.admit({path: value.item() if hasattr(value, "item") else value for path, value in asked}, "SMAC")
