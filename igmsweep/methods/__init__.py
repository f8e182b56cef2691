"""The methods, by name. Adding one is a file in this folder and a line in METHODS."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from igmsweep.errors import UserError, nearest

if TYPE_CHECKING:
    from igmsweep.methods.base import Method

METHODS = {
    "igm": "igmsweep.methods.igm:IGM",
    "mla": "igmsweep.methods.mla:MLA",
    "joint": "igmsweep.methods.joint:Joint",
    "unimodal": "igmsweep.methods.unimodal:Unimodal",
}


def names() -> list[str]:
    """The built-in methods' names."""
    return list(METHODS)


def get(name: str) -> type[Method]:
    """The method class called `name`: a built-in name, or `path/to/file.py:Class` for a method of your own.

    Raises:
        UserError: there is no such method, file or class.
    """
    if name in METHODS:
        module, _, attribute = METHODS[name].partition(":")
        method: type[Method] = getattr(importlib.import_module(module), attribute)
        return method
    path, _, attribute = name.rpartition(":")
    if path.endswith(".py"):
        return _from_file(Path(path), attribute)
    raise UserError(f"unknown method '{name}', expected one of {', '.join(METHODS)}{nearest(name, METHODS)}")


def _from_file(path: Path, attribute: str) -> type[Method]:
    if not path.is_file():
        raise UserError(f"method: no such file {path}")
    source = path.resolve()
    module_name = f"igmsweep_user_{hashlib.sha256(str(source).encode()).hexdigest()[:12]}"
    if module_name not in sys.modules:
        spec = importlib.util.spec_from_file_location(module_name, source)
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[module_name] = module
        try:
            spec.loader.exec_module(module)
        except Exception as error:
            del sys.modules[module_name]
            raise UserError(f"method: {path} cannot be loaded ({type(error).__name__}: {error})") from error
    found = getattr(sys.modules[module_name], attribute, None)
    if not isinstance(found, type):
        raise UserError(f"method: {path} has no class '{attribute}'{nearest(attribute, dir(sys.modules[module_name]))}")
    return found
