"""The check-up: what a practised eye would say of a sweep, and what to do about it. A rule is a function of the sweep that
gives one advice, or None where there is nothing to say or the data do not allow a statement."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd

from igmsweep.analysis.checkup.advice import Advice
from igmsweep.analysis.checkup.convergence import not_converged, outlook
from igmsweep.analysis.checkup.early_stopping import asha_would_save
from igmsweep.analysis.checkup.edges import at_the_edge
from igmsweep.analysis.checkup.failures import failed_trials
from igmsweep.analysis.checkup.modalities import untouched_modality
from igmsweep.analysis.checkup.samples import small_validation
from igmsweep.analysis.checkup.training import last_epoch, overfitting, still_improving, swings
from igmsweep.frame import Sweep

RULES: tuple[Callable[[Sweep], Advice | None], ...] = (
    failed_trials,
    untouched_modality,
    still_improving,
    overfitting,
    swings,
    last_epoch,
    at_the_edge,
    not_converged,
    small_validation,
    asha_would_save,
)
"""In the order in which to act: what is broken, then how trials train, then what is searched, then what may be believed."""


def advices(sweep: Sweep) -> list[Advice]:
    """What the rules have to say of a sweep."""
    return [found for rule in RULES if (found := rule(sweep)) is not None]


def closing(sweep: Sweep, found: list[Advice]) -> str:
    """The sentence after the advices: that there are none, and what more trials would bring of a search that has converged."""
    if sweep.completed().empty:
        return ""
    return " ".join(part for part in ("" if found else "The check-up finds nothing to mend.", outlook(sweep)) if part)


def checkup(sweep: Sweep) -> pd.DataFrame:
    """One row an advice: `rule`, `seen` (what was seen, with numbers), `do` (what to do), `command` (or an empty string)."""
    columns = ["rule", "seen", "do", "command"]
    return pd.DataFrame([[getattr(each, name) for name in columns] for each in advices(sweep)], columns=columns)
