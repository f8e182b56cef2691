"""One driver a folder."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from igmsweep.errors import UserError
from igmsweep.record.lock import Lock, alive, holder_of, identity, writes_into


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


@pytest.mark.parametrize("pid", [-1, 0, True, 10**18, "1", None, 1.5])
def test_what_is_no_number_of_a_process_is_not_alive(monkeypatch: pytest.MonkeyPatch, pid: object) -> None:
    monkeypatch.setattr("os.kill", lambda *_: pytest.fail("-1 and 0 are all processes of a user or a group"))
    assert alive({**identity(), "pid": pid, "start": ""}) is False


def test_a_process_is_known_by_the_files_that_it_has_open(tmp_path: Path) -> None:
    (tmp_path / "trial").mkdir()
    assert not writes_into(os.getpid(), tmp_path / "trial")
    with (tmp_path / "trial" / "stdout.log").open("w"):
        assert writes_into(os.getpid(), tmp_path / "trial")
