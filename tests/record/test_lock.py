"""One driver a folder."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from igmsweep.errors import UserError
from igmsweep.record.lock import Lock, holder_of


def test_two_threads_cannot_hold_one_lock(tmp_path: Path) -> None:
    outcomes = []

    def take() -> None:
        try:
            Lock(tmp_path).acquire()
            outcomes.append("held")
        except UserError:
            outcomes.append("refused")

    threads = [threading.Thread(target=take) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["held"] + ["refused"] * 7
    holder = holder_of(tmp_path)
    assert holder is not None and holder["pid"] == os.getpid()


def test_a_lock_that_was_cut_off_is_taken_over(tmp_path: Path) -> None:
    (tmp_path / "driver.lock").write_text("")
    lock = Lock(tmp_path)
    lock.acquire()
    with pytest.raises(UserError, match="is driven by process"):
        Lock(tmp_path).acquire()
    lock.release()
    assert list(tmp_path.iterdir()) == []


def test_a_file_system_without_locks_is_driven_all_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr("fcntl.flock", refuse)
    lock = Lock(tmp_path)
    lock.acquire()
    assert holder_of(tmp_path) is not None
    lock.release()
