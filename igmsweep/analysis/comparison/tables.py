"""The comparison as a table for readers, and as LaTeX like the paper's Table 1."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd

from igmsweep.analysis.comparison.compared import Comparison
from igmsweep.analysis.comparison.judged import STANDING
from igmsweep.analysis.comparison.tested import TRAINED_ON
from igmsweep.analysis.comparison.verdicts import BEST, TIED, UNKNOWN
from igmsweep.analysis.names import escape_latex, short_metric
from igmsweep.analysis.tables import SE, is_share, score_text

MARKS = {BEST: " best", TIED: " ≈", UNKNOWN: " ?"}
"""Behind a score, by its standing."""


def shown(table: pd.DataFrame) -> tuple[list[str], list[list[str]]]:
    """Heads and cells for readers: scores in per cent ± their standard error (test: ± standard deviation) with their standing behind."""
    metrics = _metrics(table)
    repeated = bool((table["trainings"] != table["trials"]).any())
    held, tested = "held_out" in table, "test_train_on" in table
    heads = ["data", "method", "sweep", "trials", *(["trainings"] if repeated else [])]
    heads += [f"{name.split('/')[0]} {short_metric(name)}{' %' if is_share(name) else ''}" for name in metrics]
    heads += [*(["held out [95 %]"] if held else []), "expected best [90 %]", "median (IQR) of trials", "cost"]
    heads += ["test: trained on"] if tested else []
    rows = []
    for row in table.to_dict("records"):
        cells = [str(row[name]) for name in ("data", "method", "sweep", "trials", *(["trainings"] if repeated else []))]
        for name in metrics:
            error = row.get(name + SE, row.get(name + ".sd", math.nan))
            cell = score_text(name, row[name])
            if cell != "–":
                cell += f" ± {score_text(name, error)}" if pd.notna(error) else ""
                cell += MARKS.get(str(row.get(name + STANDING)), "")
            cells.append(cell)
        objective = row["metric"]
        cells += [_interval(row, objective, "held_out")] if held else []
        cells.append(_interval(row, objective, "expected"))
        cells.append(f"{score_text(objective, row['median'])} ({score_text(objective, row['iqr'])})")
        cells.append(row["cost"])
        cells += [TRAINED_ON.get(row["test_train_on"], "–")] if tested else []
        rows.append(cells)
    return heads, rows


def to_markdown(found: Comparison) -> str:
    """The table, and under it what is said of each data set, and what keeps the comparison from being fair."""
    heads, rows = shown(found.table)
    lines = [heads, ["---"] * len(heads), *rows]
    out = "".join(f"| {' | '.join(map(_md, line))} |\n" for line in lines)
    for each in found.judged:
        out += f"\n{_md(each.data)}: {_md(each.basis)}\n\n" + "".join(f"- {_md(line)}\n" for line in each.lines)
    out += f"\n{_md(found.ranks.words)}\n" if found.ranks else ""
    return out + "".join(f"\n{_md(warning)}\n" for warning in found.warnings)


def to_latex(found: Comparison) -> str:
    """One booktabs table: a row a method, the data sets' metrics across, in bold the best and all that are not told apart from it."""
    table = found.table
    pairs = [
        (data, name)
        for data, part in table.groupby("data", sort=False)
        for name in _metrics(table)
        if part[name].notna().any()
    ]
    unique = not table.duplicated(["data", "method"]).any()
    table = table.assign(row=table["method"] if unique else table["sweep"])
    body = []
    for name, part in table.groupby("row", sort=False):
        rows = {row["data"]: row for row in part.to_dict("records")}
        cells = [escape_latex(str(name)), *(_cell(rows.get(data), metric) for data, metric in pairs)]
        body.append("    " + " & ".join(cells) + r" \\")
    over, rules, start = [], [], 2
    for data in dict.fromkeys(data for data, _ in pairs):
        width = sum(1 for pair in pairs if pair[0] == data)
        over.append(rf"\multicolumn{{{width}}}{{c}}{{{escape_latex(str(data))}}}")
        rules.append(rf"\cmidrule(lr){{{start}-{start + width - 1}}}")
        start += width
    heads = [f"{name.split('/')[0]} {short_metric(name)}{' (%)' if is_share(name) else ''}" for _, name in pairs]
    return "\n".join(
        [
            r"% needs \usepackage{booktabs}", r"\begin{table*}", r"  \centering", r"  \small",
            rf"  \caption{{{_caption(table)}{_data_notes(table)}}}",
            rf"  \begin{{tabular}}{{l{'r' * len(pairs)}}}", r"    \toprule",
            f"    & {' & '.join(over)} \\\\", f"    {' '.join(rules)}",
            f"    & {' & '.join(map(escape_latex, heads))} \\\\", r"    \midrule", *body,
            r"    \bottomrule", r"  \end{tabular}", r"\end{table*}", "",
        ]
    )  # fmt: skip


def _metrics(table: pd.DataFrame) -> list[str]:
    return [name for name in table.columns if "/" in name and not name.endswith((SE, ".sd", STANDING))]


def _interval(row: dict[Any, Any], metric: str, name: str) -> str:
    if pd.isna(row.get(name)):
        return "–"
    low, high = row[f"{name}.low"], row[f"{name}.high"]
    ends = (
        f" [{score_text(metric, low)}, {score_text(metric, high)}]"
        if pd.notna(low)
        else " (one draw)" * (name == "expected")
    )
    return score_text(metric, row[name]) + ends


def _cell(row: dict[Any, Any] | None, metric: str) -> str:
    if row is None or pd.isna(row[metric]):
        return "--"
    score = score_text(metric, row[metric])
    cell = rf"\textbf{{{score}}}" if row.get(metric + STANDING) in (BEST, TIED) else score
    error = row.get(metric + SE, row.get(metric + ".sd", math.nan))
    return cell + (rf" $\pm$ {score_text(metric, error)}" if pd.notna(error) else "")


def _caption(table: pd.DataFrame) -> str:
    budgets = ", ".join(
        f"{escape_latex(str(d))} {n}"
        for d, n in table.drop_duplicates("data")[["data", "trials"]].itertuples(index=False)
    )
    basis = escape_latex("; ".join(dict.fromkeys(str(basis) for basis in table["basis"] if basis)))
    said = (
        "bold: the best validation score and all that are not told apart from it (5\\,\\% of any false claim a column)"
    )
    if any((table[name] == UNKNOWN).any() for name in table.columns if name.endswith(STANDING)):
        said += "; where nothing is bold, how far luck reaches is not known"
    return (
        f"Best configuration of each method at equal budget (trials: {budgets}); validation scores $\\pm$ one standard "
        f"error{f' (over {basis})' if basis else ''}{_tested(table)}; {said}."
    )


def _data_notes(table: pd.DataFrame) -> str:
    """What a caption says of the samples."""
    notes = table[table["data_notes"] != ""].drop_duplicates(["data", "data_notes"])[["data", "data_notes"]]
    return "".join(f" {escape_latex(f'{data}: {note}')}." for data, note in notes.itertuples(index=False))


def _tested(table: pd.DataFrame) -> str:
    """What a caption says of test scores."""
    if "test_train_on" not in table:
        return ""
    kinds = dict.fromkeys(TRAINED_ON[kind] for kind in table["test_train_on"].dropna() if kind in TRAINED_ON)
    return rf", test scores $\pm$ one standard deviation over seeds, after training on {' or '.join(kinds)}"


def _md(cell: str) -> str:
    return cell.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;")
