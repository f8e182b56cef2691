"""The data sets, by name. Adding one is a file in this folder and a line in DATASETS."""

from __future__ import annotations

import importlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from igmsweep.data import cache, split
from igmsweep.data.base import DataSet, Partition, SearchData
from igmsweep.errors import UserError, nearest

if TYPE_CHECKING:
    from igmsweep.config import DataConfig

DATASETS = {
    "avdigits": "igmsweep.data.avdigits:AVDIGITS",
}

_loaded: dict[str, DataSet] = {}


def names() -> list[str]:
    """The built-in data sets' names."""
    return list(DATASETS)


def get(name: str) -> DataSet:
    """The data set called `name`: a built-in name, or `path/to/file.py:NAME` for one of your own.

    Raises:
        UserError: there is no such data set, file or object.
    """
    if name in _loaded:
        return _loaded[name]
    if name in DATASETS:
        module, _, attribute = DATASETS[name].partition(":")
        found = getattr(importlib.import_module(module), attribute)
    else:
        path, _, attribute = name.rpartition(":")
        if not path.endswith(".py"):
            raise UserError(
                f"unknown data set '{name}', expected one of {', '.join(DATASETS)}{nearest(name, DATASETS)}"
            )
        found = _from_file(Path(path), attribute)
    assert isinstance(found, DataSet)
    _loaded[name] = found
    return found


def root_of(config: DataConfig) -> Path:
    """The data set's folder: `data.root`, else `$IGMSWEEP_DATA/<name>`, else the user's cache folder."""
    if config.root is not None:
        return Path(config.root).expanduser().resolve()
    name = get(config.name).name
    if "IGMSWEEP_DATA" in os.environ:
        return Path(os.environ["IGMSWEEP_DATA"]).expanduser().resolve() / name
    return home() / "data" / name


def cache_of(config: DataConfig) -> Path:
    """Where decoded arrays are kept: `data.cache`, else `$IGMSWEEP_CACHE`, else the user's cache folder."""
    if config.cache is not None:
        return Path(config.cache).expanduser().resolve()
    if "IGMSWEEP_CACHE" in os.environ:
        return Path(os.environ["IGMSWEEP_CACHE"]).expanduser().resolve()
    return home() / "cache"


def home() -> Path:
    """igmsweep's folder in the user's cache."""
    return Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")).expanduser().resolve() / "igmsweep"


def ensure(config: DataConfig) -> Path:
    """Make the data set when it is missing and can be made. Returns its folder."""
    root = root_of(config)
    get(config.name).ensure(root)
    return root


def load_search(config: DataConfig) -> SearchData:
    """Training and validation partitions for a search. Test files are neither listed nor opened.

    Raises:
        DataError: files are missing or unreadable, or a class is empty on one side of the split.
    """
    dataset = get(config.name)
    root = ensure(config)
    train = cache.partition(dataset, root, "train", cache_of(config))
    official = dataset.index(root, "val")
    carve = config.folds is not None or config.val_fraction is not None or not official
    if not carve:
        val = cache.partition(dataset, root, "val", cache_of(config))
        described = "official"
    else:
        whole = train if not official else _joined(train, cache.partition(dataset, root, "val", cache_of(config)))
        rows, held, described = split.carve(whole.labels, whole.groups, config)
        train, val = whole.take(rows), whole.take(held)
    split.check(train.labels, dataset.classes, "train", dataset.name)
    split.check(val.labels, dataset.classes, "validation", dataset.name)
    return SearchData(
        dataset,
        train,
        val,
        data_hash=cache.content_hash(dataset, root, ("train", "val")),
        split_hash=split.split_hash(train.ids, val.ids),
        split=described,
    )


def load_test(config: DataConfig) -> Partition:
    """The test partition. Searches never call this: it is the separate door of an evaluation.

    Raises:
        DataError: the test files are missing or unreadable.
    """
    dataset = get(config.name)
    test = cache.partition(dataset, ensure(config), "test", cache_of(config))
    split.check(test.labels, dataset.classes, "test", dataset.name)
    return test


def _joined(first: Partition, second: Partition) -> Partition:
    return Partition(
        first.ids + second.ids,
        np.concatenate([first.labels, second.labels]),
        first.groups + second.groups,
        {name: np.concatenate([array, second.arrays[name]]) for name, array in first.arrays.items()},
    )


def _from_file(path: Path, attribute: str) -> DataSet:
    from igmsweep.plugin import load_attribute

    found = load_attribute(path, attribute, "data")
    if not isinstance(found, DataSet):
        raise UserError(f"data: {path}:{attribute} is not a DataSet but a {type(found).__name__}")
    return found
