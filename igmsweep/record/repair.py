"""A mended copy of a damaged sweep: what makes sense is copied, and what does not is counted and named.

The folder itself is left as it is. Nothing is made up: a line that makes no sense is left out, and a trial whose end was lost is trained
again by `resume`, unless its own `result.json` tells it.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from igmsweep.disk import write_atomically
from igmsweep.errors import UserError
from igmsweep.gate.files import regular
from igmsweep.gate.paths import full
from igmsweep.gate.yaml_text import Written, read_yaml
from igmsweep.legible import first_few
from igmsweep.record import paths
from igmsweep.record.folder import is_sweep
from igmsweep.record.json_files import read_lines, read_object
from igmsweep.record.ledger import Ledger
from igmsweep.record.lock import holder_of
from igmsweep.record.predictions import read_archive
from igmsweep.record.results import read_result, recovered
from igmsweep.record.rows import TrialRow, fault, folded, merged

LEFT = (paths.LOCK, paths.JOURNAL, f"{paths.JOURNAL}.lock", "analysis")
"""What is made anew by who needs it."""


@dataclass
class Account:
    """What a copy has, and what it lacks."""

    copy: Path
    rows: dict[int, TrialRow] = field(default_factory=dict)
    lost: list[str] = field(default_factory=list)
    """A line each, for a person."""

    def lines(self) -> list[str]:
        """The whole account."""
        complete = [row for row in self.rows.values() if row.complete]
        again = [f"#{row.trial}" for row in self.rows.values() if not row.finished]
        return [
            f"{self.copy}: {len(self.rows)} trials, {len(complete)} of them complete",
            *self.lost,
            *([f"{len(again)} to be trained again or gone on with: {first_few(again)}"] if again else []),
            *([] if self.lost else ["nothing was damaged"]),
        ]


def repair(folder: Path, copy: Path | None = None) -> Account:
    """Write a mended copy of a sweep.

    Args:
        copy: where; None: beside it, `NAME-repaired`.

    Raises:
        UserError: no sweep there, one that is being driven, or a place where something lies already.
    """
    folder = full(folder)
    if not is_sweep(folder):
        raise UserError(f"{folder}: not a sweep; expected a folder with {paths.SPEC} or {paths.LEDGER}")
    if holder_of(folder) is not None:
        raise UserError(f"{folder}: is being driven; a copy of what is still written would be another damaged one")
    copy = folder.with_name(f"{folder.name}-repaired") if copy is None else full(copy, "--out")
    if os.path.lexists(copy):  # a link that leads nowhere, too
        raise UserError(f"{copy}: is there already; name another place with --out DIR, or remove it")
    if copy.is_relative_to(folder):
        raise UserError(f"{copy}: lies in the folder that is to be copied; name another place with --out DIR")
    account = Account(copy)
    for file in _files(folder, folder, account):
        _copied(file, copy / file.relative_to(folder), account)
    _ledger(folder, copy, account)
    if not regular(copy / paths.SPEC):
        account.lost.append(f"{paths.SPEC}: without it the copy can be analyzed, but not gone on with")
    return account


def _files(place: Path, folder: Path, account: Account) -> Iterator[Path]:
    """Every ordinary file of a part of the folder but the ledger, in order; of what is none, a line in the account."""
    for path in sorted(place.iterdir()):
        if path.name in LEFT or path.name.startswith("."):
            continue
        name = path.relative_to(folder)
        if path.is_symlink():
            account.lost.append(f"{name}: a link, which is not followed")
        elif path.is_dir():
            yield from _files(path, folder, account)
        elif not regular(path):
            account.lost.append(f"{name}: no ordinary file")
        elif path.name != paths.LEDGER:
            yield path


def _copied(file: Path, to: Path, account: Account) -> None:
    """One file as it is, or without its lines that make no sense; not at all where nothing of it can be read."""
    name = to.relative_to(account.copy)
    if file.suffix == ".jsonl":
        rows, aside = read_lines(file)
        if aside is not None:
            account.lost.append(aside.words(name))
            _write(to, rows)
            return
    elif file.name == paths.TEST_EVAL:
        if read_object(file) is None:
            account.lost.append(
                f"{name}: cannot be read; it counts how often the test set was opened, so it is copied as it is"
            )
    elif (file.suffix == ".json" and read_object(file) is None) or (file.suffix == ".npz" and not read_archive(file)):
        account.lost.append(f"{name}: cannot be read")
        return
    elif file.suffix == ".yaml":
        try:
            read_yaml(file, Written)
        except UserError as error:
            account.lost.append(str(error).replace(str(file), str(name), 1))
            return
    to.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(file, to)


def _ledger(folder: Path, copy: Path, account: Account) -> None:
    """The ledger's sound lines, and the ends of trials that only their own results tell."""
    lines, aside = Ledger(folder / paths.LEDGER).read()
    if aside is not None:
        account.lost.append(aside.words())
    account.rows = folded(lines)
    owed = []
    for number, place in paths.trial_folders(folder):
        found = recovered(account.rows.get(number), read_result(place) if not place.is_symlink() else None)
        if found is not None and fault(found) is None:
            owed.append(found)
            account.rows[number] = merged(account.rows.get(number), found)
    if owed:
        account.lost.append(f"{paths.LEDGER}: the ends of {len(owed)} trials are taken from their own {paths.RESULT}")
    account.rows = dict(sorted(account.rows.items()))
    _write(copy / paths.LEDGER, [*lines, *owed])


def _write(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    write_atomically(path, "".join(json.dumps(row) + "\n" for row in rows))
