"""`igmsweep analyze`: the page, the figures and the tables of one sweep, and an index of several."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from igmsweep.analysis import tables, tuning_table
from igmsweep.analysis.checkup import advices, closing
from igmsweep.analysis.facts import cost_text, counts_text, facts
from igmsweep.analysis.importance import importance_data
from igmsweep.analysis.names import metric_label, short_metric, unit
from igmsweep.analysis.page import config_table, render, write_page
from igmsweep.analysis.panels import Panel, panels
from igmsweep.analysis.plots import sweeps_figure
from igmsweep.analysis.ranking import ranked
from igmsweep.analysis.tuning import tuning_data
from igmsweep.disk import write_atomically
from igmsweep.errors import NothingCompleted, UserError, nearest
from igmsweep.frame import Sweep, find_sweeps, read_sweep
from igmsweep.gate.paths import refuse_links
from igmsweep.lines import BARE

logger = logging.getLogger(__name__)

PAGES = ("html",)
TABLES = ("csv", "tex", "md")
IMAGES = ("svg", "pdf", "png")
FORMATS = (*PAGES, *TABLES, *IMAGES)
Say = Callable[[str], None]


def analyze(
    paths: Path | str | Sequence[Path | str],
    out: Path | str | None = None,
    formats: Iterable[str] = ("html", "csv", "tex", "md"),
    top: int = 10,
    say: Say | None = None,
    negligible: float | None = None,
) -> list[Path]:
    """Analyse sweeps, or every sweep of a folder; return the pages written, the one to open last.

    Args:
        paths: sweep folders, or folders of sweeps (these also get an `index.html` that lists them side by side).
        out: where to write; default `<sweep>/analysis/`. With several sweeps, a folder each inside it and an index.
        formats: any of html, csv, tex, md (tables) and svg, pdf, png (figures as wide as a paper's column).
        top: rows of the best-configuration table.
        say: receives each line meant for a person; default: the log.
        negligible: the difference that counts as next to nothing where flat ranges are told: points of a share (1.0 is 0.01), a
            loss as it is; None: one standard error of the difference of two trainings.

    Raises:
        UserError: an unknown format, a `negligible` that is not above 0, or a path that is neither a sweep nor a folder of sweeps.
        NothingCompleted: no sweep has a completed trial; everything is written before this is raised.
    """
    say = say or to_log
    formats = check_formats(formats)
    if negligible is not None and not negligible > 0:
        raise UserError(f"--negligible: found {negligible:g}, expected more than 0")
    given = [Path(path) for path in ([paths] if isinstance(paths, (str, Path)) else paths)]
    found = {path: find_sweeps(path) for path in given}
    if out is None:
        for path, folders in found.items():
            _refuse_others(path, folders)
    every = list(dict.fromkeys(folder for folders in found.values() for folder in folders))
    written: list[Path] = []
    read: dict[Path, tuple[Sweep, Path]] = {}
    for folder in every:
        sweep = read_sweep(folder)
        if negligible is not None:
            sweep = replace(sweep, negligible=negligible / unit(sweep.metric)[0])
        if out is None:
            refuse_links(folder, "analysis", ", or write elsewhere with --out DIR")
        place = folder / "analysis" if out is None else Path(out) if len(every) == 1 else Path(out) / folder.name
        written += _one(sweep, place, formats, top, say)
        read[folder] = (sweep, place)
    if "html" in formats:
        if out is not None and len(every) > 1:
            written.append(_index(Path(out), [read[folder] for folder in every]))
        elif out is None:
            for path, folders in found.items():
                if folders != [path]:
                    written.append(_index(path, [read[folder] for folder in folders]))
    if all(sweep.completed().empty for sweep, _ in read.values()):
        names = ", ".join(f"{folder}" for folder in every[:3]) + (", …" if len(every) > 3 else "")
        report = f"; {written[-1]} says what there is" if written else ""
        raise NothingCompleted(f"{names}: no trial has completed{report}")
    return written


def _refuse_others(path: Path, folders: Iterable[Path]) -> None:
    """Raise UserError for a sweep that is in a folder by a link alone: its report would be written elsewhere."""
    for folder in folders:
        if not folder.resolve().is_relative_to(path.resolve()):
            raise UserError(f"{folder}: is a link to a sweep elsewhere; name it itself, or write with --out DIR")


def check_formats(formats: Iterable[str]) -> list[str]:
    """The formats in lower case. Raises UserError for an unknown one."""
    formats = [name.lower() for name in formats]
    for name in formats:
        if name not in FORMATS:
            raise UserError(
                f"--format: unknown format '{name}'{nearest(name, FORMATS)}; expected some of {', '.join(FORMATS)}"
            )
    return formats


def _one(sweep: Sweep, place: Path, formats: list[str], top: int, say: Say) -> list[Path]:
    (place / "tables").mkdir(parents=True, exist_ok=True)
    table = tables.best_table(sweep, top)
    for note in (*sweep.notes, *sweep.data_notes, *sweep.said):
        say(f"{sweep.name}: {note}")
    if table.empty:
        say(f"{sweep.name}: no trial has completed yet ({counts_text(sweep)}); the report says what there is")
        (place / "best_config.yaml").unlink(missing_ok=True)
    else:
        say(f"{sweep.name}: best of {len(sweep.completed())} completed trials by {sweep.metric}")
        say(tables.to_text(table, sweep))
    advice = advices(sweep)
    ending = closing(sweep, advice)
    for line in (*(f"{each.rule}: {each.text}" for each in advice), *filter(None, [ending])):
        say(f"  check-up: {line}")
    config = None
    if not table.empty:
        try:
            config = tables.best_config_yaml(sweep)
            write_atomically(place / "best_config.yaml", config)
        except UserError as error:
            say(f"{sweep.name}: no best_config.yaml: {error}")
    images = [name for name in formats if name in IMAGES]
    importance = importance_data(sweep) if images or "html" in formats else None
    tuning = tuning_data(sweep, importance)
    exports = {
        "best.csv": lambda: tables.to_csv(table),
        "trials.csv": lambda: tables.to_csv(sweep.trials),
        "best.tex": lambda: tables.to_latex(table, sweep),
        "best.md": lambda: tables.to_markdown(table, sweep),
    }
    if len(tuning):
        exports |= {
            "tuning.csv": lambda: tables.to_csv(tuning),
            "tuning.tex": lambda: tuning_table.to_latex(tuning, sweep),
            "tuning.md": lambda: tuning_table.to_markdown(tuning, sweep),
        }
    for name, text in exports.items():
        if name.rpartition(".")[2] in formats:
            write_atomically(place / "tables" / name, text())
    if importance is None:
        return []
    drawn = panels(sweep, importance)
    if images:
        from igmsweep.analysis.paper import write_figures

        files = write_figures([(panel.id, panel.figure) for panel in drawn], place / "figures", images)
        if files:
            say(f"{sweep.name}: {len(files)} figures in {place / 'figures'}")
    if "html" not in formats:
        return []
    page = render(
        "report.html.j2",
        drawn,
        **facts(sweep, importance),
        configs=config_table(sweep, drawn),
        advice=advice,
        ending=ending,
        table=_html_table(table, sweep),
        tuning=tuning_table.shown(tuning, sweep),
        config=config,
        metrics=[(name, short_metric(name)) for name in sweep.shown_metrics],
    )
    return [write_page(place / "report.html", page)]


def _index(place: Path, sweeps: list[tuple[Sweep, Path]]) -> Path:
    """`index.html` in `place`: the sweeps side by side, each linked to its report."""
    place.mkdir(parents=True, exist_ok=True)
    rows = []
    for sweep, folder in sweeps:
        done = sweep.completed()
        best = ranked(sweep, top=1)
        rows.append(
            {
                "name": sweep.name,
                "href": Path(os.path.relpath(folder / "report.html", place)).as_posix(),
                "data": sweep.data.get("name", "–"),
                "data_hash": str(sweep.data.get("data_hash", "")),
                "method": sweep.method,
                "metric": sweep.metric,
                "n": len(done),
                "counts": counts_text(sweep),
                "sampler": sweep.sampler or "–",
                "best": float(best["mean"].iloc[0]) if len(best) else np.nan,
                "median": float(done[f"metrics.{sweep.metric}"].median()) if len(done) else np.nan,
                "cost": cost_text(sweep),
                "test": sweep.test_opened,
            }
        )
    table = pd.DataFrame(rows)
    drawn: list[Panel] = []
    for metric, part in table[table["n"] > 0].groupby("metric"):
        drawn.append(
            Panel(
                f"best-{len(drawn)}",
                "compare",
                f"Best {metric_label(str(metric))} per sweep",
                "The best and the median completed trial. Sweeps are comparable only on the same data and split "
                "and with the same number of trials: `igmsweep compare` sees to that.",
                sweeps_figure(part, str(metric)),
            )
        )
    mixed = len({(row["data"], row["data_hash"]) for row in rows}) > 1 or len({row["n"] for row in rows}) > 1
    page = render(
        "index.html.j2",
        drawn,
        title=place.resolve().name,
        rows=rows,
        mixed=mixed,
        score=lambda row: "–" if np.isnan(row["best"]) else tables.score_text(row["metric"], row["best"]),
    )
    return write_page(place / "index.html", page)


def _html_table(table: pd.DataFrame, sweep: Sweep) -> dict[str, Any]:
    names = [name for name in table.columns if not name.endswith(tables.SE)]
    words = {"tie": "within noise of the best", "n": "trainings behind the mean", "seconds": "of one training"}
    titles = [
        name if name in sweep.space else metric_label(name) if "/" in name else words.get(name, name) for name in names
    ]
    return {"heads": list(zip(tables.heads(table, sweep), titles, strict=True)), "rows": tables.cells(table, sweep)}


def to_log(line: str) -> None:
    """A line for a person, where nobody else is told."""
    logger.info(line, extra=BARE)
