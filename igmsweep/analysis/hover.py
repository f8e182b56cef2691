"""Points that are trials: hovering one tells its whole configuration."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from igmsweep.analysis.names import label, value_text
from igmsweep.analysis.style import text
from igmsweep.frame import Sweep

TRIALS = "trials"
"""`meta` of a trace whose points are trials, by number in `customdata`; a page looks their texts up in one table."""

FEWEST_TO_CROP = 10
WORTH = 0.7
"""An axis is zoomed only where that saves 30 % of it."""


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


def crop(fig: go.Figure, maximise: bool) -> float | None:
    """Zoom the score axis to where most trials lie: a hopeless one or two would press all others against the edge.
    Trials beyond Tukey's far fence (three quartile ranges from the quartile) become triangles on the edge, with their true
    score on hover; medians, quartiles and lines always stay inside. Returns the edge, None where nothing was cut off."""
    sign = 1.0 if maximise else -1.0
    traces = [trace for trace in fig.data if trace.meta == TRIALS]
    scores = sign * np.concatenate([np.asarray(trace.y, dtype=float) for trace in traces] or [np.empty(0)])
    if len(scores) < FEWEST_TO_CROP:
        return None
    lower, upper = np.quantile(scores, [0.25, 0.75])
    lines = sign * np.array(list(_line_values(fig, maximise)))
    fence = min([lower - 3 * (upper - lower), *lines])
    inside = np.concatenate([scores[scores >= fence], lines])
    low, high = float(inside.min()), float(inside.max())
    if (high - low) > WORTH * (high - float(scores.min())):
        return None
    step = 0.06 * ((high - low) or abs(high) or 1.0)
    edge = sign * (low - 1.5 * step)
    for trace, own in ((trace, sign * np.asarray(trace.y, dtype=float)) for trace in traces):
        out = own < fence
        if not out.any():
            continue

        where = f"{int(out.sum())} {'below' if maximise else 'above'} the axis"
        cut: dict[str, Any] = {
            "x": _where(trace.x, out),
            "y": [edge] * int(out.sum()),
            "ids": [f"{value:.2f}" for value in sign * own[out]],
            "name": where if trace.name == "trial" else f"{trace.name}, {where}",
            "customdata": _where(trace.customdata, out),
            "text": _where(trace.text, out),
            "hovertemplate": trace.hovertemplate.replace("%{y:.2f}", "%{id}"),
        }
        marker = {"symbol": "triangle-down" if maximise else "triangle-up", "size": 8, "color": trace.marker.color}
        if out.all():
            trace.update(**cut, marker=marker)
            continue
        fig.add_scatter(**cut, marker=marker, mode="markers", meta=TRIALS)
        kept = {name: _where(trace[name], ~out) for name in ("x", "y", "customdata", "text")}
        trace.update(**kept)
    ends = sorted((sign * (low - 3 * step), sign * (high + step)))
    fig.update_layout(yaxis={"range": ends})
    return edge


def _where(values: Any, mask: np.ndarray) -> list[Any] | None:
    return None if values is None else [value for value, kept in zip(values, mask, strict=True) if kept]


def _line_values(fig: go.Figure, maximise: bool) -> Iterator[float]:
    for trace in fig.data:
        if trace.meta == TRIALS or (trace.yaxis or "y") != "y":
            continue
        error = trace.error_y.arrayminus if maximise else trace.error_y.array
        worse = -1.0 if maximise else 1.0
        away = error if error is not None else [0.0] * len(trace.y)
        for value, distance in zip(trace.y, away, strict=True):
            if value is not None:
                yield float(value)
                yield float(value) + worse * float(distance)
