"""The search-space file: pure data, checked before anything starts.

One SearchSpace serves every sampler: called with an Optuna trial it is a define-by-run space, `grid` enumerates it.
"""

from __future__ import annotations

import itertools
import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from igmsweep.errors import UserError, nearest
from igmsweep.schema.yaml_file import read_yaml

if TYPE_CHECKING:
    from igmsweep.config import TrainConfig

TOP = ("version", "metric", "params", "fixed", "enqueue", "forbid")
KEYS = {
    "float": ("type", "low", "high", "log", "step", "when"),
    "int": ("type", "low", "high", "log", "step", "when"),
    "categorical": ("type", "choices", "when"),
}
CONDITIONS = ("not", "in", "gt", "lt")
FOREIGN = {
    "min": "low",
    "max": "high",
    "lower": "low",
    "upper": "high",
    "values": "choices",
    "distribution": "type",
    "value": "fixed: at the top level",
}


FOREIGN_TOP = {
    "parameters": "W&B's word, write 'params'",
    "method": "W&B's word, choose with --sampler",
    "program": "W&B's word, igmsweep trains its own methods",
    "search_space": "write 'params'",
}
METRICS = ("acc", "map", "f1", "loss")


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
            most = math.floor((self.high - self.low) / self.step + 1e-8)
            counts = sorted({min(most, round((value - self.low) / self.step)) for value in values})
            values = [self.low + count * self.step for count in counts]
        if self.type == "int":
            return sorted({round(value) for value in values})
        return values

    def described(self) -> dict[str, Any]:
        """As in the file."""
        if self.type == "categorical":
            plain: dict[str, Any] = {"type": self.type, "choices": list(self.choices)}
        else:
            plain = {"type": self.type, "low": self.low, "high": self.high, "log": self.log}
            if self.step is not None:
                plain["step"] = self.step
        return plain | ({"when": dict(self.when)} if self.when else {})


@dataclass(frozen=True)
class SearchSpace:
    """Parameters in an order in which every condition refers to an earlier one. Instances are picklable callables."""

    source: str
    metric: str
    mode: str
    params: tuple[Param, ...]
    fixed: Mapping[str, Any]
    enqueue: tuple[Any, ...]
    forbid: tuple[Mapping[str, Any], ...]

    VERSION: ClassVar[int] = 1

    @classmethod
    def load(cls, name: str | Path) -> SearchSpace:
        """Read a file or a shipped space.

        Raises:
            UserError: anything in it that cannot be searched; one line that names the key.
        """
        path = find_space(name)
        return cls.from_dict(read_yaml(path), path.name)

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any], source: str = "space") -> SearchSpace:
        """A space from the file's content. Raises UserError as `load` does."""

        def refuse(key: str, why: str) -> UserError:
            return UserError(f"{source}: {key}: {why}")

        for key in plain:
            if key not in TOP:
                hint = f"; {FOREIGN_TOP[key]}" if key in FOREIGN_TOP else nearest(str(key), TOP)
                raise UserError(f"{source}: unknown key '{key}'{hint}")
        if plain.get("version", cls.VERSION) != cls.VERSION:
            raise refuse("version", f"found {plain['version']!r}, expected {cls.VERSION}")
        metric = plain.get("metric", {"name": "val/acc", "mode": "max"})
        if not isinstance(metric, Mapping) or set(metric) - {"name", "mode"} or "name" not in metric:
            raise refuse("metric", f"found {metric!r}, expected {{name: val/acc, mode: max}}")
        if not str(metric["name"]).startswith("val/"):
            raise refuse(
                "metric.name",
                f"found '{metric['name']}', expected a name that starts with val/: a search must not see test data",
            )
        mode = metric.get("mode", "max")
        if mode not in ("max", "min"):
            raise refuse("metric.mode", f"found {mode!r}, expected max or min{nearest(str(mode), ['max', 'min'])}")
        described = plain.get("params")
        if not isinstance(described, Mapping) or not described:
            raise refuse("params", f"found {described!r}, expected at least one parameter")
        params = {path: _param(source, path, value) for path, value in described.items()}
        fixed = plain.get("fixed") or {}
        if not isinstance(fixed, Mapping):
            raise refuse("fixed", f"found {fixed!r}, expected a mapping of paths to values")
        for path in fixed:
            for searched in params:
                if overlap(str(path), str(searched)):
                    raise refuse(f"fixed.{path}", f"{searched} is searched under params too; keep one of the two")
        enqueue = plain.get("enqueue") or []
        if not isinstance(enqueue, list):
            raise refuse("enqueue", f"found {enqueue!r}, expected a list of presets and configurations")
        forbid = plain.get("forbid") or []
        if not isinstance(forbid, list) or not all(isinstance(rule, Mapping) and rule for rule in forbid):
            raise refuse("forbid", f"found {forbid!r}, expected a list of conditions, such as [{{method.sam: false}}]")
        space = cls(
            source, str(metric["name"]), mode, _ordered(source, params), dict(fixed), tuple(enqueue), tuple(forbid)
        )
        for number, rule in enumerate(forbid):
            for path in rule:
                if path not in params:
                    raise refuse(f"forbid[{number}]", f"unknown parameter '{path}'{nearest(str(path), params)}")
                _check_condition(f"{source}: forbid[{number}].{path}", rule[path], params[path])
        if not any(True for _ in itertools.islice(space.grid(3), 1)):
            raise refuse("forbid", "leaves no configuration to try")
        for number, entry in enumerate(enqueue):
            if isinstance(entry, Mapping):
                if space.forbidden(space.admit(entry, f"{source}: enqueue[{number}]")):
                    raise refuse(f"enqueue[{number}]", "falls under a forbid rule; take one of the two out")
            elif not isinstance(entry, str):
                raise refuse(f"enqueue[{number}]", f"found {entry!r}, expected a preset's name or a mapping")
        return space

    def check(self, config: TrainConfig) -> None:
        """Raise UserError unless every path exists in the configuration and every bound is a legal value of it."""
        paths = config.paths()
        parts = ["", *(f"{name}/" for name in config.modalities)]
        metrics = [f"val/{part}{name}" for part in parts for name in METRICS]
        if self.metric not in metrics:
            raise UserError(
                f"{self.source}: metric.name: unknown metric '{self.metric}'{nearest(self.metric, metrics)}"
            )
        for path in [*(param.path for param in self.params), *self.fixed]:
            if path not in paths and path not in self.fixed:
                raise UserError(f"{self.source}: unknown parameter '{path}'{nearest(path, paths)}")
        for param in self.params:
            if param.path.startswith(("data.", "seed", "device")) or param.path in ("method.name", "method.preset"):
                raise UserError(
                    f"{self.source}: {param.path}: cannot be searched; it decides what scores are comparable"
                )
            values = param.choices
            if param.low is not None and param.high is not None:
                # a third value, since whole bounds do not show that a float cannot be taken
                between = () if param.type == "int" else (param.low + (param.high - param.low) * 0.381,)
                values = (param.low, param.high, *between)
            for value in values:
                if isinstance(paths[param.path], bool) and not isinstance(value, bool):
                    raise UserError(f"{self.source}: {param.path}: found {value!r}, expected true or false")
                try:
                    config.override({param.path: value})
                except UserError as error:
                    raise UserError(f"{self.source}: {error}") from None
        try:
            config.override(dict(self.fixed))
        except UserError as error:
            raise UserError(f"{self.source}: fixed: {error}") from None

    def __call__(self, trial: Any) -> dict[str, Any]:
        """Values of the active parameters for an Optuna trial (define-by-run)."""
        values: dict[str, Any] = {}
        for param in self.params:
            if _holds(param.when, values):
                values[param.path] = param.suggest(trial)
        return values

    def forbidden(self, values: Mapping[str, Any]) -> bool:
        """Whether a configuration falls under a `forbid` rule."""
        return any(_holds(rule, values) for rule in self.forbid)

    def grid(self, points: int) -> Iterator[dict[str, Any]]:
        """Every allowed combination with `points` values a numeric parameter; inactive parameters are left out."""

        def extend(index: int, values: dict[str, Any]) -> Iterator[dict[str, Any]]:
            if index == len(self.params):
                if not self.forbidden(values):
                    yield values
                return
            param = self.params[index]
            if not _holds(param.when, values):
                yield from extend(index + 1, values)
                return
            for value in param.grid(points):
                yield from extend(index + 1, values | {param.path: value})

        return extend(0, {})

    def admit(self, values: Mapping[str, Any], where: str) -> dict[str, Any]:
        """The part of `values` that is active, checked against the ranges. Raises UserError."""
        known = {param.path: param for param in self.params}
        for path, value in values.items():
            if path not in known:
                raise UserError(f"{where}: unknown parameter '{path}'{nearest(str(path), known)}")
            if not known[path].contains(value):
                raise UserError(f"{where}: {path}: found {value!r}, outside {_range(known[path])}")
        active: dict[str, Any] = {}
        for param in self.params:
            if _holds(param.when, active) and param.path in values:
                active[param.path] = values[param.path]
        return active

    def described(self) -> dict[str, Any]:
        """As in the file, resolved."""
        return {
            "version": self.VERSION,
            "source": self.source,
            "metric": {"name": self.metric, "mode": self.mode},
            "params": {param.path: param.described() for param in self.params},
            "fixed": dict(self.fixed),
            "enqueue": list(self.enqueue),
            "forbid": [dict(rule) for rule in self.forbid],
        }


def canonical(values: Mapping[str, Any]) -> str:
    """Equal for equal configurations, whatever the order of their keys."""
    return json.dumps(dict(values), sort_keys=True)


def overlap(one: str, other: str) -> bool:
    """Whether two paths set the same value: equal, or one stands for every modality of the other."""
    return one == other or one.startswith(f"{other}.") or other.startswith(f"{one}.")


def space_folders() -> list[Path]:
    """Where shipped spaces lie: inside an installed package, or at the top of a source checkout."""
    here = Path(__file__).resolve().parent.parent
    return [folder for folder in (here / "search_spaces", here.parent / "search_spaces") if folder.is_dir()]


def space_names() -> list[str]:
    """Names of the shipped spaces."""
    return sorted({path.stem for folder in space_folders() for path in folder.glob("*.yaml")})


def find_space(name: str | Path) -> Path:
    """The file of a space given as a path or a shipped name. Raises UserError."""
    path = Path(name)
    # a folder is no space: the data set's own folder may well lie here under the same name
    if path.suffix in (".yaml", ".yml") or path.is_file():
        if not path.is_file():
            raise UserError(f"--space: no such file {path}")
        return path
    for folder in space_folders():
        if (folder / f"{name}.yaml").is_file():
            return folder / f"{name}.yaml"
    raise UserError(
        f"--space: no shipped space '{name}', expected one of {', '.join(space_names())}{nearest(str(name), space_names())}"
    )


def _param(source: str, path: str, plain: Any) -> Param:
    def refuse(why: str, key: str = "") -> UserError:
        return UserError(f"{source}: {path}{'.' + key if key else ''}: {why}")

    if not isinstance(plain, Mapping):
        raise refuse(f"found {plain!r}, expected {{type: float, low: ..., high: ...}}; a constant goes under fixed:")
    for key in plain:
        if key in FOREIGN:
            raise refuse(f"igmsweep uses Optuna's words, write '{FOREIGN[key]}'", key)
    kind = plain.get("type")
    if not isinstance(kind, str) or kind not in KEYS:
        raise refuse(f"found {kind!r}, expected one of {', '.join(KEYS)}{nearest(str(kind), KEYS)}", "type")
    for key in plain:
        if key not in KEYS[kind]:
            raise UserError(f"{source}: unknown key '{path}.{key}'{nearest(key, KEYS[kind])}")
    when = plain.get("when")
    if when is not None and (not isinstance(when, Mapping) or not when):
        raise refuse(f"found {when!r}, expected a mapping such as {{method.sam: true}}", "when")
    if kind == "categorical":
        choices = plain.get("choices")
        if not isinstance(choices, list) or not choices:
            raise refuse(f"found {choices!r}, expected a list of values", "choices")
        for choice in choices:
            if not isinstance(choice, str | int | float | bool) and choice is not None:
                raise refuse(f"found {choice!r}, expected strings, numbers or booleans", "choices")
        if any(isinstance(choice, bool) for choice in choices) and not all(
            isinstance(choice, bool) for choice in choices
        ):
            raise refuse(f"found {choices!r}, which mixes booleans with other values", "choices")
        if len({canonical({"": choice}) for choice in choices}) != len(choices):
            raise refuse(f"found {choices!r}, in which a value stands twice", "choices")
        return Param(path, kind, choices=tuple(choices), when=when)
    bounds = {key: _number(refuse, key, plain.get(key)) for key in ("low", "high")}
    step = None if plain.get("step") is None else _number(refuse, "step", plain["step"])
    log = plain.get("log", False)
    if not isinstance(log, bool):
        raise refuse(f"found {log!r}, expected true or false", "log")
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
    return Param(path, kind, bounds["low"], bounds["high"], log, step, when=when)


def _number(refuse: Any, key: str, value: Any) -> float:
    if isinstance(value, str) and re.fullmatch(r"[-+]?\d+(\.\d*)?([eE][-+]?\d+)?", value):
        value = float(value)  # `1e-4`, which YAML 1.1 reads as a string
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise refuse(f"found {value!r}, expected a number", key)
    return value


def _ordered(source: str, params: Mapping[str, Param]) -> tuple[Param, ...]:
    """Conditions after what they refer to, otherwise in the file's order."""
    done: dict[str, Param] = {}

    def visit(path: str, above: tuple[str, ...]) -> None:
        if path in done:
            return
        if path in above:
            raise UserError(f"{source}: {path}.when: goes round in a circle: {' -> '.join([*above, path])}")
        for other in params[path].when or {}:
            if other not in params:
                raise UserError(f"{source}: {path}.when: unknown parameter '{other}'{nearest(other, params)}")
            _check_condition(f"{source}: {path}.when.{other}", (params[path].when or {})[other], params[other])
            visit(other, (*above, path))
        done[path] = params[path]

    for path in params:
        visit(path, ())
    return tuple(done.values())


def _check_condition(where: str, condition: Any, param: Param) -> None:
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
                raise UserError(f"{where}: found {value!r}, outside {_range(param)}{near}")


def _holds(conditions: Mapping[str, Any] | None, values: Mapping[str, Any]) -> bool:
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


def _among(value: Any, options: Iterable[Any]) -> bool:
    return any(value == option and isinstance(value, bool) == isinstance(option, bool) for option in options)


def _range(param: Param) -> str:
    if param.type == "categorical":
        return f"[{', '.join(map(str, param.choices))}]"
    return f"[{param.low:g}, {param.high:g}]"
