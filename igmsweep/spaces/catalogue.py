"""What there is to say of a method before it runs: the work behind it, its cost, its parameters and where they are searched."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any, Literal, get_args, get_origin

from pydantic.fields import FieldInfo

from igmsweep import methods
from igmsweep.lines import either
from igmsweep.methods.base import About
from igmsweep.record.wording import word
from igmsweep.spaces.choose import own_space, shipped_for
from igmsweep.spaces.shipped import read_space

BOUNDS = {"gt": "> {}", "ge": ">= {}", "lt": "< {}", "le": "<= {}"}


def described(name: str) -> dict[str, Any]:
    """One method as plain data: `name`, `summary`, `title`, `source`, `year`, `fusion`, `modalities` (the fewest), `cost` (an
    epoch over that of joint training, None where nobody measured it), `presets` with what each sets, and `parameters` by
    name, each with `default`, `allowed`, `searched` (its entry in the method's space, or None) and `meaning`.

    Raises:
        UserError: there is no such method.
    """
    method = methods.get(name)
    unknown = dict.fromkeys((each.name for each in fields(About)), None) | {"modalities": 1}
    told = unknown if method.about is None else asdict(method.about)
    entries = _searched(name)
    return {
        "name": name,
        "summary": methods.summary(name),
        **told,
        "source": told["source"] or None,
        "presets": {name: dict(told) for name, told in method.Params.presets.items()},
        "parameters": {
            key: {
                "default": "by data set" if field.is_required() else field.default,
                "allowed": allowed(field),
                "searched": entries.get(f"method.{key}", entries.get(f"method.{key}.*")),
                "meaning": field.description,
            }
            for key, field in method.Params.model_fields.items()
            if key not in ("name", "preset")
        },
    }


def allowed(field: FieldInfo) -> str:
    """The legal values of a parameter in a few words: its choices, or its kind and bounds.

    >>> from pydantic import Field
    >>> allowed(FieldInfo.from_annotated_attribute(float, Field(1.0, gt=0, le=2)))
    'number > 0, <= 2'
    """
    choices = _choices(field.annotation)
    bounds = [
        text.format(f"{getattr(rule, key):g}")
        for rule in field.metadata
        for key, text in BOUNDS.items()
        if getattr(rule, key, None) is not None
    ]
    if choices and not bounds:
        return ", ".join(str(choice) for choice in choices)
    return f"{_kind(field.annotation)} {', '.join(bounds)}".strip()


def searched(entry: Mapping[str, Any] | None) -> str:
    """An entry of a space in a few words.

    >>> searched({"type": "float", "low": 0.001, "high": 100, "log": True}), searched(None)
    ('0.001 to 100 on a log scale', '')
    >>> searched({"type": "int", "low": 1, "high": 9, "step": 2}), searched({"choices": [None, 0.5, True]})
    ('1 to 9 in steps of 2, whole numbers', 'none, 0.5 or true')
    """
    if entry is None:
        return ""
    if "choices" in entry:
        choices = entry["choices"]
        return f"the {choices}" if isinstance(choices, str) else either([word(choice) for choice in choices])
    scale = " on a log scale" if entry.get("log") else ""
    steps = f" in steps of {entry['step']:g}" if entry.get("step") else ""
    return (
        f"{entry['low']:g} to {entry['high']:g}{scale}{steps}{', whole numbers' if entry.get('type') == 'int' else ''}"
    )


def _searched(name: str) -> dict[str, Any]:
    found = own_space(name) if name not in methods.names() else None
    if found is None:
        found, _ = read_space(shipped_for(name))
    params = found.get("params")
    return dict(params) if isinstance(params, Mapping) else {}


def _choices(annotation: Any) -> list[Any]:
    """The values of a Literal or a bool, also where None may stand in their place; nothing for other types."""
    if get_origin(annotation) is Literal:
        return list(get_args(annotation))
    return ["true", "false"] if annotation is bool else []


def _kind(annotation: Any) -> str:
    """A type in plain words."""
    parts = [part for part in get_args(annotation) if part is not type(None)]
    if get_origin(annotation) is dict:
        return f"{_kind(parts[1])}, per modality"
    if get_origin(annotation) is tuple:
        return f"list of {_kind(parts[0])}"
    if get_origin(annotation) is Literal:
        return ", ".join(map(str, parts))
    if parts:
        return " or ".join(_kind(part) for part in parts)
    return {"str": "text", "int": "whole number", "float": "number"}.get(annotation.__name__, annotation.__name__)
