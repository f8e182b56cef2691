"""Parallel coordinates, drawn as lines so that they stay vectors on paper; inactive values have a place of their own."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from igmsweep.analysis.names import label, metric_label, short_metric, unit, value_text
from igmsweep.analysis.sensitivity import is_number
from igmsweep.analysis.style import BLUE, GREEN, GREY, VERMILION, clear, figure, text
from igmsweep.frame import Sweep

MOST = 500
INACTIVE = -0.14


def parallel_data(sweep: Sweep, most: int = MOST) -> pd.DataFrame:
    """Completed trials, best first: `trial`, `score`, then a column a searched parameter with its place on an axis from
    0 to 1 (NaN: it does not act). Beyond `most` trials, the best tenth and a random sample of the others."""
    done = sweep.completed()
    if len(done) > most:
        best = done.head(most // 10)
        done = pd.concat([best, done.iloc[len(best) :].sample(most - len(best), random_state=0)]).sort_index()
        done = done.sort_values(f"metrics.{sweep.metric}", ascending=not sweep.maximise, kind="stable")
    out = pd.DataFrame({"trial": done["trial"], "score": done.get(f"metrics.{sweep.metric}")})
    for path, axis in axes(sweep).items():
        out[path] = [_place(value, axis) for value in done[f"params.{path}"]]
    return out.reset_index(drop=True)


def axes(sweep: Sweep) -> dict[str, dict[str, Any]]:
    """Path -> `choices`, or `low`, `high`, `log`, of the searched parameters that completed trials have."""
    done = sweep.completed()
    out: dict[str, dict[str, Any]] = {}
    for path, entry in sweep.space.items():
        if f"params.{path}" not in done.columns:
            continue
        values = done[f"params.{path}"].dropna().tolist()
        if entry.get("type") != "categorical" and values and all(is_number(value) for value in values):
            bounds = [float(entry[key]) for key in ("low", "high") if is_number(entry.get(key))]
            low, high = min([*bounds, *values]), max([*bounds, *values])
            out[path] = {"low": low, "high": high, "log": bool(entry.get("log")) and low > 0}
        elif values:
            named = entry.get("choices") if isinstance(entry.get("choices"), list) else []
            out[path] = {"choices": list(dict.fromkeys(value_text(value) for value in [*(named or []), *values]))}
    return out


def parallel_figure(data: pd.DataFrame, sweep: Sweep) -> go.Figure:
    """A line a trial: the best tenth dark, the rest light, the best and the paper's setting on top."""
    scale, suffix = unit(sweep.metric)
    fig = figure("", "", f"n = {len(data)} drawn of {len(sweep.completed())}", 400)
    named = axes(sweep)
    if data.empty or not named:
        return fig
    scores = scale * data["score"]
    low, high = float(scores.min()), float(scores.max())
    ends = [(score - low) / (high - low) if high > low else 0.5 for score in scores]
    columns = [*named, "score"]
    places = [[*(None if math.isnan(row[path]) else row[path] for path in named), end]
              for (_, row), end in zip(data.iterrows(), ends, strict=True)]  # fmt: skip
    paper = set(sweep.trials.loc[sweep.trials["source"].astype(str) == "enqueue:paper", "trial"])
    best = max(1, len(data) // 10)
    tops = [i for i in range(1, best) if data["trial"].iloc[i] not in paper]
    rest = [i for i in range(best, len(data)) if data["trial"].iloc[i] not in paper]
    given = [i for i in range(len(data)) if data["trial"].iloc[i] in paper]
    for name, rows, colour, width in (
        ("other trials", rest, clear(GREY, 0.28), 1.0),
        ("best tenth", tops, clear(GREEN, 0.7), 1.6),
        ("paper", given, VERMILION, 2.4),
        ("best", [0], BLUE, 3.2),
    ):
        if rows:
            xs: list[int | None] = []
            ys: list[float | None] = []
            for i in rows:
                xs += [*range(len(columns)), None]
                ys += [*(INACTIVE if place is None else float(f"{place:.4g}") for place in places[i]), None]
            fig.add_scatter(
                x=xs, y=ys, mode="lines", name=name, line={"color": colour, "width": width}, hoverinfo="skip"
            )
    for x, path in enumerate(columns):
        fig.add_shape(type="line", x0=x, x1=x, y0=0, y1=1, line={"color": GREY, "width": 1.2})
        if path == "score":
            marks = [(0.0, f"{low:.3g}"), (1.0, f"{high:.3g}")]
        else:
            marks = _marks(named[path])
        for y, mark in marks:
            fig.add_annotation(
                x=x, y=y, text=text(mark), showarrow=False, xanchor="left", xshift=4, font={"size": 10.5},
                bgcolor="rgba(128,136,148,0.12)", borderpad=1,
            )  # fmt: skip
    heads = [text(label(path)).replace("learning rate", "lr").replace(" ", "<br>", 1) for path in named]
    heads.append(f"{text(short_metric(sweep.metric))}<br>{suffix.strip()}")
    fig.update_xaxes(tickvals=list(range(len(columns))), ticktext=heads, range=[-0.25, len(columns) - 0.45],
                     showgrid=False, tickangle=0, ticks="")  # fmt: skip
    inactive = data[list(named)].isna().any(axis=None)
    fig.update_yaxes(
        tickvals=[INACTIVE] if inactive else [], ticktext=["does<br>not act"] if inactive else [], showgrid=False,
        range=[INACTIVE - 0.08 if inactive else -0.06, 1.07], ticks="",
    )  # fmt: skip
    fig.update_layout(showlegend=True, meta={"title": metric_label(sweep.metric)})
    return fig


def _place(value: Any, axis: dict[str, Any]) -> float:
    if value is None or value != value:
        return math.nan
    if "choices" in axis:
        count = len(axis["choices"])
        return axis["choices"].index(value_text(value)) / (count - 1) if count > 1 else 0.5
    low, high = axis["low"], axis["high"]
    if high <= low:
        return 0.5
    return float(math.log(value / low) / math.log(high / low) if axis["log"] else (value - low) / (high - low))


def _marks(axis: dict[str, Any]) -> list[tuple[float, str]]:
    if "choices" in axis:
        return [(_place(choice, axis), choice) for choice in axis["choices"]]
    middle = math.sqrt(axis["low"] * axis["high"]) if axis["log"] else (axis["low"] + axis["high"]) / 2
    ends = (axis["low"], float(f"{middle:.1g}"), axis["high"])
    return [(float(np.clip(_place(v, axis), 0, 1)), value_text(v)) for v in ends]
