"""One driver a folder: a lock that says who holds it and is recognised as stale when its holder is gone."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from igmsweep import disk
from igmsweep.errors import UserError
from igmsweep.record.json_files import read_object
from igmsweep.record.paths import LOCK
from igmsweep.record.stamps import now

LAST_PID = 2**22
"""The largest number that a process has under Linux; macOS has smaller ones."""


def identity(pid: int | None = None) -> dict[str, Any]:
    """Host, boot and process, so that a process number that was given away again is not mistaken for its old owner."""
    pid = os.getpid() if pid is None else pid
    return {"host": socket.gethostname(), "boot": _boot(), "pid": pid, "start": _start(pid)}


def alive(holder: dict[str, Any]) -> bool | None:
    """Whether a process that `identity` described still runs; None when it is on another host."""
    if "host" not in holder:
        return False  # a lock that was cut off while it was written
    if holder.get("host") != socket.gethostname():
        return None
    if holder.get("boot") != _boot():
        return False
    pid = holder.get("pid")
    if (
        not isinstance(pid, int) or isinstance(pid, bool) or not 0 < pid <= LAST_PID
    ):  # 0 and -1 stand for many processes
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return _start(pid) == holder.get("start") and not _zombie(pid)


def holder_of(folder: Path) -> dict[str, Any] | None:
    """Who drives a sweep, or None when nobody does. A holder on another host counts, as nobody can look there."""
    found = _read(folder / LOCK)
    return found if found is not None and alive(found) is not False else None


class Lock:
    """`driver.lock` in a sweep's folder, held while a driver runs."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / LOCK

    def acquire(self) -> None:
        """Take the lock, or a stale one over.

        Raises:
            UserError: another driver holds it; the message says which.
        """
        own = self.path.with_name(f".{LOCK}.{os.getpid()}.{threading.get_ident()}")
        try:
            with own.open("w", encoding="utf-8") as file:
                file.write(json.dumps(identity() | {"since": now()}))
                file.flush()
                os.fsync(file.fileno())
            with _alone(self.path.parent):  # two that find the same stale lock must not both take it over
                holder = _read(self.path)
                if holder is not None and alive(holder) is not False:
                    where = "" if alive(holder) else "; if that machine is gone, remove the file " + str(self.path)
                    raise UserError(
                        f"{self.path.parent}: is driven by process {holder.get('pid')} on {holder.get('host')} "
                        f"since {holder.get('since')}{where}"
                    )
                self.path.unlink(missing_ok=True)
                os.link(own, self.path)  # whole or not at all, and never over another's
        except FileExistsError:
            raise UserError(f"{self.path}: another driver took this sweep at the same moment") from None
        finally:
            with contextlib.suppress(OSError):
                own.unlink()

    def release(self) -> None:
        """Give the lock back when it is ours."""
        holder = _read(self.path)
        if holder is not None and holder.get("pid") == os.getpid() and holder.get("host") == socket.gethostname():
            self.path.unlink(missing_ok=True)


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """The kernel's lock on the folder, for as long as it takes; where a file system has none, nothing."""
    with contextlib.ExitStack() as held:
        with contextlib.suppress(OSError):
            held.enter_context(disk.exclusive(folder))
        yield


def _read(path: Path) -> dict[str, Any] | None:
    return (read_object(path) or {}) if os.path.lexists(path) else None


def writes_into(pid: int, folder: Path) -> bool:
    """Whether a process has a file of a folder open, as a worker has its log; false where the system does not say."""
    home = folder.resolve()
    try:
        handles = list(Path(f"/proc/{pid}/fd").iterdir())
    except OSError:
        return False
    for handle in handles:
        with contextlib.suppress(OSError):
            if Path(os.readlink(handle)).is_relative_to(home):
                return True
    return False


def _boot() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def _stat(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def _start(pid: int) -> str:
    """When a process started, in ticks since the boot; empty where /proc does not say."""
    fields = _stat(pid)
    return fields[19] if len(fields) > 19 else ""


def _zombie(pid: int) -> bool:
    fields = _stat(pid)
    return bool(fields) and fields[0] == "Z"
