"""`igmsweep train`: one training, without Ray and without Optuna."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from igmsweep.cli import complete
from igmsweep.cli.layout import OTHER, OUTPUT, TRAINING
from igmsweep.cli.options import AsJson, DataSet, Preset, Root, Set, TrustAll, parse_overrides, trusted
from igmsweep.cli.terminal import say
from igmsweep.errors import UserError

if TYPE_CHECKING:
    from igmsweep.config import TrainConfig


def train(
    dataset: DataSet,
    method: Annotated[
        str | None,
        typer.Option(
            "--method",
            metavar="NAME",
            autocompletion=complete.methods,
            rich_help_panel=TRAINING,
            help="A name of `igmsweep methods`, or path/to/file.py:CLASS; default: igm, or what --config says.",
        ),
    ] = None,
    preset: Preset = None,
    config: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            rich_help_panel=TRAINING,
            help="A configuration file, such as a sweep's best_config.yaml.",
        ),
    ] = None,
    trust: TrustAll = False,
    root: Root = None,
    set_: Set = None,
    seed: Annotated[
        int | None, typer.Option(min=0, metavar="N", rich_help_panel=TRAINING, help="Seed of the training.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", rich_help_panel=OUTPUT, help="Folder for config, metrics, result and checkpoint."),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", rich_help_panel=OUTPUT, help="Go on from the checkpoint in --out.")
    ] = False,
    as_json: AsJson = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", rich_help_panel=OTHER, help="No line per epoch.")] = False,
) -> None:
    """Run one full training, without Ray and without Optuna."""
    from igmsweep.config import TrainConfig, reading
    from igmsweep.record.json_files import plain
    from igmsweep.record.paths import CHECKPOINT, CONFIG
    from igmsweep.record.results import write_result
    from igmsweep.record.training import Epochs, write_config, write_diagnostics
    from igmsweep.train import train as run

    if config is not None and preset is not None:
        raise UserError("--preset: found with --config, which holds a preset's values already; keep one of the two")
    overrides = parse_overrides(set_, root)
    if seed is not None:
        overrides["seed"] = seed
    if config is not None:
        resolved = _from_file(config, dataset, method, trust).override(overrides)
    else:
        resolved = TrainConfig.new(dataset, {"name": method or "igm", "preset": preset or "paper"}, overrides)
        derived = None if quiet else reading(resolved)
        if derived is not None:
            say(f"igmsweep: {derived}")
    if resume and out is None:
        raise UserError("--resume: needs --out, the folder whose checkpoint goes on")
    if out is not None:
        trusted(method, dataset, trust).check_links(out)
    checkpoint = None if out is None else out / CHECKPOINT
    if not resume and checkpoint is not None and checkpoint.exists():
        raise UserError(f"{out}: already holds a training; add --resume, or choose another --out")
    total = _epochs(resolved)
    epochs = None
    if out is not None:
        if not (resume and (out / CONFIG).exists()):  # the checkpoint is of the configuration that is there
            write_config(out, resolved.to_yaml())
        epochs = Epochs(out, every=0.0)
        if not resume:
            epochs.restart()

    def report(step: int, metrics: dict[str, Any], save: Callable[[Path], None]) -> None:
        if epochs is not None:
            epochs.report(step, metrics, save)
        if not quiet:
            say(
                f"epoch {step}/{total}  {metrics['active']:<12} loss {metrics['train/loss']:.4f}  "
                f"val/acc {metrics['val/acc']:.4f}  {metrics['seconds']:.1f}s"
            )

    try:
        result = run(resolved, report, resume=checkpoint if resume else None)
    except KeyboardInterrupt:
        hint = f"; go on with --out {out} --resume" if out is not None else ""
        say(f"igmsweep: interrupted{hint}")
        raise typer.Exit(130) from None
    summary = plain(
        {
            "config_hash": resolved.hash(),
            "metrics": result.metrics,
            "epochs": len(result.history),
            "seconds": result.seconds,
            "notes": result.notes,
            "config": resolved.to_dict(),
        }
    )
    if out is not None:
        write_diagnostics(out, result.diagnostics)
        write_result(out, summary)
    for note in result.notes:
        say(f"note: {note}")
    say(
        f"{dataset} {resolved.method.name}: "
        + "  ".join(f"{key} {value:.4f}" for key, value in result.metrics.items() if key.startswith("val/"))
        + f"  ({result.seconds:.0f} s)"
    )
    if as_json:
        typer.echo(json.dumps(summary))


def _from_file(file: Path, dataset: str, method: str | None, trust: bool) -> TrainConfig:
    """The configuration in a file, whose Python files are run only where the command names them or trusts the file."""
    from igmsweep.config import TrainConfig
    from igmsweep.gate.yaml_text import read_yaml

    values = read_yaml(file)
    values.setdefault("data", {"name": dataset})
    if method is not None:
        values.setdefault("method", {"name": method})
    return TrainConfig.of_folder(values, file, trusted(method, dataset, trust))


def _epochs(config: TrainConfig) -> int:
    from igmsweep.train import plan

    return sum(stage.epochs for stage in plan(config))
