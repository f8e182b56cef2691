"""Points that are trials: hovering one tells its whole configuration."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from igmsweep.analysis.frame import Sweep
from igmsweep.analysis.names import label, value_text
from igmsweep.analysis.style import text

TRIALS = "trials"
"""`meta` of a trace whose points are trials, by number in `customdata`; a page looks their texts up in one table."""


def config_texts(sweep: Sweep) -> dict[int, str]:
    """Trial -> its searched values as the lines of a hover box; inactive parameters are left out."""
    columns = [
        (f"params.{path}", text(label(path))) for path in sweep.space if f"params.{path}" in sweep.trials.columns
    ]
    lines: list[list[str]] = [[] for _ in range(len(sweep.trials))]
    for column, name in columns:
        for own, value in zip(lines, sweep.trials[column].tolist(), strict=True):
            if value is not None and value == value:
                own.append(f"{name} = {text(value_text(value))}")
    sources = sweep.trials["source"].astype(str).tolist()
    return {
        trial: f"<b>trial {trial}</b> ({text(source)})<br>{'<br>'.join(own)}"
        for trial, own, source in zip(sweep.trials["trial"].tolist(), lines, sources, strict=True)
    }


def trial_markers(
    fig: go.Figure,
    x: pd.Series,
    y: pd.Series,
    trials: pd.Series,
    texts: Mapping[int, str] | None,
    name: str,
    marker: dict[str, Any],
) -> None:
    """Add points that are trials. `texts` of `config_texts`; None leaves them to the page, which has them once."""
    fig.add_scatter(
        x=[float(f"{value:.6g}") for value in x],
        y=[float(f"{value:.6g}") for value in y],
        mode="markers",
        name=name,
        marker=marker,
        customdata=[int(trial) for trial in trials],
        meta=TRIALS,
        text=None if texts is None else [texts.get(int(trial), f"trial {trial}") for trial in trials],
        hovertemplate=("trial %{customdata}" if texts is None else "%{text}") + "<br><b>%{y:.2f}</b><extra></extra>",
    )
