"""`igmsweep space`: print a search space, as it is or for a data set, and check one. Heavy modules load inside."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from igmsweep.cli import complete
from igmsweep.cli.examples import epilog
from igmsweep.cli.layout import Command, Group
from igmsweep.legible import clean

space_app = typer.Typer(
    cls=Group, help="Search spaces: show or validate one.", epilog=epilog("space"), no_args_is_help=True
)

Data = Annotated[
    str | None,
    typer.Option(
        "--data",
        metavar="DATASET",
        autocompletion=complete.data_sets,
        help="The data set to complete it with: a name, path/to/file.py:NAME, or a CSV file.",
    ),
]
Root = Annotated[
    Path | None, typer.Option("--root", metavar="DIR", help="Folder of the data set, where it is elsewhere.")
]


@space_app.command("show", cls=Command, epilog=epilog("space show"))
def space_show(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="NAME",
            autocompletion=complete.spaces,
            help="A shipped space, a file, or a method of your own; without it, the shipped names.",
        ),
    ] = None,
    dataset: Data = None,
    root: Root = None,
) -> None:
    """Print a search space, with --data as it is searched there, or list the shipped ones."""
    from igmsweep.spaces import space_names
    from igmsweep.spaces.show import shown, shown_on

    if name is None:
        for shipped in space_names():
            typer.echo(shipped)
    else:
        typer.echo(clean(shown(name) if dataset is None else shown_on(name, dataset, root)), nl=False)


@space_app.command("validate", cls=Command, epilog=epilog("space validate"))
def space_validate(
    file: Annotated[
        str,
        typer.Argument(metavar="NAME", autocompletion=complete.spaces, help="A search-space file, or a shipped name."),
    ],
    dataset: Annotated[
        str,
        typer.Option(
            "--data", metavar="DATASET", autocompletion=complete.data_sets, help="The data set it is meant for."
        ),
    ] = "avdigits",
    method: Annotated[
        str | None,
        typer.Option(
            "--method",
            metavar="NAME",
            autocompletion=complete.methods,
            help="The method it is meant for; default: the one that it extends, or igm.",
        ),
    ] = None,
    root: Root = None,
) -> None:
    """Check a search space against a data set's and a method's configuration, without running anything."""
    from igmsweep.config import TrainConfig
    from igmsweep.spaces import load_space
    from igmsweep.spaces.shipped import method_of

    config = TrainConfig(data={"name": dataset, "root": root}, method=method or method_of(file) or "igm")
    space = load_space(file, config)
    space.check(config)
    typer.echo(f"{clean(str(file))}: valid for {config.method.name}, {len(space.params)} parameters")
