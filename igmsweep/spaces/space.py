"""The search space that every sampler asks: called with an Optuna trial it is define-by-run, `grid` enumerates it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from igmsweep.errors import UserError, nearest
from igmsweep.legible import quoted
from igmsweep.schema.paths import plain as as_plain
from igmsweep.spaces.check import check_against
from igmsweep.spaces.conditions import check_condition, holds, in_order
from igmsweep.spaces.expand import TOP, TunedData, check_keys
from igmsweep.spaces.param import Param, read_param
from igmsweep.spaces.shipped import read_space

if TYPE_CHECKING:
    from igmsweep.config import TrainConfig

PATIENCE = 20_000
"""Dead ends after which a space is taken to hold a configuration that no rule forbids."""


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
    """The version that `from_dict` reads and `described` writes: every path spelt out."""

    @classmethod
    def load(cls, name: str | Path, data: TunedData | None = None) -> SearchSpace:
        """Read a file or a shipped space; a file of version 2 needs the data set that it is completed with.

        Raises:
            UserError: anything in it that cannot be searched; one line that names the key.
        """
        return cls.from_dict(*read_space(name, data))

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any], source: str = "space") -> SearchSpace:
        """A space from a version-1 file's content. Raises UserError as `load` does."""

        def refuse(key: str, why: str) -> UserError:
            return UserError(f"{source}: {key}: {why}")

        plain = as_plain(plain)
        version = plain.get("version", cls.VERSION)
        if version == 2:
            raise refuse(
                "version", "found 2, which a data set completes; name one (--data NAME, or load_space in Python)"
            )
        check_keys(source, plain, TOP)
        if version != cls.VERSION:
            raise refuse("version", f"found {quoted(version)}, expected {cls.VERSION} or 2")
        metric, mode = _metric(source, plain.get("metric", {"name": "val/acc", "mode": "max"}))
        described = plain.get("params")
        if not isinstance(described, Mapping) or not described:
            raise refuse("params", f"found {quoted(described)}, expected at least one parameter")
        for path in described:
            if str(path).endswith(".*"):
                raise refuse(str(path), "stands for every modality only under version: 2")
        params = {path: read_param(source, path, value) for path, value in described.items()}
        fixed = plain.get("fixed") or {}
        if not isinstance(fixed, Mapping):
            raise refuse("fixed", f"found {quoted(fixed)}, expected a mapping of paths to values")
        for path in fixed:
            for searched in params:
                if overlap(str(path), str(searched)):
                    raise refuse(f"fixed.{path}", f"{searched} is searched under params too; keep one of the two")
        enqueue = plain.get("enqueue") or []
        if not isinstance(enqueue, list):
            raise refuse("enqueue", f"found {quoted(enqueue)}, expected a list of presets and configurations")
        forbid = plain.get("forbid") or []
        if not isinstance(forbid, list) or not all(isinstance(rule, Mapping) and rule for rule in forbid):
            raise refuse(
                "forbid", f"found {quoted(forbid)}, expected a list of conditions, such as [{{method.sam: false}}]"
            )
        space = cls(source, metric, mode, in_order(source, params), dict(fixed), tuple(enqueue), tuple(forbid))
        for number, rule in enumerate(forbid):
            for path in rule:
                if path not in params:
                    raise refuse(f"forbid[{number}]", f"unknown parameter '{path}'{nearest(str(path), params)}")
                check_condition(f"{source}: forbid[{number}].{path}", rule[path], params[path])
        if space._hopeless():
            raise refuse("forbid", "leaves no configuration to try")
        for number, entry in enumerate(enqueue):
            if isinstance(entry, Mapping):
                if space.forbidden(space.admit(entry, f"{source}: enqueue[{number}]")):
                    raise refuse(f"enqueue[{number}]", "falls under a forbid rule; take one of the two out")
            elif not isinstance(entry, str):
                raise refuse(f"enqueue[{number}]", f"found {quoted(entry)}, expected a preset's name or a mapping")
        return space

    def check(self, config: TrainConfig) -> None:
        """Raise UserError unless every path exists in the configuration and every bound is a legal value of it."""
        check_against(self, config)

    def __call__(self, trial: Any) -> dict[str, Any]:
        """Values of the active parameters for an Optuna trial (define-by-run)."""
        values: dict[str, Any] = {}
        for param in self.params:
            if holds(param.when, values):
                values[param.path] = param.suggest(trial)
        return values

    def at(self, point: Sequence[float]) -> dict[str, Any]:
        """The configuration at a point of the unit cube.

        Args:
            point: a coordinate in [0, 1) for each of `params`, in their order. That of a parameter which does not act is
                not used.
        """
        values: dict[str, Any] = {}
        for param, share in zip(self.params, point, strict=True):
            if holds(param.when, values):
                values[param.path] = param.at(share)
        return values

    def forbidden(self, values: Mapping[str, Any]) -> bool:
        """Whether a configuration falls under a `forbid` rule."""
        return any(holds(rule, values) for rule in self.forbid)

    def grid(self, points: int) -> Iterator[dict[str, Any]]:
        """Every allowed combination with `points` values a numeric parameter; inactive parameters are left out.

        A rule under `forbid` cuts as soon as it holds, not only where a combination is complete.
        """
        return (values for values in self._walk(points, self.params) if values is not None)

    def _hopeless(self) -> bool:
        """Whether the rules forbid everything; false where it takes more than PATIENCE dead ends to see that."""
        named = {path for rule in self.forbid for path in rule}
        for param in reversed(self.params):  # conditions stand after what they refer to
            if param.path in named:
                named |= set(param.when or {})
        for dead, values in enumerate(self._walk(3, tuple(param for param in self.params if param.path in named))):
            if values is not None or dead == PATIENCE:
                return False
        return True

    def _walk(self, points: int, params: Sequence[Param]) -> Iterator[dict[str, Any] | None]:
        """`grid` over some of the parameters, with None for every dead end."""

        def extend(index: int, values: dict[str, Any]) -> Iterator[dict[str, Any] | None]:
            if self.forbidden(values):  # no later value changes that
                yield None
                return
            if index == len(params):
                yield values
                return
            param = params[index]
            if not holds(param.when, values):
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
                raise UserError(f"{where}: {path}: found {quoted(value)}, outside {known[path].extent}")
        return self.active(values)

    def unfit(self, values: Mapping[str, Any]) -> str | None:
        """Why values are no whole configuration of this space; None where they are one."""
        try:
            active = self.admit(values, "params")
        except UserError as error:
            return str(error)
        for path in values:
            if path not in active:
                return f"params: {path}: does not act here"
        for param in self.params:
            if param.path not in values and holds(param.when, active):
                return f"params: has no {param.path}"
        return None

    def active(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """The part of `values` whose conditions hold, unchecked."""
        active: dict[str, Any] = {}
        for param in self.params:
            if holds(param.when, active) and param.path in values:
                active[param.path] = values[param.path]
        return active

    def described(self) -> dict[str, Any]:
        """As in a version-1 file, resolved."""
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


def _metric(source: str, metric: Any) -> tuple[str, str]:
    """The name and mode of what is searched for."""
    if not isinstance(metric, Mapping) or set(metric) - {"name", "mode"} or "name" not in metric:
        raise UserError(f"{source}: metric: found {quoted(metric)}, expected {{name: val/acc, mode: max}}")
    name, mode = str(metric["name"]), metric.get("mode", "max")
    if not name.startswith("val/"):
        raise UserError(
            f"{source}: metric.name: found '{name}', expected a name that starts with val/: a search must not see test data"
        )
    if mode not in ("max", "min"):
        raise UserError(
            f"{source}: metric.mode: found {quoted(mode)}, expected max or min{nearest(str(mode), ['max', 'min'])}"
        )
    return name, str(mode)
