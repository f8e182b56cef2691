"""`meta.json`: one entry a driver, and what all of them took."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from igmsweep.record.sessions import Session, read_meta, sessions_of

MACHINE = SimpleNamespace(cpus=2, gpu_names=("a card",))
RESOURCES = {"runner": "local", "max_concurrent": 1, "cpus_per_trial": 1.0, "gpus_per_trial": 0.0}


def test_every_driver_has_an_entry_and_the_first_ones_start_stays(tmp_path: Path) -> None:
    first = Session.begin(tmp_path, MACHINE, {"trials": 4, "seeds": 1}, RESOURCES)
    assert "finished" not in read_meta(tmp_path)  # as a driver that is killed leaves it
    first.end(signal=130, over=False)
    meta = read_meta(tmp_path)
    meta["started"] = "2026-01-01T00:00:00Z"
    (tmp_path / "meta.json").write_text(json.dumps(meta))
    second = Session.begin(tmp_path, MACHINE, {"trials": 8, "seeds": 2}, RESOURCES)
    second.end(signal=0, over=True)
    meta = read_meta(tmp_path)
    entries = sessions_of(meta)
    assert meta["started"] == "2026-01-01T00:00:00Z" and meta["signal"] == 0
    assert [(entry["trials"], entry["seeds"], entry["signal"], entry["over"]) for entry in entries] == [
        (4, 1, 130, False),
        (8, 2, 0, True),
    ]
    assert meta["wall_seconds"] == pytest.approx(sum(entry["wall_seconds"] for entry in entries))
    assert entries[1]["runner"] == "local" and entries[1]["versions"]["igmsweep"]
    assert meta["hardware"]["cpus"] == 2 and meta["hardware"]["gpus"] == ["a card"]


def test_the_format_is_that_of_0_1_0(tmp_path: Path) -> None:
    Session.begin(tmp_path, MACHINE, {"trials": 4, "seeds": 1}, RESOURCES).end(signal=0, over=True)
    old = json.loads((Path(__file__).with_name("sweep-0.1.0") / "meta.json").read_text())
    new = read_meta(tmp_path)
    assert list(new) == list(old)
    assert set(new["sessions"][-1]) == {*old["sessions"][-1], "over"}


@pytest.mark.parametrize("text", ["{", "[]", '{"sessions": 3}', '{"sessions": [1]}'])
def test_a_damaged_file_is_no_driver(tmp_path: Path, text: str) -> None:
    (tmp_path / "meta.json").write_text(text)
    assert sessions_of(read_meta(tmp_path)) == []
    Session.begin(tmp_path, MACHINE, {"trials": 4, "seeds": 1}, RESOURCES)
    assert len(sessions_of(read_meta(tmp_path))) == 1


def test_what_is_no_time_and_no_versions_is_left_out_of_an_entry(tmp_path: Path) -> None:
    (tmp_path / "meta.json").write_text('{"sessions": [{"wall_seconds": "abc", "versions": "abc", "trials": 2}]}')
    assert sessions_of(read_meta(tmp_path)) == [{"trials": 2}]
    Session.begin(tmp_path, MACHINE, {"trials": 4, "seeds": 1}, RESOURCES).end(signal=0, over=True)
    assert len(sessions_of(read_meta(tmp_path))) == 2
