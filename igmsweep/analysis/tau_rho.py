"""Accuracy against tau and against rho in one figure, as the paper's Fig. 3 has it, from the points that a design chose."""

from __future__ import annotations

import math

import pandas as pd
import plotly.graph_objects as go

from igmsweep.analysis.names import label, metric_label, unit
from igmsweep.analysis.sensitivity import sensitivity_data
from igmsweep.analysis.sensitivity_plot import FEWEST_DRAWN, binned_points
from igmsweep.analysis.style import SERIES, VERMILION, figure, log_axis, text
from igmsweep.frame import DESIGNED, Sweep

COLUMNS = ["param", "x", "mean", "se", "n"]


def tau_rho_data(sweep: Sweep, metric: str) -> pd.DataFrame:
    """One row a bin of tau or of a modality's rho: `param`, `x` (median of the values in it), `mean` and standard error `se` of
    `metric`, `n` trials. Only of grid, random or Sobol points, and of bins with five of them; a parameter without two such bins is
    left out."""
    parts = []
    for path in sweep.space:
        if not (path.endswith(".tau") or ".rho" in path):
            continue
        data = sensitivity_data(sweep, path, metric)
        if data.binned not in DESIGNED or not data.numeric:
            continue
        bins = (
            binned_points(data)
            .groupby("bin")
            .agg(x=("x", "median"), mean=("score", "mean"), se=("score", "sem"), n=("score", "size"))
        )
        bins = bins[bins["n"] >= FEWEST_DRAWN]
        if len(bins) > 1:
            parts.append(bins.assign(param=path)[COLUMNS])
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=COLUMNS)


def has_both(data: pd.DataFrame) -> bool:
    """Whether there is a line for tau and one for rho."""
    taus = data["param"].astype(str).str.endswith(".tau")
    return bool(taus.any() and (~taus).any())


def tau_rho_figure(data: pd.DataFrame, sweep: Sweep, metric: str) -> go.Figure:
    """Tau on the left, rho on the right (a line a modality), means with one standard error; dashed: the paper's values."""
    scale, suffix = unit(metric)
    fig = figure(
        "τ", metric_label(metric) + suffix, f"n = {int(data['n'].min())} to {int(data['n'].max())} a point", 340
    )
    fig.update_layout(
        xaxis={"domain": [0, 0.48]},
        xaxis2={
            **fig.layout.xaxis.to_plotly_json(),
            "domain": [0.52, 1],
            "title": {"text": "ρ", "standoff": 8},
            "anchor": "y",
        },
        showlegend=True,
    )
    rhos = [path for path in dict.fromkeys(data["param"]) if ".rho" in path]
    looks = dict(zip(rhos, SERIES[1:], strict=False))
    for path, part in data.groupby("param", sort=False):
        axis = "x2" if path in rhos else "x"
        colour = looks.get(str(path), SERIES[0])
        fig.add_scatter(
            x=part["x"].tolist(),
            y=(scale * part["mean"]).tolist(),
            xaxis=axis,
            mode="lines+markers",
            name=text(label(str(path))),
            line={"color": colour, "width": 2},
            marker={"color": colour, "size": 6},
            error_y={"array": (scale * part["se"]).tolist(), "color": colour, "thickness": 1.5, "width": 3},
            customdata=part["n"].tolist(),
            hovertemplate=f"{text(label(str(path)))} ≈ %{{x:.2g}}: mean of %{{customdata}} trials %{{y:.2f}}<extra></extra>",
        )
        paper = sweep.paper.get(str(path))
        if isinstance(paper, (int, float)) and paper > 0:
            fig.add_shape(
                type="line", x0=paper, x1=paper, y0=0, y1=1, xref=axis, yref="y domain",
                line={"color": colour if axis == "x2" else VERMILION, "width": 1.2, "dash": "dash"},
            )  # fmt: skip
    for axis, part in (("x", data[~data["param"].isin(rhos)]), ("x2", data[data["param"].isin(rhos)])):
        logs = [bool(sweep.space[path].get("log")) for path in part["param"]]
        if all(logs):
            low, high = float(part["x"].min()), float(part["x"].max())
            log_axis(fig, low, high, axis)
            if high / low > 1e5:  # half as wide as a figure: room for three powers of ten
                fig.update_layout({f"xaxis{axis[1:]}": {"dtick": math.ceil(math.log10(high / low) / 3)}})
    return fig
