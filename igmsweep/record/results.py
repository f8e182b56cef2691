"""What a worker writes about its own trial: `result.json`, one file a finished fold, and the configuration's echo.

A driver that has died could not write down what its workers have finished meanwhile; `recovered` is what counts of it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from igmsweep.disk import write_atomically
from igmsweep.errors import UserError
from igmsweep.gate.yaml_text import Written, read_yaml
from igmsweep.record.failures import FailureClass
from igmsweep.record.json_files import plain, read_object
from igmsweep.record.paths import CONFIG, RESULT, fold_file, trial_number
from igmsweep.record.rows import TrialRow, fault, merged
from igmsweep.record.states import State

TAKEN = ("config_hash", "metrics", "stderr", "folds", "seconds", "epochs", "error", "notes")
"""Fields of a result that go into the ledger; configuration and spectra stay in the trial's folder."""


def write_result(folder: Path, result: Mapping[str, Any]) -> None:
    """Write `result.json` into a trial's folder, whole or not at all. Raises OSError."""
    write_atomically(folder / RESULT, json.dumps(plain(result), indent=1, allow_nan=False))


def read_result(folder: Path) -> TrialRow | None:
    """A trial's `result.json` in the ledger's terms, or None when there is none that can be read or it tells no end."""
    found, number = read_object(folder / RESULT), trial_number(folder)
    if found is None or number is None or fault(found | {"trial": number}) is not None:
        return None
    result = merged(None, found | {"trial": number})
    return result if result.finished else None


def forget_result(folder: Path) -> None:
    """Remove a trial's `result.json`: it is of an attempt that counts no more."""
    (folder / RESULT).unlink(missing_ok=True)


def outcome(result: TrialRow) -> dict[str, Any]:
    """What a result adds to the ledger's line of a trial's end."""
    found = result.plain()
    return {name: found[name] for name in TAKEN if name in found}


def recovered(row: TrialRow | None, result: TrialRow | None) -> dict[str, Any] | None:
    """The ledger's line that a dead driver owes: how a trial ended after all. None when nothing is owed.

    Nothing is taken for a trial that has finished, of an attempt before the last, or for one that waits to run again,
    whatever an earlier attempt has left. A full disk is nobody's outcome.
    """
    if result is None or (result.error is not None and result.error.kind == FailureClass.DISK):
        return None
    if row is not None and (row.finished or row.state is State.WAITING or result.attempt < row.attempt):
        return None
    params = row.params if row is not None and row.params else result.params
    found = {"trial": result.trial, "state": str(result.state), "source": row.source if row is not None else ""}
    return {**found, "params": dict(params), **outcome(result)}


def write_fold(folder: Path, fold: int, result: Mapping[str, Any]) -> None:
    """Keep what a finished fold has given, so that it is not trained again. Raises OSError."""
    write_atomically(fold_file(folder, fold), json.dumps(plain(result), indent=1))


def read_fold(folder: Path, fold: int) -> dict[str, Any] | None:
    """What a finished fold has given, or None."""
    return read_object(fold_file(folder, fold))


def read_config(folder: Path) -> dict[str, Any] | None:
    """The configuration that a trial reports having trained with, or else the one that it was given; None for none."""
    echoed = (read_object(folder / RESULT) or {}).get("config")
    if isinstance(echoed, dict) and echoed:
        return echoed
    try:
        return read_yaml(folder / CONFIG, Written) or None
    except UserError:
        return None
