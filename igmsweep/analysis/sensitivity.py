"""How a validation metric answers to one searched parameter, and to tau and rho together (the paper's Fig. 3)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from igmsweep.analysis.frame import Sweep
from igmsweep.analysis.names import label, metric_label, unit, value_text
from igmsweep.analysis.style import BLUE, GREY, ORANGE, VERMILION, clear, figure, log_axis, text

MOST_CELLS = 40
MOST_POINTS = 2000


@dataclass(frozen=True)
class Sensitivity:
    """`points`: `trial`, `value`, `x` (position on the axis), `score`, `source`, `moved`. `bins`: `x`, `low`, `high`,
    `n`, `median`, `q25`, `q75`; one row a bin or, for a categorical parameter, a choice (also `choice`)."""

    param: str
    metric: str
    points: pd.DataFrame
    bins: pd.DataFrame
    numeric: bool
    log: bool
    paper: Any = None


def _moved_share(frame: pd.DataFrame, param: str) -> pd.Series | float:
    """The share of weights that SAM moved: the modality's own where `param` is its rho and it was recorded."""
    for column in (f"metrics.sam/moved/{param.rsplit('.', 1)[-1]}", "metrics.sam/moved"):
        if column in frame.columns:
            return frame[column]
    return float("nan")


def sensitivity_data(sweep: Sweep, param: str, metric: str) -> Sensitivity:
    """Points and binned quartiles of `metric` over the completed trials in which `param` acts."""
    frame, column, scores = sweep.completed(), f"params.{param}", f"metrics.{metric}"
    entry = sweep.space.get(param, {})
    if column in frame.columns and scores in frame.columns:
        frame = frame[frame[column].notna() & frame[scores].notna()]
        points = pd.DataFrame(
            {
                "trial": frame["trial"],
                "value": frame[column].astype(object),
                "score": frame[scores],
                "source": frame["source"],
                "moved": _moved_share(frame, param),
            }
        )
    else:
        points = pd.DataFrame(columns=["trial", "value", "score", "source", "moved"])
    points = points.reset_index(drop=True)
    numeric = entry.get("type") != "categorical" and all(_is_number(value) for value in points["value"])
    positive = len(points) == 0 or (numeric and min(points["value"]) > 0)
    log = numeric and positive and bool(entry.get("log"))
    if numeric:
        points["x"] = points["value"].astype(float)
        bins = _bins(points, log)
    else:
        choices = list(_choices(entry, points["value"]))
        points["x"] = [float(choices.index(_key(value))) for value in points["value"]]
        bins = pd.DataFrame(
            [
                {"choice": choice, "x": float(i), **_summary(points.loc[points["x"] == i, "score"])}
                for i, choice in enumerate(choices)
            ]
        )
    return Sensitivity(param, metric, points, bins, numeric, log, sweep.paper.get(param))


def sensitivity_figure(data: Sensitivity) -> go.Figure:
    """Every trial as a point (diamonds: configurations given by hand), median and quartiles on top, the paper's
    value marked; under a rho axis the share of weights that the SAM step really moved."""
    points = _thin(data.points)
    moved = ".rho" in data.param and data.numeric and bool(points["moved"].notna().any())
    scale, suffix = unit(data.metric)
    fig = figure(
        label(data.param), f"{metric_label(data.metric)}{suffix}", f"n = {len(data.points)}", 420 if moved else 340
    )
    fig.update_layout(showlegend=True)
    if data.numeric:
        _ribbon(fig, data.bins, scale)
    given = points["source"].astype(str).str.startswith("enqueue")
    for part, colour, name, mark in (
        (points[~given], BLUE, "trial", "circle"),
        (points[given], ORANGE, "given", "diamond"),
    ):
        if len(part):
            x = part["x"] if data.numeric else part["x"] + 0.5 * ((part["trial"] * 0.618034) % 1 - 0.5)
            fig.add_scatter(
                x=x.tolist(),
                y=(scale * part["score"]).tolist(),
                mode="markers",
                name=name,
                marker={
                    "color": clear(colour, 0.5 if mark == "circle" else 1),
                    "symbol": mark,
                    "size": 6 if mark == "circle" else 9,
                },
                text=[
                    f"trial {t}: {label(data.param)} = {text(value_text(v))}"
                    for t, v in zip(part["trial"], part["value"], strict=True)
                ],
                hovertemplate="%{text}<br>%{y:.2f}<extra></extra>",
            )
    if data.numeric:
        _numeric_axis(fig, data)
    else:
        _choice_axis(fig, data)
    if moved:
        _moved(fig, points, data)
    return fig


def heatmap_data(sweep: Sweep, x: str, y: str, metric: str) -> pd.DataFrame:
    """Median of `metric` in at most 40 x 40 cells: `x`, `y` (centres), `x0`, `x1`, `y0`, `y1`, `median`,
    `n`. Empty cells are absent. Axes are logarithmic where the space is."""
    frame = sweep.completed()
    names = [f"params.{x}", f"params.{y}", f"metrics.{metric}"]
    if not set(names) <= set(frame.columns) or not all(pd.api.types.is_numeric_dtype(frame[name]) for name in names):
        return pd.DataFrame(columns=["x", "y", "x0", "x1", "y0", "y1", "median", "n"])
    frame = frame[names].dropna()
    if frame.empty:
        return pd.DataFrame(columns=["x", "y", "x0", "x1", "y0", "y1", "median", "n"])
    count = int(np.clip(math.sqrt(len(frame)), 4, MOST_CELLS))
    cut = []
    for path, name in ((x, names[0]), (y, names[1])):
        edges = _edges(frame[name].to_numpy(), bool(sweep.space.get(path, {}).get("log")), count)
        cut.append((edges, np.clip(np.searchsorted(edges, frame[name], side="right") - 1, 0, len(edges) - 2)))
    rows = []
    for key, group in frame.groupby([cut[0][1], cut[1][1]]):
        i, j = (int(part) for part in key)  # type: ignore[call-overload, attr-defined]
        x0, x1, y0, y1 = cut[0][0][i], cut[0][0][i + 1], cut[1][0][j], cut[1][0][j + 1]
        rows.append(
            {
                "x": _middle(x0, x1),
                "y": _middle(y0, y1),
                "x0": x0,
                "x1": x1,
                "y0": y0,
                "y1": y1,
                "median": float(group[names[2]].median()),
                "n": len(group),
            }
        )
    return pd.DataFrame(rows)


def heatmap_figure(data: pd.DataFrame, sweep: Sweep, x: str, y: str, metric: str) -> go.Figure:
    fig = figure(label(x), label(y), f"n = {int(data['n'].sum()) if len(data) else 0}", 380)
    if data.empty:
        return fig
    scale, suffix = unit(metric)
    grid = data.pivot(index="y", columns="x", values="median")
    counts = data.pivot(index="y", columns="x", values="n").fillna(0)
    fig.add_heatmap(
        x=list(grid.columns),
        y=list(grid.index),
        z=[[None if np.isnan(v) else scale * v for v in row] for row in grid.to_numpy()],
        customdata=counts.to_numpy().tolist(),
        colorscale="Cividis",
        hoverongaps=False,
        xgap=1,
        ygap=1,
        colorbar={
            "title": {"text": f"median{suffix}", "side": "right"},
            "thickness": 10,
            "outlinewidth": 0,
            "tickfont": {"size": 11},
        },
        hovertemplate=f"{label(x)} ≈ %{{x:.2g}}<br>{label(y)} ≈ %{{y:.2g}}"
        f"<br>median %{{z:.2f}}, %{{customdata}} trials<extra></extra>",
    )
    logs = [bool(sweep.space.get(path, {}).get("log")) for path in (x, y)]
    if logs[0]:
        log_axis(fig, data["x0"].min(), data["x1"].max())
    if logs[1]:
        log_axis(fig, data["y0"].min(), data["y1"].max(), "y")
    fig.update_xaxes(showgrid=False)
    fig.update_yaxes(showgrid=False)
    marks = [sweep.paper.get(x), sweep.paper.get(y)]
    if all(_is_number(mark) for mark in marks):
        fig.add_scatter(
            x=[marks[0]],
            y=[marks[1]],
            mode="markers",
            showlegend=False,
            marker={"symbol": "x-thin", "size": 14, "line": {"width": 3, "color": VERMILION}},
            hovertemplate="the paper's setting<extra></extra>",
        )
    return fig


def _ribbon(fig: go.Figure, bins: pd.DataFrame, scale: float) -> None:
    solid = bins[bins["n"] >= 3] if len(bins) else bins
    if len(solid) >= 2:
        fig.add_scatter(
            x=[*solid["x"], *solid["x"][::-1]],
            y=[*(scale * solid["q75"]), *(scale * solid["q25"][::-1])],
            fill="toself",
            mode="none",
            fillcolor=clear(BLUE, 0.16),
            name="quartiles",
            hoverinfo="skip",
        )
        fig.add_scatter(
            x=solid["x"].tolist(),
            y=(scale * solid["median"]).tolist(),
            mode="lines",
            name="median",
            line={"color": BLUE, "width": 2.5},
            hovertemplate="binned median %{y:.2f}<extra></extra>",
        )


def _numeric_axis(fig: go.Figure, data: Sensitivity) -> None:
    if data.log and len(data.points):
        log_axis(fig, data.points["x"].min(), data.points["x"].max())
    paper = data.paper
    if _is_number(paper) and (paper > 0 or not data.log):
        fig.add_vline(x=paper, line={"color": VERMILION, "width": 1.5, "dash": "dash"})
        fig.add_annotation(
            x=math.log10(paper) if data.log else paper,
            y=0,
            yref="y domain",
            yanchor="bottom",
            xanchor="left",
            text=f"paper {value_text(paper)}",
            showarrow=False,
            font={"color": VERMILION, "size": 11.5},
        )


def _choice_axis(fig: go.Figure, data: Sensitivity) -> None:
    bins, scale = data.bins, unit(data.metric)[0]
    if len(bins):
        some = bins[bins["n"] > 0]
        fig.add_scatter(
            x=some["x"].tolist(),
            y=(scale * some["median"]).tolist(),
            mode="markers",
            name="median and quartiles",
            marker={"symbol": "line-ew", "size": 26, "line": {"color": BLUE, "width": 3}},
            error_y={
                "type": "data",
                "symmetric": False,
                "array": (scale * (some["q75"] - some["median"])).tolist(),
                "arrayminus": (scale * (some["median"] - some["q25"])).tolist(),
                "color": BLUE,
                "thickness": 2,
                "width": 7,
            },
            hovertemplate="median %{y:.2f}<extra></extra>",
        )
        paper = _key(data.paper) if data.paper is not None else None
        ticks = [
            f"{'<b>' if choice == paper else ''}{text(choice)}{'</b><br>paper' if choice == paper else ''}<br>n = {n}"
            for choice, n in zip(bins["choice"], bins["n"], strict=True)
        ]
        fig.update_xaxes(tickvals=bins["x"].tolist(), ticktext=ticks, range=[-0.6, len(bins) - 0.4], showgrid=False)


def _moved(fig: go.Figure, points: pd.DataFrame, data: Sensitivity) -> None:
    """A second panel under the first on the same axis: the share of weights the perturbation changed at all."""
    fig.update_layout(
        yaxis={"domain": [0.36, 1]},
        yaxis2={
            "domain": [0, 0.24],
            "anchor": "x",
            "title": {"text": "weights<br>moved (%)", "standoff": 8},
            "gridcolor": "rgba(128,136,148,0.22)",
            "zeroline": False,
            "range": [-6, 106],
            "automargin": True,
            "tickvals": [0, 50, 100],
            "linecolor": GREY,
        },
        xaxis={"anchor": "y2"},
    )
    fig.add_scatter(
        x=points["x"].tolist(),
        y=(100 * points["moved"]).tolist(),
        yaxis="y2",
        mode="markers",
        showlegend=False,
        marker={"color": clear("#8A8F98", 0.7), "size": 5},
        hovertemplate="%{y:.3g} % of the weights moved<extra></extra>",
    )


def _bins(points: pd.DataFrame, log: bool) -> pd.DataFrame:
    count = int(np.clip(round(math.sqrt(len(points))), 3, 16))
    columns = ["low", "high", "x", "n", "median", "q25", "q75"]
    if points.empty:
        return pd.DataFrame(columns=columns)
    edges = _edges(points["x"].to_numpy(), log, count)
    place = np.clip(np.searchsorted(edges, points["x"], side="right") - 1, 0, len(edges) - 2)
    rows = []
    for i in sorted(set(place.tolist())):
        group = points[place == i]
        x = group["x"]
        rows.append({"low": edges[i], "high": edges[i + 1], "x": float(x.median()), **_summary(group["score"])})
    return pd.DataFrame(rows, columns=columns)


def _summary(scores: pd.Series) -> dict[str, float]:
    low, median, high = scores.quantile([0.25, 0.5, 0.75]) if len(scores) else (math.nan,) * 3
    return {"n": len(scores), "median": float(median), "q25": float(low), "q75": float(high)}


def _edges(values: np.ndarray, log: bool, count: int) -> np.ndarray:
    low, high = float(values.min()), float(values.max())
    if low == high:
        return np.array([low / 2, high * 2]) if log and low > 0 else np.array([low - 0.5, high + 0.5])
    return np.geomspace(low, high, count + 1) if log and low > 0 else np.linspace(low, high, count + 1)


def _middle(low: float, high: float) -> float:
    return math.sqrt(low * high) if low > 0 and high / low > 1.5 else (low + high) / 2


def _thin(points: pd.DataFrame) -> pd.DataFrame:
    """At most 2,000 points, the best hundredth always among them (rows come best first)."""
    if len(points) <= MOST_POINTS:
        return points
    best = points.head(max(1, len(points) // 100))
    return pd.concat([best, points.iloc[len(best) :].sample(MOST_POINTS - len(best), random_state=0)])


def _choices(entry: dict[str, Any], values: pd.Series) -> dict[str, None]:
    return dict.fromkeys(_key(value) for value in [*(entry.get("choices") or []), *sorted(values.unique(), key=str)])


def _key(value: Any) -> str:
    return value_text(value)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
