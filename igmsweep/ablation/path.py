"""The order in which changes are made."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from igmsweep.ablation.changes import Ends, Made

Order = Literal["greedy", "surrogate"]
"""`greedy`: at each step every change that is left is trained, and the best one is taken. `surrogate`: the model says which is best,
and that one alone is trained."""

MOST_GREEDY = 5
"""So many changes are taken greedily where nobody says otherwise."""

Rank = Callable[[Made], tuple[float, ...] | None]
"""How good a configuration is, higher is better; None: not known yet."""


def walk(ends: Ends, rank: Rank) -> tuple[list[Made], list[Made]]:
    """The path from the start as far as it is known, and the configurations whose rank decides the next step; none of these where
    the path is whole. Of equal ones the first change in the space's order is taken."""
    path = [Made()]
    while path[-1] != ends.all:
        options = ends.options(path[-1])
        ranks = [rank(each) for each in options] if len(options) > 1 else [()]
        if any(each is None for each in ranks):
            return path, options
        path.append(max(zip(options, ranks, strict=True), key=lambda pair: pair[1] or ())[0])
    return path, []


def configurations(changes: int, order: Order) -> int:
    """How many are trained to make so many changes, the start counted in; where a space forbids some, others may be needed."""
    return 1 + (changes * (changes + 1) // 2 if order == "greedy" else changes)
