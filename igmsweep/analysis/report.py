"""`igmsweep analyze`: the page, the figures and the tables of one sweep, and an index of several."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
import pandas as pd
import plotly.graph_objects as go
import plotly.io
import plotly.offline
from markupsafe import Markup

from igmsweep.analysis import tables
from igmsweep.analysis.frame import Sweep, find_sweeps, read_sweep
from igmsweep.analysis.importance import importance_data
from igmsweep.analysis.names import duration, label, metric_label, short_metric, value_text
from igmsweep.analysis.panels import Panel, panels
from igmsweep.analysis.plots import sweeps_figure
from igmsweep.errors import UserError, nearest

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
) -> list[Path]:
    """Analyse sweeps, or every sweep of a folder; return the pages written, the one to open last.

    Args:
        paths: sweep folders, or folders of sweeps (these also get an `index.html` that compares them).
        out: where to write; default `<sweep>/analysis/`. With several sweeps, a folder each inside it and an index.
        formats: any of html, csv, tex, md and, where a Chrome is installed, svg, pdf, png.
        top: rows of the best-configuration table.
        say: receives each line meant for a person; default: standard error.

    Raises:
        UserError: an unknown format, or a path that is neither a sweep nor a folder of sweeps.
    """
    say = say or _to_stderr
    formats = [name.lower() for name in formats]
    for name in formats:
        if name not in FORMATS:
            raise UserError(
                f"--format: unknown format '{name}'{nearest(name, FORMATS)}; expected some of {', '.join(FORMATS)}"
            )
    given = [Path(path) for path in ([paths] if isinstance(paths, (str, Path)) else paths)]
    found = {path: find_sweeps(path) for path in given}
    every = list(dict.fromkeys(folder for folders in found.values() for folder in folders))
    written: list[Path] = []
    read: dict[Path, tuple[Sweep, Path]] = {}
    for folder in every:
        sweep = read_sweep(folder)
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
    return written


def _one(sweep: Sweep, place: Path, formats: list[str], top: int, say: Say) -> list[Path]:
    (place / "tables").mkdir(parents=True, exist_ok=True)
    table = tables.best_table(sweep, top)
    for note in sweep.notes:
        say(f"{sweep.name}: {note}")
    if table.empty:
        say(f"{sweep.name}: no trial has completed yet ({counts_text(sweep)}); the report says what there is")
    else:
        say(f"{sweep.name}: best of {len(sweep.completed())} completed trials by {sweep.metric}")
        say(tables.to_text(table, sweep))
    config = None
    if not table.empty:
        try:
            config = tables.best_config_yaml(sweep)
            (place / "best_config.yaml").write_text(config, "utf-8")
        except UserError as error:
            say(f"{sweep.name}: no best_config.yaml: {error}")
    if "csv" in formats:
        (place / "tables" / "best.csv").write_text(tables.to_csv(table), "utf-8")
        (place / "tables" / "trials.csv").write_text(tables.to_csv(sweep.trials), "utf-8")
    if "tex" in formats:
        (place / "tables" / "best.tex").write_text(tables.to_latex(table, sweep), "utf-8")
    if "md" in formats:
        (place / "tables" / "best.md").write_text(tables.to_markdown(table, sweep), "utf-8")
    images = [name for name in formats if name in IMAGES]
    if not images and "html" not in formats:
        return []
    drawn = panels(sweep, importance_data(sweep))
    if images:
        _images(drawn, place / "figures", images, say)
    if "html" not in formats:
        return []
    page = (
        _environment()
        .get_template("report.html.j2")
        .render(
            **_facts(sweep),
            table=_html_table(table, sweep),
            config=config,
            panels=drawn,
            metrics=[(name, short_metric(name)) for name in sweep.shown_metrics],
            counts=counts_text(sweep),
            figures={panel.id: as_json(panel.figure) for panel in drawn},
            style=_text("page.css"),
            script=_text("page.js"),
        )
    )
    return [_write_page(place / "report.html", page)]


def _index(place: Path, sweeps: list[tuple[Sweep, Path]]) -> Path:
    """`index.html` in `place`: the sweeps side by side, each linked to its report."""
    place.mkdir(parents=True, exist_ok=True)
    rows = []
    for sweep, folder in sweeps:
        done = sweep.completed()
        scores = done[f"metrics.{sweep.metric}"] if len(done) else pd.Series(dtype=float)
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
                "best": float(scores.iloc[0]) if len(scores) else np.nan,
                "median": float(scores.median()) if len(scores) else np.nan,
                "cost": duration(float(sweep.trials["seconds"].sum())),
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
                "and with the same number of trials.",
                sweeps_figure(part, str(metric)),
            )
        )
    page = (
        _environment()
        .get_template("index.html.j2")
        .render(
            title=place.resolve().name,
            rows=rows,
            panels=drawn,
            figures={panel.id: as_json(panel.figure) for panel in drawn},
            style=_text("page.css"),
            script=_text("page.js"),
            mixed=len({(row["data"], row["data_hash"]) for row in rows}) > 1 or len({row["n"] for row in rows}) > 1,
            score=lambda row: "–" if np.isnan(row["best"]) else tables._cell(row["metric"], row["best"], sweeps[0][0]),
        )
    )
    return _write_page(place / "index.html", page)


def counts_text(sweep: Sweep) -> str:
    """`58 complete, 6 failed`; planned but not yet started trials are named too."""
    counts = sweep.trials["state"].value_counts()
    parts = [f"{count} {state}" for state, count in counts.items()]
    planned = sweep.spec.get("trials")
    if isinstance(planned, int) and planned > len(sweep.trials):
        parts.append(f"{planned - len(sweep.trials)} not started")
    return ", ".join(parts) or "no trial has started"


def as_json(figure: go.Figure) -> Markup:
    """A figure as JSON that may stand inside a <script> element whatever strings it holds."""
    text = figure.to_json().replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
    return Markup(text.replace("\u2028", "\\u2028").replace("\u2029", "\\u2029"))


def _facts(sweep: Sweep) -> dict[str, Any]:
    done, data = sweep.completed(), sweep.data
    base = sweep.spec.get("base_config")
    settings = base.get("data", {}) if isinstance(base, dict) else {}
    versions = sweep.meta.get("versions")
    hardware = sweep.meta.get("hardware")
    failed = sweep.trials[sweep.trials["state"] == "failed"]
    failures = [
        (str(kind), len(part), str(part["error.message"].iloc[0] or ""))
        for kind, part in failed.fillna({"error.class": "unknown", "error.message": ""}).groupby("error.class")
    ]
    numbers: list[tuple[str, str, str]] = []
    winner = done.iloc[0] if len(done) else None
    if winner is not None:
        for metric in sweep.shown_metrics:
            if pd.notna(winner[f"metrics.{metric}"]):
                shown = tables._cell(metric, winner[f"metrics.{metric}"], sweep)
                unit = " %" if tables._is_share(metric) else ""
                numbers.append((f"{shown}{unit}", metric_label(metric), f"best trial, {int(winner['trial'])}"))
        given = done[done["source"].astype(str) == "enqueue:paper"]
        if len(given):
            score = given.iloc[0][f"metrics.{sweep.metric}"]
            gain = winner[f"metrics.{sweep.metric}"] - score
            percent = tables._is_share(sweep.metric)
            text = f"the best trial has {100 * gain:+.2f} points" if percent else f"the best trial has {gain:+.3g}"
            text = "it is the best trial" if given.index[0] == done.index[0] else text
            numbers.append(
                (
                    tables._cell(sweep.metric, score, sweep) + (" %" if percent else ""),
                    "the paper's setting, same metric",
                    text,
                )
            )
    numbers.append((str(len(done)), "trials completed", counts_text(sweep)))
    seconds = sweep.trials["seconds"].dropna()
    if len(seconds):
        numbers.append(
            (
                duration(float(seconds.sum())),
                "training time, all trials",
                f"median {duration(float(seconds.median()))} a trial",
            )
        )
    space = [
        (label(path), path, _range(entry), value_text(sweep.paper.get(path))) for path, entry in sweep.space.items()
    ]
    split = data.get("split")
    return {
        "sweep": sweep,
        "numbers": numbers,
        "failures": failures,
        "space": space,
        "winner": winner,
        "data": {
            "name": data.get("name", "unknown"),
            "classes": _count(data.get("classes")),
            "modalities": ", ".join(sweep.modalities) or "–",
            "train": data.get("train", sweep.spec.get("train")),
            "val": data.get("val", sweep.spec.get("val")),
            "split": split if isinstance(split, str) else value_text(split),
            "group": data.get("group") or settings.get("group") or "none",
            "data_hash": data.get("data_hash", "–"),
            "split_hash": data.get("split_hash", "–"),
        },
        "versions": {k: v for k, v in versions.items() if v} if isinstance(versions, dict) else {},
        "hardware": _plain(hardware),
        "revision": _plain(sweep.meta.get("git") or sweep.meta.get("revision") or sweep.meta.get("git_revision")),
        "started": str(sweep.meta.get("started") or sweep.spec.get("created") or "–"),
        "finished": _plain(sweep.meta.get("finished")),
        "ended": _plain(
            ("interrupted" if sweep.meta.get("signal") else sweep.meta.get("exit_state"))
            or sweep.meta.get("exit")
            or sweep.meta.get("state")
        ),
        "scheduler": _plain(sweep.spec.get("scheduler")) or "none",
        "resources": _plain(sweep.spec.get("resources")),
        "metric": metric_label(sweep.metric),
        "sampler": sweep.sampler.upper() if sweep.sampler == "tpe" else sweep.sampler or "unknown",
    }


def _range(entry: dict[str, Any]) -> str:
    if entry.get("choices"):
        shown = ", ".join(value_text(choice) for choice in entry["choices"])
    elif "low" in entry and "high" in entry:
        shown = f"{value_text(entry['low'])} to {value_text(entry['high'])}" + (", log" if entry.get("log") else "")
    else:
        return "unknown"
    when = entry.get("when")
    if isinstance(when, dict) and when:
        parts = []
        for path, rule in when.items():
            if isinstance(rule, dict):
                words = {"not": "is not", "in": "in", "gt": ">", "lt": "<"}
                parts += [f"{label(str(path))} {words.get(str(k), str(k))} {value_text(v)}" for k, v in rule.items()]
            else:
                parts.append(f"{label(str(path))} = {value_text(rule)}")
        shown += f"; when {' and '.join(parts)}"
    return shown


def _count(value: Any) -> str:
    return str(len(value)) if isinstance(value, (list, tuple, dict)) else str(value or "–")


def _plain(value: Any) -> str:
    """Nested metadata as one readable line."""
    if isinstance(value, dict):
        return ", ".join(
            f"{key.replace('_', ' ')} {_plain(item)}" for key, item in value.items() if item not in (None, "", [], {})
        )
    if isinstance(value, (list, tuple)):
        return ", ".join(_plain(item) for item in value)
    return "" if value is None else str(value)


def _html_table(table: pd.DataFrame, sweep: Sweep) -> dict[str, Any]:
    titles = [name if name in sweep.space else metric_label(name) if "/" in name else name for name in table.columns]
    return {"heads": list(zip(tables.heads(table, sweep), titles, strict=True)), "rows": tables.cells(table, sweep)}


def _environment() -> jinja2.Environment:
    loader = jinja2.FileSystemLoader(Path(__file__).parent / "templates")
    return jinja2.Environment(
        loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )


def _text(name: str) -> Markup:
    return Markup((Path(__file__).parent / "templates" / name).read_text("utf-8"))


def _write_page(path: Path, page: str) -> Path:
    script = path.parent / "plotly.min.js"
    code = plotly.offline.get_plotlyjs()
    if not script.is_file() or script.stat().st_size != len(code.encode()):
        script.write_text(code, "utf-8")
    path.write_text(page, "utf-8")
    return path


def _images(drawn: list[Panel], place: Path, formats: list[str], say: Say) -> None:
    """Figures for a paper, by Kaleido where there is a Chrome; without one, a line and no error."""
    chrome = os.environ.get("BROWSER_PATH") or next(
        filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None
    )
    if not chrome:
        say("figures: no Chrome or Chromium found (BROWSER_PATH), so svg, pdf and png are left out")
        return
    os.environ.setdefault("BROWSER_PATH", chrome)
    place.mkdir(parents=True, exist_ok=True)
    try:
        figures, files, heights = [], [], []
        for panel in drawn:
            figure = go.Figure(panel.figure)
            figure.update_layout(paper_bgcolor="white", plot_bgcolor="white", font={"color": "#111"})
            for name in formats:
                figures.append(figure)
                files.append(place / f"{panel.id}.{name}")
                heights.append(figure.layout.height or 340)
        if figures:  # all in one call: a browser for each would take seconds a figure
            plotly.io.write_images(fig=figures, file=files, width=480, height=heights)
    except Exception as error:  # a broken browser must not cost the tables and the page
        say(f"figures: {' '.join(str(error).split())[:200] or type(error).__name__}; svg, pdf and png are left out")


def _to_stderr(line: str) -> None:
    print(line, file=sys.stderr)
