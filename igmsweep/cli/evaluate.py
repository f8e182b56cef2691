"""`igmsweep evaluate`: the test set, opened once and counted."""

from __future__ import annotations

import json
from typing import Annotated, Any, cast

import typer

from igmsweep.cli.layout import BUDGET, OTHER, RESOURCES, TRAINING
from igmsweep.cli.options import (
    Address,
    AsJson,
    Cpus,
    Folder,
    Gpus,
    NamedData,
    NamedMethod,
    Root,
    TrustAll,
    one_of,
    parse_overrides,
    trusted,
)
from igmsweep.cli.terminal import say, shown


def evaluate(
    folder: Folder,
    confirm_test: Annotated[
        bool, typer.Option("--confirm-test", rich_help_panel=OTHER, help="Yes, open the test split; it is counted.")
    ] = False,
    seeds: Annotated[
        int,
        typer.Option(min=1, metavar="N", rich_help_panel=BUDGET, help="Trainings of each of the two configurations."),
    ] = 5,
    train_on: Annotated[
        str,
        one_of(
            "--train-on",
            ("all", "train"),
            "Train on train + validation, or leave validation out as the search did (to compare methods some of which "
            "need it)",
            TRAINING,
        ),
    ] = "all",
    winner_only: Annotated[
        bool, typer.Option("--winner-only", rich_help_panel=TRAINING, help="Leave the paper's default out.")
    ] = False,
    local: Annotated[
        bool, typer.Option("--local", rich_help_panel=RESOURCES, help="One training after the other, without Ray.")
    ] = False,
    address: Address = None,
    cpus_per_trial: Cpus = 1.0,
    gpus_per_trial: Gpus = None,
    root: Root = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="data.bad_share or data.bad_files alone."),
    ] = None,
    method: NamedMethod = None,
    data: NamedData = None,
    trust: TrustAll = False,
    as_json: AsJson = False,
) -> None:
    """Train winner and paper's default again, with fresh seeds, and score them on the test set, once."""
    from igmsweep.evaluate import evaluate as run

    try:
        outcome = run(
            folder,
            confirm_test=confirm_test,
            seeds=seeds,
            local=local,
            address=address,
            cpus_per_trial=cpus_per_trial,
            gpus_per_trial=gpus_per_trial,
            root=root,
            trust=trusted(method, data, trust),
            train_on=cast(Any, train_on),
            winner_only=winner_only,
            overrides=parse_overrides(set_),
        )
    except KeyboardInterrupt:
        say("igmsweep: interrupted; the same command goes on with what is missing")
        raise typer.Exit(130) from None
    for candidate in outcome["candidates"]:
        scores = [
            f"{name} {mean:.4f}" + ("" if candidate["sd"][name] is None else f" ± {candidate['sd'][name]:.4f}")
            for name, mean in candidate["mean"].items()
            if "/" not in name
        ]
        say(f"{candidate['name']}: test {'  '.join(scores)}  ({len(candidate['seeds'])} seeds)")
    if outcome["comparison"]:
        say(outcome["comparison"]["words"])
    times = "once" if outcome["count"] == 1 else f"{outcome['count']} times"
    say(f"the test set has been opened {times} for this sweep; next: igmsweep analyze {shown(folder)}")
    if as_json:
        typer.echo(json.dumps(outcome))
