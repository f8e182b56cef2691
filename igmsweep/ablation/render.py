"""An ablation's page, tables and figure."""

from __future__ import annotations

import json
import statistics
from pathlib import Path
from typing import TYPE_CHECKING, Any

from igmsweep.ablation.outcome import Ablation, Point, guesses, unit
from igmsweep.analysis import names
from igmsweep.analysis.page import render, write_page
from igmsweep.analysis.panels import Panel
from igmsweep.analysis.paper import write_figures
from igmsweep.analysis.tables import is_share, score_text, to_csv
from igmsweep.disk import write_atomically
from igmsweep.lines import aligned
from igmsweep.studies.base import Table
from igmsweep.studies.render import heads, row_text, shown, to_latex, to_markdown

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

NAME = "ablation"
"""Of all files that are written, and of the figure."""


def write_ablation(folder: Path, found: Ablation) -> Path:
    """Write `ablation.html`, `.json`, `.csv`, `.tex`, `.md` and `figures/` into an ablation's folder; return the page."""
    folder.mkdir(parents=True, exist_ok=True)
    table, drawn = steps_table(found), steps_figure(found)
    for suffix, text in {
        "json": json.dumps(told(found), indent=1, ensure_ascii=False),
        "csv": to_csv(steps_frame(found)),
        "tex": to_latex(table),
        "md": to_markdown(table),
    }.items():
        write_atomically(folder / f"{NAME}.{suffix}", text)
    write_figures([(NAME, drawn)], folder / "figures", ("svg", "pdf"))
    caption = (
        "Mean score after each step over the same seeds; the bar is the 95 % interval of the step's difference to the one "
        "before, paired by seed; rings are single trainings. Grey: what the model of the sweep's trials takes each "
        "configuration to score."
    )
    panel = Panel(NAME, NAME, "Step by step", caption, drawn, wide=True, picture=f"figures/{NAME}.svg")
    passed = [
        (number, change, "–" if score is None else score_text(found.metric, score))
        for number, point in enumerate(found.points)
        for change, score in point.passed.items()
    ]
    page = render("ablation.html.j2", [panel], found=found, words=found.words(), table=shown(table), passed=passed)
    return write_page(folder / f"{NAME}.html", page)


def to_text(found: Ablation) -> str:
    """The table for a terminal, and what it says."""
    table = steps_table(found)
    rows = [heads(table), *(row_text(table, number) for number in range(len(table.rows)))]
    return "\n".join([*aligned(rows), *found.words()])


def steps_table(found: Ablation) -> Table:
    """A row a step, as readers see it."""
    rows = [
        [
            f"{number}. {point.name}" if number else point.name,
            dict(point.scores) if is_share(found.metric) else _mean(point),
            "" if not number else "–" if point.gain is None else point.gain.numbers,
            "" if guess is None else _signed(guess, found.metric),
        ]
        for number, (point, guess) in enumerate(zip(found.points, [None, *guesses(found.points)], strict=True))
    ]
    how = (
        "each step the best of all that were left, which were trained too"
        if found.order == "greedy"
        else "in the order that the model takes to be best"
    )
    what = unit(found.metric).removeprefix("of ")
    return Table(
        NAME,
        f"Ablation of {found.sweep}",
        ["step", names.short_metric(found.metric), f"gives ({what})", "model's guess"],
        rows,
        f"{names.metric_label(found.metric).capitalize()} of {found.method} on {found.data} after each step, {how}; "
        f"{len(found.seeds)} seeds, the same for all configurations. What a step gives stands with its 95 % t interval, paired by "
        "seed, for one step at a time: of four steps that do nothing, one seems to do something in one path of seven.",
        highest=False,
    )


def steps_frame(found: Ablation) -> pd.DataFrame:
    """One row a point of the path, the start first: `step`, `change`, `mean` and sample standard deviation `sd` of the score over `n`
    seeds, `failed` trainings, what the step gives (`gain`) with its 95 % interval `low`, `high`, and the model's `guess` of it;
    scores as fractions, as are all differences."""
    import pandas as pd

    return pd.DataFrame(
        [
            {
                "step": number,
                "change": point.name,
                "mean": point.mean,
                "sd": statistics.stdev(point.scores.values()) if len(point.scores) > 1 else None,
                "n": len(point.scores),
                "failed": point.failed,
                "gain": point.gain and point.gain.mean,
                "low": point.gain and point.gain.low,
                "high": point.gain and point.gain.high,
                "guess": guess,
            }
            for number, (point, guess) in enumerate(zip(found.points, [None, *guesses(found.points)], strict=True))
        ]
    )


def told(found: Ablation) -> dict[str, Any]:
    """The whole of it as plain data, with every seed's score."""
    total = found.total
    return {
        "sweep": found.sweep,
        "data": found.data,
        "method": found.method,
        "trial": found.trial,
        "metric": found.metric,
        "order": found.order,
        "seeds": list(found.seeds),
        "left": found.left,
        "words": found.words(),
        "steps": [
            {
                "change": None
                if point.change is None
                else {path: list(pair) for path, pair in point.change.values.items()},
                "scores": {str(seed): score for seed, score in point.scores.items()},
                "failed": point.failed,
                "gain": None if point.gain is None else _interval(point.gain),
                "guess": guess,
                "passed": dict(point.passed),
            }
            for point, guess in zip(found.points, [None, *guesses(found.points)], strict=True)
        ],
        "total": None if total is None else _interval(total),
        "model": {"trials": found.learnt, "explained": found.explained},
    }


def steps_figure(found: Ablation) -> go.Figure:
    """The path from above to below: scores along, with the interval of each step, and the model's guesses."""
    from igmsweep.analysis.style import BLUE, GREY, figure, text

    scale, suffix = names.unit(found.metric)
    places = [number for number, point in enumerate(found.points) if point.mean is not None]
    fig = figure(
        f"{names.metric_label(found.metric)}{suffix}", "", f"{len(found.seeds)} seeds", 130 + 52 * len(found.points)
    )
    guessed = [number for number, point in enumerate(found.points) if point.guess is not None]
    fig.add_scatter(
        x=[scale * point.guess for point in found.points if point.guess is not None], y=guessed, mode="lines+markers",
        name="model's guess", line={"color": GREY, "width": 1.5, "dash": "dash"}, marker={"color": GREY, "size": 5},
    )  # fmt: skip
    single = [(scale * score, number) for number, point in enumerate(found.points) for score in point.scores.values()]
    fig.add_scatter(
        x=[score for score, _ in single], y=[number for _, number in single], mode="markers", name="single trainings",
        marker={"color": BLUE, "size": 6, "symbol": "circle-open", "line": {"width": 1, "color": BLUE}}, opacity=0.6,
    )  # fmt: skip
    gains = [found.points[number].gain for number in places]
    fig.add_scatter(
        x=[scale * (found.points[number].mean or 0.0) for number in places], y=places, mode="lines+markers",
        name="mean, 95 % of the step", line={"color": BLUE, "width": 2}, marker={"color": BLUE, "size": 8},
        error_x={"array": [0.0 if gain is None else scale * (gain.high - gain.low) / 2 for gain in gains],
                 "color": BLUE, "thickness": 1.5},
    )  # fmt: skip
    fig.update_yaxes(
        tickvals=list(range(len(found.points))),
        ticktext=[text(_tick(point)).replace("\n", "<br>") for point in found.points],
        range=[len(found.points) - 0.5, -0.5],
    )
    fig.update_layout(showlegend=True)
    return fig


def _tick(point: Point) -> str:
    """What a step changed, in lines short enough for an axis."""
    if point.change is None:
        return point.name
    return "\n".join(
        f"{names.label(path)}\n{'–' if path in point.change.asleep else names.value_text(old)} → {names.value_text(new)}"
        for path, (old, new) in point.change.values.items()
    )


def _interval(gain: Any) -> dict[str, float]:
    return {"mean": gain.mean, "low": gain.low, "high": gain.high, "n": gain.n}


def _mean(point: Point) -> str:
    if point.mean is None:
        return "–"
    spread = f" ± {statistics.stdev(point.scores.values()):.2g}" if len(point.scores) > 1 else ""
    return f"{names.value_text(point.mean)}{spread}"


def _signed(value: float, metric: str) -> str:
    return f"{100 * value:+.1f}" if is_share(metric) else f"{value:+.3g}"
