"""Test scores of sweeps that were evaluated, where they may stand beside each other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from igmsweep.frame import Sweep

TRAINED_ON = {"all": "train + validation", "train": "train"}
"""By `train_on` of an evaluation."""


def tests(data: str, group: Sequence[Sweep], allow: bool, warnings: list[str]) -> list[dict[str, Any]]:
    """`test/<name>`, `test/<name>.sd` and `test_train_on` of each sweep, {} for none."""
    return [_columns(found) for found in _common(data, group, allow, warnings)]


def _columns(test: dict[str, Any]) -> dict[str, Any]:
    if not test:
        return {}
    row: dict[str, Any] = {"test_train_on": str(test.get("train_on", "all"))}
    winner = (test.get("candidates") or [{}])[0]
    for name, mean in (winner.get("mean") or {}).items():
        if "/" not in name and name != "loss":
            row |= {f"test/{name}": mean, f"test/{name}.sd": (winner.get("sd") or {}).get(name)}
    return row


def _common(data: str, group: Sequence[Sweep], allow: bool, warnings: list[str]) -> list[dict[str, Any]]:
    """The evaluation of each sweep whose test scores are shown, {} for none: the latest after training on the same data."""
    kinds = [dict.fromkeys(str(test.get("train_on", "all")) for test in reversed(sweep.tests)) for sweep in group]
    evaluated = [kind for kind in kinds if kind]
    common = [kind for kind in (evaluated[0] if evaluated else ()) if all(kind in each for each in evaluated)]
    if not evaluated or common or allow:
        chosen = common[0] if common else None
        return [
            next((t for t in reversed(sweep.tests) if chosen in (None, str(t.get("train_on", "all")))), {})
            for sweep in group
        ]
    told = ", ".join(f"{sweep.name} {' and '.join(kind)}" for sweep, kind in zip(group, kinds, strict=True) if kind)
    warnings.append(
        f"{data}: test scores are left out, as their models were trained on different data ({told}); "
        "`igmsweep evaluate --train-on train` makes them comparable, --allow-different shows them all the same"
    )
    return [{} for _ in group]
