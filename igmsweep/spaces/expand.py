"""Version 2 of a space file, completed by a data set: `.*` is spelt out, and `on:` lays what the data set changes over.

What comes out is the content of a version-1 file, in which every path stands for itself.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from igmsweep import data as datasets
from igmsweep.errors import UserError, nearest
from igmsweep.legible import quoted
from igmsweep.schema.paths import plain as as_plain

if TYPE_CHECKING:
    from igmsweep.config import TrainConfig

TOP = ("version", "metric", "params", "fixed", "enqueue", "forbid")
SECTION = ("metric", "params", "fixed", "enqueue", "forbid")
"""What a data set may change."""
FOREIGN_TOP = {
    "parameters": "W&B's word, write 'params'",
    "method": "W&B's word, choose with --sampler",
    "program": "W&B's word, igmsweep trains its own methods",
    "search_space": "write 'params'",
    "on": "it needs version: 2",
}
KINDS = ("audio", "image", "video", "text")
"""Kinds of modality that igmsweep's own data sets have; another data set may name others."""
EVERY = ".*"
MODALITIES = "modalities"


@dataclass(frozen=True)
class TunedData:
    """What a version-2 file needs to know of the data set that is tuned.

    `names` are what a key of `on:` may call it, the name for people first; `kinds` maps its modalities, in training
    order, to their kinds.
    """

    names: tuple[str, ...]
    kinds: Mapping[str, str]

    @classmethod
    def of(cls, config: TrainConfig) -> TunedData:
        """The data set of a configuration, under its options."""
        given, dataset = config.data.name, datasets.of(config.data)
        own = () if given in datasets.names() or dataset.name in datasets.DATASETS else (dataset.name,)
        kinds = {name: modality.kind for name, modality in dataset.modalities.items()}
        return cls((*own, *(name for name in (given,) if name not in own)), kinds)

    @classmethod
    def named(cls, name: str) -> TunedData:
        """A built-in data set under its default options."""
        return cls((name,), {key: modality.kind for key, modality in datasets.get(name).modalities.items()})


def check_keys(source: str, plain: Mapping[str, Any], known: Iterable[str]) -> None:
    """Raise UserError for a top-level key that is not `known`."""
    for key in plain:
        if key not in known:
            if key == "extends":
                raise UserError(f"{source}: extends: it needs version: 2 in the same file")
            hint = f"; {FOREIGN_TOP[key]}" if key in FOREIGN_TOP else nearest(str(key), known)
            raise UserError(f"{source}: unknown key '{key}'{hint}")


def expand(
    plain: Mapping[str, Any], data: TunedData, source: str = "space", under: Iterable[Mapping[str, Any]] = ()
) -> dict[str, Any]:
    """The content of a version-1 file, from that of a version-2 file and the data set that is tuned.

    Args:
        under: the files that it extends, the lowest first. Each is completed by the data set before the next
            is laid over it. Its own parameters stand before theirs; what it fixes is not searched.

    Raises:
        UserError: a key, modality kind or data-set name that cannot be meant; one line that names it. What is wrong
            with a single parameter is left to `SearchSpace.from_dict`.
    """
    space: dict[str, Any] = {}
    for layer in (*under, plain):
        named: dict[Any, Any] = dict(layer)
        content = as_plain(
            {"on" if key is True else key: value for key, value in named.items()}
        )  # other readers take `on` for true
        content.pop("extends", None)
        check_keys(source, content, (*TOP, "on"))
        if content.get("version", 2) != 2:
            raise UserError(f"{source}: version: found {quoted(content['version'])}, expected 2")
        on = as_plain(content.pop("on", None) or {})
        if not isinstance(on, dict):
            raise UserError(
                f"{source}: on: found {quoted(on)}, expected a mapping of data sets' names to what they change"
            )
        for name, section in on.items():
            _check_section(source, name, section, on, data)
        own = as_plain({key: value for key, value in content.items() if key != "version"})
        former = space.get("params") or {}
        space = _laid_over(space, own, data, source)
        if isinstance(space.get("params"), Mapping):
            mine = {path: entry for path, entry in space["params"].items() if path not in former}
            space["params"] = {**mine, **space["params"]}
        for name, section in on.items():
            if name in data.names:
                space = _laid_over(space, section, data, f"{source}: on.{name}")
    return {"version": 1, **space}


def _check_section(source: str, name: str, section: Any, on: Mapping[str, Any], data: TunedData) -> None:
    where = f"{source}: on.{name}"
    if not isinstance(section, Mapping):
        raise UserError(f"{where}: found {quoted(section)}, expected some of {', '.join(SECTION)}")
    for key in section:
        if key not in SECTION:
            raise UserError(f"{where}: unknown key '{key}'{nearest(str(key), SECTION)}")
    if name in datasets.names() or name in data.names:
        return
    # a data set of one's own may have any name; one that is all but a built-in's is a slip, unless that stands here too
    close = difflib.get_close_matches(name.lower(), datasets.DATASETS, n=1, cutoff=0.8)
    if close and close[0] not in on:
        raise UserError(f"{where}: there is no data set '{name}' (did you mean '{close[0]}'?)")


def _laid_over(space: Mapping[str, Any], layer: Mapping[str, Any], data: TunedData, where: str) -> dict[str, Any]:
    """A space with a layer over it: metric, parameters and fixed values key by key, lists replaced."""
    out = dict(space)
    for key in ("enqueue", "forbid"):
        if key in layer:
            out[key] = _each_rule(layer[key], data, apart=key == "forbid")
    if "metric" in layer:
        out["metric"] = _merged(space.get("metric"), layer["metric"])
    params, fixed = space.get("params"), space.get("fixed")
    if not all(each is None or isinstance(each, Mapping) for each in (params, fixed)):
        return {key: out[key] for key in SECTION if key in out}  # SearchSpace says what is wrong with it
    searched: set[str] = set()
    if isinstance(layer.get("params"), Mapping):
        params, searched = _params(params or {}, layer["params"], data, where)
        fixed = {path: value for path, value in (fixed or {}).items() if path not in searched}
    elif "params" in layer:
        params = layer["params"]
    if isinstance(layer.get("fixed"), Mapping):
        given = _bound(layer["fixed"], tuple(data.kinds))
        if isinstance(params, Mapping):
            params = {path: entry for path, entry in params.items() if path in searched or not _sets(given, path)}
        fixed = {**(fixed or {}), **given}
    elif "fixed" in layer:
        fixed = layer["fixed"]
    out |= {key: value for key, value in (("params", params), ("fixed", fixed)) if value is not None}
    return {key: out[key] for key in SECTION if key in out}


def _sets(fixed: Mapping[str, Any], path: str) -> bool:
    """Whether fixed values hold the one at `path`, by itself or for all modalities."""
    return any(path == name or path.startswith(f"{name}.") for name in fixed)


def _params(
    params: Mapping[str, Any], layer: Mapping[str, Any], data: TunedData, where: str
) -> tuple[dict[str, Any], set[str]]:
    """Parameters with a layer's entries merged in, each where it stands first, and the paths that these entries search.

    A single modality's entry counts more than that of `.*`, whichever stands first.
    """
    out = dict(params)
    order = dict.fromkeys(params)
    spelt = {path: dict(_spelt_out(path, entry, data, where)) for path, entry in layer.items()}
    for entries in spelt.values():
        order |= dict.fromkeys(entries)
    for path, entries in sorted(spelt.items(), key=lambda item: not item[0].endswith(EVERY)):
        if entries and all(entry is None for entry in entries.values()) and not any(name in out for name in entries):
            why = _no_modality(path, out, data) or f"null takes a parameter away, but there is none{nearest(path, out)}"
            raise UserError(f"{where}: {path}: {why}")
        for name, entry in entries.items():
            if isinstance(entry, Mapping) and "type" not in entry and (why := _no_modality(name, out, data)):
                raise UserError(f"{where}: {name}: {why}")
            if entry is None:
                out.pop(name, None)
            else:
                out[name] = _merged(out.get(name), entry)
    searched = {name for entries in spelt.values() for name, entry in entries.items() if entry is not None}
    return {name: out[name] for name in order if name in out}, searched


def _no_modality(path: str, params: Mapping[str, Any], data: TunedData) -> str:
    """Where a path names a modality that the data set does not have: that, for a message."""
    value, _, modality = path.rpartition(".")
    if modality in data.kinds or not any(f"{value}.{name}" in params for name in data.kinds):
        return ""
    return f"{data.names[0]} has no modality '{modality}', expected one of {', '.join(data.kinds)}"


def _spelt_out(path: str, entry: Any, data: TunedData, where: str) -> Iterator[tuple[str, Any]]:
    """The paths that an entry stands for, each with its own."""
    plain = isinstance(entry, Mapping)
    kinds = entry.get("kinds") if plain else None
    if kinds is not None:
        _check_kinds(f"{where}: {path}.kinds", path, kinds, data)
    general = {key: value for key, value in entry.items() if key != "kinds"} if plain else entry
    for modality, kind in data.kinds.items() if path.endswith(EVERY) else [(None, None)]:
        own = _merged(general, kinds[kind]) if kinds and kind in kinds else general
        if plain:
            own = dict(own)
            if own.get("choices") == MODALITIES:
                own["choices"] = list(data.kinds)
            elif isinstance(own.get("choices"), str):
                raise UserError(
                    f"{where}: {path}.choices: found '{own['choices']}', expected a list of values, or the word {MODALITIES}"
                    f"{nearest(own['choices'], [MODALITIES])}"
                )
            if isinstance(own.get("when"), Mapping):
                own["when"] = _bound(own["when"], tuple(data.kinds) if modality is None else (modality,))
        yield (path if modality is None else f"{path[:-1]}{modality}"), own


def _check_kinds(where: str, path: str, kinds: Any, data: TunedData) -> None:
    if not path.endswith(EVERY):
        raise UserError(f"{where}: only a path that ends in .* differs by kind of modality")
    if not isinstance(kinds, Mapping) or not all(isinstance(changes, Mapping) for changes in kinds.values()):
        raise UserError(f"{where}: found {quoted(kinds)}, expected a mapping such as {{text: {{low: 1.0e-6}}}}")
    for kind in kinds:
        if kind not in (*KINDS, *data.kinds.values()) and nearest(kind, KINDS):
            raise UserError(f"{where}: unknown kind '{kind}'{nearest(kind, KINDS)}")


def _each_rule(rules: Any, data: TunedData, apart: bool) -> Any:
    """The rules of a list with `.*` spelt out: for all modalities at once, or a rule of its own for each (`apart`)."""
    if not isinstance(rules, list):
        return rules
    out: list[Any] = []
    for rule in rules:
        if not isinstance(rule, Mapping):
            out.append(rule)
        elif apart and any(str(path).endswith(EVERY) for path in rule):
            out += [_bound(rule, (modality,)) for modality in data.kinds]
        else:
            out.append(_bound(rule, tuple(data.kinds)))
    return out


def _bound(values: Mapping[str, Any], modalities: tuple[str, ...]) -> dict[str, Any]:
    """A mapping by path whose `.*` stand for these modalities; a path of a single modality counts more."""
    out: dict[str, Any] = {}
    for path, value in values.items():
        for name in [f"{path[:-1]}{modality}" for modality in modalities] if path.endswith(EVERY) else [path]:
            if name == path or name not in values:
                out[name] = value
    return out


def _merged(old: Any, new: Any) -> Any:
    """A parameter's fields over another's; null takes a field away, and another type replaces the whole."""
    if (
        not isinstance(old, Mapping)
        or not isinstance(new, Mapping)
        or new.get("type", old.get("type")) != old.get("type")
    ):
        return new
    return {key: value for key, value in {**old, **new}.items() if value is not None}
