"""The methods, by name. Adding one is a file in this folder and a line in METHODS."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

from igmsweep.errors import UserError, nearest
from igmsweep.methods.base import Method
from igmsweep.plugin import load_attribute

METHODS = {
    "igm": "igmsweep.methods.igm:IGM",
    "mla": "igmsweep.methods.mla:MLA",
    "ogr_gb": "igmsweep.methods.ogr_gb:OGRGB",
    "ogm": "igmsweep.methods.ogm:OGM",
    "domfn": "igmsweep.methods.domfn:DOMFN",
    "mses": "igmsweep.methods.mses:MSES",
    "mslr": "igmsweep.methods.mslr:MSLR",
    "pmr": "igmsweep.methods.pmr:PMR",
    "agm": "igmsweep.methods.agm:AGM",
    "mmpareto": "igmsweep.methods.mmpareto:MMPareto",
    "smv": "igmsweep.methods.smv:SMV",
    "reconboost": "igmsweep.methods.reconboost:ReconBoost",
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
    if path == "" and name.endswith(".py"):
        raise UserError(f"method: found {name}, expected {name}:CLASS with the name of the method's class in it")
    plain = name.lower().replace("-", "_")
    hint = nearest(plain if plain.partition("_")[0] not in METHODS else plain.partition("_")[0], METHODS)
    raise UserError(f"unknown method '{name}', expected one of {', '.join(METHODS)}{hint}")


def summary(name: str) -> str:
    """The first sentence of what a method's file says of itself. Raises UserError, as `get` does."""
    return (sys.modules[get(name).__module__].__doc__ or "").strip().partition("\n")[0]


def _from_file(path: Path, attribute: str) -> type[Method]:
    found = load_attribute(path, attribute, "method")
    if not (isinstance(found, type) and issubclass(found, Method)):
        raise UserError(f"method: {path}:{attribute} is not a Method class")
    return found
