"""The lists that part a data set officially: all of one folder, none made up where another is there."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from igmsweep.data.base import Part
from igmsweep.errors import DataError


def together(root: Path, lists: Mapping[Part, Path | None]) -> None:
    """See to it that lists belong together: who made up the train part beside an official test list would train on test samples.

    Args:
        lists: of each part, in `root`; None where there is none.

    Raises:
        DataError: there is a list, but not the train part's; or one lies in another folder, or is of another kind, than that.
    """
    found = {part: path for part, path in lists.items() if path is not None}
    if not found:
        return
    train = found.get("train")
    if train is None:
        part, path = next(iter(found.items()))
        raise DataError(
            f"{path}: is there, but no train list beside it; the {part} samples must not be trained on, so put the train list "
            f"of the same source there, or take {path.name} away"
        )
    for part, path in found.items():
        if (path.parent, path.suffix) != (train.parent, train.suffix):
            raise DataError(
                f"{root}: the train list is {train.relative_to(root)}, the {part} list {path.relative_to(root)}; expected both "
                "in one folder and of one kind, as lists of two sources may share samples"
            )
