"""What a training leaves in its folder: no epoch twice, no half a result, and its log."""

from __future__ import annotations

import json
import logging
import sys

import pytest

from igmsweep.record.results import write_result
from igmsweep.record.training import Epochs, output_to, redirected, terminal


def row(step: int, **more) -> dict:
    return {"epoch": step, "val/acc": step / 10, **more}


def epochs_in(folder) -> list[int]:
    return [json.loads(line)["epoch"] for line in (folder / "metrics.jsonl").read_text().splitlines()]


def test_a_training_that_goes_on_writes_over_what_its_checkpoint_lacks(tmp_path):
    first = Epochs(tmp_path, every=0.0)
    first.restart()
    for step in (1, 2, 3):
        first.report(step, row(step), lambda path: path.write_text("state"))
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write(json.dumps(row(4)) + "\n" + '{"epoch": 5, "val')  # killed before these were in the checkpoint
    again = Epochs(tmp_path)
    again.restart()
    again.report(4, row(4), lambda path: None)
    again.report(5, row(5), lambda path: None)
    assert epochs_in(tmp_path) == [1, 2, 3, 4, 5] and again.count == 5


def test_without_a_checkpoint_it_begins_anew(tmp_path):
    (tmp_path / "metrics.jsonl").write_text(json.dumps(row(1)) + "\n")
    epochs = Epochs(tmp_path)
    epochs.restart()
    assert epochs.rows == [] and epochs_in(tmp_path) == []


def test_checkpoints_come_at_stage_ends_and_when_it_is_time(tmp_path):
    saved = []
    epochs = Epochs(tmp_path, every=1e9)
    epochs.report(1, row(1), saved.append)
    epochs.report(2, row(2, stage_end=True), saved.append)
    assert saved == [tmp_path / "checkpoint.pt"]
    always = Epochs(tmp_path, every=0.0)
    always.report(3, row(3), saved.append)
    assert len(saved) == 2


def test_folds_share_a_file_and_keep_their_own_lines(tmp_path):
    for fold in (0, 1):
        epochs = Epochs(tmp_path, fold)
        epochs.restart()
        epochs.report(1, row(1), lambda path: None)
    (tmp_path / "checkpoint.pt").write_text("state")
    again = Epochs(tmp_path, 1)
    again.restart()
    again.report(1, row(1), lambda path: None)
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert [line["fold"] for line in lines] == [0, 1]


def test_a_result_is_strict_json_and_whole_or_not_there(tmp_path, monkeypatch):
    write_result(tmp_path, {"state": "complete", "loss": float("nan")})
    before = (tmp_path / "result.json").read_text()
    assert json.loads(before) == {"state": "complete", "loss": None}
    monkeypatch.setattr("os.replace", lambda *_: (_ for _ in ()).throw(OSError(28, "full")))
    with pytest.raises(OSError, match="full"):
        write_result(tmp_path, {"state": "failed"})
    assert (tmp_path / "result.json").read_text() == before
    assert [path.name for path in tmp_path.iterdir()] == ["result.json"]


def test_what_a_training_prints_and_logs_is_in_its_log_and_what_the_driver_logs_is_not(tmp_path):
    outside = sys.stderr
    with output_to(tmp_path):
        print("printed")
        print("shouted", file=sys.stderr)
        logging.getLogger("igmsweep.methods.igm").info("a note")
        logging.getLogger("igmsweep.sweep.signals").warning("stopping")
        assert redirected() and terminal() is outside
    logging.getLogger("igmsweep.methods.igm").warning("after")
    assert not redirected() and terminal() is sys.stderr
    text = (tmp_path / "stdout.log").read_text()
    assert "printed" in text and "shouted" in text and "igmsweep.methods.igm: a note" in text
    assert "stopping" not in text and "after" not in text
