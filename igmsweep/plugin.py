"""Objects from a user's own Python file, named as `path/to/file.py:NAME`, and what a folder from elsewhere may do: have which of them
run, and be written into.

Whoever types such a name wants that file run. A results folder or a configuration that somebody sent may name one as well,
and to load a file is to run it: so those are loaded only when the person names them again, or trusts the folder.
"""

from __future__ import annotations

import hashlib
import importlib.util
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from igmsweep.errors import UserError, nearest
from igmsweep.gate.files import regular
from igmsweep.gate.paths import full, refuse_links


@dataclass(frozen=True)
class Trust:
    """The Python files that a person lets a configuration from a folder run: those that they name, or all.

    Attributes:
        method, data: `path/to/file.py:NAME` as the person typed it; a built-in name must be the configuration's, too.
        everything: run whatever the folder names.
    """

    method: str | None = None
    data: str | None = None
    everything: bool = False

    def check(self, config: Mapping[str, Any], source: Path | str) -> None:
        """Look at the names in a configuration, before it is resolved and thereby run.

        Args:
            config: nested values as YAML or JSON had them.
            source: where they were found, for the message.

        Raises:
            UserError: it names a Python file that nobody has allowed, or another method or data set than was named.
        """
        for section, given in (("method", self.method), ("data", self.data)):
            found = config.get(section)
            name = found.get("name") if isinstance(found, Mapping) else found
            if not isinstance(name, str):
                continue  # nothing that could be loaded; whoever resolves it says what is wrong
            if given is not None and not _same(given, name):
                raise UserError(f"--{section}: found '{given}', but {source} names {name}")
            if given is None and names_code(name) and not self.everything:
                raise UserError(
                    f"{source}: {section}.name is {name}, a Python file that would be run; if you know it, "
                    f"add --{section} {name}, or --trust for all that is named there"
                )

    def check_links(self, folder: Path) -> None:
        """Look for links through which what is written into a folder would land outside it, unless everything is trusted.

        Raises:
            UserError: there is one; it is named.
        """
        if not self.everything:
            refuse_links(folder, otherwise=", or add --trust if it is yours")


def names_code(name: str) -> bool:
    """Whether a method's or data set's name is that of a Python file."""
    return re.search(r"\.py(:|$)", name) is not None


def _same(one: str, other: str) -> bool:
    """Whether two names are of one object, however the path is written."""
    if one == other:
        return True
    if not (names_code(one) and names_code(other)):  # a CSV file or its folder, or a name
        return all("/" in name or name.endswith(".csv") for name in (one, other)) and full(one) == full(other)
    (path, _, attribute), (path_, _, attribute_) = (re.split(r"\.py(:|$)", name, maxsplit=1) for name in (one, other))
    return attribute == attribute_ and full(f"{path}.py") == full(f"{path_}.py")


def load_module(path: Path, key: str) -> ModuleType:
    """The Python file at `path` as a module; it runs once a process.

    Raises:
        UserError: no such file, or it cannot be run; the message begins with `key`.
    """
    if not regular(path):
        raise UserError(f"{key}: no such file {path}")
    source = path.resolve()
    name = f"igmsweep_user_{hashlib.sha256(str(source).encode()).hexdigest()[:12]}"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, source)
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        try:
            spec.loader.exec_module(module)
        except Exception as error:
            del sys.modules[name]
            raise UserError(f"{key}: {path} cannot be loaded ({type(error).__name__}: {error})") from error
    return sys.modules[name]


def load_attribute(path: Path, attribute: str, key: str) -> Any:
    """The object `attribute` of the Python file at `path`.

    Raises:
        UserError: no such file or object, or the file cannot be run; the message begins with `key`.
    """
    module = load_module(path, key)
    if not hasattr(module, attribute):
        raise UserError(f"{key}: {path} has no '{attribute}'{nearest(attribute, dir(module))}")
    return getattr(module, attribute)
