"""How numbers, times and configurations are told to a person in one line."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from igmsweep.record.rows import TrialRow


def word(value: Any) -> str:
    """A value as a space file has it: true, none, 0.4."""
    return str(value).lower() if isinstance(value, bool) or value is None else str(value)


def number(value: Any) -> str:
    """Short and exact enough for 3.2e-10 beside 0.41; what is no float, as a space file has it."""
    return f"{value:.3g}" if isinstance(value, float) else word(value)


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


def said(rows: Iterable[TrialRow]) -> list[str]:
    """What methods noted in a sweep's trainings, equal notes but for their numbers counted together, the commonest first.

    >>> from igmsweep.record.states import State
    >>> said([TrialRow(0, State.COMPLETE, notes=("pmr: 3 of 4",)), TrialRow(1, State.COMPLETE, notes=("pmr: 2 of 4",))])
    ['2 of 2 trainings noted: pmr: 3 of 4']
    """
    finished = [row for row in rows if row.finished and not row.is_duplicate]
    first: dict[str, str] = {}
    counts: Counter[str] = Counter()
    for row in finished:
        alike = {re.sub(r"[-+]?\d[\d.]*(e[-+]?\d+)?", "#", note): note for note in row.notes}
        counts.update(alike.keys())
        first = {**alike, **first}
    return [f"{count} of {len(finished)} trainings noted: {first[key]}" for key, count in counts.most_common()]
