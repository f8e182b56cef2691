"""Odd values, and ways to change texts and trees that stay near what the program expects."""

from __future__ import annotations

import datetime
import math
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

WORDS = [
    "",
    " ",
    "~",
    "null",
    "no",
    "on",
    "True",
    "-",
    "--",
    ".",
    "..",
    "/",
    "//",
    "\\",
    "*",
    "%s",
    "{}",
    "{0}",
    "$HOME",
    "a=b",
    "=",
    ":",
    "::",
    "x" * 300,
    "x" * 5000,
    "é" * 200,
    "~nosuchuser/x",
    "~",
    "/dev/zero",
    "/dev/null",
    "/proc/self/mem",
    "nul\0byte",
    "line\nline",
    "\x1b[31mred\x1b[0m",
    "\x1b]0;title\x07",
    "\u202ertl",
    "\ufeffbom",
    "tab\there",
    "\r\n",
    "\x7f",
    "\x85",
    "\ud800",
    "😀",
    "e\u0301" * 50,
    "<script>alert(1)</script>",
    "</script>",
    "=cmd()",
    "@SUM(1)",
    "\\input{x}",
    "__import__('os')",
    "a.py:B",
    "missing.csv",
    "a/b.py",
    "1e400",
    "-1e400",
    "nan",
    "inf",
    "-inf",
    "1e-320",
    "0x10",
    "1_000",
    "١٢",
    "1e5",
    "9" * 400,
    "9" * 5000,
    "-0",
    "2024-13-45",
    "12:30:45",
    "val/acc",
    "test/acc",
    "val/",
    "val/acc/acc",
    "paper",
    "released",
    "igm",
    "avdigits",
    "cremad",
    "auto",
    "cpu",
    "cuda:99",
    "none",
    "all",
    "a/" * 3000,
    "../" * 40 + "etc/passwd",
    "con",
    "name.",
    "[bold]x[/bold]",
    "[/]",
    "[link=http://x]y[/link]",
]
NUMBERS = [
    0,
    -1,
    1,
    2,
    -0.0,
    0.5,
    1e-320,
    5e-324,
    1e308,
    -1e308,
    1.7976931348623157e308,
    2**31,
    2**31 - 1,
    -(2**31),
    2**53 + 1,
    2**63,
    2**64,
]
NUMBERS += [10**30, 10**100, 1e-15, 1e300, 99999999, 3.0, 7]
EXPRESSIONS = [
    "10**400",
    "10**5000",
    "-10**5000",
    "inf",
    "-inf",
    "nan",
    "date(2024, 2, 3)",
    "datetime(2024, 2, 3)",
    "b'bytes'",
    "(1, 2)",
    "{1, 2}",
    "object()",
    "Path('x')",
    "Path('a/' * 3000)",
    "deep(50)",
    "deep(2000)",
    "deep_map(50)",
    "deep_map(2000)",
    "loop()",
    "loop_map()",
    "many(100000)",
    "{1: 2}",
    "{None: 1}",
    "{(1, 2): 3}",
    "{True: 1}",
    "{1.5: 1}",
    "int",
    "len",
    "1j",
    "'x' * 100000",
    "'\\x00'",
    "bytearray(3)",
    "frozenset()",
]
"""Python expressions for what JSON cannot hold; see `build`."""


def deep(levels: int) -> list[Any]:
    inner: list[Any] = []
    for _ in range(levels):
        inner = [inner]
    return inner


def deep_map(levels: int) -> dict[str, Any]:
    inner: dict[str, Any] = {}
    for _ in range(levels):
        inner = {"a": inner}
    return inner


def loop() -> list[Any]:
    inner: list[Any] = []
    inner.append(inner)
    return inner


def loop_map() -> dict[str, Any]:
    inner: dict[str, Any] = {}
    inner["a"] = inner
    return inner


NAMES = {
    **{
        "deep": deep,
        "deep_map": deep_map,
        "loop": loop,
        "loop_map": loop_map,
        "many": lambda count: list(range(count)),
    },
    **{"date": datetime.date, "datetime": datetime.datetime, "Path": Path, "inf": math.inf, "nan": math.nan},
}


def build(plain: Any) -> Any:
    """Plain data with every `{"$": "expression"}` in it as the value of that expression."""
    if isinstance(plain, dict):
        if set(plain) == {"$"}:
            return eval(plain["$"], dict(NAMES))
        return {key: build(value) for key, value in plain.items()}
    return [build(value) for value in plain] if isinstance(plain, list) else plain


def scalar(rng: random.Random) -> Any:
    """A word, number, truth value or null."""
    draw = rng.random()
    if draw < 0.5:
        return rng.choice(WORDS)
    return rng.choice(NUMBERS) if draw < 0.85 else rng.choice([None, True, False])


def value(rng: random.Random, beyond: bool = True, depth: int = 2) -> Any:
    """Any odd value; with `beyond` also what JSON cannot hold."""
    draw = rng.random()
    if beyond and draw < 0.3:
        return {"$": rng.choice(EXPRESSIONS)}
    if depth and draw < 0.4:
        return [value(rng, beyond, depth - 1) for _ in range(rng.randrange(4))]
    if depth and draw < 0.5:
        return {str(scalar(rng)): value(rng, beyond, depth - 1) for _ in range(rng.randrange(3))}
    return scalar(rng)


def places(tree: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path of everything in a tree of mappings and lists, but the tree itself."""
    below = (
        tree.items()
        if isinstance(tree, dict) and "$" not in tree
        else enumerate(tree)
        if isinstance(tree, list)
        else ()
    )
    return [found for key, inner in below for found in ((*at, key), *places(inner, (*at, key)))]


def changed(rng: random.Random, tree: Any, times: int = 1, beyond: bool = True) -> Any:
    """A copy of a tree with some of its values odd, missing, doubled, exchanged, or under another key. The tree is not changed."""
    tree = copied(tree)
    for _ in range(times):
        found = places(tree)
        if not found:
            return value(rng, beyond)
        path = rng.choice(found)
        holder = tree
        for key in path[:-1]:
            holder = holder[key]
        key, draw = path[-1], rng.random()
        if draw < 0.6:
            holder[key] = value(rng, beyond)
        elif draw < 0.7:
            del holder[key]
        elif draw < 0.8:
            other = tree
            for step in rng.choice(found):
                other = other[step] if isinstance(other, dict | list) and _has(other, step) else other
            holder[key] = copied(other)
        elif isinstance(holder, dict):
            holder[str(scalar(rng))] = holder.pop(key) if draw < 0.9 else copied(holder[key])
        else:
            holder.insert(rng.randrange(len(holder) + 1), value(rng, beyond))
    return tree


def _has(holder: Any, key: Any) -> bool:
    return key in holder if isinstance(holder, dict) else isinstance(key, int) and key < len(holder)


def copied(tree: Any) -> Any:
    """A deep copy."""
    if isinstance(tree, dict):
        return {key: copied(inner) for key, inner in tree.items()}
    return [copied(inner) for inner in tree] if isinstance(tree, list) else tree


def garbled(rng: random.Random, text: str, tokens: Sequence[str], times: int = 1) -> str:
    """A text with characters or pieces of lines put in, taken out, doubled or exchanged; characters are bytes (latin-1)."""
    for _ in range(times):
        at, draw = rng.randrange(len(text) + 1), rng.random()
        if draw < 0.35:
            text = text[:at] + rng.choice(tokens) + text[at:]
        elif draw < 0.5:
            text = (
                text[:at]
                + chr(rng.choice([0, 9, 10, 13, 27, 34, 35, 38, 42, 58, 91, 123, 127, 128, 192, 237, 254, 255]))
                + text[at:]
            )
        elif draw < 0.65:
            text = text[:at] + text[at + rng.randrange(1, 30) :]
        elif draw < 0.75:
            text = text[:at]
        else:
            lines = text.split("\n")
            one, other = rng.randrange(len(lines)), rng.randrange(len(lines))
            if draw < 0.85:
                lines.insert(one, lines[other])
            elif draw < 0.93:
                lines[one], lines[other] = lines[other], lines[one]
            else:
                lines[one] = rng.choice(["  ", "\t", "    ", "- "]) + lines[one]
            text = "\n".join(lines)
    return text
