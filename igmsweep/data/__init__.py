"""The data sets, by name. Adding one is a file in this folder and a line in DATASETS."""

from __future__ import annotations

import hashlib
import importlib
import os
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from igmsweep.data import cache, places, policies, published, split
from igmsweep.data.base import PARTS, DataSet, Part, Partition, SearchData
from igmsweep.data.lists import Lists, labels_of
from igmsweep.data.places import home
from igmsweep.data.table_memory import read_table
from igmsweep.errors import DataError, UserError, nearest
from igmsweep.gate.files import is_folder
from igmsweep.gate.paths import full
from igmsweep.plugin import load_attribute, load_module

if TYPE_CHECKING:
    from igmsweep.schema.sections import DataConfig

__all__ = [
    "PARTS",
    "DataSet",
    "Lists",
    "Part",
    "Partition",
    "SearchData",
    "check_test",
    "get",
    "home",
    "listed",
    "load_search",
    "load_test",
    "names",
    "of",
]

DATASETS = {
    "avdigits": "igmsweep.data.avdigits:AVDIGITS",
    "cremad": "igmsweep.data.cremad:CREMAD",
    "kinetics_sounds": "igmsweep.data.kinetics_sounds:KINETICS_SOUNDS",
    "twitter2015": "igmsweep.data.twitter2015:TWITTER2015",
    "sarcasm": "igmsweep.data.sarcasm:SARCASM",
    "nvgesture": "igmsweep.data.nvgesture:NVGESTURE",
}

SEARCHED: tuple[Part, ...] = ("train", "val")
"""Parts whose lists and files a search may open."""

ENTRY_POINTS = "igmsweep.data_sets"
"""The entry-point group in which an installed package offers data sets of its own."""

_loaded: dict[str, DataSet] = {}


def names() -> list[str]:
    """The names of the built-in data sets and of those that installed packages offer."""
    return list(DATASETS) + [entry.name for entry in _offered() if entry.name not in DATASETS]


def get(name: str, root: Path | str | None = None) -> DataSet:
    """The data set called `name`; a CSV file's paths are relative to `root`, where it is given.

    A built-in name, the name of another package's entry point, `path/to/file.py:NAME` (`:NAME` may be left out where
    the file has one data set), or a CSV file, or a folder with one (`igmsweep.data.table`).

    Raises:
        UserError: there is no such data set, file or object.
    """
    if name in _loaded:
        return _loaded[name]
    path, _, attribute = name.rpartition(":") if ".py:" in name else (name, "", "")
    entry = next((entry for entry in _offered() if entry.name == name), None)
    if name in DATASETS:
        module, _, attribute = DATASETS[name].partition(":")
        found = getattr(importlib.import_module(module), attribute)
    elif path.endswith(".py"):
        found = _from_file(Path(path), attribute)
    elif entry is not None:
        found = _from_entry_point(entry)
    elif name.endswith(".csv") or "/" in name or name in (".", ".."):
        return read_table(Path(name), None if root is None else Path(root))  # which may change within a process
    else:
        hint = " (a folder of your own: ./" + name + ")" if is_folder(Path(name)) else nearest(name, names())
        raise UserError(f"unknown data set '{name}', expected one of {', '.join(names())}{hint}")
    _loaded[name] = found
    return found


def of(config: DataConfig) -> DataSet:
    """The data set of a configuration, under its options."""
    return get(config.name, config.root).with_options(config.options)


def root_of(config: DataConfig) -> Path:
    """The data set's folder.

    `data.root`; else the folder in `$IGMSWEEP_DATA` that bears its name; else the one remembered from `data check` or
    `data prepare`; else one in the user's cache folder.
    """
    dataset = get(config.name, config.root)
    if config.root is not None:
        return full(config.root, "data.root")
    return dataset.home or places.find(dataset.name)


def cache_of(config: DataConfig) -> Path:
    """Where decoded arrays are kept: `data.cache`, else `$IGMSWEEP_CACHE`, else the user's cache folder."""
    if config.cache is not None:
        return full(config.cache, "data.cache")
    if "IGMSWEEP_CACHE" in os.environ:
        return full(os.environ["IGMSWEEP_CACHE"], "IGMSWEEP_CACHE")
    return home() / "cache"


def ensure(config: DataConfig) -> Path:
    """Make the data set when it is missing and can be made. Returns its folder.

    Raises:
        DataError: there is no such folder.
    """
    root = root_of(config)
    get(config.name, config.root).ensure(root)
    if not root.is_dir():
        raise DataError(
            f"{root}: no such folder; name {config.name}'s with --root DIR (data.root), or set IGMSWEEP_DATA to the "
            "folder that holds your data sets"
        )
    return root


def at_hand(config: DataConfig) -> tuple[DataSet, Path]:
    """The data set as it lies in its folder, and the folder.

    Raises:
        DataError: there is no such folder, or not this data set in it.
    """
    root = ensure(config)
    return of(config).at(root), root


def listed(config: DataConfig) -> Lists:
    """What a search's data are by their lists alone; no file of a sample is opened.

    Raises:
        UserError: what reading the data needs besides its files is not there, such as a tokenizer.
        DataError: there is no such folder, or a list is missing or malformed.
    """
    dataset, root = at_hand(config)
    dataset.check()
    train = dataset.index(root, "train")
    if not train:
        raise DataError(f"{root}: {dataset.name} has no train list")
    return Lists(dataset, {"train": train, "val": dataset.index(root, "val")})


def check_test(config: DataConfig) -> None:
    """Raise DataError where the test list is missing or malformed, or a class has no sample in it. No sample's file is opened."""
    dataset, root = at_hand(config)
    samples = dataset.index(root, "test")
    if not samples:
        raise DataError(f"{root}: {dataset.name} has no test list")
    split.check(labels_of(samples), dataset.classes, "test", dataset.name)


def load(config: DataConfig, *wanted: Part) -> dict[Part, Partition]:
    """Parts from their caches, which are built where they are missing, under the configuration's policies; `val` only where the data
    set has such a list.

    Raises:
        DataError: the data set has no such part, or more files are missing or unreadable than the policies allow.
    """
    dataset, root = at_hand(config)
    listed = {part: samples for part in wanted if (samples := dataset.index(root, part)) or part != "val"}
    policies.refuse_missing(dataset, listed, root, config)
    whole = {part: cache.decoded(dataset, root, part, cache_of(config), store=config.store) for part in listed}
    return policies.under_policies(whole, config)


def load_search(config: DataConfig) -> SearchData:
    """Training and validation partitions for a search. Test files are neither listed nor opened.

    `data.folds` and `data.val_fraction` carve from train and validation together where a data set has both.

    Raises:
        DataError: files are missing or unreadable, a class is empty on one side of the split, or the data set's own
            validation list breaks the grouping that was asked for; the refusals of `load`.
    """
    dataset, root = at_hand(config)
    parts = load(config, *SEARCHED)
    train, official = parts["train"], parts.get("val")
    whole = train if official is None else train.joined(official)
    train, val, described = split.sides(
        train, official, config, dataset.validation(root) if official is not None else "", dataset.classes
    )
    split.check(train.labels, dataset.classes, "train", dataset.name)
    split.check(val.labels, dataset.classes, "validation", dataset.name)
    listed = {part: parts[part].listed if part in parts else () for part in SEARCHED}
    return SearchData(
        dataset,
        train,
        val,
        data_hash=hashlib.sha256("\n".join([whole.digest, *whole.ids]).encode()).hexdigest()[:12],
        split_hash=split.split_hash(train.ids, val.ids),
        split=described,
        skipped=whole.skipped,
        replaced=whole.replaced,
        bad=tuple(policies.bad_samples(part, each) for part, each in parts.items()),
        departures=tuple(published.departures(dataset, root, listed)),
    )


def load_test(config: DataConfig) -> Partition:
    """The test partition. Searches never call this: it is the separate door of an evaluation.

    Raises:
        DataError: the test files are missing or unreadable.
    """
    dataset, _ = at_hand(config)
    test = load(config, "test")["test"]
    split.check(test.labels, dataset.classes, "test", dataset.name)
    return test


def _offered() -> list[metadata.EntryPoint]:
    return list(metadata.entry_points(group=ENTRY_POINTS))


def _from_entry_point(entry: metadata.EntryPoint) -> DataSet:
    try:
        found = entry.load()
    except Exception as error:
        raise UserError(f"data: {entry.value} cannot be loaded ({type(error).__name__}: {error})") from error
    if not isinstance(found, DataSet):
        raise UserError(f"data: {entry.value} is not a DataSet but a {type(found).__name__}")
    return found


def _from_file(path: Path, attribute: str) -> DataSet:
    if not attribute:
        module = load_module(path, "data")
        sets = [name for name, value in vars(module).items() if isinstance(value, DataSet)]
        if len(sets) != 1:
            raise UserError(
                f"data: {path} has {len(sets)} data sets{': ' + ', '.join(sets) if sets else ''}; name one as {path}:NAME"
            )
        attribute = sets[0]
    found = load_attribute(path, attribute, "data")
    if not isinstance(found, DataSet):
        raise UserError(f"data: {path}:{attribute} is not a DataSet but a {type(found).__name__}")
    return found
