"""Conditions, `when:` and `forbid:`: whether they hold, whether they can, and the order that they ask for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from igmsweep.errors import UserError, nearest
from igmsweep.spaces.param import Param

CONDITIONS = ("not", "in", "gt", "lt")


def holds(conditions: Mapping[str, Any] | None, values: Mapping[str, Any]) -> bool:
    """All conditions hold; a condition on an inactive parameter does not."""
    for path, wanted in (conditions or {}).items():
        if path not in values:
            return False
        value = values[path]
        if not isinstance(wanted, Mapping):
            wanted = {"in": [wanted]}
        for word, operand in wanted.items():
            if word == "in" and not _among(value, operand):
                return False
            if word == "not" and _among(value, operand if isinstance(operand, list) else [operand]):
                return False
            if word in ("gt", "lt"):
                if isinstance(value, bool) or not isinstance(value, int | float):
                    return False
                if not (value > operand if word == "gt" else value < operand):
                    return False
    return True


def check_condition(where: str, condition: Any, param: Param) -> None:
    """Raise UserError for a condition on `param` that can never hold or cannot be compared."""
    if not isinstance(condition, Mapping):
        condition = {"in": [condition]}
    if not condition:
        raise UserError(f"{where}: found {{}}, expected a value, or not, in, gt or lt")
    for word, operand in condition.items():
        if word not in CONDITIONS:
            raise UserError(f"{where}: found '{word}', expected not, in, gt or lt{nearest(str(word), CONDITIONS)}")
        if word in ("gt", "lt"):
            if isinstance(operand, bool) or not isinstance(operand, int | float):
                raise UserError(f"{where}.{word}: found {operand!r}, expected a number")
            continue
        if word == "in" and not isinstance(operand, list):
            raise UserError(f"{where}.in: found {operand!r}, expected a list")
        for value in operand if isinstance(operand, list) else [operand]:
            if not param.contains(value):
                near = nearest(str(value), [str(choice) for choice in param.choices])
                raise UserError(f"{where}: found {value!r}, outside {param.extent}{near}")


def in_order(source: str, params: Mapping[str, Param]) -> tuple[Param, ...]:
    """Conditions after what they refer to, otherwise in the file's order.

    Raises:
        UserError: a condition on a path that is not searched, one that can never hold, or a circle of them.
    """
    done: dict[str, Param] = {}

    def visit(path: str, above: tuple[str, ...]) -> None:
        if path in done:
            return
        if path in above:
            raise UserError(f"{source}: {path}.when: goes round in a circle: {' -> '.join([*above, path])}")
        for other in params[path].when or {}:
            if other not in params:
                raise UserError(f"{source}: {path}.when: unknown parameter '{other}'{nearest(other, params)}")
            check_condition(f"{source}: {path}.when.{other}", (params[path].when or {})[other], params[other])
            visit(other, (*above, path))
        done[path] = params[path]

    for path in params:
        visit(path, ())
    return tuple(done.values())


def _among(value: Any, options: Iterable[Any]) -> bool:
    return any(value == option and isinstance(value, bool) == isinstance(option, bool) for option in options)
