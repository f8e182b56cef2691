"""`igmsweep ablate`: what each change from the paper's default to the winner gives."""

from __future__ import annotations

import json
from typing import Annotated, Any, cast

import typer

from igmsweep.cli.layout import BUDGET, SEARCH
from igmsweep.cli.options import (
    AsJson,
    DryRun,
    Folder,
    NamedData,
    NamedMethod,
    Root,
    TrustAll,
    given,
    one_of,
    takes,
    trusted,
)
from igmsweep.cli.terminal import say, tell

RUNS = ("time_budget_s", "max_concurrent", "cpus_per_trial", "gpus_per_trial", "address", "local", "quiet")


@takes(RUNS)
def ablate(
    folder: Folder,
    seeds: Annotated[
        int,
        typer.Option(
            min=1, metavar="N", rich_help_panel=BUDGET, help="Trainings of each configuration, with the same seeds."
        ),
    ] = 3,
    order: Annotated[
        str | None,
        one_of(
            "--order",
            ("greedy", "surrogate"),
            "Train all that is left at each step and take the best, or what the model of the trials takes to be best "
            "alone (default: the first, up to five changes)",
            SEARCH,
        ),
    ] = None,
    trial: Annotated[
        int | None,
        typer.Option(
            metavar="N", rich_help_panel=SEARCH, help="The trial that the path leads to; default: the winner."
        ),
    ] = None,
    root: Root = None,
    method: NamedMethod = None,
    data: NamedData = None,
    trust: TrustAll = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
    **options: Any,
) -> None:
    """Change one parameter after the other from the paper's default to the winner, train every step again, and say what each gives.

    What is not given is as in the sweep; the same command goes on where it stopped.
    """
    from igmsweep.ablation.render import to_text, told
    from igmsweep.ablation.run import AblationRequest, dry
    from igmsweep.ablation.run import ablate as run

    options.pop("quiet")
    request = AblationRequest(
        folder, seeds, cast(Any, order), trial, root, trusted(method, data, trust), given(options)
    )
    if dry_run:
        tell(dry(request))
        return
    found = run(request)
    say(to_text(found))
    if as_json:
        typer.echo(json.dumps(told(found)))
    if found.interrupted:
        raise typer.Exit(found.interrupted)
