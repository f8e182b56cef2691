"""What a person asks of a sweep."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

SAMPLERS = ("tpe", "random", "grid", "gp", "cmaes")
KEEP = ("best", "all", "none")


@dataclass(frozen=True)
class SweepRequest:
    """One sweep. Times are seconds; `gpus_per_trial` None means one where the machine has any, else none."""

    data: str
    method: str = "igm"
    space: str | Path | None = None
    trials: int = 16
    time_budget_s: float | None = None
    trial_timeout_s: float | None = None
    """A trial that takes longer fails as `timeout`; None: no limit."""
    max_concurrent: int | None = None
    cpus_per_trial: float = 1.0
    gpus_per_trial: float | Literal["auto"] | None = None
    """`auto`: a short training's peak memory decides."""
    sampler: str = "tpe"
    scheduler: str = "none"
    grace: int = 1
    """Cycles that early stopping leaves to every trial."""
    reduction: int = 3
    """ASHA's ratio between two rungs."""
    folds: int | None = None
    """Cross-validation inside each trial; its score is the mean."""
    seeds: int = 1
    """Trainings in all, of different seeds, of each of the `repeat_top` best configurations."""
    repeat_top: int = 3
    retries: int = 2
    """How often a trial whose process or node died goes on from its checkpoint."""
    keep_checkpoints: Literal["best", "all", "none"] = "best"
    warm_start: tuple[Path, ...] = ()
    """Earlier sweeps whose finished trials the search starts from."""
    seed: int = 0
    name: str | None = None
    out: Path = Path("results")
    overrides: Mapping[str, Any] = field(default_factory=dict)
    local: bool = False
    address: str | None = None
    loggers: Mapping[str, str] = field(default_factory=dict)
    """Ray's own callbacks by name: `tensorboard`, `wandb` (project), `mlflow` (tracking address)."""
    dry_run: bool = False
    resume: bool = False
    """Go on with the sweep in the folder where there is one."""
    quiet: bool = False
    trainable: str = "igmsweep.train:train"
    """`module:function` with the signature of `igmsweep.train.train`; tests put their own here."""


@dataclass(frozen=True)
class ResumeRequest:
    """Going on with a sweep. None leaves a setting as it was; `trials` is the new total."""

    folder: Path
    trials: int | None = None
    time_budget_s: float | None = None
    trial_timeout_s: float | None = None
    max_concurrent: int | None = None
    cpus_per_trial: float | None = None
    gpus_per_trial: float | Literal["auto"] | None = None
    seeds: int | None = None
    retries: int | None = None
    retry_failed: bool = False
    """Train failed trials again, too."""
    local: bool | None = None
    address: str | None = None
    loggers: Mapping[str, str] = field(default_factory=dict)
    quiet: bool = False
