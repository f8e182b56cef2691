"""`igmsweep ablate`: what each change from the paper's default to the winner gives."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, cast

import typer

from igmsweep.cli.options import AsJson, Folder, NamedData, NamedMethod, TrustAll, given, takes, trusted
from igmsweep.cli.terminal import say

RUNS = ("time_budget_s", "max_concurrent", "cpus_per_trial", "gpus_per_trial", "address", "local", "quiet")


@takes(RUNS)
def ablate(
    folder: Folder,
    seeds: Annotated[int, typer.Option(min=1, help="Trainings of each configuration, with the same seeds.")] = 3,
    order: Annotated[
        str | None,
        typer.Option(
            metavar="greedy|surrogate",
            help="Train all that is left at each step and take the best, or what the model of the trials takes to be best alone; default: "
            "greedy up to five changes.",
        ),
    ] = None,
    trial: Annotated[int | None, typer.Option(help="The trial that the path leads to; default: the winner.")] = None,
    root: Annotated[Path | None, typer.Option(help="Folder of the data set, where it has moved.")] = None,
    method: NamedMethod = None,
    data: NamedData = None,
    trust: TrustAll = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be trained, and leave.")] = False,
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
        typer.echo("\n".join(dry(request)))
        return
    found = run(request)
    say(to_text(found))
    if as_json:
        typer.echo(json.dumps(told(found)))
    if found.interrupted:
        raise typer.Exit(found.interrupted)
