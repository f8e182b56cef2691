"""What YAML from outside may hold, and what is refused in a line that names the place."""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as some

from igmsweep.errors import UserError
from igmsweep.gate.yaml_text import NotYaml, Written, parse_yaml, read_yaml

LAUGHS = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{new}: &{new} [{', '.join([f'*{old}'] * 9)}]\n" for old, new in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a: !!int ''", "'' is no integer, line 1"),
        ("a: !!bool maybe", "'maybe' is no truth value, line 1"),
        ("a: !!float x", "'x' is no number"),
        ("a: !!timestamp foo", "timestamp"),
        ("a: !!python/object/apply:os.system [ls]", "python/object"),
        ("a: !!set {x}", "set"),
        ("b: 1\na: &a [*a]", r"line 2: \*a stands inside of what it names"),
        (LAUGHS, r"line 6: more than 200,000 values"),
        ("a: " + "9" * 5000, "an integer of 5000 digits, expected at most 19"),
        ("2024: 1", "the key 2024 is no text; put it in quotes"),
        ("? [a]\n: 1", "unhashable key"),
        ("a: 1\nb: 2\na: 3", "the key 'a' stands there twice, line 3"),
        ("[" * 100 + "]" * 100, "nested more than 64 deep"),
        ("{" * 50_000, "nested more than 64 deep"),
        ("a: \x00", "control characters"),
        ("a: b: c", "mapping values are not allowed"),
        ("a: 1\n---\nb: 2", "another document"),
        ("a: <<", "merge"),
    ],
)
def test_odd_texts_are_one_line_at_once(text: str, told: str) -> None:
    began = time.monotonic()
    with pytest.raises(NotYaml, match=told) as refused:
        parse_yaml(text)
    assert len(str(refused.value)) < 300 and "\n" not in str(refused.value)
    assert time.monotonic() - began < 10  # a hang, not a speed


def test_values_are_what_they_look_like() -> None:
    text = 'seed: 2024-13-45\nno: no\nrate: 1e-4\nold: 010\nat: 1:30\nhex: 0x1F\nbig: 1_000\nnil: ~\nup: .inf\nred: "\\e[31m"'
    assert parse_yaml(text) == {
        "seed": "2024-13-45",
        "no": "no",
        "rate": 1e-4,
        "old": "010",
        "at": "1:30",
        "hex": 31,
        "big": 1000,
        "nil": None,
        "up": math.inf,
        "red": "\\x1b[31m",
    }
    assert parse_yaml("base: &b {x: 1, y: 2}\nmine: {<<: *b, x: 3}")["mine"] == {"x": 3, "y": 2}


VALUES = some.recursive(
    some.none()
    | some.booleans()
    | some.integers(-(2**53), 2**53)
    | some.floats(allow_nan=False)
    | some.text("abc 019.e-+:_#'\"~[]{}<=yno\n", max_size=8),
    lambda inner: (
        some.lists(inner, max_size=3) | some.dictionaries(some.text("abce019.-~", min_size=1, max_size=5), inner)
    ),
    max_leaves=8,
)


@given(some.dictionaries(some.text("abce019.-~", min_size=1, max_size=5), VALUES))
def test_what_is_written_is_read_as_it_was(values: dict[str, Any]) -> None:
    assert parse_yaml(yaml.safe_dump(values, sort_keys=False), Written) == values


def test_a_hash_of_digits_and_an_e_stays_text(tmp_path: Path) -> None:
    (tmp_path / "sweep.yaml").write_text(yaml.safe_dump({"data_hash": "12e456"}))
    assert read_yaml(tmp_path / "sweep.yaml", Written) == {"data_hash": "12e456"}


def test_files_that_are_none_are_named(tmp_path: Path) -> None:
    (tmp_path / "latin.yaml").write_bytes("a: 1\nb: é".encode("latin-1"))
    (tmp_path / "list.yaml").write_text("- 1")
    (tmp_path / "large.yaml").write_text("#" * 5_000_000)
    for name, told in (
        ("latin.yaml", "line 2 is not UTF-8"),
        ("list.yaml", "expected a mapping of keys to values, found list"),
        ("large.yaml", "holds more than 4 MiB"),
        ("gone.yaml", "no such file"),
        (".", "found a folder, expected a file"),
        ("x" * 5000, "cannot be read"),
        ("a\0b", "cannot be read"),
    ):
        with pytest.raises(UserError, match=told):
            read_yaml(tmp_path / name)
