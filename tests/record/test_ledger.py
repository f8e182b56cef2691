"""The ledger's file: what was written is read, whatever a crash has cut."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from ledger_lines import LINES

from igmsweep.record.ledger import Ledger
from igmsweep.record.rows import TrialRow, merged
from igmsweep.record.states import State


@pytest.mark.slow
@settings(deadline=None, max_examples=50, suppress_health_check=[HealthCheck.too_slow])
@given(LINES)
def test_reading_the_file_gives_the_rows_that_the_driver_has_in_memory(told: list[dict[str, Any]]) -> None:
    with tempfile.TemporaryDirectory() as place:
        ledger, rows = Ledger(Path(place, "trials.jsonl")), dict[int, TrialRow]()
        for line in told:
            rest = {key: value for key, value in line.items() if key not in ("trial", "state")}
            rows[line["trial"]] = merged(rows.get(line["trial"]), ledger.append(line["trial"], line["state"], **rest))
            assert ledger.rows() == rows


def test_a_cut_line_costs_itself_alone_and_is_counted(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "trials.jsonl")
    ledger.append(0, State.RUNNING, params={"a": 1})
    with ledger.path.open("a") as file:
        file.write('{"trial": 0, "state": "comp')
    ledger.append(0, State.COMPLETE, metrics={"val/acc": 0.5})
    found, aside = ledger.read()
    assert [line["state"] for line in found] == ["running", "complete"]
    assert aside is not None and (aside.count, aside.first) == (1, 2)
    assert ledger.rows()[0].params == {"a": 1} and ledger.rows()[0].complete


def test_no_ledger_is_no_trial(tmp_path: Path) -> None:
    assert Ledger(tmp_path / "trials.jsonl").read() == ([], None)


def test_a_number_that_is_not_finite_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "trials.jsonl")
    with pytest.raises(ValueError, match="not JSON compliant"):
        ledger.append(0, State.COMPLETE, metrics={"val/acc": float("nan")})
    assert not ledger.path.exists()
