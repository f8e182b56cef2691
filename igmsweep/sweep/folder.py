"""A sweep's folder: where it goes, whether it is free, whose it is, and what is said of a disk that takes nothing."""

from __future__ import annotations

import datetime
import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from igmsweep.disk import FULL, write_atomically
from igmsweep.errors import UserError
from igmsweep.gate.paths import full, refuse_links
from igmsweep.record.failures import SweepFailed
from igmsweep.record.ledger import Ledger
from igmsweep.record.lock import Lock
from igmsweep.record.paths import LEDGER, LOCK, SPEC, TRIALS, WARM_START
from igmsweep.sweep.request import SweepRequest

FORBIDDEN = (errno.EPERM, errno.EACCES)
MISPLACED = (errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG, errno.ELOOP)
"""Something else lies where a file is to be."""


def place_of(request: SweepRequest) -> Path:
    """Where the sweep goes. Raises UserError when another one, or anything else, lies there."""
    stamp = datetime.datetime.now().strftime("%Y%m%d-%H%M%S")
    name = request.name or f"{Path(request.data.split(':')[0]).stem}-{Path(request.method.split(':')[0]).stem}-{stamp}"
    folder = full(request.out, "--out") / name
    if not request.dry_run and not (request.resume and (folder / SPEC).exists()):
        check_free(folder)
    return folder


def check_free(folder: Path) -> None:
    """Raise UserError when there is a sweep in a folder, or anything else, or when what is written there would land elsewhere."""
    # a start that was cut off before there was a sweep leaves an empty folder of trials, which is no sweep
    ours = (TRIALS, WARM_START, LOCK)
    taken = folder.exists() and (
        not folder.is_dir()
        or any(path.name not in ours and not path.name.startswith(f".{LOCK}") for path in folder.iterdir())
    )
    if taken:
        raise UserError(
            f"{folder}: already holds a sweep; choose another --name, or go on with `igmsweep resume {folder}`"
        )
    refuse_links(folder)


def check_total(folder: Path, trials: int) -> None:
    """Raise UserError where a sweep has more trials already than it is to have in all."""
    rows = Ledger(folder / LEDGER).rows().values()
    done = sum(not row.is_repeat for row in rows)
    if trials < done:
        raise UserError(f"--trials: found {trials}, but {folder.name} has {done} trials already; it is the total")


def create(folder: Path) -> None:
    """Make the folder. Raises UserError where that is not possible."""
    try:
        (folder / TRIALS).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{folder}: cannot be written ({error.strerror})") from None


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """The folder is this driver's alone. Raises UserError when another one holds it."""
    lock = Lock(folder)
    with writing(folder):
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    """A full disk, or a place that may not or cannot be written, is a SweepFailed; what is in the ledger is safe."""
    try:
        yield
    except OSError as error:
        if error.errno not in (*FULL, *FORBIDDEN, *MISPLACED):
            raise
        raise SweepFailed(
            f"{error.filename2 or error.filename or folder}: cannot be written ({error.strerror}); nothing recorded is lost, `igmsweep resume {folder}` goes on"
        ) from None


def write(path: Path, text: str) -> None:
    """Write a file of a sweep's folder, whole or not at all. Raises SweepFailed."""
    with writing(path.parent):
        write_atomically(path, text)
