"""Ctrl-C and SIGTERM while a sweep runs: the first asks for an orderly end, a second Ctrl-C ends at once."""

from __future__ import annotations

import logging
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

logger = logging.getLogger(__name__)

LEAVE_S = 20.0
"""After a signal, an end that takes longer has lost Ray's own processes; Ray would try for a minute and then abort."""

INTERRUPTED, TERMINATED = 130, 143
"""Exit codes."""


class Signals:
    """The handlers of a sweep, in place while its context is open. Outside the main thread, which alone gets signals, they
    do nothing.

    Args:
        stop: is told the exit code of the first signal.
        leave: what must be done before the process leaves a runner that does not come to its end within `LEAVE_S` seconds
            of a signal; None: it is waited for, however long that takes.
    """

    def __init__(self, stop: Callable[[int], None], leave: Callable[[], None] | None = None) -> None:
        self._stop, self._leave = stop, leave
        self._code = 0
        self._training = False
        self._before: dict[int, Any] = {}
        self._timer: threading.Timer | None = None

    def __enter__(self) -> Signals:
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
        self.arm()
        return self

    def __exit__(self, *_: object) -> None:
        if self._timer is not None:
            self._timer.cancel()
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def arm(self) -> None:
        """Put the handlers in place: a runner calls it again after a library has put its own there."""
        for number in self._before:
            signal.signal(number, self._handle)

    @contextmanager
    def training(self) -> Iterator[None]:
        """A training runs in this process meanwhile, and a signal breaks it off with KeyboardInterrupt."""
        self._training = True
        try:
            yield
        finally:
            self._training = False

    def _handle(self, number: int, _: FrameType | None) -> None:
        if self._code:
            raise KeyboardInterrupt
        self._code = INTERRUPTED if number == signal.SIGINT else TERMINATED
        self._stop(self._code)
        logger.warning("stopping; what has finished is kept (Ctrl-C again to leave at once)")
        if self._training:
            raise KeyboardInterrupt
        if self._leave is not None:
            self._timer = threading.Timer(LEAVE_S, self._give_up)
            self._timer.daemon = True
            self._timer.start()

    def _give_up(self) -> None:
        """Ray does not answer: a signal to the whole process group has taken its daemons along."""
        assert self._leave is not None
        logger.warning("Ray does not answer and is left")
        self._leave()
        os._exit(self._code)
