"""Numbers as files hold them: whole ones that a computer counts with, and finite ones."""

from __future__ import annotations

from typing import Any

LARGEST = 2**53
"""Beyond it a float does not hold every whole number."""
GREATEST = 1e100
"""Of what was measured: its square is a number, too."""


def whole(value: Any) -> int | None:
    """A whole number of at most `LARGEST`, or None.

    >>> whole(3), whole("3"), whole(True), whole(10**30), whole(float("inf"))
    (3, 3, None, None, None)
    """
    try:
        found = None if isinstance(value, bool) else int(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return found if found is not None and abs(found) <= LARGEST else None


def finite(value: Any) -> float | None:
    """A finite number of at most `GREATEST`, or None.

    >>> finite(2), finite(0.5), finite(float("nan")), finite(True), finite("2"), finite(10**400), finite(-1e308)
    (2.0, 0.5, None, None, None, None, None)
    """
    if isinstance(value, float):
        return value if abs(value) <= GREATEST else None
    return float(value) if isinstance(value, int) and not isinstance(value, bool) and abs(value) <= LARGEST else None
