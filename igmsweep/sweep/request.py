"""What a person asks of a sweep: a new one, or going on with one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from igmsweep.errors import UserError, nearest
from igmsweep.plugin import Trust
from igmsweep.sweep.options import Option, SweepOptions, on_resume

SAMPLERS = ("tpe", "random", "sobol", "sobol+tpe", "grid", "gp", "cmaes")


@dataclass(frozen=True)
class SweepRequest(SweepOptions):
    """A new sweep: what is searched, and the options of `SweepOptions` by name.

    Examples:
        >>> SweepRequest(data="avdigits", trials=16, seed=0).sampler
        'tpe'
    """

    data: str
    """A data set's name, `path/to/file.py:NAME`, or a CSV file."""
    method: str = "igm"
    """A method's name, or `path/to/file.py:Class`."""
    space: str | Path | Mapping[str, Any] | None = None
    """A file, a shipped space's name, or the content of a version-2 file; None: the method's own."""
    sampler: Annotated[str, Option("--sampler", choices=SAMPLERS)] = "tpe"
    scheduler: str = "none"
    grace: int = 1
    """Cycles that early stopping leaves to every trial."""
    reduction: int = 3
    """ASHA's ratio between two rungs."""
    warm_start: tuple[Path, ...] = ()
    """Earlier sweeps whose finished trials the search starts from."""
    seed: int = 0
    name: str | None = None
    out: Path = Path("results")
    overrides: Mapping[str, Any] = field(default_factory=dict)
    dry_run: bool = False
    verbose: bool = False
    """With `dry_run`: list every setting."""
    resume: bool = False
    """Go on with the sweep in the folder where there is one."""

    def check(self) -> None:
        """Raise UserError for an option that cannot work whatever is searched."""
        super().check()
        if self.name is not None and (not self.name or Path(self.name).name != self.name):
            raise UserError(f"--name: found '{self.name}', expected a plain folder name; --out says where it goes")
        if self.resume and self.name is None:
            raise UserError("--resume: needs --name, the sweep to go on with; or use `igmsweep resume FOLDER`")


class ResumeRequest:
    """Going on with a sweep.

    Args:
        folder: the sweep's.
        retry_failed: train failed trials again, too.
        trust: which Python files the folder may have run; None: none.
        root: folder of the data set, where it has moved.
        given: options of `SweepOptions` that are to be other than before, such as `trials`, the new total. One that is
            left out, or None, stays as it was.

    Raises:
        UserError: an option that a resumed sweep cannot be given.
    """

    def __init__(
        self,
        folder: Path,
        *,
        retry_failed: bool = False,
        trust: Trust | None = None,
        root: Path | None = None,
        **given: Any,
    ) -> None:
        self.folder, self.retry_failed, self.trust = Path(folder), retry_failed, trust or Trust()
        self.root = root
        for name in given:
            if name not in on_resume():
                raise UserError(f"ResumeRequest: unknown option '{name}'{nearest(name, on_resume())}")
        self.given: dict[str, Any] = {name: value for name, value in given.items() if value is not None}

    def __repr__(self) -> str:
        return f"ResumeRequest({str(self.folder)!r}, given={self.given})"
