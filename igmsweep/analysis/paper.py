"""The page's figures redrawn for a paper: one column wide, vectors, fonts embedded. Drawn by Matplotlib, so that no
browser is needed: a cluster node has none.

Only what our figures use is translated: scatter, bar and heat-map traces, shapes and annotations.
"""

from __future__ import annotations

import html
import math
import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import plotly.graph_objects as go

from igmsweep.analysis.style import GREY
from igmsweep.disk import replacing

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLUMN_CM = 8.5
"""Width of one column of a two-column page."""
POINTS = COLUMN_CM / 2.54 * 72 / 480
"""Points of paper for a pixel of the page's figure."""
SETTINGS: Any = {
    "font.size": 7,
    "font.family": "DejaVu Sans",  # comes with Matplotlib and has the Greek letters
    "axes.linewidth": 0.6,
    "axes.edgecolor": GREY,
    "axes.labelsize": 7,
    "axes.titlesize": 6.5,
    "axes.axisbelow": True,
    "xtick.labelsize": 6.5,
    "ytick.labelsize": 6.5,
    "xtick.major.width": 0.5,
    "ytick.major.width": 0.5,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "xtick.minor.size": 0,
    "ytick.minor.size": 0,
    "legend.fontsize": 6.5,
    "pdf.fonttype": 42,  # TrueType, which publishers accept; the default Type 3 some do not
    "svg.fonttype": "path",  # letters as outlines look the same on every machine
    "svg.hashsalt": "igmsweep",  # the same bytes for the same figure
}
MARKERS = {"circle": "o", "circle-open": "o", "diamond": "D", "square": "s", "line-ew": "_", "line-ns": "|",
           "x-thin": "x", "triangle-down": "v", "triangle-up": "^"}  # fmt: skip
DASHES = {"dash": (0, (4, 2)), "dot": (0, (1, 1.6))}


def write_figures(figures: Iterable[tuple[str, go.Figure]], place: Path | str, formats: Iterable[str]) -> list[Path]:
    """Write each named figure as `place/<name>.<format>` (svg, pdf or png at 300 dots an inch); return the files."""
    import matplotlib

    formats, place = list(formats), Path(place)
    written: list[Path] = []
    place.mkdir(parents=True, exist_ok=True)
    with matplotlib.rc_context(SETTINGS):
        for name, figure in figures:
            drawn = paper_figure(figure)
            drawn.draw_without_rendering()  # lays it out, once for all formats
            drawn.set_layout_engine("none")
            for suffix in formats:
                path = place / f"{name}.{suffix}"
                metadata = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}.get(suffix)
                with replacing(path) as partial:
                    drawn.savefig(partial, format=suffix, dpi=300, metadata=metadata)
                written.append(path)
    return written


def paper_figure(figure: go.Figure, width_cm: float = COLUMN_CM) -> Figure:
    """A Plotly figure of this package as a Matplotlib one of `width_cm`."""
    from matplotlib.figure import Figure as Drawing

    layout = figure.layout
    inches = width_cm / 2.54
    height = inches * float(layout.height or 340) / 480
    drawing = Drawing(figsize=(inches, height), layout="constrained")
    below, beside = "yaxis2" in layout, "xaxis2" in layout
    if beside:
        left, right = drawing.subplots(1, 2, sharey=True)
        axes = {("x", "y"): left, ("x2", "y"): right}
    elif below:
        grid = drawing.subplots(2, 1, sharex=True, gridspec_kw={"height_ratios": [3, 1]})
        axes = {("x", "y"): grid[0], ("x", "y2"): grid[1]}
    else:
        axes = {("x", "y"): drawing.subplots()}
    first = axes["x", "y"]
    bottoms: dict[Any, float] = {}
    for trace in figure.data:
        ax = axes[trace.xaxis or "x", trace.yaxis or "y"]
        if trace.type == "heatmap":
            _heatmap(drawing, ax, trace)
        elif trace.type == "bar":
            _bars(ax, trace, bottoms, layout.barmode == "stack")
        else:
            _scatter(ax, trace)
    for (x, y), ax in axes.items():
        _axis(ax, layout.xaxis if x == "x" else layout.xaxis2, "x", named=not below or y == "y2")
        _axis(ax, layout.yaxis if y == "y" else layout.yaxis2, "y", named=x == "x")
        if not any(trace.type == "heatmap" for trace in figure.data):
            ax.grid(True, color=GREY, alpha=0.25, linewidth=0.4)
        ax.spines[["top", "right"]].set_visible(False)
        for shape in layout.shapes:
            if not beside or (shape.xref or "x") == x:
                _shape(ax, shape)
    for note in layout.annotations:
        _annotation(axes["x2", "y"] if beside else first, note, layout)
    _legend(drawing, list(axes.values()), figure)
    return drawing


def _scatter(ax: Axes, trace: Any) -> None:
    x, y = _values(trace.x), _values(trace.y)
    label = _plain(trace.name)
    shown = trace.showlegend is not False and bool(label)
    if trace.fill == "toself":
        colour, alpha = _colour(trace.fillcolor)
        ax.fill(x, y, color=colour, alpha=alpha, linewidth=0, label=label if shown else None, zorder=1.5)
        return
    mode = trace.mode or "lines"
    colour, alpha = _colour(trace.line.color if "lines" in mode else trace.marker.color)
    width = float(trace.line.width or 2) * POINTS * 1.05
    symbol = str(trace.marker.symbol or "circle")
    stroke = trace.marker.line
    if symbol.startswith("line-") or symbol == "x-thin":
        colour, alpha = _colour(stroke.color)
    marker = MARKERS[symbol] if "markers" in mode else None
    size = float(trace.marker.size or 6) * POINTS * 1.15
    ax.plot(
        x,
        y,
        linestyle=(DASHES.get(trace.line.dash, "-") if "lines" in mode else "none"),
        drawstyle="steps-post" if trace.line.shape == "hv" else "default",
        color=colour,
        alpha=alpha,
        linewidth=width,
        marker=marker,
        markersize=size,
        markerfacecolor="none" if symbol == "circle-open" else colour,
        markeredgewidth=float(stroke.width or 2) * POINTS
        if symbol not in ("circle", "diamond", "square", "triangle-down", "triangle-up")
        else 0,
        label=label if shown else None,
        zorder=3 if "lines" in mode else 2,
    )
    for name, error in (("xerr", trace.error_x), ("yerr", trace.error_y)):
        if error.array is not None:
            less = error.arrayminus if error.arrayminus is not None else error.array
            ax.errorbar(
                x, y, **{name: np.clip([_values(less), _values(error.array)], 0, None)}, fmt="none",
                ecolor=_colour(error.color)[0], elinewidth=float(error.thickness or 2) * POINTS, capsize=1.5, zorder=2.5,
            )  # fmt: skip


def _bars(ax: Axes, trace: Any, bottoms: dict[Any, float], stacked: bool) -> None:
    names, heights = [_plain(name) for name in trace.x], _values(trace.y)
    start = [bottoms.get(name, 0.0) if stacked else 0.0 for name in names]
    colour, alpha = _colour(trace.marker.color)
    ax.bar(names, heights, 0.6, start, color=colour, alpha=alpha, label=_plain(trace.name))
    bottoms.update({name: base + height for name, base, height in zip(names, start, heights, strict=True)})


def _heatmap(drawing: Figure, ax: Axes, trace: Any) -> None:
    cells = np.array([_values(row) for row in trace.z], dtype=float)
    gaps: Any = {"edgecolors": "white", "linewidth": 0.3} if trace.xgap else {"edgecolors": "face", "linewidth": 0.1}
    mesh = ax.pcolormesh(
        _values(trace.x),
        _values(trace.y),
        np.ma.masked_invalid(cells),
        cmap="cividis",
        vmin=trace.zmin,  # pictures that stand side by side share a scale
        vmax=trace.zmax,
        alpha=trace.opacity,
        **gaps,
    )
    if trace.showscale is False:
        return
    bar = drawing.colorbar(mesh, ax=ax, fraction=0.06, pad=0.02)
    bar.set_label(_plain(trace.colorbar.title.text))
    bar.outline.set_visible(False)  # type: ignore[operator]


def _axis(ax: Axes, axis: Any, which: str, named: bool = True) -> None:
    if axis.type == "log":
        getattr(ax, f"set_{which}scale")("log")
    if named and axis.title.text:
        getattr(ax, f"set_{which}label")(_plain(axis.title.text))
    if axis.tickvals is not None:
        ticks = list(axis.tickvals)
        texts = [_plain(text) for text in axis.ticktext] if axis.ticktext is not None else None
        getattr(ax, f"set_{which}ticks")(ticks, texts)
    elif axis.type == "log":
        if axis.dtick == "D2":  # a narrow range: 1, 2 and 5 as they are, not as powers
            from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

            own = getattr(ax, f"{which}axis")
            own.set_major_locator(LogLocator(subs=(1, 2, 5)))
            own.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
            own.set_minor_locator(NullLocator())
    else:
        from matplotlib.ticker import MaxNLocator

        counted = axis.dtick == 1 or axis.title.text in ("epoch", "trial number")
        getattr(ax, f"{which}axis").set_major_locator(MaxNLocator(6, integer=counted, steps=[1, 2, 2.5, 5, 10]))
    if axis.range is not None:
        low, high = (10 ** float(end) if axis.type == "log" else float(end) for end in axis.range)
        getattr(ax, f"set_{which}lim")(low, high)
    elif axis.rangemode == "tozero":
        getattr(ax, f"set_{which}lim")(**{"left" if which == "x" else "bottom": 0})


def _shape(ax: Axes, shape: Any) -> None:
    colour, alpha = _colour(shape.fillcolor if shape.type == "rect" and shape.fillcolor else shape.line.color)
    width = float(shape.line.width if shape.line.width is not None else 1) * POINTS
    share = str(shape.yref or "y").endswith("domain") or shape.yref == "paper"
    y0, y1 = float(shape.y0 or 0), float(shape.y1 if shape.y1 is not None else 1)
    style: Any = DASHES.get(shape.line.dash, "-")
    behind = 0.5 if shape.layer == "below" else 2.2
    if shape.type == "rect" and share:
        upper = ax.get_subplotspec().is_first_row()  # type: ignore[union-attr]
        if upper or (y0, y1) == (0.0, 1.0):  # the flat range stands on the upper panel's axis alone
            ax.axvspan(shape.x0, shape.x1, y0, y1, color=colour, alpha=alpha, linewidth=width, zorder=behind)
    elif shape.x0 == shape.x1 and share:
        ax.axvline(shape.x0, color=colour, alpha=alpha, linewidth=width, linestyle=style, zorder=behind)
    else:
        ax.plot(
            [shape.x0, shape.x1], [y0, y1], color=colour, alpha=alpha, linewidth=width, linestyle=style, zorder=behind
        )


def _annotation(ax: Axes, note: Any, layout: Any) -> None:
    if note.xref == "paper":  # n, in the upper right corner
        ax.set_title(_plain(note.text), loc="right", color="#555b63", pad=3)
        return
    share = str(note.yref or "y").endswith("domain")
    x = 10 ** float(note.x) if layout.xaxis.type == "log" else float(note.x)
    y = 10 ** float(note.y) if layout.yaxis.type == "log" and not share else float(note.y)
    ax.annotate(
        _plain(note.text), (x, y), xycoords=ax.get_xaxis_transform() if share else "data",
        xytext=(float(note.xshift or 0) * POINTS, 0), textcoords="offset points",
        ha={"left": "left", "right": "right"}.get(note.xanchor, "center"),
        va="bottom" if note.yanchor == "bottom" else "center",
        color=_colour(note.font.color)[0] if note.font.color else "#333333",
        fontsize=6.5 if share else 5.5, zorder=4,
    )  # fmt: skip


def _legend(drawing: Figure, axes: list[Axes], figure: go.Figure) -> None:
    found = [ax.get_legend_handles_labels() for ax in axes]
    handles = [handle for pair in found for handle in pair[0]]
    labels = [str(words) for pair in found for words in pair[1]]
    if figure.layout.showlegend is False or len(handles) < 2:
        return
    longest = max(len(label) for label in labels)
    columns = 1 if longest > 26 else 2 if longest > 16 else min(3, len(labels))
    drawing.legend(
        handles, labels, loc="outside upper left", ncols=columns, frameon=False, handlelength=1.4, columnspacing=1.0,
        labelspacing=0.25, borderpad=0.1, handletextpad=0.5,
    )  # fmt: skip


def _values(values: Any) -> list[Any]:
    return [math.nan if value is None else value for value in values]


def _plain(text: Any) -> str:
    """Plotly's little HTML as text; `$` would start mathematics."""
    bare = re.sub(r"<br ?/?>", "\n", str(text or ""))
    bare = html.unescape(re.sub(r"</?(?:b|i|sub|sup)>", "", bare))
    return "".join(letter for letter in bare if letter.isprintable() or letter == "\n").replace("$", r"\$").strip()


def _colour(colour: Any) -> tuple[str | tuple[float, float, float], float]:
    """A Matplotlib colour and its opacity."""
    found = re.match(r"rgba?\(([\d.]+),\s*([\d.]+),\s*([\d.]+)(?:,\s*([\d.]+))?\)", str(colour or GREY))
    if found is None:
        return str(colour or GREY), 1.0
    red, green, blue, alpha = found.groups(default="1")
    return (float(red) / 255, float(green) / 255, float(blue) / 255), float(alpha)
