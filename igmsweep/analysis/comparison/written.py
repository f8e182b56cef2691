"""`igmsweep compare`: the page, the tables and the figures of a comparison."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from igmsweep.analysis.comparison.compared import compare_sweeps
from igmsweep.analysis.comparison.drawn import compare_panels
from igmsweep.analysis.comparison.tables import shown, to_latex, to_markdown
from igmsweep.analysis.page import render, write_page
from igmsweep.analysis.report import check_formats, to_log
from igmsweep.analysis.tables import to_csv
from igmsweep.disk import write_atomically
from igmsweep.frame import find_sweeps, read_sweep
from igmsweep.lines import aligned


def compare(
    paths: Sequence[Path | str],
    out: Path | str | None = None,
    formats: Iterable[str] = ("html", "csv", "tex", "md"),
    allow_different: bool = False,
    say: Callable[[str], None] | None = None,
) -> Path | None:
    """Write `compare.html`, `.csv`, `.tex`, `.md`, with the CSV `compare-differences.csv`, `compare-expected.csv` and `compare-ranks.csv`,
    and say the table and the differences; return the page, where one was asked for.

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
    for each in found.judged:
        for line in each.lines:
            say(f"{each.data}: {line}")
    if found.ranks is not None:
        say(found.ranks.words)
    if "csv" in formats:
        write_atomically(place / "compare.csv", to_csv(found.table))
        write_atomically(place / "compare-differences.csv", to_csv(found.differences))
        write_atomically(place / "compare-expected.csv", to_csv(found.curves))
        if found.ranks is not None:
            write_atomically(place / "compare-ranks.csv", to_csv(found.ranks.table))
    if "md" in formats:
        write_atomically(place / "compare.md", to_markdown(found))
    if "tex" in formats:
        write_atomically(place / "compare.tex", to_latex(found))
    drawn = compare_panels(found)
    images = [name for name in formats if name in ("svg", "pdf", "png")]
    if images:
        from igmsweep.analysis.paper import write_figures

        write_figures([(panel.id, panel.figure) for panel in drawn], place / "figures", images)
    if "html" not in formats:
        return None
    page = render("compare.html.j2", drawn, heads=heads, rows=rows, found=found)
    return write_page(place / "compare.html", page)
