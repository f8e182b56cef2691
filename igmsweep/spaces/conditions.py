"""Conditions, `when:` and `forbid:`: whether they hold, whether they can, and the order that they ask for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from igmsweep.errors import UserError, nearest
from igmsweep.legible import quoted
from igmsweep.lines import either
from igmsweep.record.wording import word
from igmsweep.spaces.param import Param

CONDITIONS = ("not", "in", "gt", "lt")
WORDS = {"not": "is not", "in": "is", "gt": "is above", "lt": "is below"}


def holds(conditions: Mapping[str, Any] | None, values: Mapping[str, Any]) -> bool:
    """All conditions hold; a condition on an inactive parameter does not."""
    for path, wanted in (conditions or {}).items():
        if path not in values:
            return False
        value = values[path]
        if not isinstance(wanted, Mapping):
            wanted = {"in": [wanted]}
        for kind, operand in wanted.items():
            if kind == "in" and not _among(value, operand):
                return False
            if kind == "not" and _among(value, operand if isinstance(operand, list) else [operand]):
                return False
            if kind in ("gt", "lt"):
                if isinstance(value, bool) or not isinstance(value, int | float):
                    return False
                if not (value > operand if kind == "gt" else value < operand):
                    return False
    return True


def in_words(conditions: Mapping[str, Any] | None) -> str:
    """Conditions as a person says them.

    >>> in_words({"method.sam": True}), in_words({"method.scope": {"not": "none"}, "method.tau": {"gt": 0.5}})
    ('where method.sam is true', 'where method.scope is not none and method.tau is above 0.5')
    """
    said = []
    for path, wanted in (conditions or {}).items():
        for kind, operand in (wanted if isinstance(wanted, Mapping) else {"in": [wanted]}).items():
            values = either([word(value) for value in (operand if isinstance(operand, list) else [operand])])
            said.append(f"{path} {WORDS[kind]} {values}")
    return f"where {' and '.join(said)}" if said else ""


def check_condition(where: str, condition: Any, param: Param) -> None:
    """Raise UserError for a condition on `param` that can never hold or cannot be compared."""
    if not isinstance(condition, Mapping):
        condition = {"in": [condition]}
    if not condition:
        raise UserError(f"{where}: found {{}}, expected a value, or not, in, gt or lt")
    for kind, operand in condition.items():
        if kind not in CONDITIONS:
            raise UserError(f"{where}: found '{kind}', expected not, in, gt or lt{nearest(str(kind), CONDITIONS)}")
        if kind in ("gt", "lt"):
            if isinstance(operand, bool) or not isinstance(operand, int | float):
                raise UserError(f"{where}.{kind}: found {quoted(operand)}, expected a number")
            continue
        if kind == "in" and not isinstance(operand, list):
            raise UserError(f"{where}.in: found {quoted(operand)}, expected a list")
        for value in operand if isinstance(operand, list) else [operand]:
            if not param.contains(value):
                near = nearest(str(value), [str(choice) for choice in param.choices])
                raise UserError(f"{where}: found {quoted(value)}, outside {param.extent}{near}")


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
