"""Lines for the person at the terminal. The library logs under the name `igmsweep`; who shows that, and how, is the command
line's business, or that of the program that uses the library.
"""

from __future__ import annotations

import logging
import os
import textwrap
from collections.abc import Sequence
from typing import TextIO

CLOSING = logging.INFO + 5
"""The level of what a command came to: above that of the lines on its way, which `--quiet` leaves out."""

BARE = {"bare": True}
"""`extra` of a line that is part of a table or list, and shown without the program's name before it."""


def wrapped(line: str, stream: TextIO) -> str:
    """A line as a terminal should show it: broken between words, the rest indented. Unchanged where the stream is no terminal,
    so that a file or a pipe has one line."""
    width = os.get_terminal_size(stream.fileno()).columns if stream.isatty() else 0
    if len(line) <= width or not width:
        return line
    indent = " " * (len(line) - len(line.lstrip()) + 2)
    return textwrap.fill(line, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)


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
