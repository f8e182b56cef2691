"""Tables that have been read in this process, each until its file changes, or one that a column's kind or shape is from."""

from __future__ import annotations

from pathlib import Path

from igmsweep.data.table import Table
from igmsweep.data.table_file import sources
from igmsweep.gate.paths import full

_tables: dict[tuple[tuple[Path, ...], Path | None], tuple[tuple[tuple[int, int, int], ...], Table]] = {}
"""By files and root: kind, size and time of the files and of their examples, and the table they made."""


def read_table(path: Path, root: Path | None = None) -> Table:
    """The table at a path, which is read again only when it has changed since, or a file that a column's kind or shape is from.

    Raises:
        UserError, DataError: as Table and `read_rows` say.
    """
    place = full(path)
    home = None if root is None else full(root, "data.root")
    files = sources(place)
    now = tuple(map(_status, files))  # before they are read: what is written meanwhile is read the next time
    kept = _tables.get((files, home))
    if kept is None or kept[0] != (*now, *map(_status, kept[1].examples)):
        found = Table(place, home)
        _tables[files, home] = kept = ((*now, *map(_status, found.examples)), found)
    return kept[1]


def _status(path: Path) -> tuple[int, int, int]:
    """Kind, size and time of a file."""
    try:
        status = path.stat()
    except (OSError, ValueError):  # a text is no path
        return (0, 0, 0)
    return (status.st_mode, status.st_size, status.st_mtime_ns)
