"""A study's page, tables and figures: one offline page, CSV and LaTeX in the paper's layout, vectors at a column's width."""

from __future__ import annotations

import csv
import io
import json
import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from igmsweep.analysis.names import escape_latex, no_formula
from igmsweep.analysis.page import render, write_page
from igmsweep.analysis.panels import Panel
from igmsweep.analysis.paper import write_figures
from igmsweep.disk import write_atomically
from igmsweep.studies.base import FAILED, Found, Outcome, Study, Table
from igmsweep.studies.request import settings_of

SIGNS = {"✓": r"$\checkmark$", "–": "--"}
"""Cells of one sign, for LaTeX."""

SENTENCE = 40
"""Longer cells are broken into lines."""

Cell = str | Mapping[int, float]


def write_study(
    folder: Path, study: Study, outcome: Outcome, found: Found, formats: Sequence[str] = ("svg", "pdf")
) -> Path:
    """Write `study.html`, `study.json`, `tables/` and `figures/` into a study's folder; return the page."""
    noted = "".join(f" {note[:1].upper()}{note[1:]}." for note in found.data_notes)
    tables = folder / "tables"
    tables.mkdir(parents=True, exist_ok=True)
    for table in outcome.tables:
        write_atomically(tables / f"{table.name}.csv", to_csv(table))
        write_atomically(tables / f"{table.name}.tex", to_latex(replace(table, note=f"{table.note}{noted}")))
        under = "".join(f"\n{note}\n" for note in found.data_notes)
        write_atomically(tables / f"{table.name}.md", to_markdown(table) + under)
    if outcome.figures:
        write_figures([(each.name, each.figure) for each in outcome.figures], folder / "figures", formats)
    panels = [
        Panel(each.name, "study", each.title, each.caption, each.figure, picture=f"figures/{each.name}.svg")
        for each in outcome.figures
    ]
    write_atomically(
        folder / "study.json",
        json.dumps(told(study, outcome, found) | {"settings": settings_of(folder)}, indent=1, ensure_ascii=False),
    )
    page = render(
        "study.html.j2",
        panels,
        study=study,
        tables=[shown(table) for table in outcome.tables],
        claims=outcome.claims,
        data=label_of(found.setting.data),
        settings=settings_of(folder),
        openings=found.openings,
        scored=[name for name, scores in found.tests.items() if scores],
        tested=outcome.tested,
        trained=sum(len(each) for each in found.trainings.values()),
        arms={name: len(each) for name, each in found.trainings.items()},
        failed=found.failed,
        unmeasured=unmeasured(found),
        data_notes=found.data_notes,
    )
    return write_page(folder / "study.html", page)


def shown(table: Table) -> dict[str, Any]:
    """A table as a page's template takes it."""
    return {
        "title": table.title,
        "heads": heads(table),
        "rows": [row_text(table, number) for number in range(len(table.rows))],
        "note": table.note,
        "wrapped": wide(table),
        "scored": any(not isinstance(cell, str) for row in table.rows for cell in row),
    }


def label_of(data: str) -> str:
    """A data set's name; of a file, its own and its folder's."""
    path = Path(data.split(":")[0])
    return f"{path.resolve().parent.name}/{path.name}" if path.suffix else data


def unmeasured(found: Found) -> int:
    """How many trainings could not be measured."""
    return sum(FAILED in (each.measured or {}) for every in found.trainings.values() for each in every)


def told(study: Study, outcome: Outcome, found: Found) -> dict[str, Any]:
    """What a study shows, as plain data: claims with their differences, tables with every seed's score."""
    return {
        "study": study.name,
        "data": label_of(found.setting.data),
        "tested": outcome.tested,
        "trainings": {arm: len(each) for arm, each in found.trainings.items()},
        "failed": dict(found.failed),
        "unmeasured": unmeasured(found),
        "data_notes": list(found.data_notes),
        "claims": [
            {"claim": claim.paper, "verdict": claim.verdict, "equal": claim.equal}
            | ({} if claim.difference is None else asdict(claim.difference))
            for claim in outcome.claims
        ],
        "tables": [
            {
                "name": table.name,
                "heads": list(table.heads),
                "rows": [[cell if isinstance(cell, str) else dict(cell) for cell in row] for row in table.rows],
            }
            for table in outcome.tables
        ],
    }


def write_paper(
    folder: Path, data: str, outcomes: Mapping[str, Outcome], pages: Mapping[str, str], left_out: Mapping[str, str]
) -> Path:
    """Write the page of all studies' claims, `study.html`, with a link to each study's own page of `pages`."""
    claims = [(name, claim) for name, outcome in outcomes.items() for claim in outcome.claims]
    verdicts = Counter(claim.verdict for _, claim in claims)
    page = render(
        "paper.html.j2",
        [],
        data=label_of(data),
        claims=claims,
        studies=pages,
        verdicts=dict(verdicts.most_common()),
        left_out=left_out,
    )
    return write_page(folder / "study.html", page)


def wide(table: Table) -> list[bool]:
    """Of every shown column, whether it holds sentences, which are broken into lines."""
    rows = [row_text(table, number) for number in range(len(table.rows))]
    return [any(len(row[place]) > SENTENCE for row in rows) for place in range(len(heads(table)))]


def heads(table: Table) -> list[str]:
    """The heads, and behind each column of the paper's numbers one more."""
    out = []
    for place, head in enumerate(table.heads):
        out.append(head)
        if _paper_column(table, place):
            out.append(f"{head}, paper")
    return out


def row_text(table: Table, number: int) -> list[str]:
    """A row's cells as text."""
    out = []
    for place, cell in enumerate(table.rows[number]):
        out.append(cell_text(cell))
        if _paper_column(table, place):
            assert table.paper is not None
            out.append(table.paper[number][place] or "–")
    return out


def cell_text(cell: Cell) -> str:
    """Text as it is; scores as their mean ± standard deviation in per cent."""
    if isinstance(cell, str):
        return cell
    if not cell:
        return "–"
    mean = f"{100 * statistics.mean(cell.values()):.1f}"
    return mean if len(cell) < 2 else f"{mean} ± {100 * statistics.stdev(cell.values()):.1f}"


def to_csv(table: Table) -> str:
    """A row a row of the table; of each column of scores the mean, the standard deviation and the number of seeds."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    scored = [any(not isinstance(row[place], str) for row in table.rows) for place in range(len(table.heads))]
    names: list[str] = []
    for head, is_score in zip(table.heads, scored, strict=True):
        names += [head, f"{head} sd", f"{head} seeds"] if is_score else [head]
    writer.writerow(names)
    for row in table.rows:
        out: list[Any] = []
        for cell, is_score in zip(row, scored, strict=True):
            if isinstance(cell, str):
                out += [no_formula(cell), "", ""] if is_score else [no_formula(cell)]
            else:
                values = list(cell.values())
                out += [statistics.mean(values) if values else ""]
                out += [statistics.stdev(values) if len(values) > 1 else "", len(values)]
        writer.writerow(out)
    return text.getvalue()


def to_markdown(table: Table) -> str:
    """The table as the page shows it."""
    rows = [heads(table), ["---"] * len(heads(table)), *(row_text(table, number) for number in range(len(table.rows)))]
    return "".join(f"| {' | '.join(cell.replace('|', '/') for cell in row)} |\n" for row in rows)


def to_latex(table: Table) -> str:
    """A booktabs table; the highest mean of a column of scores in bold where that is the best."""
    best = {}
    for place in range(len(table.heads)):
        means = [
            statistics.mean(cell.values()) for row in table.rows if (cell := row[place]) and not isinstance(cell, str)
        ]
        if means and table.highest:
            best[place] = max(means)
    body = []
    for number, row in enumerate(table.rows):
        cells = []
        for place, cell in enumerate(row):
            text = cell_text(cell)
            text = SIGNS.get(text, escape_latex(text).replace("±", r"$\pm$"))
            top = not isinstance(cell, str) and cell and statistics.mean(cell.values()) == best.get(place)
            cells.append(rf"\textbf{{{text}}}" if top else text)
            if _paper_column(table, place):
                assert table.paper is not None
                cells.append(escape_latex(table.paper[number][place] or "--"))
        body.append("    " + " & ".join(cells) + r" \\")
    named = heads(table)
    columns = "".join("p{0.7\\linewidth}" if long else "r" for long in wide(table)[1:])
    return "\n".join(
        [
            r"% needs \usepackage{booktabs,amssymb}", r"\begin{table}", r"  \centering", r"  \small",
            rf"  \caption{{{escape_latex(table.title)}. {escape_latex(table.note)}}}",
            rf"  \begin{{tabular}}{{l{columns}}}", r"    \toprule",
            f"    {' & '.join(map(escape_latex, named))} \\\\", r"    \midrule", *body,
            r"    \bottomrule", r"  \end{tabular}", r"\end{table}", "",
        ]
    )  # fmt: skip


def _paper_column(table: Table, place: int) -> bool:
    return table.paper is not None and any(row[place] for row in table.paper)
