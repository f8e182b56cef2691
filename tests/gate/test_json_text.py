"""What JSON from outside may hold."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from igmsweep.gate.json_text import NotJson, parse_json
from igmsweep.legible import clean


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[" * 1000 + "]" * 1000, "nested more than 64 deep"),
        ('{"trial": 1' + "0" * 30 + "}", "an integer of 31 digits, expected at most 19"),
        ('{"a": ', "not JSON: expecting value"),
        ('{"a": "\n"}', "not JSON: invalid control character"),
    ],
)
def test_what_is_beyond_the_limits_is_said(text: str, told: str) -> None:
    with pytest.raises(NotJson, match=told):
        parse_json(text)


def test_control_codes_and_halves_of_characters_are_spelt_out() -> None:
    text = r'{"a": "\u001b[31m \r \b\\u001b \ud83d\ude00 \ud800 \u202e tab\there"}'
    assert parse_json(text) == {"a": r"\x1b[31m \x0d \x08\u001b 😀 \ud800 \u202e tab" + "\there"}
    assert parse_json('{"ä‮": ["\x85"]}') == {r"ä\u202e": [r"\x85"]}
    assert math.isnan(parse_json("NaN"))


VALUES = some.recursive(
    some.none()
    | some.booleans()
    | some.integers(-(2**62), 2**62)
    | some.floats(allow_nan=False)
    | some.text(max_size=6),
    lambda inner: some.lists(inner, max_size=3) | some.dictionaries(some.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)


@given(VALUES, some.booleans())
def test_all_else_is_read_as_json_reads_it(value: Any, escaped: bool) -> None:
    try:
        text = json.dumps(value, ensure_ascii=escaped)
        text.encode()
    except UnicodeEncodeError:
        return
    assert parse_json(text) == _cleaned(value)


def _cleaned(value: Any) -> Any:
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, dict):
        return {clean(key): _cleaned(item) for key, item in value.items()}
    return [_cleaned(item) for item in value] if isinstance(value, list) else value
