"""Which space a training is searched in: the one that was named, else its method's."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from igmsweep import methods
from igmsweep.config import TrainConfig, preset
from igmsweep.errors import UserError
from igmsweep.schema.paths import plain as as_plain
from igmsweep.spaces.conditions import holds
from igmsweep.spaces.expand import TunedData, expand
from igmsweep.spaces.param import Param
from igmsweep.spaces.shipped import DEFAULT, below, method_of, space_names
from igmsweep.spaces.space import SearchSpace

if TYPE_CHECKING:
    from igmsweep.methods.base import Method

log = logging.getLogger(__name__)


def load_space(name: str | Path | Mapping[str, Any] | None, config: TrainConfig) -> SearchSpace:
    """The space called `name`, completed by the configuration's data set; None is the method's own; a mapping is the
    content of a version-2 file.

    Raises:
        UserError: there is no such space, or something in it that cannot be searched; one line that names the key.
    """
    if name is None:
        return for_training(config)
    if isinstance(name, Mapping):
        data = TunedData.of(config)
        return _expanded(as_plain(name), data, f"space of {config.method.name} on {data.names[0]}")
    meant, own = method_of(name), config.method.name
    if meant is not None and meant != own and own in methods.names():
        log.warning("--space %s is a space for %s, and the method is %s; --method %s fits it", name, meant, own, meant)
    space = SearchSpace.load(name, TunedData.of(config))
    return fitted(space, config) if str(name) in space_names() and not Path(name).is_file() else space


def for_training(config: TrainConfig) -> SearchSpace:
    """The space of a configuration's method on its data set.

    That is the shipped file of the method's name; for a method of one's own, what its class holds as `space`, in the
    form of a version-2 file; else the file of the built-in method that it builds on; else `default.yaml`.

    Raises:
        UserError: something in it that cannot be searched; one line that names the key.
    """
    data = TunedData.of(config)
    name = config.method.name
    if name in space_names() and name in methods.names():
        return fitted(SearchSpace.load(name, data), config)
    own = own_space(name)
    if own is not None:
        source = f"{_short(name)} on {data.names[0]}"
        return fitted(_expanded(own, data, source), config)
    shipped = shipped_for(name)
    what = "learning rates and weight decay are" if shipped == DEFAULT else f"that of {shipped}, which it builds on, is"
    log.info("%s brings no search space: %s searched (igmsweep space show %s)", _short(name), what, shipped)
    return fitted(SearchSpace.load(shipped, data), config)


def _expanded(content: Mapping[str, Any], data: TunedData, source: str) -> SearchSpace:
    """The space that the content of a version-2 file is on a data set."""
    return SearchSpace.from_dict(expand(content, data, source, below(content, source)), source)


def own_space(name: str) -> Mapping[str, Any] | None:
    """What a method's class holds as `space`, or None. Raises UserError where it is no mapping."""
    found = getattr(methods.get(name), "space", None)
    if found is not None and not isinstance(found, Mapping):
        raise UserError(f"{_short(name)}: space: found {type(found).__name__}, expected a mapping as in a space file")
    return None if found is None else as_plain(found)


def shipped_for(name: str) -> str:
    """The name of the shipped space for a method: its own, that of the built-in method it builds on, or `default`."""
    if name in space_names() and name in methods.names():
        return name
    method = methods.get(name)
    for built_in in methods.names():
        ancestor: type[Method] = methods.get(built_in)
        if built_in in space_names() and issubclass(method, ancestor) and issubclass(method.Params, ancestor.Params):
            return built_in
    return DEFAULT


def fitted(space: SearchSpace, config: TrainConfig) -> SearchSpace:
    """A space that was not written for this data set, made to hold what the data set's own configuration says.

    A learning rate of the configuration below a range stretches it to a tenth of that rate, one above to ten times it:
    whoever trains at 1e-5 wants the search to look there. A preset that some other range cannot hold is not enqueued.
    Shipped ranges hold everything that the built-in data sets' configurations say.
    """
    paths = config.paths()
    space = replace(
        space, params=tuple(_stretched(space.source, param, paths.get(param.path)) for param in space.params)
    )
    enqueue = []
    for entry in space.enqueue:
        outside = _outside(space, entry, config, paths) if isinstance(entry, str) else None
        if outside is None:
            enqueue.append(entry)
        else:
            log.info("%s: the preset %s does not run first: %s", space.source, entry, outside)
    return replace(space, enqueue=tuple(enqueue))


def _stretched(source: str, param: Param, value: Any) -> Param:
    if not param.path.startswith("optim.lr.") or param.low is None or param.high is None or not param.log:
        return param
    if param.type != "float" or not isinstance(value, int | float) or param.low <= value <= param.high:
        return param
    tenfold = float(f"{value / 10:.3g}" if value < param.low else f"{value * 10:.3g}")
    low, high = min(param.low, tenfold), max(param.high, tenfold)
    log.info("%s: %s is searched in [%g, %g], as the data set's own is %g", source, param.path, low, high, value)
    return replace(param, low=low, high=high)


def _outside(space: SearchSpace, name: str, config: TrainConfig, paths: Mapping[str, Any]) -> str | None:
    """A path and value of a preset that the space cannot hold, for a message; None where it holds all."""
    changes = preset(config.method.name, name, config.data.name)
    given: dict[str, Any] = {}
    for param in space.params:
        value = changes.get(param.path, changes.get(param.path.rpartition(".")[0], paths.get(param.path)))
        if not holds(param.when, given):
            continue
        given[param.path] = value
        is_number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
        if param.type != "categorical" and is_number and not param.contains(value):
            return f"{param.path} {value:g} lies outside {param.extent}"
    return None


def _short(name: str) -> str:
    """A method's name without the folders of its file."""
    path, colon, attribute = name.rpartition(":")
    return f"{Path(path).name}:{attribute}" if colon else name
