"""Where data sets lie: `$IGMSWEEP_DATA`, and the folder of each data set that was remembered from an earlier command."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

from igmsweep.disk import write_atomically
from igmsweep.errors import UserError
from igmsweep.gate.paths import full
from igmsweep.record.json_files import read_object


def home() -> Path:
    """igmsweep's folder in the user's cache."""
    return full(os.environ.get("XDG_CACHE_HOME") or "~/.cache", "XDG_CACHE_HOME") / "igmsweep"


def find(name: str) -> Path:
    """The folder of a data set for which none was named; it need not exist.

    A folder of `$IGMSWEEP_DATA` is found by the data set's name in any spelling: `cremad`, `CREMA-D`, `Crema_D`.
    """
    if os.environ.get("IGMSWEEP_DATA"):
        parent = full(os.environ["IGMSWEEP_DATA"], "IGMSWEEP_DATA")
        exact = parent / name
        if exact.is_dir():
            return exact
        if parent.is_dir():
            alike = sorted(path for path in parent.iterdir() if _plain(path.name) == _plain(name) and path.is_dir())
            if alike:
                return alike[0]
        return remembered().get(name, exact)
    return remembered().get(name, home() / "data" / name)


def remembered() -> dict[str, Path]:
    """The remembered folder of each data set.

    Raises:
        UserError: the file they are kept in is damaged.
    """
    if not _memory().exists():
        return {}
    kept = read_object(_memory())
    if kept is None:
        raise UserError(f"{_memory()}: cannot be read; delete it")
    return {name: Path(path) for name, path in kept.items() if isinstance(path, str)}


def remember(name: str, root: Path) -> bool:
    """Keep a data set's folder for later commands; whether that is news. A home that cannot be written is no error."""
    known = remembered()
    if known.get(name) == root:
        return False
    kept = {key: str(path) for key, path in sorted((known | {name: root}).items())}
    try:
        write_atomically(_memory(), json.dumps(kept, indent=1))
    except OSError:
        return False
    return True


def _memory() -> Path:
    folder = full(os.environ.get("XDG_CONFIG_HOME") or "~/.config", "XDG_CONFIG_HOME") / "igmsweep"
    return folder / "roots.json"


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())
