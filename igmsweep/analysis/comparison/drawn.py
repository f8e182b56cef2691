"""The comparison's figures: the expected best by budget, the distribution of all trials, and ranks over data sets."""

from __future__ import annotations

import math

import pandas as pd
import plotly.graph_objects as go

from igmsweep.analysis.comparison.compared import Comparison
from igmsweep.analysis.comparison.footing import shown_name
from igmsweep.analysis.comparison.ranks import Ranks
from igmsweep.analysis.names import metric_label, unit
from igmsweep.analysis.panels import Panel
from igmsweep.analysis.plots import edf_data, edf_figure
from igmsweep.analysis.style import BLUE, GREY, clear, figure, lines, text


def compare_panels(found: Comparison) -> list[Panel]:
    """The sweeps of one data set in one figure each, and the ranks of methods where there are several data sets."""
    out = [] if found.ranks is None else [_ranks_panel(found.ranks)]
    for number, (data, metric) in enumerate(dict.fromkeys((str(s.data.get("name")), s.metric) for s in found.sweeps)):
        group = [s for s in found.sweeps if str(s.data.get("name")) == data and s.metric == metric]
        names = [shown_name(sweep, group) for sweep in group]
        curves = found.curves[(found.curves["data"] == data) & found.curves["sweep"].isin(names)]
        n = ", ".join(str(len(sweep.completed())) for sweep in group)
        caption = (
            "Expected best validation score of a search of so many trials, estimated without bias from one search (Dodge et al. 2019, "
            "Tang et al. 2020); shaded: 90 % at each budget alone, for other trials on the same samples. It still holds the luck for "
            "which a best score is chosen."
        )
        drawn = curves.loc[curves["one_draw"].astype(bool), "sweep"].unique().tolist()
        if drawn:
            whose = f"the line of {', '.join(drawn)}" if len(drawn) < len(group) else "each line"
            caption += f" The sampler learns from scores: {whose} is the running best of one search, which says little of the next one."
        out.append(
            Panel(f"best-{number}", "compare", f"{data}: expected best", caption, expected_figure(curves, metric, n))
        )
        parts = {
            f"{name} ({kind}, n = {len(part)})": part
            for name, sweep in zip(names, group, strict=True)
            for kind, part in edf_data(sweep).groupby("sampler", sort=False)
        }
        caption = "All completed trials that a sampler chose: a line further right is a method that is easier to tune."
        out.append(Panel(f"edf-{number}", "compare", f"{data}: all trials", caption, edf_figure(parts, metric)))
    return out


def expected_figure(curves: pd.DataFrame, metric: str, n: str = "") -> go.Figure:
    """Expected best score by number of trials, a line a sweep with its band; the running best in steps."""
    scale, suffix = unit(metric)
    fig = figure("trials", f"best {metric_label(metric)}{suffix}", f"n = {n}" if n else "", 360)
    parts = list(curves.groupby("sweep", sort=False))
    for (_, part), look in zip(parts, lines(len(parts)), strict=True):
        band = part[part["low"].notna()]
        if len(band):
            fig.add_scatter(
                x=[*band["trials"], *band["trials"][::-1]],
                y=[float(f"{scale * y:.5g}") for y in [*band["high"], *band["low"][::-1]]],
                fill="toself", fillcolor=clear(look["color"], 0.13), line={"width": 0}, mode="lines", hoverinfo="skip",
                showlegend=False,
            )  # fmt: skip
    for (name, part), look in zip(parts, lines(len(parts)), strict=True):
        part = part[part["expected"].notna()]
        steps = bool(part["one_draw"].any())
        ends = [
            "" if math.isnan(low) else f" [{scale * low:.2f}, {scale * high:.2f}]"
            for low, high in zip(part["low"], part["high"], strict=True)
        ]
        fig.add_scatter(
            x=part["trials"].tolist(), y=[float(f"{scale * y:.5g}") for y in part["expected"]], mode="lines",
            name=text(name), line={**look, "width": 2.5, "shape": "hv" if steps else "linear"}, text=ends,
            hovertemplate=f"{text(name)}, %{{x}} trials: %{{y:.2f}}%{{text}}<extra></extra>",
        )  # fmt: skip
    fig.update_layout(showlegend=True)
    if curves["trials"].max() <= 12:
        fig.update_xaxes(dtick=1)
    return fig


def ranks_figure(ranks: Ranks) -> go.Figure:
    """Critical-difference diagram (Demšar 2006): mean ranks, methods that are not told apart joined by a bar."""
    names, places = ranks.table["method"].tolist(), ranks.table["rank"].tolist()
    fig = figure("mean rank (1 is best)", "", f"{ranks.data} data sets", 120 + 34 * (len(names) + len(ranks.groups)))
    rows = {name: -float(place) for place, name in enumerate(names)}
    rank = dict(zip(names, places, strict=True))
    for number, group in enumerate(ranks.groups):
        fig.add_scatter(
            x=[rank[group[0]], rank[group[-1]]], y=[1.0 + 0.5 * number] * 2, mode="lines", showlegend=number == 0,
            name="not told apart", line={"color": GREY, "width": 6}, hoverinfo="skip",
        )  # fmt: skip
        for name in (group[0], group[-1]):
            fig.add_scatter(
                x=[rank[name]] * 2, y=[rows[name], 1.0 + 0.5 * number], mode="lines", showlegend=False,
                line={"color": GREY, "width": 1, "dash": "dot"}, hoverinfo="skip",
            )  # fmt: skip
    fig.add_scatter(
        x=places, y=list(rows.values()), mode="markers", marker={"color": BLUE, "size": 11}, name="method", text=[text(n) for n in names],
        hovertemplate="%{text}: mean rank %{x:.2f}<extra></extra>",
    )  # fmt: skip
    fig.update_layout(showlegend=bool(ranks.groups))
    fig.update_yaxes(tickvals=list(rows.values()), ticktext=[text(name) for name in names], showgrid=False, ticks="",
                     range=[0.5 - len(names), 0.8 + 0.5 * max(len(ranks.groups), 1)])  # fmt: skip
    return fig


def _ranks_panel(ranks: Ranks) -> Panel:
    caption = "Mean rank of each method, 1 the best on every data set."
    if ranks.groups:
        caption += " A bar joins methods that are not told apart."
    if ranks.left_out:
        caption += f" Left out, as they have no sweep on every data set: {', '.join(ranks.left_out)}."
    return Panel("ranks", "compare", "Ranks over data sets", caption, ranks_figure(ranks), wide=True)
