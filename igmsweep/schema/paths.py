"""Nested values by dotted paths, such as `method.rho.audio`: plain, merged, flattened, and unknown keys named."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from igmsweep.errors import UserError, nearest
from igmsweep.gate.json_text import DEPTH, DIGITS
from igmsweep.legible import quoted
from igmsweep.schema.sections import PER_MODALITY, SHARED, MethodParams

RENAMED = {"stages.rounds": "stages.cycles"}
"""Keys of version 0.1.0 that have another name now; files that hold them are read as before."""

UNBOUND = ("data.root", "data.cache", "data.bad_share", "device")
"""Where things lie and run, and what is allowed: a training, sweep or study is the same one with others of these."""

PLACES = ("data.root", "data.cache")
"""Where data lie and are written, which the user says: no search, no preset and no trial does."""


def current(values: Mapping[str, Any]) -> dict[str, Any]:
    """Nested values with the keys of today.

    >>> current({"stages": {"rounds": 2}})
    {'stages': {'cycles': 2}}
    """
    out = dict(values)
    for old, new in RENAMED.items():
        section, key = old.split(".")
        held = out.get(section)
        if isinstance(held, Mapping) and key in held:
            out[section] = {new.split(".")[1] if name == key else name: value for name, value in held.items()}
    return out


def plain(value: Any, depth: int = 0) -> Any:
    """Mappings, sections, paths and tuples as plain data.

    Raises:
        UserError: it is nested deeper, or holds a longer integer, than a file may.
    """
    if depth > DEPTH:
        raise UserError(f"found values nested more than {DEPTH} deep")
    if isinstance(value, BaseModel):
        return plain(value.model_dump(), depth)
    if isinstance(value, Mapping):
        return {str(plain(key, depth)): plain(item, depth + 1) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item, depth + 1) for item in value]
    if isinstance(value, int) and abs(value) >= 10**DIGITS:
        raise UserError(f"found an integer of {value.bit_length()} bits, expected one of at most {DIGITS} digits")
    text = str(value) if isinstance(value, Path) else value
    if isinstance(text, str) and not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            raise UserError(f"found {quoted(text)}, which is no UTF-8; no file can hold it") from None
    return text


def known(values: Any, fields: Iterable[str], section: str) -> None:
    if not isinstance(values, Mapping):
        raise UserError(f"{section}: expected a mapping of keys to values, found {quoted(values)}")
    for key in values:
        if key not in fields:
            dotted = f"{section}.{key}" if section else key
            options = [f"{section}.{name}" if section else name for name in fields]
            raise UserError(f"unknown key '{dotted}'{nearest(dotted, options)}")


def nest(path: str, value: Any) -> dict[str, Any]:
    for part in reversed(path.split(".")):
        value = {part: value}
    return dict(value)


def merge(
    base: dict[str, Any], update: Mapping[str, Any], modalities: Mapping[str, str], params: type[MethodParams]
) -> None:
    """Lay `update` over `base`, spelling per-modality values out for every modality."""
    per_modality = [*PER_MODALITY, *(f"method.{name}" for name in params.per_modality)]
    for section, values in update.items():
        if not isinstance(values, Mapping) or not isinstance(base.get(section, {}), dict):
            base[section] = values
            continue
        target = base.setdefault(section, {})
        for key, value in values.items():
            dotted = f"{section}.{key}"
            if dotted == "data.options" and isinstance(value, Mapping):
                target[key] = {**target.get(key, {}), **value}
            elif dotted not in per_modality:
                target[key] = value
            elif not isinstance(value, Mapping):
                target[key] = dict.fromkeys(modalities, value)
            else:
                allowed = [*modalities, SHARED] if dotted == "optim.lr" else list(modalities)
                for name in value:
                    if name not in allowed:
                        raise UserError(
                            f"unknown modality '{dotted}.{name}', expected one of {', '.join(allowed)}"
                            f"{nearest(name, allowed)}"
                        )
                before = target.get(key, {})
                merged = (before if isinstance(before, dict) else dict.fromkeys(modalities, before)) | dict(value)
                target[key] = {name: merged[name] for name in allowed if name in merged}
    for dotted in per_modality:  # a bare default, such as optim.lr: 0.01, is spelt out too
        section, key = dotted.split(".")
        found = base.get(section)
        value = found.get(key) if isinstance(found, dict) else None
        if value is not None and not isinstance(value, dict):
            base[section][key] = dict.fromkeys(modalities, value)


def refuse_places(values: Iterable[str]) -> None:
    """Raise UserError where values for trials, by dotted path, are to decide where data lie: a folder from elsewhere could have some
    written wherever it likes."""
    for path in values:
        if path in PLACES:
            raise UserError(f"{path}: cannot be varied; it says where data lie, which is named on the command line")


def bound(values: Mapping[str, Any]) -> dict[str, Any]:
    """Nested values without what is `UNBOUND`.

    >>> bound({"data": {"name": "cremad", "root": "/data"}, "device": "cpu", "seed": 0})
    {'data': {'name': 'cremad'}, 'seed': 0}
    """
    out = dict(values)
    for path in UNBOUND:
        section, _, key = path.rpartition(".")
        held = out.get(section) if section else out
        if isinstance(held, Mapping) and key in held:
            kept = {name: value for name, value in held.items() if name != key}
            out = {**out, section: kept} if section else kept
    return out


def leaves(value: Any, path: str) -> Iterable[tuple[str, Any]]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from leaves(item, f"{path}.{key}" if path else key)
    else:
        yield path, value
