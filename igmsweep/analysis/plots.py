"""The search over time, the best trial's learning curves, importances, and sweeps side by side."""

from __future__ import annotations

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from igmsweep.analysis.frame import Sweep
from igmsweep.analysis.names import label, metric_label, unit
from igmsweep.analysis.style import BLUE, GREY, ORANGE, VERMILION, clear, figure, modality_colours, text


def history_data(sweep: Sweep) -> pd.DataFrame:
    """One row a trial in the order of their numbers: `trial`, `state`, `source`, `score`, `best` (so far)."""
    frame = sweep.trials.sort_values("trial")
    column = f"metrics.{sweep.metric}"
    score = frame[column] if column in frame.columns else pd.Series(np.nan, index=frame.index)
    out = frame[["trial", "state", "source"]].assign(score=score.where(frame["state"] == "complete"))
    out["best"] = (out["score"].cummax() if sweep.maximise else out["score"].cummin()).ffill()
    return out.reset_index(drop=True)


def history_figure(data: pd.DataFrame, sweep: Sweep) -> go.Figure:
    done = data[data["score"].notna()]
    lost = data[data["state"] == "failed"]
    scale, suffix = unit(sweep.metric)
    fig = figure("trial number", metric_label(sweep.metric) + suffix, f"n = {len(done)} completed")
    given = done["source"].astype(str).str.startswith("enqueue")
    for part, colour, name, mark, size in (
        (done[~given], clear(BLUE, 0.55), "trial", "circle", 6),
        (done[given], ORANGE, "given", "diamond", 9),
    ):
        if len(part):
            fig.add_scatter(
                x=part["trial"].tolist(),
                y=(scale * part["score"]).tolist(),
                mode="markers",
                name=name,
                marker={"color": colour, "symbol": mark, "size": size},
                text=[text(s) for s in part["source"]],
                hovertemplate="trial %{x} (%{text}): %{y:.2f}<extra></extra>",
            )
    line = data[data["best"].notna()]
    fig.add_scatter(
        x=line["trial"].tolist(),
        y=(scale * line["best"]).tolist(),
        mode="lines",
        name="best so far",
        line={"color": BLUE, "width": 2.5, "shape": "hv"},
        hovertemplate="best so far %{y:.2f}<extra></extra>",
    )
    if len(lost) and len(done):
        fig.add_scatter(
            x=lost["trial"].tolist(),
            y=[scale * float(done["score"].min())] * len(lost),
            mode="markers",
            name="failed",
            marker={"color": VERMILION, "symbol": "x-thin", "size": 8, "line": {"width": 2, "color": VERMILION}},
            hovertemplate="trial %{x} failed<extra></extra>",
        )
    return fig


def curves_data(sweep: Sweep, trial: int) -> pd.DataFrame:
    """Long form of a trial's epochs: `epoch`, `series` (`fused` or a modality), `score`, `active`, `stage`."""
    history = sweep.history(trial)
    leaf = sweep.metric.split("/")[-1]
    columns = {"fused": sweep.metric, **{name: f"val/{name}/{leaf}" for name in sweep.modalities}}
    rows = [
        pd.DataFrame(
            {
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
    return (
        pd.concat(rows, ignore_index=True)
        if rows
        else pd.DataFrame(columns=["epoch", "series", "score", "active", "stage"])
    )


def curves_figure(data: pd.DataFrame, sweep: Sweep, trial: int) -> go.Figure:
    """Fused and per-modality curves; the background's colour is the modality in training, a line parts two stages."""
    colours = modality_colours(sweep.modalities)
    scale, suffix = unit(sweep.metric)
    leaf = metric_label(f"val/{sweep.metric.split('/')[-1]}")
    epochs = data["epoch"].nunique()
    fig = figure("epoch", leaf + suffix, f"trial {trial}, {epochs} epochs, 1 seed")
    first = data[data["series"] == data["series"].iloc[0]] if len(data) else data
    stage = (first["stage"].ne(first["stage"].shift()) | first["active"].ne(first["active"].shift())).cumsum()
    for _, part in first.groupby(stage):
        start, end, active = part["epoch"].min() - 0.5, part["epoch"].max() + 0.5, str(part["active"].iloc[0])
        if active in colours:
            fig.add_vrect(x0=start, x1=end, fillcolor=clear(colours[active], 0.13), line_width=0, layer="below")
        if part["epoch"].min() > first["epoch"].min():
            fig.add_vline(x=start, line={"color": GREY, "width": 1, "dash": "dot"})
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


def importance_figure(data: pd.DataFrame) -> go.Figure:
    """Bars of PED-ANOVA shares with n; a tick on each bar where shuffled scores would reach."""
    data = data.iloc[::-1]
    names = [f"{label(path)} (n = {n})" for path, n in zip(data["param"], data["n"], strict=True)]
    fig = figure("share of importance (PED-ANOVA, %)", "", "", 120 + 34 * len(data))
    fig.add_bar(
        x=(100 * data["importance"]).tolist(),
        y=[text(name) for name in names],
        orientation="h",
        name="importance",
        marker={
            "color": [
                BLUE if a > b or np.isnan(b) else clear("#8A8F98", 0.55)
                for a, b in zip(data["importance"], data["noise"], strict=True)
            ]
        },
        hovertemplate="%{y}: %{x:.1f} %<extra></extra>",
        showlegend=False,
    )
    if data["noise"].notna().any():
        fig.add_scatter(
            x=(100 * data["noise"]).tolist(),
            y=[text(name) for name in names],
            mode="markers",
            name="95 % level of shuffled scores",
            marker={"symbol": "line-ns", "size": 18, "line": {"width": 2.5, "color": VERMILION}},
            hovertemplate="shuffled scores reach %{x:.1f} %<extra></extra>",
        )
    fig.update_layout(bargap=0.35, showlegend=True)
    fig.update_yaxes(showgrid=False, ticks="")
    return fig


def sweeps_figure(table: pd.DataFrame, metric: str) -> go.Figure:
    """Best validation score per sweep: `name`, `best`, `median`, `n` (completed trials) a row."""
    table = table.iloc[::-1]
    scale, suffix = unit(metric)
    fig = figure(f"{metric_label(metric)}{suffix}", "", "", 130 + 34 * len(table))
    for column, colour, mark, name in (
        ("median", GREY, "line-ns", "median trial"),
        ("best", BLUE, "circle", "best trial"),
    ):
        fig.add_scatter(
            x=(scale * table[column]).tolist(),
            y=[f"{text(n)} (n = {k})" for n, k in zip(table["name"], table["n"], strict=True)],
            mode="markers",
            name=name,
            marker={"color": colour, "symbol": mark, "size": 11, "line": {"width": 2, "color": colour}},
            hovertemplate=f"%{{y}}: {name} %{{x:.2f}}<extra></extra>",
        )
    return fig
