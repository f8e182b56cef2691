"""Lines for the person at the terminal. The library logs under the name `igmsweep`; who shows that, and how, is the command
line's business, or that of the program that uses the library.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

CLOSING = logging.INFO + 5
"""The level of what a command came to: above that of the lines on its way, which `--quiet` leaves out."""

BARE = {"bare": True}
"""`extra` of a line that is part of a table or list, and shown without the program's name before it."""


def either(words: Sequence[str]) -> str:
    """Words to choose from, as a sentence has them.

    >>> either(["none", "asha", "median"]), either(["none"])
    ('none, asha or median', 'none')
    """
    *most, last = words
    return f"{', '.join(most)} or {last}" if most else last


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows of a table as lines whose columns stand below each other.

    >>> aligned([("method", "year"), ("igm", "2025")])
    ['method  year', 'igm     2025']
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
