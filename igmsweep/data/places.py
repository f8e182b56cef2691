"""Where data sets and decoded data lie: `$IGMSWEEP_DATA`, what was remembered from earlier commands, and whether a place that a file
names is one of the user's own."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from igmsweep.disk import write_atomically
from igmsweep.errors import UserError
from igmsweep.gate.files import inside, regular
from igmsweep.gate.paths import full
from igmsweep.plugin import Trust
from igmsweep.record.json_files import read_object

ROOTS, CACHES = "roots.json", "caches.json"
MOST_CACHES = 100


def home() -> Path:
    """igmsweep's folder in the user's cache."""
    return full(os.environ.get("XDG_CACHE_HOME") or "~/.cache", "XDG_CACHE_HOME") / "igmsweep"


def find(name: str) -> Path:
    """The folder of a data set for which none was named; it need not exist.

    A folder of `$IGMSWEEP_DATA` is found by the data set's name in any spelling: `cremad`, `CREMA-D`, `Crema_D`.
    """
    if os.environ.get("IGMSWEEP_DATA"):
        parent = full(os.environ["IGMSWEEP_DATA"], "IGMSWEEP_DATA")
        exact = parent / name
        if exact.is_dir():
            return exact
        if parent.is_dir():
            alike = sorted(path for path in parent.iterdir() if _plain(path.name) == _plain(name) and path.is_dir())
            if alike:
                return alike[0]
        return remembered().get(name, exact)
    return remembered().get(name, home() / "data" / name)


def remembered() -> dict[str, Path]:
    """The remembered folder of each data set.

    Raises:
        UserError: the file they are kept in is damaged.
    """
    return {name: Path(path) for name, path in _kept(ROOTS).items() if isinstance(path, str)}


def remember(name: str, root: Path) -> bool:
    """Keep a data set's folder for later commands; whether that is news. A home that cannot be written is no error."""
    known = remembered()
    if known.get(name) == root:
        return False
    return _keep(ROOTS, {key: str(path) for key, path in sorted((known | {name: root}).items())})


def remember_cache(place: Path) -> None:
    """Keep a folder that the user has named for decoded data, so that a sweep which is taken up again may go on in it."""
    if str(place) not in (known := _caches()):
        _keep(CACHES, {"caches": [*known, str(place)][-MOST_CACHES:]})


def is_own_cache(place: Path) -> bool:
    """Whether the user has named a folder for decoded data, by `remember_cache` or in the environment, or it holds some already."""
    named = [home() / "cache", *([full(text, "IGMSWEEP_CACHE")] if (text := os.environ.get("IGMSWEEP_CACHE")) else [])]
    if place in named or str(place) in _caches():
        return True
    return any(regular(child / "index.json") for child in inside(place))


def check_places(data: Mapping[str, Any], source: Path | str, trust: Trust) -> None:
    """Look at the folders that a file from elsewhere names for a data set: nothing may be made where the user has not asked for it.

    Args:
        data: `root` and `cache`, where they are named.

    Raises:
        UserError: a cache that holds no decoded data and that the user has never named, or a root at which there is nothing.
    """
    root, cache = data.get("root"), data.get("cache")
    if trust.everything:
        return
    if isinstance(cache, str) and not is_own_cache(full(cache, "data.cache")):
        raise UserError(
            f"{source}: data.cache is {cache}, which holds no decoded data and was never named here; add --trust to have "
            "some written there, or take the line out"
        )
    if isinstance(root, str) and not inside(full(root, "data.root")):
        raise UserError(
            f"{source}: data.root is {root}, where there is nothing; name the data set's folder with --root DIR"
        )


def _caches() -> list[str]:
    found = _kept(CACHES).get("caches")
    return [str(each) for each in found] if isinstance(found, list) else []


def _kept(name: str) -> dict[str, Any]:
    path = _memory() / name
    if not path.exists():
        return {}
    kept = read_object(path)
    if kept is None:
        raise UserError(f"{path}: cannot be read; delete it")
    return kept


def _keep(name: str, content: Mapping[str, Any]) -> bool:
    try:
        write_atomically(_memory() / name, json.dumps(content, indent=1))
    except OSError:
        return False
    return True


def _memory() -> Path:
    return full(os.environ.get("XDG_CONFIG_HOME") or "~/.config", "XDG_CONFIG_HOME") / "igmsweep"


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())
