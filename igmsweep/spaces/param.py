"""One searched path: its range or its choices, how a sampler draws from it, and how it is read from a file."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from igmsweep.errors import UserError, nearest
from igmsweep.gate.numbers import LARGEST, finite
from igmsweep.legible import first_few, quoted, shortened

KEYS = {
    "float": ("type", "low", "high", "log", "step", "when"),
    "int": ("type", "low", "high", "log", "step", "when"),
    "categorical": ("type", "choices", "when"),
}
CHOICES = 1000
STEPS = 1_000_000
"""Values of an axis: more of either is a slip."""
WIDEST = 1e100
"""Of a bound: differences and products of such numbers stay finite."""
FOREIGN = {
    "min": "low",
    "max": "high",
    "lower": "low",
    "upper": "high",
    "values": "choices",
    "distribution": "type",
    "value": "fixed: at the top level",
}


@dataclass(frozen=True)
class Param:
    """One searched path. `when` maps another parameter's path to what it must be for this one to exist."""

    path: str
    type: str
    low: float | None = None
    high: float | None = None
    log: bool = False
    step: float | None = None
    choices: tuple[Any, ...] = ()
    when: Mapping[str, Any] | None = None

    def suggest(self, trial: Any) -> Any:
        """Ask an Optuna trial for a value."""
        if self.type == "categorical":
            return trial.suggest_categorical(self.path, list(self.choices))
        assert self.low is not None and self.high is not None
        if self.type == "int":
            step = 1 if self.step is None else int(self.step)
            return trial.suggest_int(self.path, int(self.low), int(self.high), step=step, log=self.log)
        return trial.suggest_float(self.path, self.low, self.high, step=self.step, log=self.log)

    def distribution(self) -> Any:
        """The Optuna distribution that `suggest` draws from, for trials that are added to a study as they are."""
        from optuna import distributions

        if self.type == "categorical":
            return distributions.CategoricalDistribution(list(self.choices))
        assert self.low is not None and self.high is not None
        if self.type == "int":
            step = 1 if self.step is None else int(self.step)
            return distributions.IntDistribution(int(self.low), int(self.high), log=self.log, step=step)
        return distributions.FloatDistribution(self.low, self.high, log=self.log, step=self.step)

    def contains(self, value: Any) -> bool:
        """Whether a value lies in the range or among the choices (true is not 1)."""
        if self.type == "categorical":
            return any(
                value == choice and isinstance(value, bool) == isinstance(choice, bool) for choice in self.choices
            )
        if isinstance(value, bool) or not isinstance(value, int | float):
            return False
        assert self.low is not None and self.high is not None
        if not self.low <= value <= self.high or (self.type == "int" and not float(value).is_integer()):
            return False
        steps = 0.0 if self.step is None else (value - self.low) / self.step
        return abs(steps - round(steps)) < 1e-8

    def values(self) -> list[Any] | None:
        """All values of an axis of choices or steps, in its order; None for whole numbers and reals in between."""
        if self.type == "categorical":
            return list(self.choices)
        if self.step is None:
            return None
        steps = [self._step(count) for count in range(self._values)]
        return [round(value) for value in steps] if self.type == "int" else steps

    def grid(self, points: int) -> list[Any]:
        """`points` values, evenly spaced on the parameter's own axis; all choices of a categorical one."""
        if self.type == "categorical":
            return list(self.choices)
        assert self.low is not None and self.high is not None
        shares = [index / max(1, points - 1) for index in range(points)]
        if self.log:
            low, high = math.log(self.low), math.log(self.high)
            values = [math.exp(low + share * (high - low)) for share in shares]
            values[0], values[-1] = self.low, self.high
        else:
            values = [self.low + share * (self.high - self.low) for share in shares]
        if self.step is not None:  # the nearest multiples that lie inside
            most = self._values - 1
            counts = sorted({min(most, round((value - self.low) / self.step)) for value in values})
            values = [self._step(count) for count in counts]
        if self.type == "int":
            return sorted({round(value) for value in values})
        return values

    def at(self, share: float) -> Any:
        """The value at `share`, in [0, 1), of the parameter's own axis.

        A uniform share gives what Optuna's random sampler draws: choices, whole numbers and steps have equal slices, a
        logarithmic axis is uniform in the logarithm (of whole numbers: from low - 0.5 to high + 0.5).
        """
        if self.type == "categorical":
            return self.choices[int(share * len(self.choices))]
        assert self.low is not None and self.high is not None
        if not self.log and (self.step is not None or self.type == "int"):
            value = self._step(int(share * self._values))
        elif self.log:
            around = 0.5 if self.type == "int" else 0.0
            low, high = math.log(self.low - around), math.log(self.high + around)
            value = math.exp(low + share * (high - low))
        else:
            value = self.low + share * (self.high - self.low)
        if self.type == "int":
            return min(int(self.high), max(int(self.low), round(value)))
        return float(min(self.high, max(self.low, value)))

    @property
    def _values(self) -> int:
        """How many values an axis with steps has."""
        step = Decimal(str(self.step or 1))
        return int((Decimal(str(self.high)) - Decimal(str(self.low))) // step) + 1

    def _step(self, count: int) -> float:
        """The value `count` steps above the lowest. In decimals, as Optuna does it: 0.1 and two steps of 0.1 are 0.3."""
        return float(Decimal(str(self.low)) + count * Decimal(str(self.step or 1)))

    @property
    def extent(self) -> str:
        """The range or the choices, for a message."""
        if self.type == "categorical":
            return f"[{first_few([shortened(str(choice), 40) for choice in self.choices])}]"
        return f"[{self.low:g}, {self.high:g}]"

    def described(self) -> dict[str, Any]:
        """As in the file."""
        if self.type == "categorical":
            plain: dict[str, Any] = {"type": self.type, "choices": list(self.choices)}
        else:
            plain = {"type": self.type, "low": self.low, "high": self.high, "log": self.log}
            if self.step is not None:
                plain["step"] = self.step
        return plain | ({"when": dict(self.when)} if self.when else {})


def read_param(source: str, path: str, plain: Any) -> Param:
    """A parameter from a file's entry.

    Raises:
        UserError: an unknown key, type or bound; the line begins with `source` and the path.
    """

    def refuse(why: str, key: str = "") -> UserError:
        return UserError(f"{source}: {path}{'.' + key if key else ''}: {why}")

    if not isinstance(plain, Mapping):
        raise refuse(
            f"found {quoted(plain)}, expected {{type: float, low: ..., high: ...}}; a constant goes under fixed:"
        )
    for key in plain:
        if key in FOREIGN:
            raise refuse(f"igmsweep uses Optuna's words, write '{FOREIGN[key]}'", key)
    kind = plain.get("type")
    if not isinstance(kind, str) or kind not in KEYS:
        raise refuse(f"found {quoted(kind)}, expected one of {', '.join(KEYS)}{nearest(str(kind), KEYS)}", "type")
    for key in plain:
        if key not in KEYS[kind]:
            raise UserError(f"{source}: unknown key '{path}.{key}'{nearest(key, KEYS[kind])}")
    when = plain.get("when")
    if when is not None and (not isinstance(when, Mapping) or not when):
        raise refuse(f"found {quoted(when)}, expected a mapping such as {{method.sam: true}}", "when")
    if kind == "categorical":
        return Param(path, kind, choices=_choices(refuse, plain.get("choices")), when=when)
    bounds = {key: _number(refuse, key, plain.get(key)) for key in ("low", "high")}
    step = None if plain.get("step") is None else _number(refuse, "step", plain["step"])
    log = plain.get("log", False)
    if not isinstance(log, bool):
        raise refuse(f"found {quoted(log)}, expected true or false", "log")
    if kind == "int" and not all(float(value).is_integer() for value in bounds.values()):
        raise refuse(f"found low {bounds['low']}, high {bounds['high']}, expected whole numbers")
    if bounds["low"] >= bounds["high"]:
        raise refuse(f"low {bounds['low']:g} is not below high {bounds['high']:g}")
    if log and bounds["low"] <= 0:
        raise refuse(f"low {bounds['low']:g} on a logarithmic axis, expected a value above 0")
    if step is not None and (step <= 0 or (kind == "int" and not float(step).is_integer())):
        raise refuse(f"found {step:g}, expected a {'whole ' if kind == 'int' else ''}number above 0", "step")
    if log and step is not None:
        raise refuse("log and step exclude each other", "step")
    if step is not None and (bounds["high"] - bounds["low"]) / step >= STEPS:
        raise refuse(f"found {step:g}, more than {STEPS:,} steps from {bounds['low']:g} to {bounds['high']:g}", "step")
    return Param(path, kind, bounds["low"], bounds["high"], log, step, when=when)


def _choices(refuse: Callable[..., UserError], choices: Any) -> tuple[Any, ...]:
    if not isinstance(choices, list) or not choices:
        raise refuse(f"found {quoted(choices)}, expected a list of values", "choices")
    if len(choices) > CHOICES:
        raise refuse(f"found {len(choices):,} values, expected at most {CHOICES:,}", "choices")
    for choice in choices:
        if not isinstance(choice, str | int | float | bool) and choice is not None:
            raise refuse(f"found {quoted(choice)}, expected strings, numbers or booleans", "choices")
    if any(isinstance(choice, bool) for choice in choices) and not all(isinstance(choice, bool) for choice in choices):
        raise refuse(f"found {quoted(choices)}, which mixes booleans with other values", "choices")
    if len({json.dumps(choice) for choice in choices}) != len(choices):
        raise refuse(f"found {quoted(choices)}, in which a value stands twice", "choices")
    return tuple(choices)


def _number(refuse: Callable[..., UserError], key: str, value: Any) -> float:
    if isinstance(value, str) and re.fullmatch(r"[-+]?\d+(\.\d*)?([eE][-+]?\d+)?", value):
        value = float(value)  # `1e-4`, which YAML 1.1 reads as a string
    found = finite(value)
    if found is None or abs(found) > WIDEST:
        more = f" of at most {LARGEST if isinstance(value, int) else WIDEST:g}"
        raise refuse(f"found {quoted(value)}, expected a number{'' if isinstance(value, bool | str) else more}", key)
    return value  # type: ignore[no-any-return]
