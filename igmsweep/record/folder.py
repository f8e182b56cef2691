"""A results folder, read: finished, running, interrupted, damaged or empty. Nothing is ever unpickled."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from igmsweep.errors import UserError
from igmsweep.gate.files import is_folder, regular
from igmsweep.gate.yaml_text import Written, read_yaml
from igmsweep.record import paths
from igmsweep.record.json_files import read_object
from igmsweep.record.ledger import Ledger
from igmsweep.record.results import read_result, recovered
from igmsweep.record.rows import TrialRow, folded, merged


@dataclass(frozen=True, eq=False)
class SweepFolder:
    """What the files of one sweep say together: the ledger, and what its workers have finished beyond it."""

    path: Path
    spec: Mapping[str, Any]
    """`sweep.yaml`; empty when it cannot be read."""
    meta: Mapping[str, Any]
    """`meta.json`; empty when it cannot be read."""
    rows: Mapping[int, TrialRow]
    test_eval: Mapping[str, Any] | None
    """`test_eval.json`; None: the test set was never opened."""
    notes: tuple[str, ...]
    """What could not be read, in plain words."""

    @classmethod
    def read(cls, path: Path | str) -> SweepFolder:
        """Read a sweep's folder, as far as it can be read.

        Raises:
            UserError: `path` is not a sweep's folder.
        """
        path = Path(path)
        if not is_sweep(path):
            raise UserError(f"{path}: not a sweep; expected a folder with {paths.SPEC} or {paths.LEDGER}")
        notes: list[str] = []
        spec = _document(path / paths.SPEC, notes)
        meta = _document(path / paths.META, notes)
        rows = _rows(path, notes)
        opened = path / paths.TEST_EVAL
        return cls(path, spec, meta, rows, _document(opened, notes) if opened.is_file() else None, tuple(notes))

    @property
    def metric(self) -> str:
        """Name of the validation score that the search maximised or minimised, such as `val/acc`."""
        return str(_mapping(self.spec.get("metric")).get("name") or "val/acc")

    @property
    def mode(self) -> str:
        """`max` or `min`."""
        return "min" if str(_mapping(self.spec.get("metric")).get("mode") or "max") == "min" else "max"

    @property
    def sessions(self) -> list[Mapping[str, Any]]:
        """One entry a driver, the last one last; see `record.sessions`."""
        found = self.meta.get("sessions")
        return [entry for entry in found if isinstance(entry, Mapping)] if isinstance(found, list) else []


def is_sweep(path: Path) -> bool:
    """Whether a folder holds a sweep, or what is left of one."""
    return any(regular(path / name) for name in (paths.SPEC, paths.LEDGER))


def find_sweeps(path: Path | str) -> list[Path]:
    """`path` itself when it is a sweep, else the sweeps directly inside it, by name.

    Raises:
        UserError: no such folder, or neither a sweep nor a folder of sweeps.
    """
    path = Path(path)
    if not is_folder(path):
        raise UserError(f"{path}: no such folder; expected a sweep (sweep.yaml, trials.jsonl) or a folder of sweeps")
    if is_sweep(path):
        return [path]
    found = sorted(child for child in path.iterdir() if is_sweep(child))
    if not found:
        raise UserError(f"{path}: no sweep here; expected sweep.yaml or trials.jsonl in it or in a folder inside it")
    return found


def _rows(path: Path, notes: list[str]) -> dict[int, TrialRow]:
    ledger = Ledger(path / paths.LEDGER)
    lines, aside = ledger.read()
    if aside is not None:
        notes.append(aside.words())
    rows = folded(lines)
    taken, unread = 0, []
    for number, folder in paths.trial_folders(path):
        row = rows.get(number)
        if (row is not None and row.finished) or not (folder / paths.RESULT).is_file():
            continue
        result = read_result(folder)
        if result is None:
            unread.append(number)
        owed = recovered(row, result)
        if owed is not None:
            rows[number] = merged(row, owed)
            taken += 1
    if unread:
        notes.append(f"{paths.RESULT}: {len(unread)} cannot be read, the first is that of #{unread[0]}")
    if taken:
        notes.append(f"{taken} trial{'s' if taken > 1 else ''} taken from {paths.RESULT}, not in the ledger")
    return dict(sorted(rows.items()))


def _document(path: Path, notes: list[str]) -> dict[str, Any]:
    if not path.is_file():
        notes.append(f"{path.name}: missing")
        return {}
    try:
        if path.suffix != ".json":
            return read_yaml(path, Written)
    except UserError as error:
        notes.append(str(error).replace(f"{path}", path.name, 1))
        return {}
    value = read_object(path)
    if value is None:
        notes.append(f"{path.name}: unreadable")
    return value or {}


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
