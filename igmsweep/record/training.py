"""What one training leaves in its folder, whoever runs it: a trial of a sweep, `igmsweep train --out`, an evaluation.

config.yaml     what it trains with
metrics.jsonl   a line an epoch; a training that goes on writes over the lines that its checkpoint does not have
checkpoint.pt   where it goes on
result.json     what came out, whole or not there (`igmsweep.record.results`)
diagnostics.json  what the method tells besides, such as the spectra of IGM's T
stdout.log      what was printed and logged, where the training does not own the terminal
"""

from __future__ import annotations

import contextlib
import json
import logging
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TextIO

from igmsweep.disk import write_atomically
from igmsweep.record.json_files import plain, read_lines
from igmsweep.record.paths import CHECKPOINT, CONFIG, DIAGNOSTICS, METRICS, OUTPUT

CHECKPOINT_EVERY_S = 60.0
"""Between stage ends, at most this much training is lost to a kill."""


class Epochs:
    """The lines of `metrics.jsonl` and the checkpoint beside them.

    Args:
        folder: the training's, which exists.
        fold: where several trainings, one a fold, share the file: whose lines these are.
        every: seconds of training between two checkpoints inside a stage; 0: one after every epoch.
    """

    def __init__(self, folder: Path, fold: int | None = None, every: float = CHECKPOINT_EVERY_S) -> None:
        self.path, self.checkpoint, self.fold, self.every = folder / METRICS, folder / CHECKPOINT, fold, every
        kept = _rows(self.path)
        self.others = [row for row in kept if row.get("fold") != fold] if fold is not None else []
        self.rows = [row for row in kept if row.get("fold") == fold] if fold is not None else kept
        self._saved = time.monotonic()

    def restart(self) -> None:
        """Begin, with what an earlier attempt has left if there is a checkpoint that goes on from it."""
        if self.fold and not self.rows:  # killed before the finished fold's could be removed
            self.checkpoint.unlink(missing_ok=True)
        if not self.checkpoint.exists():
            self.rows = []
        self._write()
        self._saved = time.monotonic()

    @property
    def count(self) -> int:
        """Epochs so far, other folds counted in."""
        return len(self.others) + len(self.rows)

    def report(self, step: int, metrics: Mapping[str, Any], save: Callable[[Path], None]) -> dict[str, Any]:
        """Write an epoch down and, when it is time, the checkpoint. Returns the line.

        Args:
            step: number of the epoch, from 1.
            metrics: flat and plain.
            save: writes a checkpoint to a path.
        """
        row = plain(metrics) | ({} if self.fold is None else {"fold": self.fold})
        if len(self.rows) >= step:  # the checkpoint is older than the last lines
            del self.rows[step - 1 :]
            self._write()
        self.rows.append(row)
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")
        if metrics.get("stage_end") or time.monotonic() - self._saved >= self.every:
            save(self.checkpoint)
            self._saved = time.monotonic()
        return dict(row)

    def _write(self) -> None:
        write_atomically(self.path, "".join(json.dumps(row) + "\n" for row in [*self.others, *self.rows]))


def write_config(folder: Path, text: str) -> None:
    """Make the folder and write what it trains with, as YAML."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / CONFIG).write_text(text, encoding="utf-8")


def write_diagnostics(folder: Path, told: Mapping[str, Any], fold: int | None = None) -> None:
    """Write what a method tells besides metrics, on one line; nothing where it tells nothing. A fold has its own file."""
    if told:
        name = DIAGNOSTICS if fold is None else f"fold{fold}-{DIAGNOSTICS}"
        write_atomically(folder / name, json.dumps(plain(told), separators=(",", ":"), allow_nan=False) + "\n")


_outside: list[TextIO] = []


def terminal() -> TextIO:
    """The standard error of this process, also while a training in it prints to its log."""
    return _outside[0] if _outside else sys.stderr


def redirected() -> bool:
    """Whether a training in this process prints to its log."""
    return bool(_outside)


@contextlib.contextmanager
def output_to(folder: Path) -> Iterator[None]:
    """What is printed and what a training logs goes to the folder's `stdout.log`."""
    logger = logging.getLogger("igmsweep")
    level = logger.level
    with (folder / OUTPUT).open("a", encoding="utf-8") as log:
        handler = logging.StreamHandler(log)
        handler.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))
        handler.addFilter(of_training)
        _outside.append(sys.stderr)
        logger.addHandler(handler)
        if logger.getEffectiveLevel() > logging.INFO:
            logger.setLevel(logging.INFO)
        try:
            with contextlib.redirect_stdout(log), contextlib.redirect_stderr(log):
                yield
        finally:
            logger.setLevel(level)
            logger.removeHandler(handler)
            _outside.pop()


def of_training(record: logging.LogRecord) -> bool:
    """Whether a record is a training's, and not that of a driver in the same process."""
    return not record.name.startswith("igmsweep.sweep")


def _rows(path: Path) -> list[dict[str, Any]]:
    """The lines up to the first that was cut by a kill; everything after it is trained again."""
    rows, aside = read_lines(path)
    return rows if aside is None else rows[: aside.first - 1]
