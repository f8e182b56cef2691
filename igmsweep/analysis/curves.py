"""Learning curves of the best trials: fused and per modality, with stage boundaries, and the gap between modalities."""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go

from igmsweep.analysis.names import metric_label, unit
from igmsweep.analysis.style import BLUE, GREY, SERIES, clear, figure, modality_colours, text
from igmsweep.frame import Sweep

CURVES = ["trial", "epoch", "series", "score", "active", "stage"]


def curves_data(sweep: Sweep, trial: int) -> pd.DataFrame:
    """Long form of a trial's epochs: `trial`, `epoch`, `series` (`fused` or a modality), `score`, `active`, `stage`."""
    history = sweep.history(trial)
    leaf = sweep.metric.split("/")[-1]
    columns = {"fused": sweep.metric, **{name: f"val/{name}/{leaf}" for name in sweep.modalities}}
    rows = [
        pd.DataFrame(
            {
                "trial": trial,
                "epoch": history.get("epoch", pd.Series(range(1, len(history) + 1))),
                "series": series,
                "score": pd.to_numeric(history[column], errors="coerce"),
                "active": history.get("active", ""),
                "stage": history.get("stage", 0),
            }
        )
        for series, column in columns.items()
        if column in history.columns
    ]
    return pd.concat(rows, ignore_index=True) if rows else pd.DataFrame(columns=CURVES)


def curves_figure(data: pd.DataFrame, sweep: Sweep, trial: int) -> go.Figure:
    """Fused and per-modality curves; the background's colour is the modality in training, a line parts two stages."""
    colours = modality_colours(sweep.modalities)
    scale, suffix = unit(sweep.metric)
    leaf = metric_label(f"val/{sweep.metric.split('/')[-1]}")
    fig = figure("epoch", leaf + suffix, f"trial {trial}, {data['epoch'].nunique()} epochs, 1 training")
    _stages(fig, data, colours)
    for series, part in data.groupby("series", sort=False):
        fused = series == "fused"
        fig.add_scatter(
            x=part["epoch"].tolist(),
            y=(scale * part["score"]).tolist(),
            mode="lines+markers",
            name=text(series),
            line={"color": BLUE if fused else colours.get(str(series), GREY), "width": 3 if fused else 2},
            marker={"size": 5},
            hovertemplate=f"{text(series)}, epoch %{{x}}: %{{y:.2f}}<extra></extra>",
        )
    fig.update_xaxes(showgrid=False)
    return fig


def best_curves(sweep: Sweep, top: int = 5) -> pd.DataFrame:
    """`curves_data` of the `top` completed trials, best first, and of the paper's setting where it was run."""
    done = sweep.completed()
    paper = done.loc[done["source"].astype(str) == "enqueue:paper", "trial"].tolist()
    chosen = dict.fromkeys([*done["trial"].head(top).tolist(), *paper[:1]])
    parts = [part for trial in chosen if len(part := curves_data(sweep, int(trial)))]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=CURVES)


def best_curves_figure(data: pd.DataFrame, sweep: Sweep) -> go.Figure:
    """Fused validation curves of the best trials, and of the paper's setting (dashed)."""
    fused = data[data["series"] == "fused"]
    scale, suffix = unit(sweep.metric)
    fig = figure("epoch", metric_label(sweep.metric) + suffix, f"{fused['trial'].nunique()} trials, 1 training each")
    _each_trial(fig, fused, sweep, scale)
    return fig


def gap_data(data: pd.DataFrame) -> pd.DataFrame:
    """From `best_curves`: `trial`, `epoch`, `score`, the best modality's score minus the worst's on its own."""
    single = data[data["series"] != "fused"]
    if single["series"].nunique() < 2:
        return pd.DataFrame(columns=["trial", "epoch", "score", "active", "stage"])
    spread = single.groupby(["trial", "epoch"], sort=False)
    out = (spread["score"].max() - spread["score"].min()).reset_index()
    return out.merge(spread[["active", "stage"]].first().reset_index(), on=["trial", "epoch"])


def gap_figure(data: pd.DataFrame, sweep: Sweep) -> go.Figure:
    """How far apart the modalities are while they train; a method against imbalance closes this gap."""
    scale, suffix = unit(sweep.metric)
    word = "points" if suffix else "difference"
    fig = figure("epoch", f"gap between modalities ({word})", f"{data['trial'].nunique()} trials, 1 training each")
    _each_trial(fig, data, sweep, scale)
    fig.update_yaxes(rangemode="tozero")
    return fig


def _each_trial(fig: go.Figure, data: pd.DataFrame, sweep: Sweep, scale: float) -> None:
    sources = sweep.trials.set_index("trial")["source"].astype(str)
    first = data["trial"].iloc[0] if len(data) else None
    for number, (trial, part) in enumerate(data.groupby("trial", sort=False)):
        paper = sources.get(trial) == "enqueue:paper"
        name = f"trial {trial}{', best' if trial == first else ''}{', paper' if paper else ''}"
        fig.add_scatter(
            x=part["epoch"].tolist(),
            y=(scale * part["score"]).tolist(),
            mode="lines",
            name=name,
            line={
                "color": GREY if paper and trial != first else SERIES[number % len(SERIES)],
                "width": 3 if trial == first else 1.8,
                "dash": "dash" if paper else "solid",
            },
            hovertemplate=f"{name}, epoch %{{x}}: %{{y:.2f}}<extra></extra>",
        )
    _stages(fig, data[data["trial"] == first], modality_colours(sweep.modalities))
    fig.update_layout(showlegend=True)
    fig.update_xaxes(showgrid=False)


def _stages(fig: go.Figure, data: pd.DataFrame, colours: dict[str, str]) -> None:
    """Behind the curves: the modality in training as a tint, a dotted line where one stage ends and the next begins."""
    first = data[data["series"] == data["series"].iloc[0]] if "series" in data.columns and len(data) else data
    stage = (first["stage"].ne(first["stage"].shift()) | first["active"].ne(first["active"].shift())).cumsum()
    for _, part in first.groupby(stage):
        start, end, active = part["epoch"].min() - 0.5, part["epoch"].max() + 0.5, str(part["active"].iloc[0])
        if active in colours:
            fig.add_vrect(x0=start, x1=end, fillcolor=clear(colours[active], 0.13), line_width=0, layer="below")
        if part["epoch"].min() > first["epoch"].min():
            fig.add_vline(x=start, line={"color": GREY, "width": 1, "dash": "dot"})
