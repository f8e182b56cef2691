"""The paper's tables and figures as studies. Adding one is a file in this folder and a line in STUDIES."""

from __future__ import annotations

import importlib

from igmsweep.errors import UserError, nearest
from igmsweep.studies.base import Study

STUDIES = {
    "table1": "igmsweep.studies.table1",
    "table2": "igmsweep.studies.table2",
    "table3": "igmsweep.studies.table3",
    "table4": "igmsweep.studies.table4",
    "fig1": "igmsweep.studies.fig1",
    "fig3": "igmsweep.studies.fig3",
    "fig4": "igmsweep.studies.fig4",
    "fig5a": "igmsweep.studies.fig5a",
    "fig5b": "igmsweep.studies.fig5b",
    "fig5c": "igmsweep.studies.fig5c",
}


def names() -> list[str]:
    """The studies' names."""
    return list(STUDIES)


def get(name: str) -> Study:
    """The study called `name`. Raises UserError where there is none."""
    if name not in STUDIES:
        raise UserError(f"study: found '{name}', expected one of {', '.join(STUDIES)}{nearest(name.lower(), STUDIES)}")
    found: Study = importlib.import_module(STUDIES[name]).STUDY
    return found
