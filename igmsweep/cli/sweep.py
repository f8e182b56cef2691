"""`igmsweep tune`, `resume`, `status`, `best` and `doctor`: a sweep, from its start to its best configuration."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from igmsweep.cli.options import (
    SWEEP,
    AsJson,
    Cpus,
    Folder,
    Gpus,
    Method,
    NamedData,
    NamedMethod,
    Set,
    Strict,
    TrustAll,
    defaults,
    given,
    parse_overrides,
    takes,
    trusted,
)
from igmsweep.cli.terminal import say, shown
from igmsweep.sweep.options import on_resume

if TYPE_CHECKING:
    from igmsweep.sweep import SweepResult


@takes(SWEEP, defaults())
def tune(
    dataset: Annotated[str, typer.Argument(help="A data set's name, such as avdigits, or path/to/file.py:NAME.")],
    method: Method = "igm",
    space: Annotated[str | None, typer.Option(help="Search-space file, or the name of a shipped one.")] = None,
    sampler: Annotated[str, typer.Option(help="tpe, random, sobol, sobol+tpe, grid, gp or cmaes.")] = "tpe",
    scheduler: Annotated[
        str, typer.Option(help="none, asha or median: stop hopeless trials at the end of a cycle.")
    ] = "none",
    grace: Annotated[int, typer.Option(help="Cycles that every trial is given before it may be stopped.")] = 1,
    reduction: Annotated[int, typer.Option(help="ASHA: one in so many goes on at each rung.")] = 3,
    warm_start: Annotated[
        list[Path] | None, typer.Option(help="An earlier sweep whose finished trials the search starts from.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with --name where it exists already.")] = False,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the search and of every training.")] = 0,
    name: Annotated[str | None, typer.Option(help="Name of the sweep's folder.")] = None,
    out: Annotated[Path, typer.Option(help="Where sweeps are kept.")] = Path("results"),
    root: Annotated[Path | None, typer.Option(help="Folder of the data set.")] = None,
    set_: Set = None,
    strict: Strict = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would run, and leave.")] = False,
    **options: Any,
) -> None:
    """Search the hyper-parameters of a method on validation data, in parallel, with Ray Tune and Optuna."""
    from igmsweep.sweep import SweepRequest, run_sweep

    overrides = parse_overrides(set_)
    if root is not None:
        overrides["data.root"] = str(root.resolve())
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
        **given(options),
    )
    result = run_sweep(request)
    if result is not None:
        raise typer.Exit(_ended(result, strict))


@takes(on_resume())
def resume(
    folder: Folder,
    retry_failed: Annotated[bool, typer.Option("--retry-failed", help="Train failed trials again, too.")] = False,
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

    request = ResumeRequest(folder, retry_failed=retry_failed, trust=trusted(method, data, trust), **given(options))
    raise typer.Exit(_ended(resume_sweep(request), strict))


def status(folder: Folder, as_json: AsJson = False) -> None:
    """Say how a sweep stands, also while it runs: what is done, what runs, the best so far, the time left."""
    from igmsweep.record.status import lines
    from igmsweep.record.status import status as read

    found = read(folder)
    typer.echo(json.dumps(found) if as_json else "\n".join(lines(found)))


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
    max_concurrent: Annotated[int | None, typer.Option(min=1, help="Trials at a time.")] = None,
    cpus_per_trial: Cpus = 1.0,
    gpus_per_trial: Gpus = None,
    out: Annotated[Path, typer.Option(help="Where sweeps are kept.")] = Path("results"),
    as_json: AsJson = False,
) -> None:
    """Report what this machine offers, and what a request would do here. Exit 5 when it would be refused."""
    from igmsweep.sweep.doctor import examine, lines

    found = examine(cpus_per_trial, gpus_per_trial, max_concurrent, out)
    typer.echo(json.dumps(found) if as_json else "\n".join(lines(found)))
    raise typer.Exit(5 if "refused" in found else 0)


def _ended(result: SweepResult, strict: bool) -> int:
    code = int(result.exit_code)
    if code == 0 and strict and result.counts.get("failed", 0):
        code = 3
    if result.best is not None:
        say(f"next: igmsweep analyze {shown(result.dir)}")
    return code
