"""Sweeps: many trainings of one method, proposed by Optuna, run by Ray Tune (or one after the other), on validation."""

from igmsweep.sweep.request import ResumeRequest, SweepRequest
from igmsweep.sweep.result import SweepResult
from igmsweep.sweep.session import resume_sweep, run_sweep

__all__ = ["ResumeRequest", "SweepRequest", "SweepResult", "resume_sweep", "run_sweep"]
