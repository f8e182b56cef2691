"""Remarks on many samples, told in few lines: summed by kind and folder, with the first names."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from igmsweep.data.base import Part, Remark, Sample
from igmsweep.data.files import absent

SHOWN = 3
"""Samples that a sum names; so few remarks of one kind and folder are told one by one."""


def folders_of(samples: Sequence[Sample], root: Path) -> dict[str, Path]:
    """The folder that holds a modality's files, or the folders of its frames, for every modality that has any."""
    parents: dict[str, set[Path]] = {}
    for sample in samples:
        for name, path in sample.files.items():
            parents.setdefault(name, set()).add(path.parent)
    return {name: Path(os.path.commonpath(each)) for name, each in parents.items()}


def told(part: Part, remarks: Iterable[Remark], folders: dict[str, Path], root: Path, every: bool = False) -> list[str]:
    """Lines on the remarks of a part.

    Args:
        folders: of `folders_of`.
        every: a line a remark.
    """
    groups: dict[tuple[str, Path | None], dict[tuple[str, ...], Remark]] = {}
    for remark in remarks:
        group = groups.setdefault((remark.kind, folders.get(remark.modality)), {})
        group.setdefault((remark.sample, remark.text) if every else (remark.sample,), remark)
    lines = []
    for (kind, folder), group in groups.items():
        if every or len(group) <= SHOWN:
            lines += [f"{kind:10s} {part:5s} {each.sample}  {each.text}" for each in group.values()]
            continue
        names = ", ".join([each.sample for each in group.values()][:SHOWN])
        place = f" in {_short(folder, root)}" if folder is not None and folder != root else ""
        gone = None if folder is None else absent(folder / "file", root)
        lines.append(
            f"{kind:10s} {part:5s} {len(group):,} samples{place}: {names} and {len(group) - SHOWN:,} more"
            + (f"; there is no {gone}/ here" if gone else "")
        )
    return lines


def _short(folder: Path, root: Path) -> str:
    return f"{(folder.relative_to(root) if folder.is_relative_to(root) else folder).as_posix()}/"
