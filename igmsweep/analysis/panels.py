"""Which figures a report shows, in which order, with the sentence under each."""

from __future__ import annotations

import re
from dataclasses import dataclass

import pandas as pd
import plotly.graph_objects as go

from igmsweep.analysis.curves import (
    best_curves,
    best_curves_figure,
    curves_data,
    curves_figure,
    gap_data,
    gap_figure,
)
from igmsweep.analysis.heatmap import heatmap_data, heatmap_figure
from igmsweep.analysis.importance import importance_data, importance_words
from igmsweep.analysis.names import hopeless_text, label, short_metric
from igmsweep.analysis.parallel import parallel_data, parallel_figure
from igmsweep.analysis.plots import (
    edf_data,
    edf_figure,
    history_data,
    history_figure,
    importance_figure,
    stopped_data,
    stopped_figure,
)
from igmsweep.analysis.ranking import winner
from igmsweep.analysis.sensitivity import Sensitivity, sensitivity_data
from igmsweep.analysis.sensitivity_plot import sensitivity_figure
from igmsweep.analysis.tau_rho import has_both, tau_rho_data, tau_rho_figure
from igmsweep.frame import DESIGNED, Sweep


@dataclass(frozen=True)
class Panel:
    """A figure on the page. `group`: sensitivity, together, importance, search, curves or compare; `metric`: the one
    it draws, for the page's switch, or an empty string when it is always shown; `wide`: across the page; `more`: shown when
    a reader asks for more; `picture`: a file beside the page that stands for the figure where Plotly's script is not there."""

    id: str
    group: str
    title: str
    caption: str
    figure: go.Figure
    metric: str = ""
    wide: bool = False
    more: bool = False
    picture: str = ""

    @property
    def note(self) -> str:
        """The figure's note, such as `n = 58`: a page shows it beside the title, where a phone has room for it."""
        return next((str(each.text) for each in self.figure.layout.annotations if each.name == "note"), "")


def panels(sweep: Sweep, importance: pd.DataFrame | None = None) -> list[Panel]:
    """All figures that this sweep's completed trials can fill; none of them when nothing has completed."""
    done = sweep.completed()
    if done.empty:
        return []
    searched = [path for path in _order(list(sweep.space)) if _varies(done, path)]
    importance = importance_data(sweep) if importance is None else importance
    return [
        *_sensitivity(sweep, searched, len(done)),
        *_together(sweep, searched),
        *_importance(importance),
        *_search(sweep),
        *_curves(sweep),
    ]


def _sensitivity(sweep: Sweep, searched: list[str], completed: int) -> list[Panel]:
    out = []
    for path in searched:
        for metric in sweep.shown_metrics:
            data = sensitivity_data(sweep, path, metric)
            if len(data.points):
                out.append(
                    Panel(
                        _slug(f"sensitivity-{path}-{metric}"),
                        "sensitivity",
                        f"{_capital(label(path))} and {short_metric(metric)}",
                        _caption(sweep, data, completed),
                        sensitivity_figure(data),
                        metric,
                    )
                )
    return out


def _together(sweep: Sweep, searched: list[str]) -> list[Panel]:
    out = []
    for metric in sweep.shown_metrics:
        lines = tau_rho_data(sweep, metric)
        if has_both(lines):
            caption = (
                "Means of designed points in bins of equally many trials, ± one standard error; dashed: the paper's values. All other "
                "parameters vary along, so the level is that of the space; `igmsweep study fig3` holds them at the paper's setting."
            )
            title = f"{_capital(short_metric(metric))} against τ and ρ (Fig. 3)"
            drawn = tau_rho_figure(lines, sweep, metric)
            out.append(Panel(_slug(f"tau-rho-{metric}"), "together", title, caption, drawn, metric))
    for tau in (path for path in searched if path.endswith(".tau")):
        for rho in (path for path in searched if ".rho" in path):
            for metric in sweep.shown_metrics:
                cells = heatmap_data(sweep, tau, rho, metric)
                if not len(cells):
                    continue
                caption = (
                    "Median of the trials in each cell, and their number where it is written; the fewer they are the paler the cell. "
                    "Cells without a trial stay blank."
                )
                if tau in sweep.paper and rho in sweep.paper:
                    caption += " The cross is the paper's setting."
                title = f"τ and {label(rho)}: {short_metric(metric)}"
                drawn = heatmap_figure(cells, sweep, tau, rho, metric)
                out.append(Panel(_slug(f"heat-{rho}-{metric}"), "together", title, caption, drawn, metric))
    return out


def _importance(data: pd.DataFrame) -> list[Panel]:
    if not len(data):
        return []
    caption = (
        f"{importance_words(data)} The share of the variance of scores in which a parameter has a part, alone or together with others; "
        "each is judged where it acts. Shares of parameters that interact add up to more than 100 %."
    )
    return [Panel("importance", "importance", "What matters", caption, importance_figure(data))]


def _search(sweep: Sweep) -> list[Panel]:
    history = history_data(sweep)
    caption = "Each point is one full training, scored on validation data. The line is the best so far."
    out = [Panel("history", "search", "Best so far, by trial", caption, history_figure(history, sweep))]
    for against, title in (("hours", "Best so far, by training time"), ("gpu_hours", "Best so far, by GPU-hours")):
        if len(history) and history[against].max() > 0:
            text = "Time of all trials up to this one, failed and stopped ones too, as if run one after the other."
            out.append(
                Panel(
                    f"history-{_slug(against)}",
                    "search",
                    title,
                    text,
                    history_figure(history, sweep, against),
                    more=True,
                )
            )
    edf = edf_data(sweep)
    if len(edf):
        text = (
            "How many of the trials score at most x. For random, Sobol and grid points it is the space itself: how much of it is good. A "
            "sampler that looks at scores seeks the good part, so its line tells what it tried, not how good the space is."
        )
        lines = {f"{name} (n = {len(part)})": part for name, part in edf.groupby("sampler", sort=False)}
        drawn = edf_figure({str(name): part for name, part in lines.items()}, sweep.metric)
        out.append(Panel("edf", "search", "All trials: distribution of scores", text, drawn, more=True))
    stopped = stopped_data(sweep)
    if len(stopped):
        text = (
            f"The scheduler ({_scheduler(sweep)}) compared trials after each of these cycles and stopped the worse ones. "
            "Their scores are those of their last cycle: no median, rank or importance here includes them."
        )
        out.append(Panel("stopped", "search", "What was stopped early", text, stopped_figure(stopped)))
    lines_data = parallel_data(sweep)
    if len(lines_data) > 1:
        text = (
            "A line is a trial; scores run from the worst (bottom) to the best (top). Where the dark lines bundle, "
            "good trials agree; where they fan out, the parameter is free."
        )
        drawn = parallel_figure(lines_data, sweep)
        out.append(Panel("parallel", "search", "Parallel coordinates", text, drawn, wide=True, more=True))
    return out


def _curves(sweep: Sweep) -> list[Panel]:
    out = []
    trial = winner(sweep)
    curves = curves_data(sweep, trial)
    tint = "The background shows which modality was in training; a dotted line parts two stages."
    if len(curves):
        out.append(
            Panel(
                "curves", "curves", f"The best trial, {trial}",
                f"Validation score per epoch, fused and per modality. {tint}",
                curves_figure(curves, sweep, trial), wide=True,
            )
        )  # fmt: skip
    several = best_curves(sweep)
    if several["trial"].nunique() > 1:
        text = "Fused validation score per epoch of the best trials; dashed: the paper's setting, where it was run."
        out.append(Panel("curves-best", "curves", "The best trials", text, best_curves_figure(several, sweep)))
    gaps = gap_data(several)
    if len(gaps):
        text = (
            "The best modality's own validation score minus the worst's. A method against modality imbalance should "
            "close it."
        )
        out.append(Panel("curves-gap", "curves", "The gap between modalities", text, gap_figure(gaps, sweep)))
    return out


def _caption(sweep: Sweep, data: Sensitivity, completed: int) -> str:
    parts = [data.words()]
    if len(data.points) < completed:
        parts.append(f"Only the {len(data.points)} of {completed} completed trials in which it acts.")
    if data.binned == "tpe":
        parts.append("Points chosen by TPE, which crowds around good values.")
    elif data.binned in DESIGNED:
        parts.append(f"Points chosen by {data.binned} sampling.")
    elif data.binned not in ("", "given"):
        parts.append(f"Points chosen by {data.binned}, which looks at scores.")
    others = [name for name in dict.fromkeys(data.points["sampler"]) if name not in (data.binned, "given")]
    if others:
        parts.append(f"Points of {', '.join(others)} are drawn as squares and are not in the dotted line.")
    if data.effect is not None and len(data.effect) and data.numeric:
        parts.append(
            "Line: the expected score, the others as in the better half of the trials. Dotted: the best of each bin."
        )
    parts += filter(None, [hopeless_text(data.floor, data.metric)])
    if ".rho" in data.param and "metrics.sam/moved" in sweep.trials.columns:
        parts.append("Below: the share of weights that the SAM step changed at all in floating point.")
    return " ".join(parts)


def _scheduler(sweep: Sweep) -> str:
    found = sweep.spec.get("scheduler")
    return str(found.get("name", "scheduler") if isinstance(found, dict) else found or "scheduler")


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
