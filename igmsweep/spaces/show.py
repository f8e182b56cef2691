"""A search space as text that a person reads and `--space` takes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from igmsweep import methods
from igmsweep.config import TrainConfig
from igmsweep.spaces.choose import for_training, load_space, own_space, shipped_for
from igmsweep.spaces.shipped import find_space, former

OWN = ".py:"


def shown(name: str) -> str:
    """The text of a shipped space or a file as it is; for a method of one's own, the space that its class brings.

    A former name, such as `cremad-mla`, is spelt out for its data set.

    Raises:
        UserError: there is no such space, file or method.
    """
    was = former(name)
    if was is not None and not Path(name).is_file():
        return shown_on(*was)
    if OWN not in name:
        return find_space(name).read_text(encoding="utf-8")
    own = own_space(name)
    if own is None:
        return find_space(shipped_for(name)).read_text(encoding="utf-8")
    return f"# {name}\n{as_yaml({'version': 2, **own})}"


def shown_on(name: str, data: str, root: Path | None = None) -> str:
    """A space as it is searched on a data set, every path spelt out, under a line that says so.

    Args:
        name: a shipped space, a file, or a method of one's own (`path/to/file.py:Class`).
        data: a data set as `igmsweep tune` takes it.
        root: its folder, where it is elsewhere.

    Raises:
        UserError: there is no such space or data set, or something in it that cannot be searched.
    """
    was = former(name)
    if was is not None and not Path(name).is_file():  # it brings its data set with it
        name, data = was
    method = name if OWN in name or name in methods.names() else "igm"
    config = TrainConfig(data={"name": data, "root": root}, method=method)
    space = for_training(config) if OWN in name else load_space(name, config)
    described = {key: value for key, value in space.described().items() if key != "source"}
    where = space.source if " on " in space.source else f"{space.source} on {data}"
    return f"# {where} ({', '.join(config.modalities)}), every path spelt out\n{as_yaml(described)}"


def as_yaml(plain: Mapping[str, Any]) -> str:
    """A space file's content with a parameter a line; empty sections are left out."""
    lines = []
    for key, value in plain.items():
        if key in ("params", "on") and isinstance(value, Mapping):
            lines += [f"{key}:", *(f"  {_line(path, entry)}" for path, entry in value.items())]
        elif value not in ({}, []):
            lines.append(_line(key, value))
    return "\n".join(lines) + "\n"


def _line(key: str, value: Any) -> str:
    """`key: value` on one line."""
    return str(yaml.safe_dump({key: value}, default_flow_style=True, sort_keys=False, width=2**20)).strip()[1:-1]
