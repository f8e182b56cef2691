"""What a worker leaves in its trial's folder, and what of it the ledger still lacks."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from ledger_lines import LOST, params, result, scored

from igmsweep.record.paths import trial_folder
from igmsweep.record.results import (
    forget_result,
    outcome,
    read_config,
    read_fold,
    read_result,
    recovered,
    write_fold,
    write_result,
)
from igmsweep.record.rows import TrialRow
from igmsweep.record.states import State


def test_a_result_is_strict_json_and_is_read_in_the_ledgers_terms(tmp_path: Path) -> None:
    folder = trial_folder(tmp_path, 17)
    told = {"trial": 17, "state": "complete", "attempt": 1, "params": {}, "spectra": {"audio": [float("inf")]}}
    write_result(folder, {**told, "config_hash": "c", "folds": [{"val/acc": 0.5}], **scored(0.5)})
    assert json.loads((folder / "result.json").read_text())["spectra"] == {"audio": [None]}
    found = read_result(folder)
    assert found is not None and found.trial == 17 and found.attempt == 1 and found.complete
    assert outcome(found) == {"config_hash": "c", "folds": [{"val/acc": 0.5}], **scored(0.5)}
    forget_result(folder)
    forget_result(folder)
    assert read_result(folder) is None


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"state": "running"}', '{"state": "later"}'])
def test_what_tells_no_end_is_no_result(tmp_path: Path, text: str) -> None:
    folder = trial_folder(tmp_path, 0)
    folder.mkdir(parents=True)
    (folder / "result.json").write_text(text)
    assert read_result(folder) is None


def ended(attempt: int = 0, **more: object) -> TrialRow:
    return TrialRow(0, State.COMPLETE, attempt=attempt, params=params(1.0), metrics={"val/acc": 0.5}, **more)  # type: ignore[arg-type]


def test_a_driver_owes_the_end_of_the_last_attempt_and_of_no_other() -> None:
    row = TrialRow(0, source="tpe", params=params(1.0), attempt=1)
    assert recovered(row, None) is None
    assert recovered(row, ended(attempt=0)) is None
    told = {"trial": 0, "state": "complete", "source": "tpe", "params": params(1.0), "metrics": {"val/acc": 0.5}}
    assert recovered(row, ended(attempt=1)) == told
    assert recovered(None, ended()) == told | {"source": ""}
    for state in (State.WAITING, State.COMPLETE, State.PRUNED, State.FAILED):
        assert recovered(TrialRow(0, state, attempt=1), ended(attempt=1)) is None
    assert recovered(TrialRow(0, State.INTERRUPTED, "tpe", params(1.0)), ended()) == told


def test_the_configuration_is_the_echo_or_else_what_was_given(tmp_path: Path) -> None:
    folder = trial_folder(tmp_path, 0)
    result(tmp_path, 0, state="failed", error=LOST)
    assert read_config(folder) is None
    (folder / "config.yaml").write_text("seed: 1\n")
    assert read_config(folder) == {"seed": 1}
    result(tmp_path, 0, state="complete", config={"seed": 2})
    assert read_config(folder) == {"seed": 2}


def test_a_finished_fold_is_kept(tmp_path: Path) -> None:
    write_fold(tmp_path, 1, {"metrics": {"val/acc": 0.5}})
    assert read_fold(tmp_path, 1) == {"metrics": {"val/acc": 0.5}} and read_fold(tmp_path, 0) is None
