"""Reading sweep folders, whole and damaged."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from fake_sweep import SPACE, write_sweep

from igmsweep.analysis import find_sweeps, load, read_sweep
from igmsweep.errors import UserError


def test_one_row_a_trial_with_its_parameters_metrics_and_error(tmp_path: Path) -> None:
    frame = load(write_sweep(tmp_path))
    assert len(frame) == 64
    assert {f"params.{path}" for path in SPACE} <= set(frame.columns)
    assert set(frame["state"]) == {"complete", "failed"}
    assert frame.loc[frame["state"] == "failed", "error.class"].isin(["nan", "oom"]).all()
    assert frame["params.method.tau"].dtype == "float64"
    assert {"none", "head", 0.3} <= set(frame["params.method.scope"])
    inactive = frame["params.method.scope"] == "none"
    assert frame.loc[inactive, "params.method.tau"].isna().all()


def test_several_sweeps_stand_under_each_other(tmp_path: Path) -> None:
    write_sweep(tmp_path, "a", n=5)
    write_sweep(tmp_path, "b", n=7)
    assert load(tmp_path)["sweep"].value_counts().to_dict() == {"a": 5, "b": 7}


def test_a_cut_last_line_costs_only_that_line(tmp_path: Path) -> None:
    folder = write_sweep(tmp_path, n=6, failed=0)
    ledger = folder / "trials.jsonl"
    ledger.write_text(ledger.read_text()[:-40])
    sweep = read_sweep(folder)
    assert (sweep.trials["state"] == "complete").all()  # the last trial comes from its result.json
    assert any("1 line makes no sense and is set aside" in note for note in sweep.notes)


def test_a_finished_trial_that_the_ledger_missed_is_read_from_its_folder(tmp_path: Path) -> None:
    folder = write_sweep(tmp_path, n=6, failed=0)
    ledger = folder / "trials.jsonl"
    ledger.write_text("".join(ledger.read_text().splitlines(keepends=True)[:-1]))
    sweep = read_sweep(folder)
    assert sweep.trials.iloc[5]["state"] == "complete"
    assert pd.notna(sweep.trials.iloc[5]["params.optim.lr.audio"])


def test_missing_trial_folders_and_a_missing_request_still_give_a_frame(tmp_path: Path) -> None:
    folder = write_sweep(tmp_path, n=6, failed=0)
    shutil.rmtree(folder / "trials")
    (folder / "sweep.yaml").unlink()
    (folder / "meta.json").write_text("{cut")
    sweep = read_sweep(folder)
    assert len(sweep.completed()) == 6
    assert {"sweep.yaml: missing", "meta.json: unreadable"} <= set(sweep.notes)
    assert sweep.history(0).empty


def test_copies_and_lost_scores_are_not_ranked(tmp_path: Path) -> None:
    folder = write_sweep(tmp_path, n=3, failed=0)
    with (folder / "trials.jsonl").open("a") as ledger:
        ledger.write(
            '{"trial": 7, "state": "complete", "params": {}, "metrics": {"val/acc": 0.999}, "duplicate_of": 0}\n'
        )
        ledger.write('{"trial": 8, "state": "complete", "params": {}, "metrics": {"val/acc": NaN}}\n')
    assert set(read_sweep(folder).completed()["trial"]) == {0, 1, 2}


def test_a_folder_that_is_no_sweep_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such folder"):
        find_sweeps(tmp_path / "nothing")
    with pytest.raises(UserError, match="no sweep here"):
        find_sweeps(tmp_path)


def test_analysis_loads_neither_torch_nor_ray() -> None:
    code = "import igmsweep.analysis, sys; print([m for m in ('torch', 'ray') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
