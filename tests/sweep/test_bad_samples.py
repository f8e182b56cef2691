"""A sweep over bad samples: said at its start, kept in its folder, gone on with as it began."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from igmsweep.data.avdigits import AVDIGITS
from igmsweep.errors import DataError
from igmsweep.frame import read_sweep
from igmsweep.sweep import ResumeRequest, SweepRequest, resume_sweep, run_sweep
from igmsweep.sweep.session import run_sweeps

LINE = "train: of 60 samples, 2 are left out (1 empty, 1 missing)"


@pytest.fixture
def request_of(cycles_request: Callable[..., SweepRequest], small_avdigits: Path) -> Callable[..., SweepRequest]:
    """Two of the 60 training clips have no sound that can be used."""
    first, second = AVDIGITS.index(small_avdigits, "train")[:2]
    first.files["audio"].write_bytes(b"")
    second.files["audio"].unlink()

    def make(share: float | None = 0.05, **changes: object) -> SweepRequest:
        request = cycles_request(trials=2, sampler="random", local=True, **changes)
        allowed = {} if share is None else {"data.bad_share": share}
        return SweepRequest(
            **{**vars(request), "overrides": {**request.overrides, "data.bad_files": "skip", **allowed}}
        )

    return make


def told(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


def test_more_than_the_share_is_refused_before_there_is_a_folder(request_of) -> None:
    request = request_of(share=None)
    with pytest.raises(DataError, match=r"2 of 60 samples have a bad file|1 of 60 samples have a bad file") as refused:
        run_sweep(request)
    assert "--set data.bad_share=0.0" in str(refused.value)
    assert not (Path(request.out) / "s").exists()


def test_it_is_said_at_the_start_and_kept_in_the_folder(request_of, caplog) -> None:
    run_sweep(request_of())
    assert told(caplog).count(LINE) == 1
    sweep = read_sweep(request_of().out / "s")
    assert sweep.data["bad"] == [
        {"part": "train", "samples": 60, "left_out": {"empty": 1, "missing": 1}, "filled": {}},
        {"part": "val", "samples": 30, "left_out": {}, "filled": {}},
    ]
    assert sweep.data_notes == [LINE]
    assert sweep.spec["base_config"]["data"]["bad_share"] == 0.05


def test_sweeps_side_by_side_say_it_once(request_of, caplog) -> None:
    requests = [request_of(name=f"arm{number}", quiet=True, resume=True) for number in range(2)]
    run_sweeps(requests, lambda sweeps: None)
    assert told(caplog).count(LINE) == 1


def test_a_sweep_from_before_there_was_a_limit_goes_on(request_of, caplog) -> None:
    request = request_of()
    run_sweep(request)
    path = Path(request.out) / "s" / "sweep.yaml"
    spec = yaml.safe_load(path.read_text())
    del spec["base_config"]["data"]["bad_share"], spec["data"]["bad"], spec["data"]["departures"]
    path.write_text(yaml.safe_dump(spec, sort_keys=False))
    caplog.clear()
    result = resume_sweep(ResumeRequest(path.parent, trials=3))
    assert result.counts == {"complete": 3}
    assert "train and val: of 90 samples, 2 are left out (1 empty, 1 missing)" in told(caplog)


def test_another_share_is_the_same_sweep(request_of) -> None:
    run_sweep(request_of())
    assert run_sweep(request_of(share=0.5, resume=True)).counts == {"complete": 2}
