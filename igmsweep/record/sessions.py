"""Where and with what a sweep ran: versions, git revision, command, hardware, and one entry a driver."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

from igmsweep import __version__
from igmsweep.record.ledger import SCHEMA, now
from igmsweep.sweep.resources import Machine


def describe(machine: Machine) -> dict[str, Any]:
    """Plain data for `meta.json`."""

    def version(package: str) -> str | None:
        try:
            return metadata.version(package)
        except metadata.PackageNotFoundError:
            return None

    def git(*arguments: str) -> str | None:
        try:
            done = subprocess.run(
                ["git", *arguments], capture_output=True, text=True, timeout=10, cwd=Path(__file__).parent
            )
        except (OSError, subprocess.TimeoutExpired):
            return None
        return done.stdout.strip() if done.returncode == 0 else None

    packages = ("torch", "torchvision", "ray", "optuna", "numpy", "scikit-learn", "pandas", "plotly")
    # installed in an environment that lies inside another repository, git would speak of that one
    ours = git("ls-files", "--error-unmatch", Path(__file__).name) is not None
    revision = git("rev-parse", "HEAD") if ours else None
    changes = git("status", "--porcelain", "--untracked-files=no") if ours else None
    return {
        "schema": SCHEMA,
        "versions": {"igmsweep": __version__, "python": platform.python_version()}
        | {package: version(package) for package in packages},
        "git": {"revision": revision, "changed": bool(changes)},
        "command": [Path(sys.argv[0]).name, *sys.argv[1:]],
        "hardware": {
            "system": platform.platform(),
            "processor": platform.processor() or platform.machine(),
            "cpus": machine.cpus,
            "gpus": list(machine.gpu_names),
        },
        "pid": os.getpid(),
        "started": now(),
    }
