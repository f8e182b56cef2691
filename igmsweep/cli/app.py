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
from igmsweep.cli.examples import epilog
from igmsweep.cli.layout import PARTS, RESULTS, RUN, Command, Group
from igmsweep.cli.methods import methods
from igmsweep.cli.report import analyze, compare
from igmsweep.cli.space import space_app
from igmsweep.cli.study import study
from igmsweep.cli.sweep import best, doctor, repair, resume, status, tune
from igmsweep.cli.terminal import install, refused
from igmsweep.cli.train import train
from igmsweep.errors import Diverged, UserError

logger = logging.getLogger(__name__)

FOREIGN = {"n-trials": "trials", "num-samples": "trials"}
"""What options are called elsewhere, in Optuna and in Ray Tune."""

app = typer.Typer(
    name="igmsweep",
    cls=Group,
    help="Hyper-parameter sweeps for alternating multimodal training (IGM), and the trainer on its own.",
    epilog=epilog(""),
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"token_normalize_func": lambda name: FOREIGN.get(name, name)},
)
for panel, commands in (
    (RUN, (demo, tune, resume, train, study)),
    (RESULTS, (status, best, analyze, compare, evaluate, ablate, repair)),
    (PARTS, (doctor, methods)),
):
    for command in commands:
        app.command(cls=Command, epilog=epilog(command.__name__), rich_help_panel=panel)(command)
app.add_typer(data_app, name="data", rich_help_panel=PARTS)
app.add_typer(space_app, name="space", rich_help_panel=PARTS)


def main() -> None:
    """Entry point: one clear line and the right exit code for every error that a person can mend."""
    install()
    try:
        sys.exit(
            app(prog_name="igmsweep", standalone_mode=False)
        )  # an exit code; a command that only ends returns None
    except typer.TyperException as error:
        if told := refused(error):  # without arguments the help has been shown, and nothing is left to say
            logger.error("%s", told)
        sys.exit(error.exit_code)
    except UserError as error:
        logger.error("%s", error)
        sys.exit(error.exit_code)
    except OSError as error:  # what the system refuses, such as a file where a folder is to be
        if error.errno is None:
            raise
        logger.error("%s", UserError(f"{error.filename or ''}: {error.strerror}".removeprefix(": ")))
        sys.exit(1)
    except Diverged as error:
        logger.error("diverged: %s", error)
        sys.exit(1)
    except KeyboardInterrupt:
        logger.error("interrupted")
        sys.exit(130)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"igmsweep {__version__}")
        raise typer.Exit()


@app.callback(invoke_without_command=True)
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and leave.")
    ] = False,
) -> None:
    """Nothing but options that stand before a command."""
