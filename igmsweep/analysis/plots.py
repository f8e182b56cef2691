"""The search itself: best so far against trials and cost, EDF, what was stopped early, and the importances."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from igmsweep.analysis.hover import crop, trial_markers
from igmsweep.analysis.names import label, metric_label, unit
from igmsweep.analysis.sensitivity import sampler_of
from igmsweep.analysis.sensitivity_plot import thin
from igmsweep.analysis.style import BLUE, GREY, ORANGE, VERMILION, clear, figure, lines, text
from igmsweep.frame import Sweep


def history_data(sweep: Sweep) -> pd.DataFrame:
    """One row a trial in the order of their numbers: `trial`, `state`, `source`, `score`, `best` (so far), `hours` and
    `gpu_hours` (training time of all trials up to this one; of failed and stopped ones too)."""
    frame = sweep.trials[sweep.trials["repeat_of"].isna()].sort_values("trial")
    column = f"metrics.{sweep.metric}"
    score = frame[column] if column in frame.columns else pd.Series(np.nan, index=frame.index)
    out = frame[["trial", "state", "source"]].assign(score=score.where(frame["state"] == "complete"))
    out["stopped_score"] = score.where(frame["state"] == "pruned")
    out["best"] = (out["score"].cummax() if sweep.maximise else out["score"].cummin()).ffill()
    out["hours"] = frame["seconds"].fillna(0).cumsum() / 3600
    out["gpu_hours"] = frame["gpu_hours"].fillna(0).cumsum()
    return out.reset_index(drop=True)


def history_figure(
    data: pd.DataFrame, sweep: Sweep, against: str = "trial", texts: Mapping[int, str] | None = None
) -> go.Figure:
    """Trials and the best so far, against `trial` numbers, `hours` of training or `gpu_hours`."""
    done, lost = data[data["score"].notna()], data[data["state"] == "failed"]
    stopped = data[data["stopped_score"].notna()]
    scale, suffix = unit(sweep.metric)
    title, factor = {"trial": ("trial number", 1.0), "gpu_hours": ("GPU-hours of all trials", 1.0)}.get(
        against, ("", 1.0)
    )
    if against == "hours":
        longest = data["hours"].max() if len(data) else 0.0
        title, factor = (
            ("hours of training, all trials", 1.0) if longest >= 2 else ("minutes of training, all trials", 60.0)
        )
    note = f"n = {len(done)} completed" + (f" + {len(stopped)} stopped early" if len(stopped) else "")
    fig = figure(title, metric_label(sweep.metric) + suffix, note)
    given = done["source"].map(sampler_of) == "given"
    for part, scores, colour, name, mark, size in (
        (stopped, "stopped_score", clear(GREY, 0.9), "stopped early", "circle-open", 5),
        (done[~given], "score", clear(BLUE, 0.5), "trial", "circle", 6),
        (done[given], "score", ORANGE, "enqueued", "diamond", 9),
    ):
        if len(part):
            part = thin(part.sort_values(scores, ascending=not sweep.maximise))
            marker = {"color": colour, "symbol": mark, "size": size}
            trial_markers(fig, factor * part[against], scale * part[scores], part["trial"], texts, name, marker)
    line = data[data["best"].notna()]
    steps = line[line["best"].ne(line["best"].shift()) | (line.index == line.index.max())]  # its corners are enough
    fig.add_scatter(
        x=(factor * steps[against]).tolist(),
        y=(scale * steps["best"]).tolist(),
        mode="lines",
        name="best so far",
        line={"color": BLUE, "width": 2.5, "shape": "hv"},
        hovertemplate="best so far %{y:.2f}<extra></extra>",
    )
    edge = crop(fig, sweep.maximise)
    if len(lost) and len(done):
        worst = scale * float(done["score"].min() if sweep.maximise else done["score"].max())
        fig.add_scatter(
            x=(factor * lost[against]).tolist(),
            y=[worst if edge is None else edge] * len(lost),
            mode="markers",
            name="failed",
            marker={"color": VERMILION, "symbol": "x-thin", "size": 8, "line": {"width": 2, "color": VERMILION}},
            customdata=lost["trial"].tolist(),
            hovertemplate="trial %{customdata} failed<extra></extra>",
        )
    fig.update_layout(showlegend=True)
    return fig


def edf_data(sweep: Sweep) -> pd.DataFrame:
    """The empirical distribution of completed trials: `sampler`, `score`, `share` (of its sampler's trials that score
    at most this), `n`."""
    done = sweep.completed()
    column = f"metrics.{sweep.metric}"
    if done.empty:
        return pd.DataFrame(columns=["sampler", "score", "share", "n"])
    samplers = pd.Series([sampler_of(source) for source in done["source"]], index=done.index, dtype=object)
    parts = []
    for name, group in done.groupby(samplers, sort=False):
        if name == "given":
            continue
        scores = np.sort(group[column].to_numpy())
        share = np.arange(1, len(scores) + 1) / len(scores)
        parts.append(pd.DataFrame({"sampler": name, "score": scores, "share": share, "n": len(scores)}))
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=["sampler", "score", "share", "n"])


def edf_figure(parts: Mapping[str, pd.DataFrame], metric: str) -> go.Figure:
    """One line a sampler or a sweep (the keys): the share of trials (%) that score at most x."""
    scale, suffix = unit(metric)
    total = sum(len(part) for part in parts.values())
    fig = figure(metric_label(metric) + suffix, "trials that score at most this (%)", f"n = {total}")
    for (name, part), look in zip(parts.items(), lines(len(parts)), strict=True):
        part = part.sort_values("score")
        if len(part) > 500:  # the line's shape needs no more
            part = part.iloc[np.unique(np.linspace(0, len(part) - 1, 500).astype(int))]
        fig.add_scatter(
            x=[float(f"{scale * score:.6g}") for score in part["score"]],
            y=[float(f"{100 * share:.5g}") for share in part["share"]],
            mode="lines",
            name=text(name),
            line={**look, "width": 2.5, "shape": "hv"},
            hovertemplate=f"{text(name)}: %{{y:.0f}} % score at most %{{x:.2f}}<extra></extra>",
        )
    fig.update_layout(showlegend=True)
    fig.update_yaxes(range=[0, 103])
    return fig


def stopped_data(sweep: Sweep) -> pd.DataFrame:
    """One row a rung (cycles trained): `rung`, `stopped` there, `reached` it (stopped there or trained on)."""
    frame = sweep.trials[sweep.trials["repeat_of"].isna() & sweep.trials["duplicate_of"].isna()]
    cut, full = frame[frame["state"] == "pruned"], int((frame["state"] == "complete").sum())
    cut = cut[cut["rung"].notna()]
    rows = []
    for rung in sorted(cut["rung"].unique()):
        rows.append(
            {
                "rung": int(rung),
                "stopped": int((cut["rung"] == rung).sum()),
                "reached": int((cut["rung"] >= rung).sum()) + full,
            }
        )
    if rows:
        rows.append({"rung": -1, "stopped": 0, "reached": full})
    return pd.DataFrame(rows, columns=["rung", "stopped", "reached"])


def stopped_figure(data: pd.DataFrame) -> go.Figure:
    """How many trials were trained on at each rung, and how many were stopped there."""
    names = [f"cycle {rung}" if rung >= 0 else "the end" for rung in data["rung"]]
    fig = figure("trained until", "trials", f"n = {int(data['reached'].max()) if len(data) else 0}", 300)
    for column, values, colour in (
        ("trained on", data["reached"] - data["stopped"], BLUE),
        ("stopped", data["stopped"], clear(GREY, 0.6)),
    ):
        fig.add_bar(
            x=names, y=values.tolist(), name=column, marker={"color": colour},
            hovertemplate=f"%{{x}}: %{{y}} {column}<extra></extra>",
        )  # fmt: skip
    fig.update_layout(barmode="stack", bargap=0.4, showlegend=True)
    return fig


def importance_figure(data: pd.DataFrame) -> go.Figure:
    """Each parameter's share of the spread with its interval and n; grey where it is not told apart from chance."""
    data = data.iloc[::-1]
    names = [text(f"{label(path)} (n = {n})") for path, n in zip(data["param"], data["n"], strict=True)]
    fig = figure("share of the spread of scores (%)", "", "", 130 + 34 * len(data))
    rows = np.arange(len(data), dtype=float)
    for told, shown, colour in ((True, "share, 90 % interval", BLUE), (False, "not told apart from chance", GREY)):
        mine = (data["told"] == told).to_numpy()
        part = data[mine]
        fig.add_scatter(
            x=[float(f"{100 * value:.4g}") for value in part["share"]],
            y=rows[mine].tolist(),
            mode="markers",
            name=shown,
            marker={"color": colour, "size": 9},
            error_x={
                "type": "data",
                "symmetric": False,
                "array": (100 * (part["high"] - part["share"])).clip(lower=0).tolist(),
                "arrayminus": (100 * (part["share"] - part["low"])).clip(lower=0).tolist(),
                "color": colour,
                "thickness": 1.6,
                "width": 3,
            },
            text=[name for name, own in zip(names, mine, strict=True) if own],
            hovertemplate="%{text}: %{x:.1f} %<extra></extra>",
        )
    fig.update_layout(showlegend=True)
    fig.update_xaxes(rangemode="tozero")
    fig.update_yaxes(showgrid=False, ticks="", tickvals=rows.tolist(), ticktext=names, range=[-0.6, len(data) - 0.4])
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
