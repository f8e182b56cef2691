"""Where the lists of a data set lie in the copies that circulate, and what to say of a folder that has none of them."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from igmsweep.data.base import Part
from igmsweep.data.official import together
from igmsweep.errors import DataError
from igmsweep.gate.files import inside
from igmsweep.legible import first_few
from igmsweep.lines import either

PART_NAMES: dict[Part, str] = {"train": "train", "val": "validation", "test": "test"}
CLOSE = 0.6
"""difflib's ratio from which on two names are near."""
AROUND = 100
"""Folders, and files of each, in which something near is looked for."""


@dataclass(frozen=True)
class ListNames:
    """Names that a list has in circulation and the folders that it may lie in, the likeliest first; `.` is the root."""

    names: tuple[str, ...]
    folders: tuple[str, ...] = (".",)

    def paths(self, root: Path) -> Iterator[Path]:
        """Every place."""
        return (root / folder / name for folder in self.folders for name in self.names)

    def find(self, root: Path) -> Path | None:
        """The first that is there."""
        return next((path for path in self.paths(root) if path.is_file()), None)

    def __str__(self) -> str:
        folders = tuple(folder if folder == "." else f"{folder}/" for folder in self.folders)
        return either(self.names) + (f" in {either(folders)}" if folders != (".",) else "")


def first_there(root: Path, candidates: Sequence[str]) -> Path | None:
    """The first of some paths under `root` that exists."""
    return next((root / each for each in candidates if (root / each).exists()), None)


def lists_of(root: Path, lists: Mapping[Part, Sequence[ListNames]]) -> dict[Part, Path | None]:
    """The list of each part, None where there is none; of the train list's kind before any other.

    Args:
        lists: of each part; the n-th are of one kind in every part.

    Raises:
        DataError: lists do not belong together, as `together` says.
    """
    found = {part: _find(root, [*_wanted(root, part, lists), *lists[part]]) for part in lists}
    together(root, found)
    return found


def find(root: Path, title: str, part: Part, lists: Mapping[Part, Sequence[ListNames]]) -> Path:
    """The list of a part.

    Raises:
        DataError: as `lists_of`; or it is not there, as `absent` says.
    """
    found = lists_of(root, lists)[part]
    if found is None:
        raise absent(root, title, part, lists)
    return found


def absent(
    root: Path, title: str, part: Part, lists: Mapping[Part, Sequence[ListNames]], besides: Sequence[str] = ()
) -> DataError:
    """What to say where a part's list is not there: which lists are, or, where there is none, that this is another folder."""
    wanted = _wanted(root, part, lists)
    others = [path for other in lists if (path := _find(root, lists[other])) is not None]
    if not others:
        return unknown(root, title, wanted, besides)
    there = " and ".join(path.relative_to(root).as_posix() for path in others)
    return DataError(
        f"{root}: has no {PART_NAMES[part]} list of {title}: looked for {_looked_for(wanted)}; there "
        f"{'are' if len(others) > 1 else 'is'} {there}"
    )


def unknown(root: Path, title: str, looked_for: Sequence[ListNames], besides: Sequence[str] = ()) -> DataError:
    """What to say of a folder in which a data set was not found: what was looked for, what is there, what comes nearest.

    Args:
        besides: what would do in place of a list, such as `AudioWAV/`.
    """
    elsewhere = next((folder for folder in _around(root) if _find(folder, looked_for)), None)
    near = _nearest(looked_for, besides, root)
    if elsewhere is not None:
        hint = f"; {elsewhere} has such a list: name that with --root"
    elif near is not None:
        hint = f"; the nearest is {near}"
    else:
        hint = ""
    text = "; ".join([_looked_for(looked_for), *besides])
    return DataError(f"{root}: is not {title}: looked for {text}; found {contents(root)}{hint}")


def contents(folder: Path) -> str:
    """What lies in a folder, on one line."""
    names = [path.name + "/" * path.is_dir() for path in _inside(folder)]
    if not names:
        return "nothing in it"
    return first_few(names)


def _wanted(root: Path, part: Part, lists: Mapping[Part, Sequence[ListNames]]) -> Sequence[ListNames]:
    """Of one kind where there is a train list, else of every kind."""
    kinds = [kind for kind, each in enumerate(lists["train"]) if each.find(root) is not None]
    return [lists[part][kinds[0]]] if kinds else lists[part]


def _find(root: Path, lists: Sequence[ListNames]) -> Path | None:
    return next((path for each in lists if (path := each.find(root)) is not None), None)


def _looked_for(lists: Sequence[ListNames]) -> str:
    return "; ".join(map(str, lists))


def _inside(folder: Path) -> list[Path]:
    """What lies in a folder, by name, without hidden files; nothing where it cannot be read."""
    return sorted(path for path in inside(folder) if not path.name.startswith("."))


def _around(root: Path) -> list[Path]:
    """The folder above, and those below, two deep."""
    level, found = [root], [root.parent]
    for _ in range(2):
        level = [path for folder in level for path in _inside(folder)[:AROUND] if path.is_dir()][:AROUND]
        found += level
    return found


def _nearest(looked_for: Sequence[ListNames], besides: Sequence[str], root: Path) -> str | None:
    """The file, here or in a folder here, whose name is most like a list's, or the folder most like one of `besides`."""
    here = _inside(root)[:AROUND]
    folders = {path.name: path for path in here if path.is_dir()}
    below = [path for folder in folders.values() for path in _inside(folder)[:AROUND]]
    files = {path.name: path for path in [*below, *here] if not path.is_dir()}
    wanted = [(name, files) for lists in looked_for for name in lists.names]
    wanted += [(Path(name).parts[0], folders) for name in besides]
    pairs = [
        (difflib.SequenceMatcher(None, name, close).ratio(), there[close].relative_to(root).as_posix())
        for name, there in wanted
        for close in difflib.get_close_matches(name, there, n=1, cutoff=CLOSE)
    ]
    return max(pairs)[1] if pairs else None
