"""The best configurations: as a terminal table, CSV, Markdown, booktabs LaTeX, and the winner as a runnable YAML."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from igmsweep.analysis.frame import Sweep, read_sweep, trial_dir
from igmsweep.analysis.names import escape_latex, label, latex_label, metric_label, short_metric, value_text
from igmsweep.errors import NothingCompleted, UserError


def best_table(sweep: Sweep, top: int = 10) -> pd.DataFrame:
    """The `top` completed trials by validation score: `rank`, `trial`, validation metrics (fractions, then per
    modality), the searched parameters by path, `seconds`. Empty when nothing has completed."""
    frame = sweep.completed().head(top)
    per_modality = [f"val/{modality}/{sweep.metric.split('/')[-1]}" for modality in sweep.modalities]
    out = pd.DataFrame({"rank": range(1, len(frame) + 1), "trial": frame["trial"].to_numpy()})
    for metric in [*sweep.shown_metrics, *per_modality]:
        if f"metrics.{metric}" in frame.columns:
            out[metric] = frame[f"metrics.{metric}"].to_numpy()
    for path in sweep.space:
        if f"params.{path}" in frame.columns:
            out[path] = frame[f"params.{path}"].to_numpy()
    out["seconds"] = frame["seconds"].to_numpy()
    return out


def cells(table: pd.DataFrame, sweep: Sweep) -> list[list[str]]:
    """The table's cells as a reader sees them: metrics in per cent, parameters with three significant digits."""
    return [
        [_cell(name, value, sweep) for name, value in zip(table.columns, row, strict=True)]
        for row in table.itertuples(index=False, name=None)
    ]


def heads(table: pd.DataFrame, sweep: Sweep) -> list[str]:
    return [_head(name, sweep) for name in table.columns]


def to_text(table: pd.DataFrame, sweep: Sweep) -> str:
    """The table for a terminal, plain characters, columns aligned."""
    rows = [heads(table, sweep), *cells(table, sweep)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return "\n".join("  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)


def to_csv(table: pd.DataFrame) -> str:
    """Full precision, machine names in the first line."""
    out = io.StringIO()
    table.to_csv(out, index=False, lineterminator="\n")
    return out.getvalue()


def to_markdown(table: pd.DataFrame, sweep: Sweep) -> str:
    rows = [[cell.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;") for cell in row]
            for row in [heads(table, sweep), *cells(table, sweep)]]  # fmt: skip
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join([lines[0], "|" + " ---: |" * len(rows[0]), *lines[1:]]) + "\n"


def to_latex(table: pd.DataFrame, sweep: Sweep) -> str:
    """A `table` float with booktabs rules; needs `\\usepackage{booktabs}` and nothing else."""
    numeric = [bool(pd.api.types.is_numeric_dtype(table[name])) for name in table.columns]
    names = [latex_label(name) if name in sweep.space else escape_latex(_head(name, sweep)) for name in table.columns]
    body = [" & ".join(_tex(cell) for cell in row) + r" \\" for row in cells(table, sweep)]
    caption = (
        f"Best configurations of sweep {escape_latex(sweep.name)} ({escape_latex(sweep.method)} on "
        f"{escape_latex(str(sweep.data.get('name', '')))}), ranked by {metric_label(sweep.metric)}; "
        f"metrics in per cent on the validation split. A dash: the parameter does not act."
    )
    lines = [
        "% needs \\usepackage{booktabs}",
        r"\begin{table}", r"  \centering", r"  \small", r"  \setlength{\tabcolsep}{4pt}",
        rf"  \caption{{{caption}}}", rf"  \begin{{tabular}}{{{''.join('r' if each else 'l' for each in numeric)}}}",
        r"    \toprule", "    " + " & ".join(names) + r" \\", r"    \midrule",
        *("    " + line for line in body),
        r"    \bottomrule", r"  \end{tabular}", r"\end{table}",
    ]  # fmt: skip
    return "\n".join(lines) + "\n"


def best_config(folder: Path | str | Sweep) -> dict[str, Any]:
    """The winner's full configuration by validation score, as its trial echoed it; runs as it is.

    Raises:
        NothingCompleted: no trial of the sweep has completed.
        UserError: no sweep here, or the winner's folder holds no configuration.
    """
    sweep = folder if isinstance(folder, Sweep) else read_sweep(folder)
    done = sweep.completed()
    if done.empty:
        raise NothingCompleted(f"{sweep.dir}: no trial has completed, so there is no best configuration")
    trial = int(done.iloc[0]["trial"])
    place = trial_dir(sweep.dir, trial)
    for name in ("result.json", "config.yaml"):
        path = place / name
        if path.is_file():
            try:
                text = path.read_text("utf-8")
                value = json.loads(text).get("config") if name == "result.json" else yaml.safe_load(text)
            except (ValueError, AttributeError, yaml.YAMLError):
                continue
            if isinstance(value, dict) and value:
                return value
    raise UserError(f"{place}: neither result.json nor config.yaml holds the configuration of trial {trial}")


def best_config_yaml(sweep: Sweep) -> str:
    """`best_config` as YAML under a comment that says where it comes from."""
    config = best_config(sweep)
    row = sweep.completed().iloc[0]
    score = row[f"metrics.{sweep.metric}"]
    comment = f"sweep {sweep.name}, trial {int(row['trial'])}, {sweep.metric} = {score:.6g} (chosen on validation only)"
    return f"# {' '.join(comment.split())}\n" + yaml.safe_dump(config, sort_keys=False, allow_unicode=True)


def _tex(cell: str) -> str:
    if "e" in cell:  # 1e-10 as a power of ten
        mantissa, _, exponent = cell.partition("e")
        try:
            float(mantissa), int(exponent)
        except ValueError:
            return escape_latex(cell)
        return rf"$10^{{{int(exponent)}}}$" if mantissa == "1" else rf"${mantissa}\cdot10^{{{int(exponent)}}}$"
    return "--" if cell == "–" else escape_latex(cell)


def _is_share(name: str) -> bool:
    return "/" in name and name.split("/")[-1] in ("acc", "map", "f1")


def _head(name: str, sweep: Sweep) -> str:
    if name in sweep.space:
        return label(name).replace("learning rate", "LR")
    if "/" in name:
        parts = name.split("/")
        return short_metric(name) + (f" {parts[1]}" if len(parts) == 3 else "") + (" %" if _is_share(name) else "")
    return {"rank": "#", "seconds": "time s"}.get(name, name)


def _cell(name: str, value: Any, sweep: Sweep) -> str:
    if name in ("rank", "trial"):
        return str(int(value))
    if name in sweep.space:
        return value_text(value)
    if _is_share(name) and pd.notna(value):
        return f"{100 * value:.2f}"
    return value_text(value)
