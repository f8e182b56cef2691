"""Drawing a parameter's sensitivity: every trial, the effect with its band, the best of each bin, the paper's value, the flat range."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from igmsweep.analysis.hover import crop, trial_markers
from igmsweep.analysis.names import label, metric_label, unit, value_text
from igmsweep.analysis.sensitivity import Sensitivity, is_number
from igmsweep.analysis.style import BLUE, GREEN, GREY, ORANGE, PURPLE, VERMILION, clear, figure, log_axis, text

MOST_POINTS = 2000
ANNOTATION = 11.5
FEWEST_DRAWN = 5
"""No line runs through a bin of fewer trials: its median is one trial's luck."""


def sensitivity_figure(data: Sensitivity, texts: Mapping[int, str] | None = None) -> go.Figure:
    """Every trial as a point (diamonds: configurations given by hand; hollow: stopped early), on top the expected score with
    a 90 % band (below ten trials: median and quartiles) and the best of each bin as a dotted line, the flat range as a bar along the axis, the
    paper's value marked; under a rho axis the share of weights that the SAM step really moved. With `texts` (of `config_texts`), a
    point's hover tells its whole configuration."""
    points = thin(data.points)
    moved = ".rho" in data.param and data.numeric and bool(points["moved"].notna().any())
    scale, suffix = unit(data.metric)
    stopped = data.stopped if data.stopped is not None else data.points.iloc[:0]
    note = f"n = {len(data.points)}" + (f" + {len(stopped)} stopped early" if len(stopped) else "")
    fig = figure(label(data.param), f"{metric_label(data.metric)}{suffix}", note, 430 if moved else 350)
    fig.update_layout(showlegend=True)
    if data.numeric:
        _ribbon(fig, data, scale)
    if len(stopped):
        part = thin(stopped)
        trial_markers(
            fig, _spread(part, data), scale * part["score"], part["trial"], texts, "stopped early",
            {"color": clear(GREY, 0.9), "symbol": "circle-open", "size": 5},
        )  # fmt: skip
    others = [name for name in dict.fromkeys(points["sampler"]) if name not in (data.binned, "given")]
    looks = [(data.binned, clear(BLUE, 0.5), "circle", 6)]
    looks += [(name, clear(PURPLE, 0.8), "square", 5) for name in others]
    if data.binned != "given":
        looks.append(("given", ORANGE, "diamond", 9))
    for name, colour, mark, size in looks:
        part = points[points["sampler"] == name]
        if len(part):
            shown = (
                "trial" if not others and name == data.binned else "enqueued" if name == "given" else f"trial ({name})"
            )
            trial_markers(
                fig, _spread(part, data), scale * part["score"], part["trial"], texts, shown,
                {"color": colour, "symbol": mark, "size": size},
            )  # fmt: skip
    if data.numeric:
        _numeric_axis(fig, data)
    else:
        _choice_axis(fig, data)
    crop(fig, data.maximise)
    if moved:
        _moved(fig, points)
    return fig


def thin(points: pd.DataFrame) -> pd.DataFrame:
    """At most 2,000 points, the best hundredth always among them (rows come best first)."""
    if len(points) <= MOST_POINTS:
        return points
    best = points.head(max(1, len(points) // 100))
    return pd.concat([best, points.iloc[len(best) :].sample(MOST_POINTS - len(best), random_state=0)])


def binned_points(data: Sensitivity) -> pd.DataFrame:
    """The points in the bins, with the row of their bin in `bin`."""
    points = data.points[data.points["sampler"] == data.binned]
    if data.numeric:
        place = np.searchsorted(data.bins["high"].to_numpy(dtype=float)[:-1], points["x"].to_numpy(dtype=float))
    else:
        place = points["x"].to_numpy(dtype=int)
    return points.assign(bin=place)


def _best(data: Sensitivity) -> pd.Series:
    """The best score of each bin."""
    scores = binned_points(data).groupby("bin")["score"]
    return (scores.max() if data.maximise else scores.min()).reindex(range(len(data.bins)))


def _spread(part: pd.DataFrame, data: Sensitivity) -> pd.Series:
    """Positions; points of one choice stand beside each other."""
    return part["x"] if data.numeric else part["x"] + 0.5 * ((part["trial"] * 0.618034) % 1 - 0.5)


def _ribbon(fig: go.Figure, data: Sensitivity, scale: float) -> None:
    """The expected score with its band, else quartiles and median; and the best of each bin, broken where one holds too few trials."""
    effect = data.effect if data.effect is not None else pd.DataFrame()
    if len(effect):
        _band(fig, effect["x"], scale * effect["low"], scale * effect["high"], "90 % band", True)
        fig.add_scatter(
            x=effect["x"].tolist(), y=(scale * effect["mean"]).tolist(), mode="lines", name="expected",
            line={"color": BLUE, "width": 2.5}, hovertemplate="expected %{y:.2f}<extra></extra>",
        )  # fmt: skip
    bins = data.bins.assign(best=_best(data)) if len(data.bins) else data.bins
    solid = bins["n"] >= FEWEST_DRAWN if len(bins) else pd.Series(dtype=bool)
    if solid.sum() < 2:
        return
    runs = [run for _, run in bins[solid].groupby((~solid).cumsum()[solid])]
    for number, run in enumerate(runs if not len(effect) else ()):
        _band(fig, run["x"], scale * run["q25"], scale * run["q75"], "quartiles", number == 0)
    gap = pd.DataFrame([{}])
    line = pd.concat([part for run in runs for part in (gap, run)][1:], ignore_index=True)
    x, n = ([None if pd.isna(value) else value for value in line[name]] for name in ("x", "n"))
    looked = {"median": ({"color": BLUE, "width": 2.5}, 5), "best": ({"color": GREEN, "width": 1.5, "dash": "dot"}, 4)}
    for name, (looks, size) in looked.items():
        if name == "median" and len(effect):
            continue
        fig.add_scatter(
            x=x,
            y=[None if pd.isna(value) else scale * value for value in line[name]],
            mode="lines+markers",
            name=name,
            line=looks,
            marker={"color": looks["color"], "size": size},
            customdata=n,
            hovertemplate=f"{name} of %{{customdata}} trials: %{{y:.2f}}<extra></extra>",
        )


def _band(fig: go.Figure, x: pd.Series, low: pd.Series, high: pd.Series, name: str, shown: bool) -> None:
    fig.add_scatter(
        x=[*x, *x[::-1]], y=[*high, *low[::-1]], fill="toself", mode="none", fillcolor=clear(BLUE, 0.16), name=name,
        showlegend=shown, hoverinfo="skip",
    )  # fmt: skip


def _numeric_axis(fig: go.Figure, data: Sensitivity) -> None:
    if data.log and len(data.points):
        log_axis(fig, data.points["x"].min(), data.points["x"].max())
    flat = data.flat
    if flat is not None and flat.told and flat.found:
        # a little bar along the axis, wide enough to see where one bin is all there is
        fig.add_shape(
            type="rect", x0=flat.low, x1=flat.high, y0=0, y1=0.025, yref="y domain", layer="above",
            fillcolor=GREEN, line={"color": GREEN, "width": 2}, name="flat",
        )  # fmt: skip
        fig.add_scatter(
            x=[None], y=[None], mode="lines", name="flat range", line={"color": GREEN, "width": 5}, hoverinfo="skip"
        )
    paper = data.paper
    if is_number(paper) and (paper > 0 or not data.log):
        fig.add_vline(x=paper, line={"color": VERMILION, "width": 1.5, "dash": "dash"}, name="paper")
        low, high = (data.points["x"].min(), data.points["x"].max()) if len(data.points) else (paper, paper)
        right = _share(paper, low, high, data.log) > 0.7
        fig.add_annotation(
            x=math.log10(paper) if data.log else paper,
            y=0.05,
            yref="y domain",
            yanchor="bottom",
            xanchor="right" if right else "left",
            text=f"{' ' if not right else ''}paper {value_text(paper)}{' ' if right else ''}",
            showarrow=False,
            font={"color": VERMILION, "size": ANNOTATION},
        )


def _share(value: float, low: float, high: float, log: bool) -> float:
    if high <= low:
        return 0.0
    return math.log(value / low) / math.log(high / low) if log else (value - low) / (high - low)


def _choice_axis(fig: go.Figure, data: Sensitivity) -> None:
    bins, scale = data.bins, unit(data.metric)[0]
    if not len(bins):
        return
    best = bins.assign(best=_best(data))[bins["n"] >= FEWEST_DRAWN]
    fig.add_scatter(
        x=best["x"].tolist(),
        y=(scale * best["best"]).tolist(),
        mode="markers",
        name="best",
        marker={"symbol": "line-ew", "size": 18, "line": {"color": GREEN, "width": 2}},
        hovertemplate="best of them %{y:.2f}<extra></extra>",
    )
    some = bins[bins["n"] >= FEWEST_DRAWN]
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
    flat = data.flat
    if flat is not None and flat.told:
        for x in bins.loc[bins["choice"].isin(flat.names), "x"].tolist():
            fig.add_shape(
                type="rect", x0=x - 0.3, x1=x + 0.3, y0=0, y1=0.025, yref="y domain", layer="above",
                fillcolor=GREEN, line={"color": GREEN, "width": 2}, name="flat",
            )  # fmt: skip
        fig.add_scatter(
            x=[None], y=[None], mode="lines", name="best, within noise", line={"color": GREEN, "width": 5}, hoverinfo="skip"
        )  # fmt: skip
    paper = value_text(data.paper) if data.paper is not None else None
    ticks = [
        f"{'<b>' if choice == paper else ''}{text(choice)}{'</b><br>paper' if choice == paper else ''}<br>n = {n}"
        for choice, n in zip(bins["choice"], bins["n"], strict=True)
    ]
    fig.update_xaxes(tickvals=bins["x"].tolist(), ticktext=ticks, range=[-0.6, len(bins) - 0.4], showgrid=False)


def _moved(fig: go.Figure, points: pd.DataFrame) -> None:
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
        name="weights moved",
        showlegend=False,
        marker={"color": clear(GREY, 0.7), "size": 5},
        hovertemplate="%{y:.3g} % of the weights moved<extra></extra>",
    )
