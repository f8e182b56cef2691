"""What a person sees of a running sweep: a line a finished trial, and on a terminal a live line of what runs."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Mapping
from typing import Any

from igmsweep.lines import wrapped
from igmsweep.record.failures import Failure
from igmsweep.record.rows import TrialRow
from igmsweep.record.states import State
from igmsweep.record.wording import duration, shown_params


class Display:
    """Counts trials and writes to stderr; `quiet` writes nothing."""

    def __init__(self, metric: str, mode: str, wanted: int, concurrent: int, quiet: bool = False) -> None:
        self.metric, self.mode, self.wanted, self.concurrent, self.quiet = metric, mode, wanted, concurrent, quiet
        self.done = self.failed = self.pruned = 0
        self.best: tuple[int, float] | None = None
        self._started = time.monotonic()
        self._running: dict[int, tuple[float, str]] = {}
        self._score: dict[int, float] = {}
        self._before = 0  # trials that an earlier driver finished
        self._live: Any = None
        self._stream = sys.stderr  # a trial in this process sends sys.stderr to its log
        if not quiet and sys.stderr.isatty():
            from rich.console import Console
            from rich.live import Live

            self._live = Live(self, console=Console(file=sys.stderr), refresh_per_second=2, transient=True)
            self._live.start()

    def started(self, trial: int, params: Mapping[str, Any]) -> None:
        """A trial begins."""
        self._running[trial] = (time.monotonic(), shown_params(params))

    def restored(self, rows: Mapping[int, TrialRow]) -> None:
        """What an earlier driver left."""
        for number in sorted(rows):
            if rows[number].finished:
                self._count(rows[number])
        self._before = self.done

    def reported(self, trial: int, metrics: Mapping[str, float]) -> None:
        """A running trial's score so far."""
        if self.metric in metrics:
            self._score[trial] = metrics[self.metric]

    def waiting(self, trial: int, error: Failure, alone: bool) -> None:
        """A trial will run again."""
        self._running.pop(trial, None)
        how = "again, alone" if alone else "again from its checkpoint"
        self._print(f"#{trial} {error.kind}: {error.message}; runs {how}")

    def finished(self, row: TrialRow) -> None:
        """A trial ended as its row says."""
        self._running.pop(row.trial, None)
        self._count(row)
        score = row.score(self.metric)
        shown = f"{self.metric} {math.nan if score is None else score:.4f}"
        if row.state is State.FAILED:
            outcome = f"{row.error.kind}: {row.error.message}" if row.error is not None else "failed"
        elif row.state is State.PRUNED:
            outcome = f"{shown} after cycle {row.rung}"
        else:
            outcome = shown + (f" (equal to #{row.duplicate_of}, not trained again)" if row.is_duplicate else "")
        best = f"best #{self.best[0]} {self.best[1]:.4f}" if self.best else "no best yet"
        self._print(
            f"#{row.trial} {row.state} {duration(row.seconds or 0)} {outcome}  {shown_params(row.params)} | "
            f"{best} | {self.done}/{self.wanted}, {self._others()}{self._left()}"
        )

    def _count(self, row: TrialRow) -> None:
        self.done += 1
        self.failed += row.state is State.FAILED
        self.pruned += row.state is State.PRUNED
        value = row.score(self.metric) if row.complete else None
        if value is None:
            return
        if self.best is None or (value > self.best[1] if self.mode == "max" else value < self.best[1]):
            self.best = (row.trial, value)

    def close(self) -> None:
        """Take the live display down."""
        if self._live is not None:
            self._live.stop()
            self._live = None

    def _left(self) -> str:
        if self.done >= self.wanted:
            return f"took {duration(time.monotonic() - self._started)}"
        here = self.done - self._before
        if here < max(1, min(2, self.concurrent)):
            return "eta ..."
        return f"eta {duration((time.monotonic() - self._started) / here * (self.wanted - self.done))}"

    def _others(self) -> str:
        return (f"{self.pruned} stopped early, " if self.pruned else "") + f"{self.failed} failed, "

    def _print(self, line: str) -> None:
        if self.quiet:
            return
        if self._live is not None:
            self._live.console.print(wrapped(line, self._stream), markup=False, highlight=False)
        else:
            print(line, file=self._stream, flush=True)

    def __rich__(self) -> Any:
        from rich.table import Table
        from rich.text import Text

        table = Table(
            title=f"{self.done}/{self.wanted} trials, {self._others()}{self._left()}"
            + (f", best #{self.best[0]} {self.metric} {self.best[1]:.4f}" if self.best else ""),
            title_justify="left",
            box=None,
        )
        for heading in ("running", "for", self.metric, "configuration"):
            table.add_column(heading, no_wrap=heading != "configuration")
        for trial, (since, params) in sorted(self._running.items()):
            score = f"{self._score[trial]:.4f}" if trial in self._score else ""
            table.add_row(f"#{trial}", duration(time.monotonic() - since), score, Text(params))
        return table
