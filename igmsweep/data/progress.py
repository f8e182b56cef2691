"""How far a long piece of work is: a line on stderr that is drawn over on a terminal, else a few lines in the log."""

from __future__ import annotations

import logging
import sys
import time
from types import TracebackType

QUIET_SECONDS = 2.0
"""Work that takes less says nothing."""

log = logging.getLogger(__name__)


class ProgressLine:
    """Count of `total`, rate and the time left, as `1200/6698 decoded, 310/s, 18 s left`."""

    def __init__(self, total: int, what: str, done: int = 0) -> None:
        self.total = total
        self.what = what
        self.done = self._before = done
        self._started = self._printed = time.monotonic()
        self._terminal = sys.stderr.isatty()
        self._open = False

    def advance(self, count: int = 1) -> None:
        """Some more are done."""
        self.done += count
        now = time.monotonic()
        if now - self._started < QUIET_SECONDS or now - self._printed < (0.2 if self._terminal else 15):
            return
        self._printed = now
        rate = (self.done - self._before) / (now - self._started)
        line = f"{self.done}/{self.total} {self.what}, {rate:.3g}/s, {clock((self.total - self.done) / rate)} left"
        if self._terminal:
            print(f"\r\033[Kigmsweep: {line}", end="", file=sys.stderr, flush=True)
            self._open = True
        else:
            log.info("%s", line)

    def __enter__(self) -> ProgressLine:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._open:
            print("\r\033[K", end="", file=sys.stderr, flush=True)


def clock(seconds: float) -> str:
    """A duration as a person says it.

    >>> clock(42), clock(200), clock(7300)
    ('42 s', '3 min', '2 h 2 min')
    """
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60} min"
