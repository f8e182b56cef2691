"""Objects from a user's own Python file, named as `path/to/file.py:NAME`."""

from __future__ import annotations

import hashlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from igmsweep.errors import UserError, nearest


def load_module(path: Path, key: str) -> ModuleType:
    """The Python file at `path` as a module; it runs once a process.

    Raises:
        UserError: no such file, or it cannot be run; the message begins with `key`.
    """
    if not path.is_file():
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
