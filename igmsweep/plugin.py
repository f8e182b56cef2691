"""Objects from a user's own Python file, named as `path/to/file.py:NAME`."""

from __future__ import annotations

import hashlib
import importlib.util
import sys
from pathlib import Path
from typing import Any

from igmsweep.errors import UserError, nearest


def load_attribute(path: Path, attribute: str, key: str) -> Any:
    """The object `attribute` of the Python file at `path`; the file runs once a process.

    Raises:
        UserError: no such file or object, or the file cannot be run; the message begins with `key`.
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
    if not hasattr(sys.modules[name], attribute):
        raise UserError(f"{key}: {path} has no '{attribute}'{nearest(attribute, dir(sys.modules[name]))}")
    return getattr(sys.modules[name], attribute)
