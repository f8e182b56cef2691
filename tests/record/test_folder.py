"""Reading a results folder: all readers agree, and what is damaged costs no more than itself."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from ledger_lines import ended, result, scored, started

from igmsweep.analysis import best_config, ranked, read_sweep
from igmsweep.errors import UserError
from igmsweep.record.folder import SweepFolder, find_sweeps
from igmsweep.record.ledger import Ledger
from igmsweep.record.status import status

EXPECTED = {
    0: "complete", 1: "waiting", 2: "pruned", 3: "complete", 4: "complete", 5: "complete", 6: "running", 7: "complete",
}  # fmt: skip


def test_a_folder_of_0_1_0_is_read_alike_by_ledger_folder_status_and_analysis(old_folder: Path) -> None:
    folder = SweepFolder.read(old_folder)
    assert {number: str(row.state) for number, row in folder.rows.items()} == EXPECTED
    ledger = Ledger(old_folder / "trials.jsonl").rows()
    # what a dead driver's worker has left counts beyond the ledger
    assert {number for number in ledger if ledger[number] != folder.rows[number]} == {7}
    found = status(old_folder)
    assert found["counts"] == {"complete": 5, "waiting": 1, "pruned": 1, "running": 1}
    assert found["state"] == "stopped" and found["wanted"] == 9
    assert found["best"] == {"trial": 3, "val/acc": pytest.approx(0.7), "params": {"method.tau": 1.0}}
    sweep = read_sweep(old_folder)
    frame = sweep.trials.set_index("trial")
    assert frame["state"].to_dict() == EXPECTED
    for number, row in folder.rows.items():
        told = frame.loc[number]
        for name in ("seconds", "epochs", "rung", "duplicate_of", "repeat_of"):
            value = getattr(row, name)
            assert (told[name] == value) if value is not None else told[name] != told[name], (number, name)
        assert (row.score("val/acc") or 0.0) == (told["metrics.val/acc"] if row.metrics else 0.0)
        assert (row.error.kind if row.error else None) == told["error.class"]
    assert ranked(sweep)["trial"].tolist() == [3, 0, 7]
    assert best_config(sweep) == {"seed": 0}
    assert set(sweep.notes) == {
        "trials.jsonl: 1 line makes no sense and is set aside, it is line 19 (not JSON: unterminated string)",
        "1 trial taken from result.json, not in the ledger",
    }


def test_a_trial_that_waits_has_neither_its_old_error_nor_its_old_seconds(old_folder: Path) -> None:
    row = SweepFolder.read(old_folder).rows[1]
    assert row.error is None and row.seconds is None and row.epochs is None
    told = read_sweep(old_folder).trials.set_index("trial").loc[1]
    assert told["error.class"] is None and told["seconds"] != told["seconds"]


def test_a_result_of_an_earlier_attempt_or_of_a_full_disk_is_not_taken(write_folder: Callable[..., Path]) -> None:
    folder = write_folder([started(0, 0.1, attempt=2), started(1, 0.2), started(2, 0.3)])
    result(folder, 0, state="complete", attempt=1, **scored(0.9))
    result(folder, 1, state="failed", attempt=0, error={"class": "disk", "message": "No space left on device"})
    result(folder, 2, state="unheard of", attempt=0)
    rows = SweepFolder.read(folder).rows
    assert [str(row.state) for row in rows.values()] == ["running"] * 3
    assert read_sweep(folder).completed().empty


def test_what_cannot_be_read_is_noted_and_the_rest_is_there(write_folder: Callable[..., Path]) -> None:
    folder = write_folder([ended(0, 0.1, **scored(0.5)), started(1, 0.2)])
    (folder / "sweep.yaml").write_text("a: [")
    (folder / "meta.json").write_text("[]")
    (folder / "test_eval.json").write_text('{"count":')
    (folder / "trials" / "00001").mkdir()
    (folder / "trials" / "00001" / "result.json").write_text("{")
    with (folder / "trials.jsonl").open("a") as ledger:
        ledger.write('[]\n\n{"state": "complete"}\n{"trial": 0, "state": "vanished"}\n')
    found = SweepFolder.read(folder)
    assert found.rows[0].score(found.metric) == 0.5
    assert found.notes == (
        "sweep.yaml: not valid YAML (while parsing a flow node did not find expected node content, line 2, column 1)",
        "meta.json: unreadable",
        "trials.jsonl: 3 lines make no sense and are set aside, the first is line 3 (not an object)",
        "result.json: 1 cannot be read, the first is that of #1",
        "test_eval.json: unreadable",
    )


def test_no_folder_and_no_sweep_are_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"not a sweep; expected a folder with sweep\.yaml or trials\.jsonl"):
        SweepFolder.read(tmp_path)
    with pytest.raises(UserError, match="no such folder"):
        find_sweeps(tmp_path / "nowhere")


def test_a_sweep_of_0_1_0_reads_as_it_was_written() -> None:
    folder = SweepFolder.read(Path(__file__).with_name("sweep-0.1.0"))
    assert folder.notes == ()
    lines = [json.loads(line) for line in (folder.path / "trials.jsonl").read_text().splitlines()]
    last = {line["trial"]: line for line in lines}
    assert len(folder.rows) == len(last) == 16
    for number, line in last.items():
        told = folder.rows[number].plain()
        assert {key: told[key] for key in line} == line
