"""A search space as ConfigSpace's JSON (format 0.4, of release 1.2), which SMAC and DeepCAVE read; the package is not needed."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

from igmsweep.spaces.conditions import holds
from igmsweep.spaces.param import Param
from igmsweep.spaces.space import SearchSpace

FORMAT = 0.4

LEAST = 1e-13
"""ConfigSpace rounds to 13 decimals, so a logarithmic axis of its begins here, and a value below is none."""

FORBIDDEN = {
    "EQ": ("EQUALS",),
    "IN": ("IN",),
    "GT": ("CLAUSE_GT",),
    "LT": ("CLAUSE_LT",),
    "NEQ": ("CLAUSE_LT", "CLAUSE_GT"),
}
"""ConfigSpace's words for a condition under `forbiddens`, one of which must hold: it has none for unequal there."""

Clause = tuple[str, Any]
"""`EQ`, `NEQ`, `GT` or `LT` and a value, or `IN` and a list of values."""


def configspace(space: SearchSpace, first: Iterable[Mapping[str, Any]] = ()) -> dict[str, Any]:
    """The space as `ConfigSpace.ConfigurationSpace.from_json` reads it.

    A parameter with steps becomes an ordinal one, one whose `when` can never hold is left out, a logarithmic range from below
    1e-13 begins there. What the space fixes is not in it, as it is not in a trial's parameters.

    Args:
        space: any.
        first: configurations that run first; the first of them is ConfigSpace's default. Without one, a corner is.
    """
    middle = {param.path: param.at(0.5) for param in space.params}
    wanted = ({**middle, **values} for values in itertools.chain(first, space.grid(3)))
    default = next(values for values in wanted if not space.forbidden(space.active(values)))
    params: dict[str, Param] = {}
    acts: dict[str, list[tuple[str, Clause]]] = {}
    for param in map(_rounded, space.params):
        needed = _needed(param, params, acts)
        if needed is not None:
            params[param.path], acts[param.path] = param, needed
    return {
        "name": space.source,
        "hyperparameters": [_hyperparameter(param, default[param.path]) for param in params.values()],
        "conditions": [_condition(path, needed) for path, needed in acts.items() if needed],
        "forbiddens": [each for rule in space.forbid for each in _forbidden(rule, params)],
        "format_version": FORMAT,
    }


def _rounded(param: Param) -> Param:
    return replace(param, low=LEAST) if param.log and param.low is not None and param.low < LEAST else param


def _hyperparameter(param: Param, value: Any) -> dict[str, Any]:
    plain: dict[str, Any] = {"name": param.path, "meta": None}
    values = param.values()
    if param.type == "categorical":
        return plain | {"type": "categorical", "choices": values, "weights": None, "default_value": value}
    if values is not None:
        nearest = min(values, key=lambda each: abs(each - value))
        return plain | {"type": "ordinal", "sequence": values, "default_value": nearest}
    kind = _number(param)
    low, high = kind(param.low), kind(param.high)
    bounds = {"lower": low, "upper": high, "default_value": max(low, kind(value)), "log": param.log}
    return plain | {"type": f"uniform_{param.type}", **bounds}


def _needed(
    param: Param, params: Mapping[str, Param], acts: Mapping[str, list[tuple[str, Clause]]]
) -> list[tuple[str, Clause]] | None:
    """What must hold of other parameters for this one to act; None where that cannot be."""
    needed: list[tuple[str, Clause]] = []
    for path, condition in (param.when or {}).items():
        clauses = _clauses(params[path], condition) if path in params else None
        if clauses is None:
            return None
        # what holds wherever the other parameter acts asks for what that one asks for
        needed += [(path, clause) for clause in clauses] or acts[path]
    return needed


def _clauses(param: Param, condition: Any) -> list[Clause] | None:
    """What a condition asks of a parameter that acts: nothing where it always holds, None where it never does."""
    values = param.values()
    if values is not None:
        allowed = [value for value in values if holds({param.path: condition}, {param.path: value})]
        return [] if len(allowed) == len(values) else _among(allowed)
    assert param.low is not None and param.high is not None
    clauses: list[Clause] = []
    kind = _number(param)
    words: Mapping[str, Any] = condition if isinstance(condition, Mapping) else {"in": [condition]}
    for word, operand in words.items():
        if word == "gt":
            if operand >= param.high:
                return None
            if operand >= param.low:
                clauses.append(("GT", math.floor(operand) if kind is int else operand))
        elif word == "lt":
            if operand <= param.low:
                return None
            if operand <= param.high:
                clauses.append(("LT", math.ceil(operand) if kind is int else operand))
        elif word == "not":
            clauses += [("NEQ", kind(value)) for value in (operand if isinstance(operand, list) else [operand])]
        else:
            among = _among([kind(value) for value in operand])
            if among is None:
                return None
            clauses += among
    return clauses


def _among(allowed: list[Any]) -> list[Clause] | None:
    if not allowed:
        return None
    return [("EQ", allowed[0])] if len(allowed) == 1 else [("IN", allowed)]


def _condition(child: str, needed: list[tuple[str, Clause]]) -> dict[str, Any]:
    each = [
        {"type": word, "child": child, "parent": parent, "values" if word == "IN" else "value": value}
        for parent, (word, value) in needed
    ]
    return each[0] if len(each) == 1 else {"type": "AND", "child": child, "conditions": each}


def _forbidden(rule: Mapping[str, Any], params: Mapping[str, Param]) -> list[dict[str, Any]]:
    """A `forbid` rule as the rules of ConfigSpace that forbid the same; none where it can never hold."""
    parts: list[list[dict[str, Any]]] = []
    for path, condition in rule.items():
        clauses = _clauses(params[path], condition) if path in params else None
        if clauses is None:
            return []
        for word, value in clauses:
            key = "values" if word == "IN" else "value"
            parts.append([{"type": each, "name": path, key: value} for each in FORBIDDEN[word]])
        if not clauses:
            parts.append([_whole(params[path])])
    return [
        dict(chosen[0]) if len(chosen) == 1 else {"type": "AND", "clauses": list(chosen)}
        for chosen in itertools.product(*parts)
    ]


def _whole(param: Param) -> dict[str, Any]:
    """The clause that holds wherever the parameter acts."""
    values = param.values()
    if values is None:
        return {"type": "CLAUSE_GE", "name": param.path, "value": _number(param)(param.low)}
    return {"type": "IN", "name": param.path, "values": values}


def _number(param: Param) -> Callable[[Any], Any]:
    return int if param.type == "int" else float
