"""Errors that a person reads: one line that names the key or file, what was found and what was expected."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable

from igmsweep.legible import MESSAGE, on_one_line, shortened


class UserError(Exception):
    """Bad usage, search space or configuration. The command line prints it as one line and exits with `exit_code`.

    A message may quote what was found, whatever that is: control codes are spelt out, and a long one is cut in its middle.
    """

    exit_code: int = 2

    def __init__(self, message: object = "") -> None:
        super().__init__(shortened(on_one_line(str(message)), MESSAGE))


class DataError(UserError):
    """Missing or unreadable data, or a split that cannot be trained on."""

    exit_code = 1


class OldCheckpoint(UserError):
    """A checkpoint of another version of igmsweep: its training can only begin again."""


class NothingCompleted(UserError):
    """A sweep or a folder without a single completed trial."""

    exit_code = 4


class ResourceError(UserError):
    """A request for CPUs or GPUs that this machine or cluster can never grant."""

    exit_code = 5


class Diverged(Exception):
    """The loss became NaN or infinite. The trial fails; a sweep goes on."""


def nearest(name: str, options: Iterable[str]) -> str:
    """` (did you mean 'x'?)` for the option closest to `name`, or an empty string when none is close.

    Examples:
        >>> nearest("methd.tau", ["method.tau", "seed"])
        " (did you mean 'method.tau'?)"
    """
    options = list(options)
    close = [option for option in options if _words(option) == _words(str(name))]  # in another order
    close = close or difflib.get_close_matches(str(name), options, n=1, cutoff=0.6)
    if not close:  # a bare leaf such as `tau` should still find `method.tau`
        leaf = str(name).rsplit(".", 1)[-1]
        close = [option for option in options if leaf in option.split(".")][:1]
    return f" (did you mean '{close[0]}'?)" if close else ""


def _words(name: str) -> list[str]:
    return sorted(re.split(r"\W+", name))
