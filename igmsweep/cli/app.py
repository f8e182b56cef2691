"""The command line. Human text goes to stderr, machine output to stdout; heavy modules load inside the commands."""

from __future__ import annotations

import logging
import sys
from typing import Annotated

import typer

from igmsweep import __version__
from igmsweep.cli.ablate import ablate
from igmsweep.cli.data import data_app
from igmsweep.cli.demo import demo
from igmsweep.cli.evaluate import evaluate
from igmsweep.cli.methods import methods
from igmsweep.cli.report import analyze, compare
from igmsweep.cli.space import space_app
from igmsweep.cli.study import study
from igmsweep.cli.sweep import best, doctor, resume, status, tune
from igmsweep.cli.terminal import install
from igmsweep.cli.train import train
from igmsweep.errors import Diverged, UserError

logger = logging.getLogger(__name__)

app = typer.Typer(
    name="igmsweep",
    help="Hyper-parameter sweeps for alternating multimodal training (IGM), and the trainer on its own.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
for command in (demo, tune, resume, status, doctor, analyze, compare, evaluate, ablate, train, best, methods, study):
    app.command()(command)
app.add_typer(data_app, name="data")
app.add_typer(space_app, name="space")


def main() -> None:
    """Entry point: one clear line and the right exit code for every error that a person can mend."""
    install()
    try:
        app()
    except UserError as error:
        logger.error("%s", error)
        sys.exit(error.exit_code)
    except Diverged as error:
        logger.error("diverged: %s", error)
        sys.exit(1)
    except KeyboardInterrupt:
        logger.error("interrupted")
        sys.exit(130)


@app.callback(invoke_without_command=True)
def _root(
    version: Annotated[bool, typer.Option("--version", help="Print the version and leave.", is_eager=True)] = False,
) -> None:
    if version:
        typer.echo(f"igmsweep {__version__}")
        raise typer.Exit()
