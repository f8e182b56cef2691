"""What a person asks of a sweep."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

SAMPLERS = ("tpe", "random", "grid", "gp", "cmaes")


@dataclass(frozen=True)
class SweepRequest:
    """One sweep. Times are seconds; `gpus_per_trial` None means one where the machine has any, else none."""

    data: str
    method: str = "igm"
    space: str | Path | None = None
    trials: int = 16
    time_budget_s: float | None = None
    max_concurrent: int | None = None
    cpus_per_trial: float = 1.0
    gpus_per_trial: float | None = None
    sampler: str = "tpe"
    scheduler: str = "none"
    seed: int = 0
    name: str | None = None
    out: Path = Path("results")
    overrides: Mapping[str, Any] = field(default_factory=dict)
    local: bool = False
    address: str | None = None
    dry_run: bool = False
    quiet: bool = False
    trainable: str = "igmsweep.train:train"
    """`module:function` with the signature of `igmsweep.train.train`; tests put their own here."""
