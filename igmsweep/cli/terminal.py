"""What a person at the terminal reads: lines on standard error, which the library logs and the commands say."""

from __future__ import annotations

import logging
import os
import sys
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import typer

from igmsweep.legible import MESSAGE, clean, on_one_line, shortened
from igmsweep.lines import CLOSING, wrapped
from igmsweep.record.training import of_training, redirected, terminal

NAME = "igmsweep"


class Terminal(logging.Handler):
    """Writes `igmsweep: message` to standard error, and lines of tables as they are. What a training in this process logs
    goes to its own log alone."""

    def emit(self, record: logging.LogRecord) -> None:
        if redirected() and of_training(record):
            return
        try:
            message = self.format(record)
            stream = terminal()
            told = on_one_line(message if getattr(record, "bare", False) else f"{NAME}: {shortened(message, MESSAGE)}")
            stream.write(wrapped(told, stream) + "\n")
            stream.flush()
        except Exception:
            self.handleError(record)


def install() -> None:
    """Show what the library logs; once a process, however often this is called."""
    warnings.filterwarnings("ignore", module=r"PIL\.")  # of pictures that it reads all the same
    logger = logging.getLogger(NAME)
    for handler in list(logger.handlers):
        if isinstance(handler, Terminal):
            logger.removeHandler(handler)
    logger.addHandler(Terminal())
    logger.setLevel(logging.INFO)


def quieten(quiet: bool | None) -> bool | None:
    """For an option `--quiet`: leave out what is said on the way."""
    if quiet:
        logging.getLogger(NAME).setLevel(CLOSING)
    return quiet


def refused(error: typer.TyperException) -> str:
    """What the parser could not take, as the commands tell errors. Empty where it has no words."""
    param, ctx = getattr(error, "param", None), getattr(error, "ctx", None)
    if param is not None and error.__cause__ is not None:
        from pydantic import ValidationError

        from igmsweep.schema.messages import one_line

        if isinstance(error.__cause__, ValidationError):
            name = next((name for name in param.opts if name.startswith("--")), param.metavar or param.name)
            return one_line(error.__cause__, {}, name)
    told = shortened(clean(error.format_message().rstrip(".")).replace("\n", " "), MESSAGE - 100)
    return f"{told}; see `{ctx.command_path} --help`" if told and ctx is not None and "?" not in told else told


@contextmanager
def quiet_libraries() -> Iterator[None]:
    """Without the remarks that decoders make on files, in Python or straight to the process's standard error: what is wrong
    with a file is said once, by us."""
    ours = sys.stderr
    try:
        number = ours.fileno()
    except (OSError, ValueError):  # a test's stand-in, which no library writes to
        number = -1
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if number != 2:
            yield
            return
        ours.flush()
        with open(os.devnull, "w") as nowhere, os.fdopen(os.dup(2), "w", buffering=1) as kept:
            os.dup2(nowhere.fileno(), 2)
            sys.stderr = kept
            try:
                yield
            finally:
                kept.flush()
                os.dup2(kept.fileno(), 2)
                sys.stderr = ours


def say(line: str) -> None:
    """A line of a command's own, as it is."""
    typer.echo(clean(line), err=True)


def tell(lines: Iterable[str]) -> None:
    """What a command was asked for, on standard output: broken between words in a terminal, each line whole in a file or a pipe."""
    for line in lines:
        typer.echo(wrapped(clean(line), sys.stdout))


def shown(path: Path) -> str:
    """A path as short as it can be typed from here."""
    try:
        return clean(str(Path(path).resolve().relative_to(Path.cwd())))
    except ValueError:
        return clean(str(path))
