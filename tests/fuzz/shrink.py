"""The smallest input that still has a fault."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from . import ground as grounds
from .harness import Kind, judged

FIXED = ("as", "key", "sampler", "method", "name", "in")
"""What an input is, not what is in it."""
WORD = 12
"""Shorter strings inside an input are names."""


def shrunk(kind: Kind, given: Any, fault: str, ground: Path, tries: int = 150) -> Any:
    """A smaller input with the same fault, after at most so many tries; a hang is left as it is, for it takes its time."""
    while tries > 0 and not fault.startswith("hang"):
        found = None
        for smaller, outcome in judged(kind, islice(_smaller(given), tries), ground, grounds.begin):
            tries -= 1
            if outcome.fault == fault:
                found = smaller
                break
        if found is None:
            break
        given = found
    return given


def _smaller(tree: Any, whole: bool = False) -> Iterator[Any]:
    """The tree with something left out, the largest pieces first."""
    if isinstance(tree, str):
        if len(tree) <= WORD and not whole:
            return
        for parts in (2, 4, 8, 16):
            size = len(tree) // parts
            for part in range(parts if size else 0):
                yield tree[: part * size] + tree[(part + 1) * size if part < parts - 1 else len(tree) :]
        if len(tree) < 40:
            yield from (tree[:at] + tree[at + 1 :] for at in range(len(tree)))
    elif isinstance(tree, list):
        half = len(tree) // 2
        if half:
            yield tree[:half]
            yield tree[half:]
        for at in range(len(tree)):
            yield tree[:at] + tree[at + 1 :]
        for at, inner in enumerate(tree):
            yield from ([*tree[:at], less, *tree[at + 1 :]] for less in _smaller(inner))
    elif isinstance(tree, dict) and "$" not in tree:
        for key in tree.keys() - FIXED:
            yield {name: inner for name, inner in tree.items() if name != key}
        for key in tree.keys() - FIXED:
            if key == "line" and isinstance(tree[key], str):
                continue  # a whole command
            yield from ({**tree, key: less} for less in _smaller(tree[key], key in ("text", "csv")))
