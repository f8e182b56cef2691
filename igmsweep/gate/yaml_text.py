"""YAML as people write it: `1e-4` is a number, `no` and `2024-01-31` are words, keys are text and stand there once. Nothing in a file
is executed, and none is larger than a person can have meant.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable
from pathlib import Path
from typing import Any

import yaml
from yaml.constructor import ConstructorError

from igmsweep.errors import UserError
from igmsweep.gate.files import MIB, read_text
from igmsweep.gate.json_text import DIGITS
from igmsweep.legible import clean, quoted, shortened

SIZE = 4 * MIB
DEPTH = 64
VALUES = 200_000
"""Values of a text, those that aliases repeat counted as often as they stand there."""

_Safe: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml's where it is there: ten times as fast


class NotYaml(ValueError):
    """A text that is no YAML, or beyond the limits; it says where and why in a few words."""


def read_yaml(path: Path | str, loader: type[YamlLoader] | None = None) -> dict[str, Any]:
    """The mapping in a YAML file; `loader` as for `parse_yaml`.

    Raises:
        UserError: there is no such file, or none that can be read, is YAML within the limits, and a mapping; one line.
    """
    path = Path(path)
    try:
        values = parse_yaml(read_text(path, SIZE), loader)
    except NotYaml as error:
        raise UserError(f"{path}: not valid YAML ({error})") from None
    if not isinstance(values, dict):
        raise UserError(f"{path}: expected a mapping of keys to values, found {type(values).__name__}")
    return values


def parse_yaml(text: str, loader: type[YamlLoader] | None = None) -> Any:
    """The value that a YAML text holds.

    Args:
        loader: `Written` for what igmsweep itself has written; None: for what people write.

    Raises:
        NotYaml: see there.
    """
    try:
        _measure(text)
        return yaml.load(text, Loader=loader or YamlLoader)
    except UnicodeEncodeError:
        raise NotYaml("holds half of a character") from None
    except yaml.YAMLError as error:
        told = " ".join(str(error).split()).replace(' in "<unicode string>"', "")
        raise NotYaml(clean(shortened(told, 240))) from None


def _measure(text: str) -> None:
    """Raise NotYaml for a text that is nested too deep, holds an alias of itself, or is too large when its aliases are followed."""
    sizes: dict[str, int] = {}
    within: list[tuple[str | None, int]] = []  # of each open collection, its anchor and the count before it
    count = 0
    for event in yaml.parse(text, Loader=_Safe):
        anchor = getattr(event, "anchor", None)
        if isinstance(event, yaml.AliasEvent):
            if any(anchor == open_ for open_, _ in within):
                raise NotYaml(f"line {_line(event)}: *{anchor} stands inside of what it names")
            count += sizes.get(str(anchor), 1)
        elif isinstance(event, yaml.CollectionStartEvent):
            within.append((anchor, count))
            count += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            opened, before = within.pop()
            if opened is not None:
                sizes[opened] = count - before
        elif isinstance(event, yaml.ScalarEvent):
            count += 1
            if anchor is not None:
                sizes[anchor] = 1
        if len(within) > DEPTH:
            raise NotYaml(f"line {_line(event)}: nested more than {DEPTH} deep")
        if count > VALUES:
            raise NotYaml(f"line {_line(event)}: more than {VALUES:,} values")


def _line(event: Any) -> int:
    return int(event.start_mark.line) + 1


class YamlLoader(_Safe):  # type: ignore[misc]
    """YAML 1.1 reads `1e-4` as text, `no` as false, `2024-01-31` as a date and `1:30` as ninety; here they are what they look like."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[str] = set()
        for key, _ in node.value if isinstance(node, yaml.MappingNode) else ():
            if isinstance(key, yaml.ScalarNode) and key.tag != _MERGE:
                if key.value in seen:
                    raise _refused(key, f"the key {quoted(key.value)} stands there twice")
                seen.add(key.value)
        found: dict[Hashable, Any] = super().construct_mapping(node, deep)
        for name in found:
            if not isinstance(name, str):
                raise _refused(node, f"the key {quoted(name)} is no text; put it in quotes")
        return found


class Written(YamlLoader):
    """What `yaml.safe_dump` has written: numbers have a point, so that a hash such as 12e456 is the text that it was."""


def _refused(node: Any, message: str) -> ConstructorError:
    return ConstructorError(None, None, message, node.start_mark)


def _text(loader: Any, node: Any) -> str:
    return clean(loader.construct_scalar(node))


def _integer(loader: Any, node: Any) -> int:
    digits = len(loader.construct_scalar(node).lstrip("+-").replace("_", ""))
    if digits > DIGITS:
        raise _refused(node, f"an integer of {digits} digits, expected at most {DIGITS}")
    return int(yaml.SafeLoader.construct_yaml_int(loader, node))


def _scalar(kind: str, read: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """A constructor whose refusals name the line: a tag such as `!!int` may stand before any text."""

    def construct(loader: Any, node: Any) -> Any:
        try:
            return read(loader, node)
        except (ValueError, KeyError, IndexError):
            raise _refused(node, f"{quoted(node.value)} is no {kind}") from None

    return construct


_TAG = "tag:yaml.org,2002:"
_MERGE = f"{_TAG}merge"
YamlLoader.yaml_constructors = {
    f"{_TAG}null": yaml.SafeLoader.construct_yaml_null,
    f"{_TAG}bool": _scalar("truth value", yaml.SafeLoader.construct_yaml_bool),
    f"{_TAG}int": _scalar("integer", _integer),
    f"{_TAG}float": _scalar("number", yaml.SafeLoader.construct_yaml_float),
    f"{_TAG}str": _text,
    f"{_TAG}seq": yaml.SafeLoader.construct_yaml_seq,
    f"{_TAG}map": yaml.SafeLoader.construct_yaml_map,
    None: yaml.SafeLoader.construct_undefined,
}
YamlLoader.yaml_implicit_resolvers = {
    first: kept
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    if (kept := [(tag, pattern) for tag, pattern in resolvers if tag in (f"{_TAG}null", _MERGE)])
}
YamlLoader.add_implicit_resolver(f"{_TAG}bool", re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$"), list("tTfF"))
YamlLoader.add_implicit_resolver(
    f"{_TAG}int", re.compile(r"^[-+]?(?:0|[1-9][0-9_]*|0b[01_]+|0x[0-9a-fA-F_]+)$"), list("-+0123456789")
)
YamlLoader.add_implicit_resolver(
    f"{_TAG}float",
    re.compile(
        r"^[-+]?(?:[0-9]+\.[0-9]*|\.[0-9]+|[0-9]+(?=[eE]))(?:[eE][-+]?[0-9]+)?$|^[-+]?\.(?:inf|Inf)$|^\.(?:nan|NaN)$"
    ),
    list("-+0123456789."),
)
Written.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith(":float")]
    for first, resolvers in YamlLoader.yaml_implicit_resolvers.items()
}
Written.add_implicit_resolver(
    f"{_TAG}float", re.compile(r"^-?[0-9]+\.[0-9]*(?:e[-+][0-9]+)?$|^-?\.inf$|^\.nan$"), list("-0123456789.")
)
