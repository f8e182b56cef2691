"""What a sweep is, checked and resolved before anything starts: the content of `sweep.yaml`.

The plan holds no preset names and no defaults that a later version could read differently, so that a sweep that is
taken up again is the same sweep.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from igmsweep import data as datasets
from igmsweep.config import TrainConfig, named_data, preset, presets, with_absolute_paths
from igmsweep.data import places
from igmsweep.data.base import SearchData
from igmsweep.errors import UserError, nearest
from igmsweep.gate.numbers import whole
from igmsweep.gate.paths import full
from igmsweep.gate.yaml_text import Written, read_yaml
from igmsweep.legible import VALUE, quoted, shortened
from igmsweep.plugin import Trust
from igmsweep.record.paths import SCHEMA, SPEC
from igmsweep.record.stamps import now
from igmsweep.schema.paths import bound, leaves, refuse_places
from igmsweep.spaces.choose import load_space
from igmsweep.spaces.space import SearchSpace, overlap
from igmsweep.sweep.options import SINCE, check_amounts, declared, recorded
from igmsweep.sweep.request import SweepRequest
from igmsweep.sweep.search import Enqueued, startup_trials
from igmsweep.sweep.stopping import make_stopping

logger = logging.getLogger(__name__)

STOPPING = ("stopping.cycles", "stopping.grace", "stopping.reduction")
FIXED_BY_START = (
    "method",
    "metric",
    "data.name",
    "data.data_hash",
    "data.split_hash",
    "space.params",
    "space.forbid",
    "sampler",
    "seed",
    "folds",
    "scheduler",
    "stopping",
    "base_config",
    "enqueued",
)
"""What must be equal for two requests to be one sweep."""


@dataclass(frozen=True)
class Plan:
    """A resolved request."""

    base: TrainConfig
    space: SearchSpace
    enqueued: tuple[Enqueued, ...]
    spec: dict[str, Any]
    """`sweep.yaml`; the data's part is added when the data has been read."""


def make_plan(request: SweepRequest) -> Plan:
    """Check a request and resolve it. Nothing is read but the search space.

    Raises:
        UserError: anything in the request that cannot work; one line that names the option or key.
    """
    request.check()
    base = TrainConfig(data=named_data(request.data, request.overrides), method=request.method)
    space = load_space(request.space or None, base)
    space.check(base)
    base = TrainConfig.new(request.data, request.method, {**space.fixed, **request.overrides})
    if "data.cache" in request.overrides and base.data.cache is not None:
        places.remember_cache(full(base.data.cache, "data.cache"))
    for path in request.overrides:
        for param in space.params:
            if overlap(path, param.path):
                raise UserError(
                    f"--set {path}: {param.path} is searched by {space.source}; fix it in a space of your own instead"
                )
    if "seed" not in request.overrides:
        base = base.override({"seed": request.seed})
    base = _hand_over_by_the_metric(base, space, request)
    if request.folds is not None:
        base = _with_folds(base, request)
    # a folder that was named is made absolute, as Ray changes the working directory; one that was not is each node's own
    base = with_absolute_paths(base)
    cycles = base.stages.cycles * (request.folds or 1)
    make_stopping(request.scheduler, cycles, "max", request.grace, request.reduction)
    enqueued, paper = _enqueued(space, base, request)
    spec = {
        "schema": SCHEMA,
        "name": request.name,
        "created": now(),
        "method": request.method,
        "data": {"name": request.data},
        "metric": {"name": space.metric, "mode": space.mode},
        "space": space.described(),
        "enqueued": [
            {"params": dict(entry.params), "source": entry.source, "extra": dict(entry.extra)} for entry in enqueued
        ],
        "sampler": request.sampler,
        "startup": startup_trials(request.sampler, request.trials),
        "scheduler": request.scheduler,
        "stopping": {"cycles": cycles, "grace": request.grace, "reduction": request.reduction},
        **request.recorded(),
        "seed": request.seed,
        "base_config": base.to_dict(),
        "paper": paper,
    }
    return Plan(base, space, tuple(enqueued), spec)


def described_data(data: SearchData, base: TrainConfig, folds: int | None) -> dict[str, Any]:
    """The data's part of `sweep.yaml`: which samples train and validate, and hashes of both."""
    return {
        "name": base.data.name,
        "data_hash": data.data_hash,
        "split_hash": data.split_hash,
        "split": data.split if folds is None else data.split.replace("fold 1 of", "each fold of"),
        "group": base.data.group,
        "classes": list(data.dataset.classes),
        "modalities": list(base.modalities),
        "metrics": list(data.dataset.metrics),
        "train": len(data.train),
        "val": len(data.val),
        "skipped": [f"{remark.sample}: {remark.kind}" for remark in data.skipped],
        "replaced": [f"{remark.sample}: {remark.kind}" for remark in data.replaced],
        "bad": [each.as_dict() for each in data.bad],
        "departures": list(data.departures),
    }


def probe_data(base: TrainConfig, folds: int | None) -> Any:
    """The data configuration that stands for all folds: the first."""
    if folds is None:
        return base.data
    return base.override({"data.folds": folds, "data.fold": 0}).data


def read_plan(folder: Path, trust: Trust, root: Path | None = None) -> Plan:
    """The plan in a sweep's folder.

    Args:
        trust: which Python files the plan may name; resolving the configuration runs them.
        root: of the data set, in place of the plan's.

    Raises:
        UserError: there is no sweep, its `sweep.yaml` is damaged or from a version that wrote less, or it names a Python
            file that is not trusted.
    """
    path = folder / SPEC
    if not path.is_file():
        raise UserError(f"{folder}: no sweep here; expected a folder with sweep.yaml")
    trust.check_links(folder)
    place = None if root is None else str(full(root, "--root"))
    try:
        spec = read_yaml(path, Written)
        described = dict(spec["space"])
        source = str(described.pop("source", path.name))
        described.pop("enqueue", None)
        space = SearchSpace.from_dict(described, source)
        # a sweep that began before there was a limit goes on as it began
        spec["base_config"]["data"].setdefault("bad_share", 1.0)
        if place is not None:
            spec["base_config"]["data"]["root"] = place
        base = TrainConfig.of_folder(spec["base_config"], path, trust)
        spec["base_config"] = base.to_dict()  # in the words of this version
        enqueued = tuple(Enqueued(entry["params"], entry["source"], entry["extra"]) for entry in spec["enqueued"])
        needed = [name for name in recorded() if name not in SINCE]
        for key in ("startup", *needed, *(key for key in FIXED_BY_START if "." not in key)):
            spec[key]
        spec["data"]["data_hash"]
        for name, option in declared(SweepRequest).items():
            if name in spec:
                option.check(spec[name])
        stopping = {f"stopping.{key}": value for key, value in spec["stopping"].items()}
        for key, value in {"startup": spec["startup"], "seed": spec["seed"], **stopping}.items():
            if key not in ("startup", "seed", *STOPPING):
                raise UserError(f"unknown key '{key}'{nearest(key, STOPPING)}")
            if whole(value) != value:
                raise UserError(f"{key}: found {quoted(value)}, expected a whole number")
        _check_resources(spec.get("resources") or {})
        for values in (described["params"], *(entry.extra for entry in enqueued)):
            refuse_places(values)
    except UserError as error:
        raise UserError(str(error) if str(error).startswith(str(path)) else f"{path}: {error}") from None
    except (ValidationError, KeyError, TypeError, AttributeError) as error:
        what = f"it has no '{error.args[0]}'" if isinstance(error, KeyError) else "it cannot be read"
        raise UserError(f"{path}: cannot be taken up again: {what}") from None
    return Plan(base, space, enqueued, spec)


def _check_resources(found: Any) -> None:
    """Raise UserError unless `resources` holds what `resumed` and `allotted` go by."""
    asked = found.get("asked") or {} if isinstance(found, Mapping) else {}
    for name, held in (("resources", found), ("resources.asked", asked)):
        if not isinstance(held, Mapping):
            raise UserError(f"{name}: found {quoted(held)}, expected a mapping of keys to values")
        check_amounts(held, name)


def same_sweep(folder: Path, before: Mapping[str, Any], now_: Mapping[str, Any]) -> None:
    """Raise UserError unless two specifications are of one sweep; the message names what differs."""
    for path in FIXED_BY_START:
        found = _difference(path, _at(before, path), _at(now_, path))
        if found is not None:
            key, *values = found
            was, is_now = (shortened(str(value), VALUE) for value in values)
            raise UserError(f"{folder}: --resume: was started with {key} {was}, now {is_now}; choose another --name")


def _difference(path: str, old: Any, new: Any) -> tuple[str, Any, Any] | None:
    """The first leaf at or below a path that differs, and both its values; None where none does."""
    if not (isinstance(old, Mapping) and isinstance(new, Mapping)):
        return None if old == new else (path, old, new)
    if path == "base_config":
        olds, news = (dict(leaves(bound(each), "")) for each in (old, new))
    else:
        olds, news = (dict(leaves(each, path)) for each in (old, new))
    differing = (key for key in [*olds, *news] if olds.get(key) != news.get(key))
    return next(((key, olds.get(key), news.get(key)) for key in differing), None)


def _hand_over_by_the_metric(base: TrainConfig, space: SearchSpace, request: SweepRequest) -> TrainConfig:
    """Where stages hand over by validation, they look at what the sweep searches by, unless somebody has said otherwise."""
    path, leaf = "stages.handover_by", space.metric.rsplit("/", 1)[-1]
    said = path in {**space.fixed, **request.overrides} or any(param.path == path for param in space.params)
    preset = base.method.preset != "paper"
    return base if said or preset or base.get(path) == leaf else base.override({path: leaf})


def _with_folds(base: TrainConfig, request: SweepRequest) -> TrainConfig:
    for path in ("data.folds", "data.fold", "data.val_fraction"):
        if base.get(path) is not None:
            raise UserError(f"--folds: {path} is set too ({base.get(path)}); keep one of the two")
    group = datasets.get(base.data.name).fold_group
    if "data.group" not in request.overrides and group != "none":
        base = base.override({"data.group": group})
    return base


def _enqueued(space: SearchSpace, base: TrainConfig, request: SweepRequest) -> tuple[list[Enqueued], dict[str, Any]]:
    """The configurations that run first, and the paper's value of every searched path."""
    complete = presets(request.method, named_data(request.data, request.overrides))
    searched = [param.path for param in space.params]
    entries = []
    chosen = base.method.preset
    wanted = [chosen if entry == "paper" and chosen in complete else entry for entry in space.enqueue]
    for number, entry in enumerate(wanted):
        if entry == chosen and entry in wanted[:number]:
            continue  # it stands in the paper's place already
        if isinstance(entry, Mapping):
            entries.append(Enqueued(space.admit(entry, f"{space.source}: enqueue[{number}]"), "enqueue"))
            continue
        if entry not in complete:
            raise UserError(
                f"{space.source}: enqueue[{number}]: unknown preset '{entry}', expected one of "
                f"{', '.join(complete)}{nearest(entry, complete)}"
            )
        values = {path: complete[entry][path] for path in searched if path in complete[entry]}
        where = f"{space.source}: enqueue[{number}] ({entry})"
        extra = {
            path: value
            for path, value in preset(request.method, entry, request.data).items()
            if not any(overlap(path, other) for other in (*searched, *request.overrides, *space.fixed))
            and base.paths().get(path) != value
        }
        try:
            admitted = space.admit(space.active(values), where)
        except UserError as error:
            if entry != chosen or chosen in space.enqueue:
                raise
            logger.warning(f"{error}: --set method.preset={chosen} fixes what is not searched, and does not run first")
            continue
        if space.forbidden(admitted):
            raise UserError(f"{where}: falls under a forbid rule; take one of the two out")
        entries.append(Enqueued(admitted, f"enqueue:{entry}", extra))
    default = complete.get(chosen, {})
    paper = {path: default[path] for path in searched if path in default}
    return entries, paper


def _at(spec: Mapping[str, Any], path: str) -> Any:
    node: Any = spec
    for key in path.split("."):
        node = node.get(key) if isinstance(node, Mapping) else None
    return node
