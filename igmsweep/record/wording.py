"""How numbers, times and configurations are told to a person in one line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def number(value: Any) -> str:
    """Short and exact enough for 3.2e-10 beside 0.41."""
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def shown_params(params: Mapping[str, Any]) -> str:
    """`tau=0.41 rho.audio=3.2e-10 scope=head`: the section is left out where it is `method` or `optim`."""
    return " ".join(
        f"{path.removeprefix('method.').removeprefix('optim.')}={number(value)}" for path, value in params.items()
    )


def duration(seconds: float) -> str:
    """`45s`, `3m12s`, `1h40m`."""
    seconds = round(seconds)
    if seconds < 60:
        return f"{seconds}s"
    if seconds < 3600:
        return f"{seconds // 60}m{seconds % 60:02d}s"
    return f"{seconds // 3600}h{seconds % 3600 // 60:02d}m"
