"""What the Tab key offers. A shell asks anew with every press, so nothing here loads torch, Ray, Optuna or pandas; where nothing
fits, the shell offers files."""

from __future__ import annotations

from pathlib import Path

import typer

RESULTS = Path("results")


def data_sets() -> list[str]:
    """Built-in data sets and those of installed packages."""
    from igmsweep.data import names

    return names()


def methods() -> list[str]:
    """The built-in methods."""
    from igmsweep.methods import names

    return names()


def presets(ctx: typer.Context) -> list[str]:
    """The presets of the method that the line names, IGM's where it names none."""
    from igmsweep.errors import UserError
    from igmsweep.methods import get

    try:
        return list(get(ctx.params.get("method") or "igm").Params.presets)
    except UserError:
        return []


def spaces() -> list[str]:
    """The shipped search spaces."""
    from igmsweep.spaces import space_names

    return space_names()


def sweeps(incomplete: str) -> list[str]:
    """Sweeps of `results/`, and of the folder that is being typed."""
    from igmsweep.record.paths import LEDGER, SPEC

    return _holding((SPEC, LEDGER), incomplete)


def studies() -> list[str]:
    """The studies, and the words that may stand in a study's place."""
    from igmsweep.studies import names

    return [*names(), "paper", "list", "status", "resume"]


def studied(ctx: typer.Context, incomplete: str) -> list[str]:
    """Data sets; behind `status` and `resume`, folders of studies."""
    from igmsweep.studies.request import STUDY_FILE

    return _holding((STUDY_FILE,), incomplete) if ctx.params.get("name") in ("status", "resume") else data_sets()


def _holding(files: tuple[str, ...], incomplete: str) -> list[str]:
    """Folders with one of these files in them, directly inside `results/` or the folder that is being typed."""
    typed = Path(incomplete.rpartition("/")[0] or ".")
    places = dict.fromkeys((RESULTS, typed))
    return sorted(
        str(folder)
        for place in places
        if place.is_dir()
        for folder in place.iterdir()
        if any((folder / name).is_file() for name in files)
    )
