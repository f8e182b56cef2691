"""Text from outside as a person may be shown it: without control codes, and no longer than can be read."""

from __future__ import annotations

import re
from collections.abc import Sequence

CODES = r"\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufeff"
"""What moves a terminal's cursor, colours it, turns the direction of text round, or is no character: all but tab and newline."""
_CODE = re.compile(f"[{CODES}]")

VALUE = 80
"""Characters of a value that a message quotes."""
MESSAGE = 500
"""Characters of a message."""


def clean(text: str) -> str:
    """A text with its control codes spelt out.

    >>> clean("red: \\x1b[31m")
    'red: \\\\x1b[31m'
    """
    if text.isascii() and text.isprintable():
        return text
    return _CODE.sub(lambda found: spelt(ord(found[0])), text)


def on_one_line(text: str) -> str:
    """A text on one line: clean, its line breaks spelt out.

    >>> on_one_line("on\\non")
    'on\\\\non'
    """
    return clean(text).replace("\n", "\\n")


def spelt(code: int) -> str:
    """A character that is not shown, as Python writes it.

    >>> spelt(27), spelt(0x202E)
    ('\\\\x1b', '\\\\u202e')
    """
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}"


def shortened(text: str, most: int) -> str:
    """A text of at most `most` characters: of a longer one its beginning, its end and how much is left out.

    >>> shortened("a" * 50 + "b" * 50, 40)
    'aaaaaaaa ... 84 characters ... bbbbbbbb'
    """
    if len(text) <= most:
        return text
    half = max(1, (most - len(f" ... {len(text)} characters ... ")) // 2)
    return f"{text[:half]} ... {len(text) - 2 * half} characters ... {text[-half:]}"


def first_few(names: Sequence[str], most: int = 8) -> str:
    """Names on one line: the first, and how many more there are.

    >>> first_few(["a", "b"]), first_few(["a", "b", "c"], 2)
    ('a, b', 'a, b and 1 more')
    """
    return ", ".join(names[:most]) + (f" and {len(names) - most:,} more" if len(names) > most else "")


def quoted(value: object) -> str:
    """A value as a message quotes it: as Python writes it, of a long one the beginning and the end.

    >>> quoted("method.tau"), quoted(3 * [0])
    ("'method.tau'", '[0, 0, 0]')
    """
    try:
        return clean(shortened(repr(value), VALUE))
    except (ValueError, RecursionError):  # an integer of thousands of digits, or a thing that holds itself
        return f"a {type(value).__name__} too large to show"
