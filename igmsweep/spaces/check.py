"""Whether a space fits a configuration: every path exists in it, and every bound is a legal value there.

A legal value is one that the configuration takes, so bounds are tried on it: all parameters' first values together, then
all second ones, and so on, in as many configurations as the parameter with the most values has. Only where one of these
is refused are the values tried one by one, for the line that names the culprit.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

from igmsweep.errors import UserError, nearest
from igmsweep.legible import quoted
from igmsweep.schema.paths import refuse_places
from igmsweep.spaces.param import Param

if TYPE_CHECKING:
    from igmsweep.config import TrainConfig

METRICS = ("acc", "map", "f1", "loss")


class Space(Protocol):
    """What is looked at of a search space."""

    @property
    def source(self) -> str: ...
    @property
    def metric(self) -> str: ...
    @property
    def params(self) -> tuple[Param, ...]: ...
    @property
    def fixed(self) -> Mapping[str, Any]: ...


def check_against(space: Space, config: TrainConfig) -> None:
    """Raise UserError unless every path exists in the configuration and every bound is a legal value of it."""
    paths = config.paths()
    parts = ["", *(f"{name}/" for name in config.modalities)]
    metrics = [f"val/{part}{name}" for part in parts for name in METRICS]
    if space.metric not in metrics:
        raise UserError(f"{space.source}: metric.name: unknown metric '{space.metric}'{nearest(space.metric, metrics)}")
    for param in space.params:
        if param.path not in paths:
            raise UserError(f"{space.source}: unknown parameter '{param.path}'{nearest(param.path, paths)}")
    for param in space.params:
        if param.path.startswith(("data.", "seed", "device")) or param.path in ("method.name", "method.preset"):
            raise UserError(f"{space.source}: {param.path}: cannot be searched; it decides what scores are comparable")
    _check_values(space, config, paths)
    if space.fixed:
        try:
            refuse_places(space.fixed)
            config.override(dict(space.fixed))
        except UserError as error:
            raise UserError(f"{space.source}: fixed: {error}") from None


def _check_values(space: Space, config: TrainConfig, paths: Mapping[str, Any]) -> None:
    tried = {param.path: _telling_values(param) for param in space.params}
    sound = not any(
        isinstance(paths[path], bool) and not isinstance(value, bool)
        for path, values in tried.items()
        for value in values
    )
    try:
        for turn in range(max(map(len, tried.values())) if sound else 0):
            config.override({path: values[turn] for path, values in tried.items() if turn < len(values)})
    except UserError:
        sound = False
    if sound:
        return
    for path, values in tried.items():
        for value in values:
            if isinstance(paths[path], bool) and not isinstance(value, bool):
                raise UserError(f"{space.source}: {path}: found {quoted(value)}, expected true or false")
            try:
                config.override({path: value})
            except UserError as error:
                raise UserError(f"{space.source}: {error}") from None


def _telling_values(param: Param) -> tuple[Any, ...]:
    """Values that are legal only where the whole parameter is."""
    if param.low is None or param.high is None:
        return param.choices
    # a third value, since whole bounds do not show that a float cannot be taken
    between = () if param.type == "int" else (param.low + (param.high - param.low) * 0.381,)
    return (param.low, param.high, *between)
