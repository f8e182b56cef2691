"""What a driver that has died left behind: results that it could not record, and workers that still run."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from igmsweep.record.failures import FailureClass
from igmsweep.record.json_files import read_object
from igmsweep.record.lock import alive, writes_into
from igmsweep.record.paths import WORKER, trial_folders
from igmsweep.record.results import read_result, recovered
from igmsweep.record.rows import TrialRow
from igmsweep.record.states import State

KILL_S = 10.0
"""How long the kernel is given to end a killed worker."""


def left_behind(sweep: Path, rows: Mapping[int, TrialRow], concurrent: int) -> Iterator[dict[str, Any]]:
    """The lines that the ledger lacks; workers of unfinished trials are ended first.

    Args:
        concurrent: trials at a time; beside others, one that ran out of memory is to run again, alone.
    """
    for number, folder in list(trial_folders(sweep)):
        row = rows.get(number)
        if row is not None and row.finished:
            continue
        end_worker(folder)
        result = read_result(folder)
        owed = recovered(row, result)
        if owed is None or result is None:
            continue
        if runs_alone_next(result, row is not None and row.alone, concurrent):
            attempt = (0 if row is None else row.attempt) + 1
            owed = {"trial": number, "state": State.WAITING, "attempt": attempt, "alone": True, "error": owed["error"]}
        yield owed


def runs_alone_next(result: TrialRow, alone: bool, concurrent: int) -> bool:
    """Whether a trial that ended so is tried once more, with no other beside it: it ran out of memory among others."""
    return result.error is not None and result.error.kind == FailureClass.OOM and not alone and concurrent > 1


def end_worker(folder: Path) -> None:
    """Kill a worker that has outlived its driver, so that two processes never write one trial.

    What the file names may be any process of ours, if somebody else has written it: only one that has the trial's log open is its worker.
    """
    worker = read_object(folder / WORKER)
    if worker is None or worker.get("pid") == os.getpid() or not alive(worker):
        return
    if not writes_into(worker["pid"], folder):
        return
    try:
        os.kill(worker["pid"], signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return
    deadline = time.monotonic() + KILL_S
    while alive(worker) and time.monotonic() < deadline:
        time.sleep(0.05)
