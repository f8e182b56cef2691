"""The best configurations: as a terminal table, CSV, Markdown, booktabs LaTeX, and the winner as a runnable YAML."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from igmsweep.analysis.names import (
    escape_latex,
    label,
    latex_label,
    metric_label,
    no_formula,
    short_metric,
    value_text,
)
from igmsweep.analysis.ranking import basis_words, ranked, winner
from igmsweep.errors import UserError
from igmsweep.frame import Sweep, read_sweep
from igmsweep.record.paths import CONFIG, RESULT, trial_folder
from igmsweep.record.results import read_config

SE = ".se"
"""Suffix of a metric's standard error among the columns of a table."""


def best_table(sweep: Sweep, top: int = 10) -> pd.DataFrame:
    """The `top` configurations by validation score: `rank`, `trial`; each validation metric as a fraction, followed by
    its standard error `<metric>.se` where one is known; `n` trainings behind the means; `tie`, whether the difference
    to the best is within noise; the searched parameters by path; `seconds` (and `gpu_hours`) of one training. Empty
    when nothing has completed."""
    order = ranked(sweep, top=top)
    frame = sweep.trials.set_index("trial").loc[order["trial"]]
    per_modality = [f"val/{modality}/{sweep.metric.split('/')[-1]}" for modality in sweep.modalities]
    out = pd.DataFrame({"rank": order["rank"].to_numpy(), "trial": order["trial"].to_numpy()})
    for metric in dict.fromkeys([*sweep.shown_metrics, *per_modality]):
        if f"metrics.{metric}" in frame.columns:
            own = ranked(sweep, metric, top).set_index("trial")
            out[metric] = own["mean"].reindex(order["trial"]).to_numpy()
            if metric in sweep.shown_metrics and own["se"].notna().any():
                out[metric + SE] = own["se"].reindex(order["trial"]).to_numpy()
    out["n"] = order["n"].to_numpy()
    out["tie"] = order["tie"].to_numpy()
    for path in sweep.space:
        if f"params.{path}" in frame.columns:
            out[path] = frame[f"params.{path}"].to_numpy()
    out["seconds"] = frame["seconds"].to_numpy()
    if frame["gpu_hours"].notna().any():
        out["gpu_hours"] = frame["gpu_hours"].to_numpy()
    return out


def cells(table: pd.DataFrame, sweep: Sweep) -> list[list[str]]:
    """The table's cells as a reader sees them: metrics in per cent with their standard error behind, parameters with
    three significant digits, `≈` where a configuration is within noise of the best."""
    names = [name for name in table.columns if not name.endswith(SE)]
    return [
        [
            _cell(name, row[name], sweep)
            + (_error(name, row[name + SE]) if name + SE in table.columns and pd.notna(row[name]) else "")
            for name in names
        ]
        for row in table.to_dict("records")
    ]


def heads(table: pd.DataFrame, sweep: Sweep) -> list[str]:
    return [_head(name, sweep) for name in table.columns if not name.endswith(SE)]


def to_text(table: pd.DataFrame, sweep: Sweep) -> str:
    """The table for a terminal, plain characters, columns aligned."""
    rows = [heads(table, sweep), *cells(table, sweep)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return "\n".join("  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)


def to_csv(table: pd.DataFrame) -> str:
    """Full precision, machine names in the first line; a text that a spreadsheet would take for a formula has an apostrophe before it."""
    out = io.StringIO()
    texts = table.select_dtypes(include=["object", "string"])
    table.assign(**texts.map(no_formula)).rename(columns=no_formula).to_csv(out, index=False, lineterminator="\n")
    return out.getvalue()


def to_markdown(table: pd.DataFrame, sweep: Sweep) -> str:
    """The table, and under it what is to be known of the samples."""
    return markdown([heads(table, sweep), *cells(table, sweep)]) + "".join(f"\n{note}\n" for note in sweep.data_notes)


def markdown(rows: Sequence[Sequence[str]]) -> str:
    """A table of which the first row is the head, numbers to the right."""
    rows = [[cell.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;") for cell in row] for row in rows]
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join([lines[0], "|" + " ---: |" * len(rows[0]), *lines[1:]]) + "\n"


def to_latex(table: pd.DataFrame, sweep: Sweep) -> str:
    """A `table*` float with booktabs rules, as wide as a page; needs `\\usepackage{booktabs}` and nothing else.
    Modalities' own scores and the trainings' number stay in the other formats, where width is free."""
    keep = [name for name in table.columns if name.count("/") < 2 and name not in ("n", "gpu_hours", "trial")]
    table = table[keep]
    shown = [name for name in keep if not name.endswith(SE)]
    numeric = [bool(pd.api.types.is_numeric_dtype(table[name])) for name in shown]
    names = [latex_label(name) if name in sweep.space else _tex(_head(name, sweep)) for name in shown]
    order = ranked(sweep, top=len(table))
    caption = (
        f"Best configurations of sweep {escape_latex(sweep.name)} ({escape_latex(sweep.method)} on "
        f"{escape_latex(str(sweep.data.get('name', '')))}), ranked by {metric_label(sweep.metric)}; "
        f"metrics in per cent on the validation split"
        + (rf", $\pm$ one standard error ({escape_latex(basis_words(order))})" if len(order) else "")
        + r"; $\approx$: within noise of the best. A dash: the parameter does not act."
        + "".join(f" {escape_latex(note[:1].upper() + note[1:])}." for note in sweep.data_notes)
    )
    size = "scriptsize" if len(shown) > 10 else "footnotesize" if len(shown) > 7 else "small"
    body = [[_tex(cell) for cell in row] for row in cells(table, sweep)]
    return booktabs(caption, "".join("r" if each else "l" for each in numeric), [names, *body], size)


def booktabs(caption: str, columns: str, rows: Sequence[Sequence[str]], size: str = "small") -> str:
    """A `table*` float of cells that are LaTeX already, the first row its head; `columns`: their alignment, such as `lrr`."""
    head, *body = (" & ".join(row) + r" \\" for row in rows)
    lines = [
        "% needs \\usepackage{booktabs}",
        r"\begin{table*}", r"  \centering", rf"  \{size}",
        r"  \setlength{\tabcolsep}{4pt}",
        rf"  \caption{{{caption}}}", rf"  \begin{{tabular}}{{{columns}}}",
        r"    \toprule", "    " + head, r"    \midrule",
        *("    " + line for line in body),
        r"    \bottomrule", r"  \end{tabular}", r"\end{table*}",
    ]  # fmt: skip
    return "\n".join(lines) + "\n"


def best_config(folder: Path | str | Sweep, trial: int | None = None) -> dict[str, Any]:
    """The winner's full configuration by validation score, or that of a `trial`, as its trial echoed it; runs as it is.

    Raises:
        NothingCompleted: no trial of the sweep has completed.
        UserError: no sweep here, or the winner's folder holds no configuration.
    """
    sweep = folder if isinstance(folder, Sweep) else read_sweep(folder)
    trial = winner(sweep) if trial is None else trial
    place = trial_folder(sweep.dir, trial)
    config = read_config(place)
    if config is None:
        raise UserError(f"{place}: neither {RESULT} nor {CONFIG} holds the configuration of trial {trial}")
    return config


def best_config_yaml(sweep: Sweep) -> str:
    """`best_config` as YAML under a comment that says where it comes from."""
    config = best_config(sweep)
    row = ranked(sweep, top=1).iloc[0]
    over = f", mean of {row['n']} trainings" if row["n"] > 1 else ""
    comment = f"sweep {sweep.name}, trial {row['trial']}, {sweep.metric} = {row['mean']:.6g}{over} (chosen on validation only)"
    return f"# {' '.join(comment.split())}\n" + yaml.safe_dump(config, sort_keys=False, allow_unicode=True)


def _tex(cell: str) -> str:
    if " ± " in cell:
        mean, _, error = cell.partition(" ± ")
        return rf"{escape_latex(mean)} $\pm$ {escape_latex(error)}"
    if cell in ("–", "≈"):
        return {"–": "--", "≈": r"$\approx$"}[cell]
    mantissa, e, exponent = cell.partition("e")
    if e:  # 1e-10 as a power of ten
        try:
            float(mantissa), int(exponent)
        except ValueError:
            return escape_latex(cell)
        return rf"$10^{{{int(exponent)}}}$" if mantissa == "1" else rf"${mantissa}\cdot10^{{{int(exponent)}}}$"
    return escape_latex(cell)


def is_share(name: str) -> bool:
    """Whether a metric is a share, shown in per cent."""
    return "/" in name and name.split("/")[-1] in ("acc", "map", "f1")


def _error(name: str, value: float) -> str:
    if pd.isna(value):
        return ""
    return f" ± {100 * value:.2f}" if is_share(name) else f" ± {value:.2g}"


def _head(name: str, sweep: Sweep) -> str:
    if name in sweep.space:
        return label(name).replace("learning rate", "LR")
    if "/" in name:
        parts = name.split("/")
        return short_metric(name) + (f" {parts[1]}" if len(parts) == 3 else "") + (" %" if is_share(name) else "")
    return {"rank": "#", "seconds": "time s", "tie": "≈", "gpu_hours": "GPU h"}.get(name, name)


def _cell(name: str, value: Any, sweep: Sweep) -> str:
    if name in sweep.space:
        return value_text(value)
    if name in ("rank", "trial", "n"):
        return str(int(value))
    if name == "tie":
        return "≈" if value else ""
    return score_text(name, value)


def score_text(metric: str, value: Any) -> str:
    """A score as its table shows it, without a unit: shares in per cent with two decimals."""
    return f"{100 * value:.2f}" if is_share(metric) and pd.notna(value) else value_text(value)
