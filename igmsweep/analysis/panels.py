"""Which figures a report shows, in which order, with the sentence under each."""

from __future__ import annotations

import re
from dataclasses import dataclass

import pandas as pd
import plotly.graph_objects as go

from igmsweep.analysis.frame import Sweep
from igmsweep.analysis.names import label, short_metric
from igmsweep.analysis.plots import (
    curves_data,
    curves_figure,
    history_data,
    history_figure,
    importance_figure,
)
from igmsweep.analysis.sensitivity import heatmap_data, heatmap_figure, sensitivity_data, sensitivity_figure


@dataclass(frozen=True)
class Panel:
    """A figure on the page. `group`: sensitivity, together, importance, search or compare; `metric`: the one it
    draws, for the page's switch, or an empty string when it is always shown."""

    id: str
    group: str
    title: str
    caption: str
    figure: go.Figure
    metric: str = ""


def panels(sweep: Sweep, importance: pd.DataFrame) -> list[Panel]:
    """All figures that this sweep's completed trials can fill; none of them when nothing has completed."""
    done = sweep.completed()
    if done.empty:
        return []
    out: list[Panel] = []
    searched = [path for path in _order(list(sweep.space)) if _varies(done, path)]
    for path in searched:
        for metric in sweep.shown_metrics:
            data = sensitivity_data(sweep, path, metric)
            if len(data.points):
                name = _slug(f"sensitivity-{path}-{metric}")
                caption = _caption(sweep, path, len(data.points), len(done))
                title = f"{_capital(label(path))} and {short_metric(metric)}"
                out.append(Panel(name, "sensitivity", title, caption, sensitivity_figure(data), metric))
    taus = [path for path in searched if path.endswith(".tau")]
    for tau in taus:
        for rho in (path for path in searched if ".rho" in path):
            for metric in sweep.shown_metrics:
                cells = heatmap_data(sweep, tau, rho, metric)
                if len(cells):
                    name, title = _slug(f"heat-{rho}-{metric}"), f"τ and {label(rho)}: {short_metric(metric)}"
                    caption = "Median of the trials in each cell; cells without a trial stay blank."
                    if tau in sweep.paper and rho in sweep.paper:
                        caption += " The cross is the paper's setting."
                    out.append(
                        Panel(name, "together", title, caption, heatmap_figure(cells, sweep, tau, rho, metric), metric)
                    )
    if len(importance):
        caption = (
            "How differently the parameter is distributed among the good trials, each judged "
            "on the trials in which it acts. "
            "The red tick is the 95 % level of shuffled scores: a grey bar below it is not told apart from chance."
        )
        out.append(
            Panel("importance", "importance", "What separates good trials", caption, importance_figure(importance))
        )
    history = history_data(sweep)
    caption = "Each point is one full training, scored on validation data. The line is the best so far."
    out.append(Panel("history", "search", "The search over time", caption, history_figure(history, sweep)))
    trial = int(done.iloc[0]["trial"])
    curves = curves_data(sweep, trial)
    if len(curves):
        caption = (
            "Validation score per epoch, fused and per modality. The background shows which modality "
            "was in training; a dotted line parts two stages."
        )
        out.append(
            Panel(
                "curves",
                "search",
                f"Learning curves of the best trial ({trial})",
                caption,
                curves_figure(curves, sweep, trial),
            )
        )
    return out


def _caption(sweep: Sweep, path: str, n: int, completed: int) -> str:
    parts = []
    if n < completed:
        parts.append(f"Only the {n} of {completed} completed trials in which it acts.")
    kind = sweep.sampler
    if kind == "tpe":
        parts.append("Points chosen by TPE, which crowds around good values: the median is biased towards the optimum.")
    elif kind:
        parts.append(f"Points chosen by {kind} sampling.")
    if sweep.space.get(path, {}).get("when"):
        parts.append("Other parameters vary along.")
    if ".rho" in path and "metrics.sam/moved" in sweep.trials.columns:
        parts.append("Below: the share of weights that the SAM step changed at all in floating point.")
    return " ".join(parts)


def _order(paths: list[str]) -> list[str]:
    first = ("tau", "rho", "scope", "lr")
    ranks = {path: next((i for i, word in enumerate(first) if word in path.split(".")), len(first)) for path in paths}
    return sorted(paths, key=lambda path: ranks[path])


def _varies(done: pd.DataFrame, path: str) -> bool:
    column = f"params.{path}"
    return column in done.columns and done[column].dropna().astype(str).nunique() > 1


def _capital(text: str) -> str:
    return text[0].upper() + text[1:] if text[:1].isascii() else text


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
