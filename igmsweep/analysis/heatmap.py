"""tau and rho together (the paper's Fig. 3), as a binned heat map: ten thousand trials stay a small figure."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from igmsweep.analysis.names import label, metric_label, unit
from igmsweep.analysis.sensitivity import ENOUGH, is_number, sampler_of
from igmsweep.analysis.style import VERMILION, figure, log_axis
from igmsweep.frame import DESIGNED, Sweep

MOST_CELLS = 40
A_CELL = 5
"""Trials that a cell should hold on average, and from which its colour is full."""
FADED = {1: 0.25, 2: 0.6}
"""Opacity by the least number of trials, below `A_CELL`: one trial is no median."""
WRITTEN = 100
"""Cells up to which each says how many trials it holds; beyond, hovering tells."""
COLUMNS = ["x", "y", "x0", "x1", "y0", "y1", "median", "n"]


def heatmap_data(sweep: Sweep, x: str, y: str, metric: str) -> pd.DataFrame:
    """Median of `metric` in 3 x 3 to 40 x 40 cells, of about five trials each: `x`, `y` (centres), `x0`, `x1`, `y0`, `y1`, `median`, `n`. Empty
    cells are absent. Axes are logarithmic where the space is. Where a grid or random samples are enough, only they
    are binned."""
    frame = sweep.completed()
    names = [f"params.{x}", f"params.{y}", f"metrics.{metric}"]
    if not set(names) <= set(frame.columns) or not all(pd.api.types.is_numeric_dtype(frame[name]) for name in names):
        return pd.DataFrame(columns=COLUMNS)
    samplers = pd.Series([sampler_of(source) for source in frame["source"]], index=frame.index, dtype=object)
    frame = frame[names].dropna()
    samplers = samplers[frame.index]
    designed = samplers.isin(DESIGNED)
    if designed.sum() >= ENOUGH:
        frame = frame[designed]
    if frame.empty:
        return pd.DataFrame(columns=COLUMNS)
    count = int(np.clip(math.sqrt(len(frame) / A_CELL), 3, MOST_CELLS))
    cut = []
    for path, name in ((x, names[0]), (y, names[1])):
        edges = _edges(frame[name].to_numpy(), bool(sweep.space.get(path, {}).get("log")), count)
        cut.append((edges, np.clip(np.searchsorted(edges, frame[name], side="right") - 1, 0, len(edges) - 2)))
    cells = frame.groupby([cut[0][1], cut[1][1]])[names[2]].agg(["median", "size"])
    i, j = (cells.index.get_level_values(level).to_numpy() for level in (0, 1))
    (ex, _), (ey, _) = cut
    out = pd.DataFrame({"x0": ex[i], "x1": ex[i + 1], "y0": ey[j], "y1": ey[j + 1]})
    out["x"] = [_middle(a, b) for a, b in zip(out["x0"], out["x1"], strict=True)]
    out["y"] = [_middle(a, b) for a, b in zip(out["y0"], out["y1"], strict=True)]
    return out.assign(median=cells["median"].to_numpy(), n=cells["size"].to_numpy())[COLUMNS]


def heatmap_figure(data: pd.DataFrame, sweep: Sweep, x: str, y: str, metric: str) -> go.Figure:
    """The cells' medians as colours, each as wide as its bin, paler the fewer trials it holds; a cross marks the paper's
    setting."""
    fig = figure(label(x), label(y), f"n = {int(data['n'].sum()) if len(data) else 0}", 390)
    if data.empty:
        return fig
    scale, suffix = unit(metric)
    columns, rows = (sorted({*data[f"{axis}0"], *data[f"{axis}1"]}) for axis in "xy")
    tiers = [*sorted(FADED), A_CELL]
    for least, most in zip(tiers, [*tiers[1:], math.inf], strict=True):  # the full ones last: theirs is the colour bar
        grid: list[list[float | None]] = [[None] * (len(columns) - 1) for _ in rows[1:]]  # edges: a gap stays a gap
        counts: list[list[int | str]] = [[""] * (len(columns) - 1) for _ in rows[1:]]
        part = data[(data["n"] >= least) & (data["n"] < most)]
        for x0, y0, median, n in zip(*(part[name].tolist() for name in ("x0", "y0", "median", "n")), strict=True):
            grid[rows.index(y0)][columns.index(x0)] = float(f"{scale * median:.5g}")
            counts[rows.index(y0)][columns.index(x0)] = n
        fig.add_heatmap(
            x=columns,
            y=rows,
            z=grid,
            zmin=float(f"{scale * data['median'].min():.5g}"),
            zmax=float(f"{scale * data['median'].max():.5g}"),
            customdata=counts,
            opacity=FADED.get(least, 1.0),
            showscale=least == A_CELL,
            colorscale="Cividis",
            hoverongaps=False,
            xgap=1,
            ygap=1,
            colorbar={
                "title": {"text": f"median {metric_label(metric)}{suffix}", "side": "right"},
                "thickness": 10,
                "outlinewidth": 0,
                "tickfont": {"size": 11},
            },
            hovertemplate=f"{label(x)} ≈ %{{x:.2g}}<br>{label(y)} ≈ %{{y:.2g}}"
            f"<br>median %{{z:.2f}}, %{{customdata}} trials<extra></extra>",
        )
    logs = [bool(sweep.space.get(path, {}).get("log")) for path in (x, y)]
    if len(data) <= WRITTEN:
        _write_counts(fig, data, logs)
    if logs[0]:
        log_axis(fig, data["x0"].min(), data["x1"].max())
    if logs[1]:
        log_axis(fig, data["y0"].min(), data["y1"].max(), "y")
    fig.update_xaxes(showgrid=False)
    fig.update_yaxes(showgrid=False)
    marks = [sweep.paper.get(x), sweep.paper.get(y)]
    if all(is_number(mark) and (not log or float(mark or 0) > 0) for mark, log in zip(marks, logs, strict=True)):
        fig.add_scatter(
            x=[marks[0]],
            y=[marks[1]],
            mode="markers",
            name="paper",
            showlegend=False,
            marker={"symbol": "x-thin", "size": 14, "line": {"width": 3, "color": VERMILION}},
            hovertemplate="the paper's setting<extra></extra>",
        )
    return fig


def _write_counts(fig: go.Figure, data: pd.DataFrame, logs: list[bool]) -> None:
    """How many trials each cell holds; white on the dark half of the scale, the page's own ink where the cell is next to blank."""
    half = (data["median"].min() + data["median"].max()) / 2
    written = []
    for x, y, median, n in data[["x", "y", "median", "n"]].itertuples(index=False, name=None):
        full = {"color": "white" if median <= half else "black"} if n > 1 else {}
        place = {"x": math.log10(x) if logs[0] else x, "y": math.log10(y) if logs[1] else y}
        written.append({**place, "text": str(n), "showarrow": False, "font": {"size": 11, **full}})
    # all at once: plotly copies every annotation that is there for each one that is added
    fig.update_layout(annotations=[*fig.layout.annotations, *written])


def _edges(values: np.ndarray, log: bool, count: int) -> np.ndarray:
    low, high = float(values.min()), float(values.max())
    if low == high:
        return np.array([low / 2, high * 2]) if log and low > 0 else np.array([low - 0.5, high + 0.5])
    return np.geomspace(low, high, count + 1) if log and low > 0 else np.linspace(low, high, count + 1)


def _middle(low: float, high: float) -> float:
    return math.sqrt(low * high) if low > 0 and high / low > 1.5 else (low + high) / 2
