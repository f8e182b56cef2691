"""`igmsweep demo`: what the tool does, from a sweep to its report, with nothing but the package."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from igmsweep.cli.layout import OUTPUT
from igmsweep.cli.options import defaults, given, takes
from igmsweep.cli.report import Open, analyze


@takes(("trials", "max_concurrent", "local", "quiet"), defaults() | {"trials": 40})
def demo(
    out: Annotated[
        Path, typer.Option(metavar="DIR", rich_help_panel=OUTPUT, help="Where the sweep's folder goes.")
    ] = Path("results"),
    open_: Open = False,
    **options: Any,
) -> None:
    """Search four parameters of IGM on the embedded avdigits, and write the report: some minutes on two cores."""
    from igmsweep.sweep import SweepRequest, run_sweep

    name = f"demo-{datetime.datetime.now():%Y%m%d-%H%M%S}"
    result = run_sweep(
        SweepRequest(data="avdigits", space="demo", sampler="random", name=name, out=out, **given(options))
    )
    assert result is not None  # as every sweep but a dry run
    if result.best is not None:
        analyze([result.dir], open_=open_)
    raise typer.Exit(result.exit_code)
