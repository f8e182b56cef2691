"""`meta.json`: where and with what a sweep ran (versions, git revision, command, hardware), and one entry a driver."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any, Protocol

from igmsweep import __version__
from igmsweep.disk import write_atomically
from igmsweep.gate.numbers import finite
from igmsweep.record.json_files import read_object
from igmsweep.record.paths import META, SCHEMA
from igmsweep.record.stamps import now

PACKAGES = ("torch", "torchvision", "ray", "optuna", "numpy", "scikit-learn", "pandas", "plotly")


class Hardware(Protocol):
    """What a sweep runs on."""

    @property
    def cpus(self) -> int: ...
    @property
    def gpu_names(self) -> Sequence[str]: ...


class Session:
    """A driver's entry in `meta.json`: written when it starts and again when it ends."""

    def __init__(self, folder: Path, described: Mapping[str, Any], entries: list[dict[str, Any]]) -> None:
        self.folder = folder
        self._described, self._entries = described, entries
        self._began = time.monotonic()

    @classmethod
    def begin(
        cls, folder: Path, hardware: Hardware, options: Mapping[str, Any], resources: Mapping[str, Any]
    ) -> Session:
        """Write down that a driver starts; the entries of earlier ones stay.

        Args:
            options: what it was asked for and a later driver goes on with, such as `trials` and `seeds`.
            resources: `runner`, `max_concurrent`, `cpus_per_trial`, `gpus_per_trial`.

        Raises:
            OSError: the file cannot be written.
        """
        described, before = describe(hardware), read_meta(folder)
        described["started"] = before.get("started", described["started"])
        entry = {"started": now(), "pid": os.getpid(), **options, **resources}
        # a resume may bring others
        entry |= {"git": described["git"], "versions": described["versions"]}
        session = cls(folder, described, [*sessions_of(before), entry])
        write_meta(folder, session._described, session._entries)
        return session

    @property
    def seconds(self) -> float:
        """Since it began."""
        return time.monotonic() - self._began

    def end(self, signal: int, over: bool) -> None:
        """Write down how the driver ended.

        Args:
            signal: 0, or the exit code of the signal that ended it.
            over: whether nothing is left to train.

        Raises:
            OSError: the file cannot be written.
        """
        entry = self._entries[-1]
        entry |= {"finished": now(), "wall_seconds": self.seconds, "signal": signal, "over": over}
        write_meta(self.folder, self._described, self._entries)


def read_meta(folder: Path) -> dict[str, Any]:
    """`meta.json`; empty when there is none that can be read."""
    return read_object(folder / META) or {}


def last_session(folder: Path) -> dict[str, Any]:
    """The last driver's entry; empty where there was none."""
    return next(reversed(sessions_of(read_meta(folder))), {})


def sessions_of(meta: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The entries of a `meta.json`, the last driver's last. `wall_seconds` is a number in them and `versions` a mapping, or neither is there."""
    found = meta.get("sessions")
    return [_sound(entry) for entry in found if isinstance(entry, Mapping)] if isinstance(found, list) else []


def _sound(entry: Mapping[str, Any]) -> dict[str, Any]:
    kept = dict(entry)
    if finite(kept.get("wall_seconds")) is None:
        kept.pop("wall_seconds", None)
    if not isinstance(kept.get("versions"), Mapping):
        kept.pop("versions", None)
    return kept


def write_meta(folder: Path, described: Mapping[str, Any], sessions: Sequence[Mapping[str, Any]]) -> None:
    """Write `meta.json`: what `describe` says of the last driver, every driver's entry, and how long they took in all."""
    total = sum(float(entry.get("wall_seconds") or 0.0) for entry in sessions)
    content: dict[str, Any] = {**described, "sessions": list(sessions), "wall_seconds": total}
    if "finished" in sessions[-1]:
        content |= {"finished": sessions[-1]["finished"], "signal": sessions[-1]["signal"]}
    write_atomically(folder / META, json.dumps(content, indent=1))


def describe(hardware: Hardware) -> dict[str, Any]:
    """This process and its machine as plain data."""
    # installed in an environment that lies inside another repository, git would speak of that one
    ours = _git("ls-files", "--error-unmatch", Path(__file__).name) is not None
    revision = _git("rev-parse", "HEAD") if ours else None
    changes = _git("status", "--porcelain", "--untracked-files=no") if ours else None
    return {
        "schema": SCHEMA,
        "versions": {"igmsweep": __version__, "python": platform.python_version()}
        | {package: _version(package) for package in PACKAGES},
        "git": {"revision": revision, "changed": bool(changes)},
        "command": [Path(sys.argv[0]).name, *sys.argv[1:]],
        "hardware": {
            "system": platform.platform(),
            "processor": platform.processor() or platform.machine(),
            "cpus": hardware.cpus,
            "gpus": list(hardware.gpu_names),
        },
        "pid": os.getpid(),
        "started": now(),
    }


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _git(*arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", *arguments], capture_output=True, text=True, timeout=10, cwd=Path(__file__).parent
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
