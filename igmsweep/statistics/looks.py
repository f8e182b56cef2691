"""The chance of a false claim, shared among several looks at one test set.

A set that is opened again with more seeds gives chance another try: at 5 % each, five looks claim a difference that is not there in
9 to 14 % of cases (benchmarks/simulated_sweeps/evaluation.py). Each look has a share of the 5 % instead (Bonferroni's inequality:
the shares add up to it, however much the looks have in common). The first has most of it, as one look is what a test set is for.
"""

from __future__ import annotations

from igmsweep.statistics.crossed import LEVEL

FIRST, LATER = 0.04, 0.01
"""Of `LEVEL`: for the first look, and for all later ones together."""


def share(look: int) -> float:
    """Of the first look (1) 4 %, of every later one half of what is left: 0.5 %, 0.25 %, and so on."""
    return FIRST if look <= 1 else LATER / 2 ** (look - 1)


def look_words(look: int) -> str:
    """What a look that is not the first has, in a sentence; "" for the first."""
    if look <= 1:
        return ""
    return f"Look {look} at the test set: the {100 * LEVEL:g} % is shared, this look has {100 * share(look):.3g} %."
