"""The command line. Human text goes to stderr, machine output to stdout; heavy modules load inside the commands."""

from __future__ import annotations

import json
import re
import sys
import webbrowser
from pathlib import Path
from typing import Annotated, Any

import typer

from igmsweep import __version__
from igmsweep.cli.data import data_app
from igmsweep.cli.space import space_app
from igmsweep.errors import Diverged, UserError

app = typer.Typer(
    name="igmsweep",
    help="Hyper-parameter sweeps for alternating multimodal training (IGM), and the trainer on its own.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.add_typer(data_app, name="data")
app.add_typer(space_app, name="space")

Set = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Override a configuration path, such as optim.batch_size=16."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Machine-readable output on stdout.")]
Log = Annotated[
    list[str] | None,
    typer.Option("--log", metavar="KIND", help="Also log to tensorboard, wandb[=PROJECT] or mlflow[=ADDRESS]."),
]
Method = Annotated[str, typer.Option("--method", help="igm, mla, joint, unimodal, or path/to/file.py:Class.")]


def main() -> None:
    """Entry point: one clear line and the right exit code for every error that a person can mend."""
    try:
        app()
    except UserError as error:
        _say(f"igmsweep: {error}")
        sys.exit(error.exit_code)
    except Diverged as error:
        _say(f"igmsweep: diverged: {error}")
        sys.exit(1)
    except KeyboardInterrupt:
        _say("igmsweep: interrupted")
        sys.exit(130)


@app.callback(invoke_without_command=True)
def _root(
    version: Annotated[bool, typer.Option("--version", help="Print the version and leave.", is_eager=True)] = False,
) -> None:
    if version:
        typer.echo(f"igmsweep {__version__}")
        raise typer.Exit()


@app.command()
def tune(
    dataset: Annotated[str, typer.Argument(help="A data set's name, such as avdigits, or path/to/file.py:NAME.")],
    method: Method = "igm",
    space: Annotated[str | None, typer.Option(help="Search-space file, or the name of a shipped one.")] = None,
    trials: Annotated[
        int, typer.Option("--trials", "-n", "--n-trials", "--num-samples", min=1, help="Trials in all.")
    ] = 16,
    time_budget: Annotated[
        str | None, typer.Option(help="Stop after this long: 90s, 45m, 2h; unfinished trials are marked so.")
    ] = None,
    max_concurrent: Annotated[int | None, typer.Option(min=1, help="Trials at a time; default: what fits.")] = None,
    cpus_per_trial: Annotated[float, typer.Option(help="CPU cores of each trial.")] = 1.0,
    gpus_per_trial: Annotated[
        str | None,
        typer.Option(
            metavar="SHARE", help="Share of a GPU of each trial: 0.25, or auto; default: 1 where there is one."
        ),
    ] = None,
    sampler: Annotated[str, typer.Option(help="tpe, random, grid, gp or cmaes.")] = "tpe",
    scheduler: Annotated[
        str, typer.Option(help="none, asha or median: stop hopeless trials at the end of a cycle.")
    ] = "none",
    grace: Annotated[int, typer.Option(help="Cycles that every trial is given before it may be stopped.")] = 1,
    reduction: Annotated[int, typer.Option(help="ASHA: one in so many goes on at each rung.")] = 3,
    folds: Annotated[int | None, typer.Option(help="Cross-validation in each trial; its score is the mean.")] = None,
    seeds: Annotated[int, typer.Option(help="Train the best few with so many seeds in all, at the end.")] = 1,
    repeat_top: Annotated[int, typer.Option(help="How many of the best --seeds trains again.")] = 3,
    retries: Annotated[int, typer.Option(help="How often a trial whose process or node died goes on.")] = 2,
    trial_timeout: Annotated[str | None, typer.Option(help="A trial that takes longer has failed: 30m, 2h.")] = None,
    keep_checkpoints: Annotated[str, typer.Option(help="best, all or none, of finished trials.")] = "best",
    warm_start: Annotated[
        list[Path] | None, typer.Option(help="An earlier sweep whose finished trials the search starts from.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with --name where it exists already.")] = False,
    log: Log = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the search and of every training.")] = 0,
    name: Annotated[str | None, typer.Option(help="Name of the sweep's folder.")] = None,
    out: Annotated[Path, typer.Option(help="Where sweeps are kept.")] = Path("results"),
    root: Annotated[Path | None, typer.Option(help="Folder of the data set.")] = None,
    set_: Set = None,
    address: Annotated[str | None, typer.Option(help="Address of a running Ray cluster to join.")] = None,
    local: Annotated[
        bool, typer.Option("--local", help="One trial after the other in this process, without Ray.")
    ] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Exit 3 when any trial failed.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print what would run, and leave.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Only errors and the closing line.")] = False,
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
        trials=trials,
        time_budget_s=None if time_budget is None else seconds(time_budget),
        max_concurrent=max_concurrent,
        cpus_per_trial=cpus_per_trial,
        gpus_per_trial=_share(gpus_per_trial),
        trial_timeout_s=None if trial_timeout is None else seconds(trial_timeout, "--trial-timeout"),
        sampler=sampler,
        scheduler=scheduler,
        grace=grace,
        reduction=reduction,
        folds=folds,
        seeds=seeds,
        repeat_top=repeat_top,
        retries=retries,
        keep_checkpoints=keep_checkpoints,  # type: ignore[arg-type]
        warm_start=tuple(warm_start or ()),
        resume=resume,
        loggers=_pairs(log),
        seed=seed,
        name=name,
        out=out,
        overrides=overrides,
        local=local,
        address=address,
        dry_run=dry_run,
        quiet=quiet,
    )
    result = run_sweep(request)
    if result is not None:
        raise typer.Exit(_ended(result, strict))


@app.command()
def resume(
    folder: Annotated[Path, typer.Argument(help="The sweep's folder.")],
    trials: Annotated[
        int | None, typer.Option("--trials", "-n", min=1, help="Trials in all, more than before to extend a sweep.")
    ] = None,
    time_budget: Annotated[str | None, typer.Option(help="Stop after this long: 90s, 45m, 2h.")] = None,
    trial_timeout: Annotated[str | None, typer.Option(help="A trial that takes longer has failed: 30m, 2h.")] = None,
    max_concurrent: Annotated[int | None, typer.Option(min=1, help="Trials at a time; default: what fits.")] = None,
    cpus_per_trial: Annotated[float | None, typer.Option(help="CPU cores of each trial; default: as before.")] = None,
    gpus_per_trial: Annotated[str | None, typer.Option(metavar="SHARE", help="Share of a GPU, or auto.")] = None,
    seeds: Annotated[int | None, typer.Option(help="Train the best few with so many seeds in all.")] = None,
    retries: Annotated[int | None, typer.Option(help="How often a trial whose process or node died goes on.")] = None,
    retry_failed: Annotated[bool, typer.Option("--retry-failed", help="Train failed trials again, too.")] = False,
    address: Annotated[str | None, typer.Option(help="Address of a running Ray cluster to join.")] = None,
    local: Annotated[bool | None, typer.Option("--local/--ray", help="Without Ray, or with it; as before.")] = None,
    log: Log = None,
    strict: Annotated[bool, typer.Option("--strict", help="Exit 3 when any trial failed.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Only errors and the closing line.")] = False,
) -> None:
    """Go on with an interrupted sweep, or extend a finished one: no finished trial is trained again."""
    from igmsweep.sweep import ResumeRequest, resume_sweep

    request = ResumeRequest(
        folder=folder,
        trials=trials,
        time_budget_s=None if time_budget is None else seconds(time_budget),
        trial_timeout_s=None if trial_timeout is None else seconds(trial_timeout, "--trial-timeout"),
        max_concurrent=max_concurrent,
        cpus_per_trial=cpus_per_trial,
        gpus_per_trial=_share(gpus_per_trial),
        seeds=seeds,
        retries=retries,
        retry_failed=retry_failed,
        local=local,
        address=address,
        loggers=_pairs(log),
        quiet=quiet,
    )
    raise typer.Exit(_ended(resume_sweep(request), strict))


@app.command()
def status(
    folder: Annotated[Path, typer.Argument(help="A sweep's folder.")],
    as_json: AsJson = False,
) -> None:
    """Say how a sweep stands, also while it runs: what is done, what runs, the best so far, the time left."""
    from igmsweep.record.status import lines
    from igmsweep.record.status import status as read

    found = read(folder)
    typer.echo(json.dumps(found) if as_json else "\n".join(lines(found)))


@app.command()
def doctor(
    max_concurrent: Annotated[int | None, typer.Option(min=1, help="Trials at a time.")] = None,
    cpus_per_trial: Annotated[float, typer.Option(help="CPU cores of each trial.")] = 1.0,
    gpus_per_trial: Annotated[float | None, typer.Option(help="Share of a GPU of each trial.")] = None,
    out: Annotated[Path, typer.Option(help="Where sweeps are kept.")] = Path("results"),
    as_json: AsJson = False,
) -> None:
    """Report what this machine offers, and what a request would do here. Exit 5 when it would be refused."""
    from igmsweep.sweep.doctor import examine, lines

    found = examine(cpus_per_trial, gpus_per_trial, max_concurrent, out)
    typer.echo(json.dumps(found) if as_json else "\n".join(lines(found)))
    raise typer.Exit(5 if "refused" in found else 0)


@app.command()
def analyze(
    folders: Annotated[list[Path], typer.Argument(help="Sweep folders, or a folder of sweeps.")],
    out: Annotated[Path | None, typer.Option(help="Where to write; default: inside each sweep.")] = None,
    formats: Annotated[
        str, typer.Option("--format", help="Comma-separated: html, csv, tex, md, svg, pdf, png.")
    ] = "html,csv,tex,md",
    top: Annotated[int, typer.Option(min=1, help="Rows of the best-configuration table.")] = 10,
    open_: Annotated[bool, typer.Option("--open", help="Open the report in a browser.")] = False,
) -> None:
    """Render sensitivity plots, the best configurations and one offline page from finished or running sweeps."""
    from igmsweep.analysis import analyze as run

    written = run(folders, out=out, formats=_listed(formats), top=top)
    for path in written:
        typer.echo(str(path))
    if open_ and written:
        webbrowser.open(Path(written[-1]).resolve().as_uri())


@app.command()
def compare(
    folders: Annotated[list[Path], typer.Argument(help="Sweep folders, or folders of sweeps: two sweeps at least.")],
    out: Annotated[Path | None, typer.Option(help="Where to write; default: comparison/ beside the first.")] = None,
    formats: Annotated[
        str, typer.Option("--format", help="Comma-separated: html, csv, tex, md, svg, pdf, png.")
    ] = "html,csv,tex,md",
    allow_different: Annotated[
        bool, typer.Option("--allow-different", help="Compare in spite of different data, splits or folds.")
    ] = False,
    open_: Annotated[bool, typer.Option("--open", help="Open the page in a browser.")] = False,
) -> None:
    """Put methods side by side at equal budget: the same data, the same folds, the same number of trials."""
    from igmsweep.analysis import compare as run

    page = run(folders, out=out, formats=_listed(formats), allow_different=allow_different)
    if page is not None:
        typer.echo(str(page))
        if open_:
            webbrowser.open(page.resolve().as_uri())


@app.command()
def evaluate(
    folder: Annotated[Path, typer.Argument(help="A sweep's folder.")],
    confirm_test: Annotated[
        bool, typer.Option("--confirm-test", help="Yes, open the test split; it is counted.")
    ] = False,
    seeds: Annotated[int, typer.Option(min=1, help="Trainings of each of the two configurations.")] = 5,
    local: Annotated[bool, typer.Option("--local", help="One training after the other, without Ray.")] = False,
    address: Annotated[str | None, typer.Option(help="Address of a running Ray cluster to join.")] = None,
    cpus_per_trial: Annotated[float, typer.Option(help="CPU cores of each training.")] = 1.0,
    gpus_per_trial: Annotated[
        float | None, typer.Option(help="Share of a GPU of each training; default: 1 where there is one.")
    ] = None,
    root: Annotated[Path | None, typer.Option(help="Folder of the data set, where it has moved.")] = None,
    as_json: AsJson = False,
) -> None:
    """Train winner and paper's default on train + validation, and score them on the test set, once."""
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
        )
    except KeyboardInterrupt:
        _say("igmsweep: interrupted; the same command goes on with what is missing")
        raise typer.Exit(130) from None
    for candidate in outcome["candidates"]:
        scores = [
            f"{name} {mean:.4f}" + ("" if candidate["sd"][name] is None else f" ± {candidate['sd'][name]:.4f}")
            for name, mean in candidate["mean"].items()
            if "/" not in name
        ]
        _say(f"{candidate['name']}: test {'  '.join(scores)}  ({len(candidate['seeds'])} seeds)")
    if outcome["comparison"]:
        _say(outcome["comparison"]["words"])
    times = "once" if outcome["count"] == 1 else f"{outcome['count']} times"
    _say(f"the test set has been opened {times} for this sweep; next: igmsweep analyze {_shown(folder)}")
    if as_json:
        typer.echo(json.dumps(outcome))


@app.command()
def train(
    dataset: Annotated[str, typer.Argument(help="A data set's name, such as avdigits.")],
    method: Method = "igm",
    preset: Annotated[str, typer.Option(help="paper, or released: the authors' code as it runs.")] = "paper",
    config: Annotated[
        Path | None, typer.Option(help="A configuration file, such as a sweep's best_config.yaml.")
    ] = None,
    set_: Set = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Seed of the training.")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder for config, metrics, result and checkpoint.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the checkpoint in --out.")] = False,
    as_json: AsJson = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No line per epoch.")] = False,
) -> None:
    """Run one full training, without Ray and without Optuna."""
    from igmsweep.config import TrainConfig
    from igmsweep.schema.yaml_file import read_yaml
    from igmsweep.train import train as run

    if config is not None:
        values = read_yaml(config)
        given = values.get("data")
        named = given.get("name") if isinstance(given, dict) else given
        if named is not None and named != dataset:
            raise UserError(f"{config}: data.name is '{named}', but the command names '{dataset}'")
        values.setdefault("data", {"name": dataset})
        resolved = TrainConfig(**values)
    else:
        resolved = TrainConfig(data=dataset, method={"name": method, "preset": preset})
    overrides = parse_overrides(set_)
    if seed is not None:
        overrides["seed"] = seed
    resolved = resolved.override(overrides)
    checkpoint = None if out is None else out / "checkpoint.pt"
    if resume and checkpoint is None:
        raise UserError("--resume: needs --out, the folder whose checkpoint goes on")
    if out is not None and checkpoint is not None and not resume and checkpoint.exists():
        raise UserError(f"{out}: already holds a training; add --resume, or choose another --out")

    total = _epochs(resolved)

    def report(step: int, metrics: dict[str, Any], save: Any) -> None:
        if out is not None and checkpoint is not None:
            out.mkdir(parents=True, exist_ok=True)
            with (out / "metrics.jsonl").open("a", encoding="utf-8") as file:
                file.write(json.dumps(metrics) + "\n")
            save(checkpoint)
        if not quiet:
            _say(
                f"epoch {step}/{total}  {metrics['active']:<12} loss {metrics['train/loss']:.4f}  "
                f"val/acc {metrics['val/acc']:.4f}  {metrics['seconds']:.1f}s"
            )

    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        (out / "config.yaml").write_text(resolved.to_yaml(), encoding="utf-8")
    try:
        result = run(resolved, report, resume=checkpoint if resume else None)
    except KeyboardInterrupt:
        hint = f"; go on with --out {out} --resume" if out is not None else ""
        _say(f"igmsweep: interrupted{hint}")
        raise typer.Exit(130) from None
    summary = {
        "config_hash": resolved.hash(),
        "metrics": result.metrics,
        "epochs": len(result.history),
        "seconds": result.seconds,
        "notes": result.notes,
        "diagnostics": result.diagnostics,
        "config": resolved.to_dict(),
    }
    if out is not None:
        (out / "result.json").write_text(json.dumps(summary, indent=1), encoding="utf-8")
    for note in result.notes:
        _say(f"note: {note}")
    _say(
        f"{dataset} {resolved.method.name}: "
        + "  ".join(f"{key} {value:.4f}" for key, value in result.metrics.items() if key.startswith("val/"))
        + f"  ({result.seconds:.0f} s)"
    )
    if as_json:
        typer.echo(json.dumps(summary))


@app.command()
def best(
    folder: Annotated[Path, typer.Argument(help="A sweep's folder.")],
    as_json: AsJson = False,
) -> None:
    """Print the best configuration by validation as YAML (or JSON), ready for `igmsweep train --config`."""
    from igmsweep.analysis.tables import best_config

    config = best_config(folder)
    if as_json:
        typer.echo(json.dumps(config))
    else:
        import yaml

        typer.echo(yaml.safe_dump(config, sort_keys=False), nl=False)


@app.command()
def methods() -> None:
    """List the methods and what their parameters default to."""
    from igmsweep.methods import get, names

    for name in names():
        method = get(name)
        typer.echo(f"{name}: {(sys.modules[method.__module__].__doc__ or '').strip().splitlines()[0]}")
        for key, field in method.Params.model_fields.items():
            if key != "name":
                shown = "per modality" if field.is_required() else field.default
                typer.echo(f"  method.{key} = {shown}")


def _listed(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def seconds(text: str, option: str = "--time-budget") -> float:
    """Seconds in a duration such as `90s`, `45m`, `1.5h` or `2h30m`. Raises UserError."""
    parts = re.findall(r"(\d+(?:\.\d+)?)\s*([smhd])", text)
    if not parts or re.sub(r"(\d+(?:\.\d+)?)\s*([smhd])", "", text).strip():
        raise UserError(f"{option}: found '{text}', expected a duration such as 90s, 45m or 2h")
    return sum(float(number) * {"s": 1, "m": 60, "h": 3600, "d": 86400}[unit] for number, unit in parts)


def _share(text: str | None) -> Any:
    """A share of a GPU, `auto` or None."""
    if text is None or text == "auto":
        return text
    try:
        return float(text)
    except ValueError:
        raise UserError(f"--gpus-per-trial: found '{text}', expected a number such as 0.25, or auto") from None


def _pairs(names: list[str] | None) -> dict[str, str]:
    """`wandb=project` as a mapping; the part after the sign may be missing."""
    return {name: target for name, _, target in (entry.partition("=") for entry in names or [])}


def _ended(result: Any, strict: bool) -> int:
    code = int(result.exit_code)
    if code == 0 and strict and result.counts.get("failed", 0):
        code = 3
    if result.best is not None:
        _say(f"next: igmsweep analyze {_shown(result.dir)}")
    return code


def parse_overrides(pairs: list[str] | None) -> dict[str, Any]:
    """`key=value` pairs with YAML values."""
    import yaml

    from igmsweep.schema.yaml_file import YamlLoader

    values: dict[str, Any] = {}
    for pair in pairs or []:
        key, equals, text = pair.partition("=")
        if not equals or not key.strip():
            raise UserError(f"--set: found '{pair}', expected KEY=VALUE, such as optim.batch_size=16")
        try:
            values[key.strip()] = yaml.load(text, Loader=YamlLoader)
        except yaml.YAMLError:
            raise UserError(f"--set {key}: cannot read the value '{text}'") from None
    return values


def _epochs(config: Any) -> int:
    from igmsweep import methods
    from igmsweep.train import plan

    method = methods.get(config.method.name)(config.method, config.modalities)
    return sum(stage.epochs for stage in plan(config, method))


def _shown(path: Path) -> str:
    try:
        return str(Path(path).resolve().relative_to(Path.cwd()))
    except ValueError:
        return str(path)


def _say(line: str) -> None:
    typer.echo(line, err=True)


if __name__ == "__main__":
    main()
