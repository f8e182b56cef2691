"""`igmsweep study`: the paper's tables and figures on a data set, from one command."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from igmsweep.cli import complete
from igmsweep.cli.layout import BUDGET, OTHER, OUTPUT, SEARCH, TRAINING
from igmsweep.cli.options import SWEEP, DryRun, Root, Set, TrustAll, given, listed, parse_overrides, takes
from igmsweep.cli.terminal import tell
from igmsweep.lines import aligned

if TYPE_CHECKING:
    from igmsweep.studies.request import StudyRequest

OWN = ("trials", "seeds", "repeat_top", "folds", "keep_checkpoints", "loggers", "quiet")
"""Options of `tune` that a study sets for its arms itself; all others are the same for all of them."""
RUNS = [name for name in SWEEP if name not in OWN]


@takes(RUNS)
def study(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME",
            autocompletion=complete.studies,
            help="A study's name, such as table2, or paper for all of them; or list, status, resume.",
        ),
    ],
    dataset: Annotated[
        str | None,
        typer.Argument(
            metavar="DATASET",
            autocompletion=complete.studied,
            help="A data set's name, path/to/file.py:NAME, or a CSV file; for status and resume, a study's folder.",
        ),
    ] = None,
    seeds: Annotated[
        int | None,
        typer.Option(
            min=1, metavar="N", rich_help_panel=BUDGET, help="Trainings of each configuration, of different seeds."
        ),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, metavar="N", rich_help_panel=TRAINING, help="The first seed.")] = 0,
    out: Annotated[
        Path, typer.Option(metavar="DIR", rich_help_panel=OUTPUT, help="Where studies are kept.")
    ] = complete.RESULTS,
    trials: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="N",
            rich_help_panel=BUDGET,
            help="Trials of each search, in a study that searches; default: 16.",
        ),
    ] = None,
    methods: Annotated[
        str,
        typer.Option(
            metavar="LIST",
            rich_help_panel=SEARCH,
            help="Comma-separated: the methods that a study of many is cut to.",
        ),
    ] = "",
    confirm_test: Annotated[
        bool,
        typer.Option(
            "--confirm-test",
            rich_help_panel=OTHER,
            help="Open the test set in the end, once for all arms; it is counted.",
        ),
    ] = False,
    root: Root = None,
    set_: Set = None,
    trust: TrustAll = False,
    dry_run: DryRun = False,
    **options: Any,
) -> None:
    """Run a table or figure of the paper on a data set, and write its page; the same command goes on where it stopped."""
    from igmsweep.errors import UserError
    from igmsweep.studies import get, names

    if name == "list":
        rows = [("study", "question", "seeds")]
        rows += [(each.name, each.question, str(each.seeds)) for each in map(get, names())]
        rows.append(("paper", "All of them, one after the other.", ""))
        tell(aligned(rows))
        return
    if name in ("status", "resume"):
        from igmsweep.studies.found import status

        if dataset is None:
            raise UserError(f"study {name}: found no folder; expected a study's, such as results/table2-avdigits")
        if name == "status":
            tell(status(Path(dataset)))
            return
        from igmsweep.studies.request import resumed

        fixed = {"--seed": seed, "--methods": methods, "--set": set_}
        told = [option for option, value in fixed.items() if value]
        if told:
            raise UserError(
                f"study resume: {told[0]} stays as it was; run `igmsweep study NAME DATA` with another --out"
            )
        again = resumed(Path(dataset), seeds, given(options), trust, trials, root, confirm_test)
        _dry(again) if dry_run else _run(again)
        return
    if dataset is None:
        raise UserError(
            f"study {name if name == 'paper' else get(name).name}: found no data set; expected one, such as "
            f"`igmsweep study {name} avdigits`"
        )
    from igmsweep.studies.request import StudyRequest

    request = StudyRequest(
        name,
        dataset,
        seeds,
        seed,
        out,
        parse_overrides(set_, root),
        given(options),
        trials or 16,
        listed(methods),
        confirm_test,
    )
    _dry(request) if dry_run else _run(request)


def _dry(request: StudyRequest) -> None:
    from igmsweep.studies.paper import divided
    from igmsweep.studies.request import PAPER
    from igmsweep.studies.run import dry

    parts = divided(request)[0] if request.name == PAPER else [request]
    tell(line for part in parts for line in dry(part))


def _run(request: StudyRequest) -> None:
    from igmsweep.studies.paper import run_paper
    from igmsweep.studies.request import PAPER
    from igmsweep.studies.run import run_study

    made = run_paper(request) if request.name == PAPER else run_study(request)
    if made.interrupted:
        raise typer.Exit(made.interrupted)
