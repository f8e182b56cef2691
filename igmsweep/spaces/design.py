"""A quasi-random design over a whole search space, conditional parameters included."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from igmsweep.errors import UserError
from igmsweep.spaces.space import SearchSpace

BLOCK = 64
"""Points drawn at a time: a power of two, as the sequence asks for."""
MOST_SKIPPED = 10_000
"""Points in a row that may be forbidden."""


def sobol_design(space: SearchSpace, seed: int) -> Iterator[dict[str, Any]]:
    """The allowed configurations of a scrambled Sobol sequence (Sobol 1967; scrambled as Matousek 1998), without an end.

    Every parameter has a coordinate of its own; where its `when` does not hold, the coordinate is not used. So number i of the
    design depends on the space and the seed alone, and the trials in which a conditional parameter acts are spread over its
    range as well. A forbidden point is skipped.

    Args:
        seed: of the scrambling, at least 0.

    Raises:
        UserError: `forbid` leaves next to nothing of the space.
    """
    from scipy.stats import qmc  # takes its time, and few sweeps ask for it

    engine = qmc.Sobol(len(space.params), rng=seed)
    skipped = 0
    while skipped < MOST_SKIPPED:
        for point in engine.random(BLOCK).tolist():
            values = space.at(point)
            if space.forbidden(values):
                skipped += 1
            else:
                skipped = 0
                yield values
    raise UserError(f"{space.source}: forbid: {skipped} points of the Sobol design in a row were forbidden")
