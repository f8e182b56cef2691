"""Sweeps: many trainings of one method, proposed by Optuna, run by Ray Tune (or one after the other), on validation."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from igmsweep.plugin import Trust
    from igmsweep.sweep.request import ResumeRequest, SweepRequest
    from igmsweep.sweep.result import SweepResult
    from igmsweep.sweep.session import resume_sweep, run_sweep, run_sweeps

__all__ = ["ResumeRequest", "SweepRequest", "SweepResult", "Trust", "resume_sweep", "run_sweep", "run_sweeps"]

_PLACES = {
    "ResumeRequest": "igmsweep.sweep.request",
    "SweepRequest": "igmsweep.sweep.request",
    "SweepResult": "igmsweep.sweep.result",
    "Trust": "igmsweep.plugin",
    "resume_sweep": "igmsweep.sweep.session",
    "run_sweep": "igmsweep.sweep.session",
    "run_sweeps": "igmsweep.sweep.session",
}


def __getattr__(name: str) -> Any:
    """Import what is asked for: the options of a sweep are read where Optuna and the data sets are not wanted."""
    if name not in _PLACES:
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
    return getattr(importlib.import_module(_PLACES[name]), name)
