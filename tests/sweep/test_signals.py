"""Signals of a sweep: an orderly end first, at once the second time, and never an end that does not come."""

from __future__ import annotations

import os
import signal
import threading

import pytest

from igmsweep.sweep import signals as module
from igmsweep.sweep.signals import Signals


def send(number: int = signal.SIGINT) -> None:
    os.kill(os.getpid(), number)
    for _ in range(1000):  # Python handles it between two of these
        pass


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_the_first_asks_for_an_end_and_the_second_is_one(number, code, caplog):
    stopped: list[int] = []
    before = signal.getsignal(number)
    with Signals(stopped.append):
        send(number)
        assert stopped == [code]
        assert "Ctrl-C again" in caplog.text
        with pytest.raises(KeyboardInterrupt):
            send()
    assert stopped == [code]
    assert signal.getsignal(number) is before


def test_a_training_in_this_process_is_broken_off():
    stopped: list[int] = []
    with Signals(stopped.append) as signals:
        with pytest.raises(KeyboardInterrupt), signals.training():
            send()
        assert stopped == [130]


def test_handlers_that_a_library_has_replaced_are_put_back():
    stopped: list[int] = []
    with Signals(stopped.append) as signals:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        signals.arm()
        send(signal.SIGTERM)
    assert stopped == [143]


def test_a_runner_that_does_not_end_is_left(monkeypatch):
    left, ended = [], threading.Event()

    def leave(code: int) -> None:
        left.append(code)
        ended.set()

    monkeypatch.setattr(module, "LEAVE_S", 0.01)
    monkeypatch.setattr(module.os, "_exit", leave)
    with Signals(lambda code: None, lambda: left.append(0)):
        send(signal.SIGTERM)
        assert ended.wait(30)
    assert left == [0, 143]


def test_outside_the_main_thread_nothing_is_touched():
    before = signal.getsignal(signal.SIGINT)
    seen = []

    def run() -> None:
        with Signals(seen.append) as signals:
            signals.arm()
            seen.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert seen == [before]
