"""JSON: at most `DEPTH` deep, integers of at most `DIGITS` digits, texts without control codes or halves of characters."""

from __future__ import annotations

import json
import re
from typing import Any

from igmsweep.legible import CODES, clean, spelt

DEPTH = 64
DIGITS = 19
"""What 64 bits hold."""

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\]{}]', re.DOTALL)
_LONG = re.compile(r"\d{20}")
_PAIR = r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
_ESCAPE = re.compile(rf"({_PAIR})|\\u([0-9a-fA-F]{{4}})|\\(.)", re.DOTALL)
_SPELT = re.compile(r"\\[bfru]")
_CODE = re.compile(f"[{CODES}]")
_SHORT = {"b": 8, "f": 12, "r": 13}


class NotJson(ValueError):
    """A text that is no JSON, or beyond the limits; it says why in a few words."""


def parse_json(text: str) -> Any:
    """The value that a JSON text holds. NaN and infinities are read, as Python writes them.

    Raises:
        NotJson: see there.
    """
    if text.count("[") + text.count("{") > DEPTH and _depth(text) > DEPTH:
        raise NotJson(f"nested more than {DEPTH} deep")
    if _SPELT.search(text):
        text = _ESCAPE.sub(_readable, text)
    try:
        found = json.loads(text, parse_int=_integer) if _LONG.search(text) else json.loads(text)
    except NotJson:
        raise
    except (ValueError, RecursionError) as error:
        told = getattr(error, "msg", str(error)).removesuffix(" at").removesuffix(" starting")
        raise NotJson(f"not JSON: {told[:1].lower()}{told[1:]}") from None
    return found if text.isascii() else _cleaned(found)


def _depth(text: str) -> int:
    deepest = depth = 0
    for token in _TOKEN.finditer(text):
        if token[0] in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif token[0] in "]}":
            depth -= 1
    return deepest


def _integer(text: str) -> int:
    if len(text.lstrip("-")) > DIGITS:
        raise NotJson(f"an integer of {len(text.lstrip('-'))} digits, expected at most {DIGITS}")
    return int(text)


def _readable(found: re.Match[str]) -> str:
    """An escape as it is, or that of a control code spelt out."""
    pair, code, letter = found.groups()
    if pair is None and code is not None and _CODE.fullmatch(chr(int(code, 16))):
        return f"\\{spelt(int(code, 16))}"
    return f"\\{spelt(_SHORT[letter])}" if letter in _SHORT else found[0]


def _cleaned(value: Any) -> Any:
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, dict):
        return {clean(key): _cleaned(item) for key, item in value.items()}
    return [_cleaned(item) for item in value] if isinstance(value, list) else value
