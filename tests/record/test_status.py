"""`igmsweep status`: what a folder tells of a sweep that runs, has stopped, or is over."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from ledger_lines import ended, reported, scored, started

from igmsweep.errors import UserError
from igmsweep.record.lock import Lock
from igmsweep.record.status import lines, status


def test_it_loads_no_heavy_library() -> None:
    heavy = ("optuna", "torch", "pandas", "numpy", "ray", "igmsweep.sweep")
    code = f"import sys, igmsweep.record.status; print([name for name in {heavy!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_trial_is_counted_from_its_start_and_not_from_its_last_report(write_folder: Callable[..., Path]) -> None:
    folder = write_folder([started(0, 0.5, attempt=1), reported(0, 1, 0.4)])
    place = folder / "trials" / "00000"
    place.mkdir()
    (place / "metrics.jsonl").write_text('{"epoch": 1, "val/acc": 0.3}\n{"epoch": 2, "val/acc": 0.4}\n{"epo')
    lock = Lock(folder)
    lock.acquire()
    found = status(folder)
    lock.release()
    (one,) = found["running"]
    since = (datetime.now(UTC) - datetime(2026, 1, 2, 3, 4, 0, tzinfo=UTC)).total_seconds()
    assert found["state"] == "running" and one["trial"] == 0 and one["seconds"] == pytest.approx(since, abs=60)
    assert one["epoch"] == 2 and one["val/acc"] == 0.4
    assert any("epoch 2 val/acc 0.4000  tau=0.5" in line for line in lines(found))
    assert status(folder)["running"] == []  # nobody drives it any more


def test_a_sweep_that_has_stopped_says_how_to_go_on(write_folder: Callable[..., Path]) -> None:
    folder = write_folder(
        [ended(0, 0.5, **scored(0.7)), ended(1, 0.6, "failed", error={"class": "nan", "message": "m"})]
    )
    found = status(folder)
    assert json.loads(json.dumps(found)) == found
    assert found["state"] == "stopped" and found["wanted"] == 8
    text = lines(found)
    assert text[0].endswith("stopped, 1 complete, 1 failed, of 8 trials")
    assert "best #0 val/acc 0.7000  tau=0.5" in text and f"`igmsweep resume {folder}` goes on" in text
    assert "1 failed as nan (the loss or a metric was not finite), first #1: m" in text


@pytest.mark.parametrize(
    ("session", "wanted"), [({"trials": 2}, 2), ({"trials": 2, "seeds": 3}, 6), ({"trials": 9, "over": True}, 2)]
)
def test_what_is_wanted_is_what_the_last_driver_wanted(write_folder: Callable[..., Path], session, wanted) -> None:
    folder = write_folder([ended(n, n / 10, **scored(n / 10)) for n in range(2)], repeat_top=3)
    (folder / "meta.json").write_text(json.dumps({"sessions": [{"trials": 100, "over": True}, session]}))
    found = status(folder)
    assert found["wanted"] == wanted and found["state"] == ("finished" if wanted == 2 else "stopped")


def test_no_sweep_is_one_line(tmp_path: Path, write_folder: Callable[..., Path]) -> None:
    with pytest.raises(UserError, match=r"no sweep here; expected a folder with sweep\.yaml"):
        status(tmp_path)
    folder = write_folder([])
    (folder / "sweep.yaml").write_text("metric: [")
    found = status(folder)  # what the ledger tells is there all the same
    assert found["metric"] == "val/acc" and "sweep.yaml: not valid YAML" in found["notes"][0]
