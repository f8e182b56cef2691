"""Sweeps: many trainings of one method, proposed by Optuna, run by Ray Tune (or one after the other), on validation."""

from igmsweep.sweep.request import SweepRequest
from igmsweep.sweep.result import SweepResult
from igmsweep.sweep.runner import run_sweep

__all__ = ["SweepRequest", "SweepResult", "run_sweep"]
