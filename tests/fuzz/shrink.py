"""The smallest input that still has a fault."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from . import ground as grounds
from .harness import Kind, judged


def shrunk(kind: Kind, given: Any, fault: str, ground: Path, tries: int = 400) -> Any:
    """A smaller input with the same fault, after at most so many tries; a hang is left as it is, for it takes its time."""
    while tries > 0 and not fault.startswith("hang"):
        smaller = list(_smaller(given))[:tries]
        tries -= len(smaller)
        found = next((each for each, outcome in judged(kind, smaller, ground, grounds.begin) if outcome.fault == fault), None)
        if found is None:
            break
        given = found
    return given


def _smaller(tree: Any) -> Iterator[Any]:
    """The tree with something left out, the largest pieces first."""
    if isinstance(tree, str):
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
        for at, inner in enumerate(tree):
            yield tree[:at] + tree[at + 1 :]
        for at, inner in enumerate(tree):
            yield from ([*tree[:at], less, *tree[at + 1 :]] for less in _smaller(inner))
    elif isinstance(tree, dict) and "$" not in tree:
        for key in tree:
            yield {name: inner for name, inner in tree.items() if name != key}
        for key, value in tree.items():
            yield from ({**tree, key: less} for less in _smaller(value))
