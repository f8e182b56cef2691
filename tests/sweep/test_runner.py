"""A runner needs nothing of a driver but the protocol: here a driver that is not a Controller."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from igmsweep.config import TrainConfig
from igmsweep.sweep import local
from igmsweep.sweep.runner import Driver, Outline
from igmsweep.sweep.signals import Signals


class Scripted:
    """Hands out tasks and notes what it is told."""

    busy = False

    def __init__(self, tasks: list[dict[str, Any]], stop_after: int | None = None) -> None:
        self.tasks, self.stop_after, self.told = tasks, stop_after, []
        self.stopping = False

    def next_task(self) -> dict[str, Any] | None:
        return self.tasks.pop(0) if self.tasks and not self.stopping else None

    def reported(self, number: int, cycle: int, metrics: Any) -> bool:
        self.told.append(("reported", number, cycle))
        self.stopping = self.stop_after is not None and cycle >= self.stop_after
        return False

    def ended(self, number: int, lost: str = "worker") -> None:
        self.told.append(("ended", number))

    def no_room(self, message: str) -> None:
        self.told.append(("no_room", message))

    def fail(self, error: Exception) -> None:
        self.told.append(("fail", error))

    def stop(self, code: int) -> None:
        self.told.append(("stop", code))


@pytest.fixture
def tasks(tmp_path, small_avdigits, trained_by) -> list[dict[str, Any]]:
    trained_by("cycles")
    (tmp_path / "cache").mkdir()
    config = TrainConfig(data={"name": "avdigits", "root": small_avdigits, "cache": tmp_path / "cache"}).override(
        {"stages.cycles": 3}
    )
    shared = {"config": config.to_dict(), "params": {}, "metric": "val/acc", "threads": 1, "gpus": 0.0}
    return [
        {"number": number, "handle": number, "folder": str(tmp_path / str(number)), **shared} for number in range(2)
    ]


def run(sweep: Driver, folder: Path) -> None:
    local.run(sweep, Outline(folder, "val/acc", "max", 1), Signals(sweep.stop))


def test_a_driver_is_told_of_every_stage_and_every_end(tasks, tmp_path):
    sweep = Scripted(tasks)
    run(sweep, tmp_path)
    assert [word for word in sweep.told if word[0] == "ended"] == [("ended", 0), ("ended", 1)]
    assert [word[2] for word in sweep.told if word[:2] == ("reported", 1)] == [0, 1, 0, 2, 0, 3]


def test_a_driver_whose_time_is_over_is_not_asked_for_more(tasks, tmp_path):
    sweep = Scripted(tasks, stop_after=2)
    run(sweep, tmp_path)
    assert sweep.told[-1] == ("reported", 0, 2)
    assert len(sweep.tasks) == 1
