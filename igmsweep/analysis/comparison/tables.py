"""Methods or sweeps side by side at equal budget: the same data and folds, the same number of trials."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from igmsweep.analysis import tables
from igmsweep.analysis.facts import cost_text
from igmsweep.analysis.names import escape_latex, metric_label, short_metric, unit
from igmsweep.analysis.page import render, write_page
from igmsweep.analysis.panels import Panel
from igmsweep.analysis.plots import edf_data, edf_figure, history_data
from igmsweep.analysis.ranking import ranked
from igmsweep.analysis.report import check_formats, to_log
from igmsweep.analysis.style import figure, lines, text
from igmsweep.errors import NothingCompleted, UserError
from igmsweep.frame import Sweep, find_sweeps, read_sweep
from igmsweep.lines import aligned
from igmsweep.record.states import FINISHED

TRAINED_ON = {"all": "train + validation", "train": "train"}
"""By `train_on` of an evaluation."""


@dataclass(frozen=True)
class Comparison:
    """`sweeps`: each cut to the budget. `table`: a row a sweep. `warnings`: what keeps it from being a fair one."""

    sweeps: tuple[Sweep, ...]
    table: pd.DataFrame
    warnings: tuple[str, ...]


def compare_sweeps(sweeps: Sequence[Sweep], allow_different: bool = False) -> Comparison:
    """Cut sweeps of each data set to the smallest number of trials among them, and compare what they found.

    The table's columns: `data`, `method`, `sweep`, `trials` (the budget), `completed`; of the best configuration each
    validation metric with its standard error `<metric>.se`, and `basis`, what that error is over; `tie`: within noise
    of the best of its data set; `median` and `iqr` of all completed trials' objective; `seconds` in all; `test/<name>`
    and `test/<name>.sd` where the sweep was evaluated, and `test_train_on`, what those models were trained on.

    Raises:
        UserError: fewer than two sweeps, or (unless `allow_different`) sweeps of one data set that differ in data hash,
            split, folds or metric: the message names the first difference.
        NothingCompleted: a sweep without a completed trial within the budget.
    """
    if len(sweeps) < 2:
        raise UserError(f"compare: found {len(sweeps)} sweep{'s' * (len(sweeps) != 1)}, expected at least two")
    warnings: list[str] = []
    by_data: dict[str, list[Sweep]] = {}
    for sweep in sweeps:
        by_data.setdefault(str(sweep.data.get("name", "unknown")), []).append(sweep)
    cut: list[Sweep] = []
    rows: list[dict[str, Any]] = []
    for data, group in by_data.items():
        for sweep in group[1:]:
            _check(group[0], sweep, allow_different, warnings)
        counts = {sweep.name: len(_ended(sweep)) for sweep in group}
        budget = min(counts.values())
        if len(set(counts.values())) > 1:
            told = ", ".join(f"{name} {count}" for name, count in counts.items())
            warnings.append(
                f"{data}: different numbers of trials ({told}); only the first {budget} of each are compared"
            )
        part = [_first(sweep, budget) for sweep in group]
        for sweep in part:
            if sweep.completed().empty:
                raise NothingCompleted(f"{sweep.dir}: no trial has completed within the first {budget}")
        cut += part
        rows += _rows(data, part, budget, _tests(data, part, allow_different, warnings))
    return Comparison(tuple(cut), pd.DataFrame(rows), tuple(warnings))


def compare(
    paths: Sequence[Path | str],
    out: Path | str | None = None,
    formats: Iterable[str] = ("html", "csv", "tex", "md"),
    allow_different: bool = False,
    say: Callable[[str], None] | None = None,
) -> Path | None:
    """Write `compare.html`, `.csv`, `.tex`, `.md` and say the table; return the page, where one was asked for.

    Raises:
        UserError, NothingCompleted: as `compare_sweeps`.
    """
    say = say or to_log
    formats = check_formats(formats)
    folders = list(dict.fromkeys(found for path in paths for found in find_sweeps(path)))
    found = compare_sweeps([read_sweep(folder) for folder in folders], allow_different)
    place = Path(out) if out is not None else folders[0].resolve().parent / "comparison"
    place.mkdir(parents=True, exist_ok=True)
    for warning in found.warnings:
        say(f"warning: {warning}")
    heads, rows = shown(found.table)
    for line in aligned([heads, *rows]):
        say(line)
    if "csv" in formats:
        (place / "compare.csv").write_text(tables.to_csv(found.table), "utf-8")
    if "md" in formats:
        lines = [heads, ["---"] * len(heads), *rows]
        (place / "compare.md").write_text("".join(f"| {' | '.join(map(_md, line))} |\n" for line in lines), "utf-8")
    if "tex" in formats:
        (place / "compare.tex").write_text(to_latex(found), "utf-8")
    drawn = compare_panels(found)
    images = [name for name in formats if name in ("svg", "pdf", "png")]
    if images:
        from igmsweep.analysis.paper import write_figures

        write_figures([(panel.id, panel.figure) for panel in drawn], place / "figures", images)
    if "html" not in formats:
        return None
    page = render("compare.html.j2", drawn, heads=heads, rows=rows, warnings=found.warnings, sweeps=found.sweeps)
    return write_page(place / "compare.html", page)


def compare_panels(found: Comparison) -> list[Panel]:
    """Best so far and distribution of scores, the sweeps of one data set in one figure."""
    out = []
    for number, (data, metric) in enumerate(dict.fromkeys((str(s.data.get("name")), s.metric) for s in found.sweeps)):
        group = [s for s in found.sweeps if str(s.data.get("name")) == data and s.metric == metric]
        scale, suffix = unit(metric)
        n = ", ".join(str(len(sweep.completed())) for sweep in group)
        fig = figure("trials", f"best {metric_label(metric)}{suffix}", f"n = {n}")
        for sweep, look in zip(group, lines(len(group)), strict=True):
            line = history_data(sweep)
            name = text(_name(sweep, group))
            fig.add_scatter(
                x=list(range(1, len(line) + 1)), y=(scale * line["best"]).tolist(), mode="lines", name=name,
                line={**look, "width": 2.5, "shape": "hv"},
                hovertemplate=f"{name}, %{{x}} trials: %{{y:.2f}}<extra></extra>",
            )  # fmt: skip
        fig.update_layout(showlegend=True)
        if max(len(sweep.completed()) for sweep in group) <= 12:
            fig.update_xaxes(dtick=1)
        caption = "Best validation score found within so many trials."
        out.append(Panel(f"best-{number}", "compare", f"{data}: best so far", caption, fig))
        parts = {
            f"{_name(sweep, group)} ({kind}, n = {len(part)})": part
            for sweep in group
            for kind, part in edf_data(sweep).groupby("sampler", sort=False)
        }
        caption = "All completed trials that a sampler chose: a line further right is a method that is easier to tune."
        out.append(Panel(f"edf-{number}", "compare", f"{data}: all trials", caption, edf_figure(parts, metric)))
    return out


def shown(table: pd.DataFrame) -> tuple[list[str], list[list[str]]]:
    """Heads and cells for readers: scores in per cent ± their standard error (test: ± standard deviation)."""
    metrics = [name for name in table.columns if "/" in name and not name.endswith((tables.SE, ".sd"))]
    heads = ["data", "method", "sweep", "trials"]
    heads += [f"{name.split('/')[0]} {short_metric(name)}{' %' if tables.is_share(name) else ''}" for name in metrics]
    heads += ["≈", "median (IQR) of trials", "cost"]
    tested = "test_train_on" in table
    if tested:
        heads.append("test: trained on")
    rows = []
    for row in table.to_dict("records"):
        cells = [str(row["data"]), str(row["method"]), str(row["sweep"]), str(row["trials"])]
        for name in metrics:
            error = row.get(name + tables.SE, row.get(name + ".sd", math.nan))
            cell = tables.score_text(name, row[name])
            cells.append(cell + (f" ± {tables.score_text(name, error)}" if pd.notna(error) and cell != "–" else ""))
        objective = row["metric"]
        spread = f"{tables.score_text(objective, row['median'])} ({tables.score_text(objective, row['iqr'])})"
        cells += ["≈" if row["tie"] else "", spread, row["cost"]]
        if tested:
            cells.append(TRAINED_ON.get(row["test_train_on"], "–"))
        rows.append(cells)
    return heads, rows


def to_latex(found: Comparison) -> str:
    """One booktabs table like the paper's Table 1: a row a method, the data sets' metrics across, the best in bold."""
    table = found.table
    pairs = [
        (data, name)
        for data, part in table.groupby("data", sort=False)
        for name in table.columns
        if "/" in name and not name.endswith((tables.SE, ".sd")) and part[name].notna().any()
    ]
    unique = not table.duplicated(["data", "method"]).any()
    table = table.assign(row=table["method"] if unique else table["sweep"])
    body = []
    for name, part in table.groupby("row", sort=False):
        cells = [escape_latex(str(name))]
        for data, metric in pairs:
            own = part[part["data"] == data]
            value = float(own[metric].iloc[0]) if len(own) else math.nan
            if math.isnan(value):
                cells.append("--")
                continue
            best = table.loc[table["data"] == data, metric]
            top = best.min() if metric.endswith("loss") else best.max()
            score = tables.score_text(metric, value)
            cell = rf"\textbf{{{score}}}" if value == top else score
            error = own.iloc[0].get(metric + tables.SE, own.iloc[0].get(metric + ".sd", math.nan))
            cells.append(cell + (rf" $\pm$ {tables.score_text(metric, error)}" if pd.notna(error) else ""))
        body.append("    " + " & ".join(cells) + r" \\")
    over, rules, start = [], [], 2
    for data in dict.fromkeys(data for data, _ in pairs):
        width = sum(1 for pair in pairs if pair[0] == data)
        over.append(rf"\multicolumn{{{width}}}{{c}}{{{escape_latex(str(data))}}}")
        rules.append(rf"\cmidrule(lr){{{start}-{start + width - 1}}}")
        start += width
    heads = [f"{name.split('/')[0]} {short_metric(name)}{' (%)' if tables.is_share(name) else ''}" for _, name in pairs]
    budgets = ", ".join(
        f"{escape_latex(str(d))} {n}"
        for d, n in table.drop_duplicates("data")[["data", "trials"]].itertuples(index=False)
    )
    basis = escape_latex("; ".join(dict.fromkeys(str(basis) for basis in table["basis"] if basis)))
    caption = (
        f"Best configuration of each method at equal budget (trials: {budgets}); validation scores $\\pm$ one standard "
        f"error{f' (over {basis})' if basis else ''}{_tested(table)}."
    )
    return "\n".join(
        [
            r"% needs \usepackage{booktabs}", r"\begin{table*}", r"  \centering", r"  \small", rf"  \caption{{{caption}}}",
            rf"  \begin{{tabular}}{{l{'r' * len(pairs)}}}", r"    \toprule",
            f"    & {' & '.join(over)} \\\\", f"    {' '.join(rules)}",
            f"    & {' & '.join(map(escape_latex, heads))} \\\\", r"    \midrule", *body,
            r"    \bottomrule", r"  \end{tabular}", r"\end{table*}", "",
        ]
    )  # fmt: skip


def _tested(table: pd.DataFrame) -> str:
    """What a caption says of test scores."""
    if "test_train_on" not in table:
        return ""
    kinds = dict.fromkeys(TRAINED_ON[kind] for kind in table["test_train_on"].dropna() if kind in TRAINED_ON)
    return rf", test scores $\pm$ one standard deviation over seeds, after training on {' or '.join(kinds)}"


def _tests(data: str, group: list[Sweep], allow: bool, warnings: list[str]) -> list[dict[str, Any]]:
    """The evaluation of each sweep whose test scores are shown, {} for none: the latest after training on the same data."""
    kinds = [dict.fromkeys(str(test.get("train_on", "all")) for test in reversed(sweep.tests)) for sweep in group]
    evaluated = [kind for kind in kinds if kind]
    common = [kind for kind in (evaluated[0] if evaluated else ()) if all(kind in each for each in evaluated)]
    if not evaluated or common or allow:
        chosen = common[0] if common else None
        return [
            next((t for t in reversed(sweep.tests) if chosen in (None, str(t.get("train_on", "all")))), {})
            for sweep in group
        ]
    told = ", ".join(f"{sweep.name} {' and '.join(kind)}" for sweep, kind in zip(group, kinds, strict=True) if kind)
    warnings.append(
        f"{data}: test scores are left out, as their models were trained on different data ({told}); "
        "`igmsweep evaluate --train-on train` makes them comparable, --allow-different shows them all the same"
    )
    return [{} for _ in group]


def _rows(data: str, group: list[Sweep], budget: int, tests: list[dict[str, Any]]) -> list[dict[str, Any]]:
    rows = []
    for sweep, test in zip(group, tests, strict=True):
        done = sweep.completed()
        scores = done[f"metrics.{sweep.metric}"]
        best = ranked(sweep, top=1).iloc[0]
        row: dict[str, Any] = {
            "data": data, "method": sweep.method, "sweep": sweep.name, "metric": sweep.metric, "trials": budget,
            "completed": len(done), "best_trial": int(best["trial"]), "basis": best["basis"],
        }  # fmt: skip
        for metric in sweep.shown_metrics:
            own = ranked(sweep, metric, top=1)
            if len(own):
                row[metric], row[metric + tables.SE] = float(own["mean"].iloc[0]), float(own["se"].iloc[0])
        quartiles = np.quantile(scores, [0.25, 0.5, 0.75])
        row |= {"median": float(quartiles[1]), "iqr": float(quartiles[2] - quartiles[0])}
        row |= {"seconds": float(sweep.trials["seconds"].sum()), "cost": cost_text(sweep)}
        evaluated = test.get("candidates") or [{}]
        if test:
            row["test_train_on"] = str(test.get("train_on", "all"))
        for name, mean in (evaluated[0].get("mean") or {}).items():
            if "/" not in name and name != "loss":
                row[f"test/{name}"] = mean
                row[f"test/{name}.sd"] = (evaluated[0].get("sd") or {}).get(name)
        rows.append(row)
    top = max(range(len(rows)), key=lambda i: rows[i][rows[i]["metric"]] * (1 if group[i].maximise else -1))
    for row in rows:
        row["tie"] = row is not rows[top] and _within_noise(row, rows[top])
    return rows


def _within_noise(row: dict[str, Any], best: dict[str, Any]) -> bool:
    """Whether a normal test on the two standard errors leaves the difference to chance (p >= 5 %)."""
    metric = best["metric"]
    errors = [row.get(metric + tables.SE, math.nan), best.get(metric + tables.SE, math.nan)]
    if metric not in row or not all(math.isfinite(error) for error in errors):
        return False
    return bool(abs(row[metric] - best[metric]) < 1.96 * math.hypot(*errors))


def _check(first: Sweep, other: Sweep, allow: bool, warnings: list[str]) -> None:
    for words, one, two in (
        ("data hash", first.data.get("data_hash"), other.data.get("data_hash")),
        ("split", first.data.get("split_hash"), other.data.get("split_hash")),
        ("folds", first.spec.get("folds"), other.spec.get("folds")),
        ("metric", first.metric, other.metric),
    ):
        if one == two:
            continue
        said = f"{first.name} and {other.name} differ in {words}: found {_known(one)} and {_known(two)}"
        if not allow:
            raise UserError(f"compare: {said}; expected the same (--allow-different compares them all the same)")
        warnings.append(said)


def _ended(sweep: Sweep) -> pd.DataFrame:
    """Trials that used up budget, in their order; repeats with other seeds are no part of the search."""
    frame = sweep.trials
    return frame[frame["state"].isin(FINISHED) & frame["repeat_of"].isna()].sort_values("trial")


def _first(sweep: Sweep, budget: int) -> Sweep:
    kept = set(_ended(sweep)["trial"].head(budget))
    frame = sweep.trials
    return replace(
        sweep, trials=frame[frame["trial"].isin(kept) | frame["repeat_of"].isin(kept)].reset_index(drop=True)
    )


def _name(sweep: Sweep, group: Sequence[Sweep]) -> str:
    methods = [other.method for other in group]
    return sweep.method if sweep.method and len(set(methods)) == len(methods) else sweep.name


def _known(value: Any) -> str:
    return "none" if value is None else str(value)


def _md(cell: str) -> str:
    return cell.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;")
