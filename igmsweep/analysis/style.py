"""Colours (Okabe and Ito's, safe for colour-blind readers) and the layout all figures share."""

from __future__ import annotations

import html
import math
from typing import Any

import plotly.graph_objects as go

BLUE, ORANGE, GREEN, VERMILION = "#0072B2", "#E69F00", "#009E73", "#D55E00"
PURPLE, SKY, GREY = "#CC79A7", "#56B4E9", "#8A8F98"
MODALITY = (ORANGE, GREEN, PURPLE, SKY)
SERIES = (BLUE, ORANGE, GREEN, PURPLE, VERMILION)
"""Lines side by side; without the sky blue, which stands for blue on a dark page."""
DASHES = ("solid", "dash", "dot")
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"
INK, GRID = "#3b4148", "rgba(128,136,148,0.22)"
"""A page in dark mode redraws with its own ink; the grid serves both."""


def modality_colours(modalities: list[str]) -> dict[str, str]:
    return {name: MODALITY[i % len(MODALITY)] for i, name in enumerate(modalities)}


def lines(count: int) -> list[dict[str, Any]]:
    """Colour and dash of so many lines in one figure, no two alike up to fifteen."""
    looks = [{"color": colour, "dash": dash} for dash in DASHES for colour in SERIES]
    return [looks[number % len(looks)] for number in range(count)]


def text(value: Any) -> str:
    """A string from a results folder made safe for Plotly, which reads a subset of HTML in its labels."""
    return html.escape(str(value), quote=False)


def clear(colour: str, alpha: float) -> str:
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red},{green},{blue},{alpha})"


def figure(x: str, y: str, note: str = "", height: int = 330) -> go.Figure:
    """An empty figure with axis titles and, in the upper right corner, a note such as `n = 58`."""
    fig = go.Figure()
    fig.update_layout(
        template="none", height=height, autosize=True,
        paper_bgcolor="rgba(0,0,0,0)", plot_bgcolor="rgba(0,0,0,0)",
        font={"family": FONT, "size": 13, "color": INK},
        margin={"l": 58, "r": 14, "t": 30, "b": 50},
        legend={"orientation": "h", "x": 0, "xanchor": "left", "y": 1.0, "yanchor": "bottom", "font": {"size": 11.5},
                "bgcolor": "rgba(0,0,0,0)"},
        hoverlabel={"font": {"family": FONT, "size": 12}, "align": "left"},
    )  # fmt: skip
    axis = {"gridcolor": GRID, "zeroline": False, "linecolor": GREY, "ticks": "outside", "tickcolor": GRID,
            "ticklen": 4, "title": {"standoff": 8}, "automargin": True}  # fmt: skip
    fig.update_xaxes(**axis, title_text=x)
    fig.update_yaxes(**axis, title_text=y)
    if note:
        fig.add_annotation(
            text=note, xref="paper", yref="paper", x=1, y=1, xanchor="right", yanchor="bottom", showarrow=False,
            name="note", font={"size": 11.5, "color": GREY},
        )  # fmt: skip
    return fig


def log_axis(fig: go.Figure, low: float, high: float, axis: str = "x") -> None:
    """Ticks at whole powers of ten, far enough apart to be read on a phone."""
    decades = math.log10(high / low) if high > low > 0 else 1.0
    step: int | str = 1 if decades <= 6 else 2 if decades <= 11 else 3
    if decades < 1.5:
        step = "D2"
    fig.update_layout(
        {f"{axis[0]}axis{axis[1:]}": {"type": "log", "exponentformat": "power", "dtick": step, "tickangle": 0}}
    )
