"""The space files that igmsweep ships, by method, and finding a file by what a person calls it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from igmsweep import data as datasets
from igmsweep import methods
from igmsweep.errors import UserError, nearest
from igmsweep.gate.files import regular
from igmsweep.gate.yaml_text import read_yaml
from igmsweep.legible import quoted
from igmsweep.schema.paths import plain as as_plain
from igmsweep.spaces.expand import TunedData, expand

DEFAULT = "default"
"""The shipped space of methods that bring none: what every training has."""


def space_folders() -> list[Path]:
    """Where shipped spaces lie: inside an installed package, or at the top of a source checkout."""
    here = Path(__file__).resolve().parent.parent
    return [folder for folder in (here / "search_spaces", here.parent / "search_spaces") if folder.is_dir()]


def space_names() -> list[str]:
    """Names of the shipped spaces: methods, `default` for methods that bring none, and `demo`."""
    return sorted({path.stem for folder in space_folders() for path in folder.glob("*.yaml")})


def former(name: str | Path) -> tuple[str, str] | None:
    """`(method, data set)` of a name of version 0.1, when each data set had files of its own.

    >>> former("cremad-joint"), former("cremad"), former("igm")
    (('joint', 'cremad'), ('igm', 'cremad'), None)
    """
    data, _, method = str(name).partition("-")
    method = method or "igm"
    return (method, data) if data in datasets.DATASETS and method in space_names() else None


def find_space(name: str | Path) -> Path:
    """The file of a space given as a path, a shipped name or a former name. Raises UserError."""
    path = Path(name)
    # a folder is no space: the data set's own folder may well lie here under the same name
    if path.suffix in (".yaml", ".yml") or regular(path):
        if not regular(path):
            raise UserError(f"--space: no such file {path}")
        return path
    was = former(name)
    wanted = str(name) if was is None else was[0]
    for folder in space_folders():
        if regular(folder / f"{wanted}.yaml"):
            return folder / f"{wanted}.yaml"
    names = space_names()
    hint = nearest(str(name), [*names, *datasets.DATASETS])
    raise UserError(f"--space: no shipped space '{name}', expected a file or one of {', '.join(names)}{hint}")


def below(plain: Mapping[str, Any], source: str) -> list[dict[str, Any]]:
    """The shipped files that a version-2 file extends, the lowest first; none where it extends none.

    Raises:
        UserError: `extends` names no shipped space.
    """
    if "extends" not in plain:
        return []
    name, names = as_plain(plain["extends"]), space_names()
    if name not in names:
        raise UserError(
            f"{source}: extends: found {quoted(name)}, expected one of {', '.join(names)}{nearest(str(name), names)}"
        )
    if plain.get("version", 2) != 2:
        raise UserError(f"{source}: extends: it needs version: 2, found {quoted(plain['version'])}")
    base = read_yaml(find_space(name))
    return [*below(base, f"{name}.yaml"), base]


def method_of(name: str | Path) -> str | None:
    """The built-in method whose space a file is or extends, directly or by others; None where it is nobody's.

    Raises:
        UserError: there is no such space, or it cannot be read.
    """
    path = find_space(name)
    plain = read_yaml(path)
    chain = [plain, *reversed(below(plain, path.name))]
    own = [path.stem] if path != Path(name) else []
    return next((each for each in (*own, *(one.get("extends") for one in chain)) if each in methods.names()), None)


def read_space(name: str | Path, data: TunedData | None = None) -> tuple[dict[str, Any], str]:
    """The content of a space in version 1's form, and its source for messages.

    Args:
        name: a file or a shipped name. A former name, such as `cremad-mla`, brings its data set with it.
        data: the data set that is tuned. None leaves a version-2 file as it is, which `SearchSpace` refuses.

    Raises:
        UserError: there is no such space, or it cannot be read.
    """
    path = find_space(name)
    plain = read_yaml(path)
    under = below(plain, path.name)
    was = None if path == Path(name) else former(name)
    if was is not None:
        data = TunedData.named(was[1])
    if plain.get("version") != 2 or data is None:
        return plain, path.name
    source = f"{path.name} on {data.names[0]}"
    return expand(plain, data, source, under), source
