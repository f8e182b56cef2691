"""`igmsweep analyze` and `compare`: what sweeps have found, as pages, figures and tables."""

from __future__ import annotations

import webbrowser
from pathlib import Path
from typing import Annotated

import typer

from igmsweep.cli.layout import PAGE
from igmsweep.cli.options import Folders, Formats, listed
from igmsweep.cli.terminal import say
from igmsweep.legible import clean

Open = Annotated[bool, typer.Option("--open", rich_help_panel=PAGE, help="Open the page in a browser.")]


def analyze(
    folders: Folders,
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", rich_help_panel=PAGE, help="Where to write; default: inside each sweep."),
    ] = None,
    formats: Formats = "html,csv,tex,md",
    top: Annotated[
        int, typer.Option(min=1, metavar="N", rich_help_panel=PAGE, help="Rows of the best-configuration table.")
    ] = 10,
    negligible: Annotated[
        float | None,
        typer.Option(
            metavar="POINTS",
            rich_help_panel=PAGE,
            help="Points that count as next to nothing in flat ranges; default: one standard error of a difference.",
        ),
    ] = None,
    open_: Open = False,
) -> None:
    """Render sensitivity plots, the best configurations and one offline page from finished or running sweeps."""
    from igmsweep.analysis import analyze as run

    written = run(folders, out=out, formats=listed(formats), top=top, say=say, negligible=negligible)
    for path in written:
        typer.echo(clean(str(path)))
    if open_ and written:
        webbrowser.open(Path(written[-1]).resolve().as_uri())


def compare(
    folders: Folders,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", rich_help_panel=PAGE, help="Where to write; default: comparison/ beside the first."
        ),
    ] = None,
    formats: Formats = "html,csv,tex,md",
    allow_different: Annotated[
        bool,
        typer.Option(
            "--allow-different",
            rich_help_panel=PAGE,
            help="Compare in spite of different data, splits or folds.",
        ),
    ] = False,
    open_: Open = False,
) -> None:
    """Put methods side by side, two sweeps at least, at equal budget: the same data, the same folds, the same number of trials."""
    from igmsweep.analysis import compare as run

    page = run(folders, out=out, formats=listed(formats), allow_different=allow_different, say=say)
    if page is not None:
        typer.echo(clean(str(page)))
        if open_:
            webbrowser.open(page.resolve().as_uri())
