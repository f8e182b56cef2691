"""`igmsweep tune`, `resume`, `status`, `best` and `doctor`: a sweep, from its start to its best configuration."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from igmsweep.cli import complete
from igmsweep.cli.layout import BUDGET, OTHER, OUTPUT, RESOURCES, SEARCH
from igmsweep.cli.options import (
    SWEEP,
    AsJson,
    Cpus,
    DataSet,
    DryRun,
    Folder,
    Gpus,
    Method,
    NamedData,
    NamedMethod,
    Preset,
    Root,
    Set,
    Strict,
    TrustAll,
    defaults,
    given,
    one_of,
    parse_overrides,
    takes,
    trusted,
)
from igmsweep.cli.terminal import say, shown, tell
from igmsweep.errors import UserError
from igmsweep.legible import clean
from igmsweep.sweep.options import on_resume
from igmsweep.sweep.request import SAMPLERS
from igmsweep.sweep.stopping import SCHEDULERS

if TYPE_CHECKING:
    from igmsweep.sweep import SweepResult


@takes(SWEEP, defaults())
def tune(
    dataset: DataSet,
    method: Method = "igm",
    space: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            autocompletion=complete.spaces,
            rich_help_panel=SEARCH,
            help="A name of `igmsweep space show`, or a file; default: the method's own.",
        ),
    ] = None,
    sampler: Annotated[str, one_of("--sampler", SAMPLERS, "Who proposes the next trial", SEARCH)] = "tpe",
    scheduler: Annotated[
        str, one_of("--scheduler", SCHEDULERS, "Stop hopeless trials at the end of a cycle", SEARCH)
    ] = "none",
    grace: Annotated[
        int,
        typer.Option(
            metavar="N", rich_help_panel=SEARCH, help="Cycles that every trial is given before it may be stopped."
        ),
    ] = 1,
    reduction: Annotated[
        int, typer.Option(metavar="N", rich_help_panel=SEARCH, help="asha: one in so many goes on at each rung.")
    ] = 3,
    warm_start: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="DIR",
            autocompletion=complete.sweeps,
            rich_help_panel=SEARCH,
            help="An earlier sweep whose finished trials the search starts from.",
        ),
    ] = None,
    seed: Annotated[
        int,
        typer.Option(min=0, metavar="N", rich_help_panel=SEARCH, help="Seed of the search and of every training."),
    ] = 0,
    preset: Preset = None,
    set_: Set = None,
    root: Root = None,
    name: Annotated[
        str | None,
        typer.Option(metavar="NAME", rich_help_panel=OUTPUT, help="Name of the sweep's folder; default: a new one."),
    ] = None,
    out: Annotated[
        Path, typer.Option(metavar="DIR", rich_help_panel=OUTPUT, help="Where sweeps are kept.")
    ] = complete.RESULTS,
    resume: Annotated[
        bool, typer.Option("--resume", rich_help_panel=OUTPUT, help="Go on with --name where it exists already.")
    ] = False,
    dry_run: DryRun = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", rich_help_panel=OTHER, help="With --dry-run: list every setting.")
    ] = False,
    strict: Strict = False,
    **options: Any,
) -> None:
    """Search the hyper-parameters of a method on validation data, in parallel, with Ray Tune and Optuna."""
    from igmsweep.sweep import SweepRequest, run_sweep

    if verbose and not dry_run:
        raise UserError("--verbose: it lists what --dry-run leaves out; give both")
    overrides = parse_overrides(set_, root)
    if preset is not None and overrides.setdefault("method.preset", preset) != preset:
        raise UserError(f"--preset: found {preset}, and --set method.preset={overrides['method.preset']}; keep one")
    request = SweepRequest(
        data=dataset,
        method=method,
        space=space,
        sampler=sampler,
        scheduler=scheduler,
        grace=grace,
        reduction=reduction,
        warm_start=tuple(warm_start or ()),
        resume=resume,
        seed=seed,
        name=name,
        out=out,
        overrides=overrides,
        dry_run=dry_run,
        verbose=verbose,
        **given(options),
    )
    result = run_sweep(request)
    if result is not None:
        raise typer.Exit(_ended(result, strict))


@takes(on_resume())
def resume(
    folder: Folder,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", rich_help_panel=BUDGET, help="Train failed trials again, too.")
    ] = False,
    root: Root = None,
    method: NamedMethod = None,
    data: NamedData = None,
    trust: TrustAll = False,
    strict: Strict = False,
    **options: Any,
) -> None:
    """Go on with an interrupted sweep, or extend a finished one with --trials: no finished trial is trained again.

    What is not given stays as it was.
    """
    from igmsweep.sweep import ResumeRequest, resume_sweep

    trusts = trusted(method, data, trust)
    request = ResumeRequest(folder, retry_failed=retry_failed, trust=trusts, root=root, **given(options))
    raise typer.Exit(_ended(resume_sweep(request), strict))


def status(folder: Folder, as_json: AsJson = False) -> None:
    """Say how a sweep stands, also while it runs: what is done, what runs, the best so far, the time left."""
    from igmsweep.record.status import lines
    from igmsweep.record.status import status as read

    found = read(folder)
    typer.echo(json.dumps(found)) if as_json else tell(lines(found))


def repair(
    folder: Folder,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", rich_help_panel=OUTPUT, help="Where the copy goes; default: DIR-repaired beside it."
        ),
    ] = None,
) -> None:
    """Write a mended copy of a damaged sweep beside it, and say what was lost. The folder itself stays as it is."""
    from igmsweep.record.repair import repair as mend

    account = mend(folder, out)
    for line in account.lines():
        say(line)
    typer.echo(clean(str(account.copy)))


def best(folder: Folder, as_json: AsJson = False) -> None:
    """Print the best configuration by validation as YAML (or JSON), ready for `igmsweep train --config`."""
    from igmsweep.analysis.tables import best_config

    config = best_config(folder)
    if as_json:
        typer.echo(json.dumps(config))
    else:
        import yaml

        typer.echo(yaml.safe_dump(config, sort_keys=False), nl=False)


def doctor(
    max_concurrent: Annotated[
        int | None, typer.Option(min=1, metavar="N", rich_help_panel=RESOURCES, help="Trials at a time.")
    ] = None,
    cpus_per_trial: Cpus = 1.0,
    gpus_per_trial: Gpus = None,
    out: Annotated[
        Path, typer.Option(metavar="DIR", rich_help_panel=OUTPUT, help="Where sweeps are kept.")
    ] = complete.RESULTS,
    as_json: AsJson = False,
) -> None:
    """Report what this machine offers, and what a request would do here. Exit 5 when it would be refused."""
    from igmsweep.sweep.doctor import examine, lines

    found = examine(cpus_per_trial, gpus_per_trial, max_concurrent, out)
    typer.echo(json.dumps(found)) if as_json else tell(lines(found))
    raise typer.Exit(5 if "refused" in found else 0)


def _ended(result: SweepResult, strict: bool) -> int:
    code = int(result.exit_code)
    if code == 0 and strict and result.counts.get("failed", 0):
        code = 3
    if result.best is not None:
        say(f"next: igmsweep analyze {shown(result.dir)}")
    return code
