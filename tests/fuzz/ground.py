"""What all cases stand on: a small avdigits, folders of the fuzzer's own, and nothing that trains."""

from __future__ import annotations

import os
import shutil
import webbrowser
from collections.abc import Sequence
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn

CANARY = "from pathlib import Path\nPath(__file__).with_name('ran').touch()\nclass METHOD:\n    pass\nDATA = None\n"
"""A Python file that tells when it has been run."""


MODULES = (
    "matplotlib.pyplot",
    "PIL.Image",
    "plotly.graph_objects",
    "pyarrow",
    "rich.console",
    "soundfile",
    "sklearn.metrics",
    "igmsweep.cli",
    "igmsweep.config",
    "igmsweep.spaces",
    "igmsweep.analysis",
    "igmsweep.evaluate",
    "igmsweep.train",
    "igmsweep.sweep.session",
    "igmsweep.studies.run",
    "igmsweep.studies.found",
    "igmsweep.ablation.run",
    "igmsweep.data.check",
)


def imports() -> None:
    """Import what cases use, once, in the process that those of the batches are forked from."""
    for name in MODULES:
        import_module(name)


def build(ground: Path) -> None:
    """The folders, once; in the process that is then forked."""
    from igmsweep.data.avdigits import make

    (ground / "outside").mkdir(parents=True)
    (ground / "outside" / "canary.py").write_text(CANARY)
    (ground / "outside" / "kept.txt").write_text("kept")
    make(ground / "avdigits", counts=(60, 30, 30))


def move_to(ground: Path) -> None:
    """This process keeps its data and settings there."""
    os.environ |= {
        "IGMSWEEP_DATA": str(ground / "data"),
        "IGMSWEEP_CACHE": str(ground / "cache"),
        "XDG_CONFIG_HOME": str(ground / "config"),
        "HOME": str(ground / "home"),
        "COLUMNS": "100",
    }
    if not (ground / "data" / "avdigits").exists():
        shutil.copytree(ground / "avdigits", ground / "data" / "avdigits")


def begin(ground: Path) -> None:
    """Make a new process safe to run any command in: its own places, and nothing is trained, joined or opened."""
    move_to(ground)
    webbrowser.open = lambda *_, **__: True  # type: ignore[assignment]

    import typer

    from igmsweep.data import avdigits
    from igmsweep.sweep import announce, session

    typer.main.get_command = cache(typer.main.get_command)  # it reads all signatures anew with every call
    avdigits.make = lambda folder, *_, **__: shutil.copytree(ground / "avdigits", folder)  # type: ignore[assignment]
    announce.estimate = _untrained
    session.conduct = _conducted
    session._cluster = _alone  # type: ignore[assignment]


def without_training() -> None:
    """The same for the commands that load torch."""
    from igmsweep import train
    from igmsweep.evaluate import opening
    from igmsweep.studies import run

    train.train = _untrained
    opening.run_here = opening.run_with_ray = lambda *_, **__: iter(())  # type: ignore[assignment]
    run.estimate = run.few_samples = _untrained


def _conducted(sweeps: Sequence[Any], progress: Any = None) -> None:
    for each in sweeps:
        each.close()


def _untrained(*_: Any, **__: Any) -> NoReturn:
    from igmsweep.errors import UserError

    raise UserError("nothing is trained here")


def _alone(address: str) -> NoReturn:
    from igmsweep.errors import ResourceError

    raise ResourceError(f"--address: found '{address}', but no cluster is joined here")
