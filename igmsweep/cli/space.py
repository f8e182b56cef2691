"""`igmsweep space`: search spaces, shown and checked."""

from __future__ import annotations

from typing import Annotated

import typer

from igmsweep.cli.options import Method

space_app = typer.Typer(help="Search spaces: show or validate a file.", no_args_is_help=True)


@space_app.command("show")
def space_show(
    name: Annotated[
        str | None, typer.Argument(help="A shipped space or a file; without it, the shipped names.")
    ] = None,
) -> None:
    """Print a shipped search space, or list them."""
    from igmsweep.spaces.space import find_space, space_names

    if name is None:
        for shipped in space_names():
            typer.echo(shipped)
    else:
        typer.echo(find_space(name).read_text(encoding="utf-8"), nl=False)


@space_app.command("validate")
def space_validate(
    file: Annotated[str, typer.Argument(help="A search-space file, or a shipped name.")],
    dataset: Annotated[str, typer.Option("--data", help="The data set it is meant for.")] = "avdigits",
    method: Method = "igm",
) -> None:
    """Check a search space against a data set's and a method's configuration, without running anything."""
    from igmsweep.config import TrainConfig
    from igmsweep.spaces.space import SearchSpace

    space = SearchSpace.load(file)
    space.check(TrainConfig(data=dataset, method=method))
    typer.echo(f"{file}: valid, {len(space.params)} parameters")
