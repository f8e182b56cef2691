"""Features of frozen encoders: computed once a sample, and mapped by all trials of a node.

A feature cache is a folder in the data cache, named by the hash of the weights, the data and the encoder's inputs, built
under a lock in a folder beside it and renamed when it is whole, so that `igmsweep data cache` lists and removes it too. It
holds features of training and validation samples together, in the order of their ids: the folds of one data set share it.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from igmsweep.data.base import DataSet, Part, Partition, Sample, SearchData
from igmsweep.data.cache import INDEX
from igmsweep.data.loader import Loader
from igmsweep.errors import DataError
from igmsweep.models.frozen import FrozenEncoder
from igmsweep.models.weights import weights_hash

if TYPE_CHECKING:
    from igmsweep.models.multimodal import MultimodalModel


class _Features(DataSet):
    """A data set some of whose modalities are features already: they pass the transform untouched."""

    def __init__(self, inner: DataSet, ready: frozenset[str]) -> None:
        self.__dict__.update(inner.__dict__)
        self.inner = inner
        self.ready = ready
        self.name, self.classes, self.metrics = inner.name, inner.classes, inner.metrics
        self.modalities = inner.modalities

    def index(self, root: Path, part: Part) -> list[Sample]:
        return self.inner.index(root, part)

    def read(self, sample: Sample) -> dict[str, np.ndarray]:
        return self.inner.read(sample)

    def recipe(self) -> dict[str, Any]:
        return self.inner.recipe()

    def transform(self, inputs: dict[str, Tensor], training: bool, generator: torch.Generator) -> dict[str, Tensor]:
        raw = {name: x for name, x in inputs.items() if name not in self.ready}
        changed = self.inner.transform(raw, training, generator) if raw else {}
        return {name: inputs[name] if name in self.ready else changed[name] for name in inputs}


def with_features(
    model: MultimodalModel, data: SearchData, cache: Path, device: torch.device, batch: int
) -> SearchData:
    """Put the features of the model's frozen encoders in the place of what these read.

    Args:
        cache: folder of caches.
        batch: samples a forward pass of the encoder.

    Raises:
        DataError: the cache folder cannot be written.
    """
    frozen = {name: module for name, module in model.encoders.items() if isinstance(module, FrozenEncoder)}
    if not frozen:
        return data
    arrays: dict[str, dict[str, np.ndarray]] = {"train": {}, "val": {}}
    for name, encoder in frozen.items():
        features = _cached(name, encoder, data, cache, device, batch)
        order = {id_: row for row, id_ in enumerate(_ids(data))}
        for side, partition in (("train", data.train), ("val", data.val)):
            arrays[side][name] = features[np.asarray([order[id_] for id_ in partition.ids])]
    return replace(
        data,
        dataset=_Features(data.dataset, frozenset(frozen)),
        train=replace(data.train, arrays={**data.train.arrays, **arrays["train"]}),
        val=replace(data.val, arrays={**data.val.arrays, **arrays["val"]}),
    )


def _ids(data: SearchData) -> list[str]:
    return sorted({*data.train.ids, *data.val.ids})


def _cached(
    name: str, encoder: FrozenEncoder, data: SearchData, cache: Path, device: torch.device, batch: int
) -> np.ndarray:
    dataset = data.dataset
    parts: list[Any] = [data.data_hash, dataset.name, name, weights_hash(encoder), dataset.modalities[name].shape]
    parts += [_ids(data), dataset.recipe(), torch.__version__.split("+")[0]]
    key = hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()[:16]
    folder = cache / f"{dataset.name}-features_{name}-{key}"
    if not (folder / INDEX).exists():
        try:
            cache.mkdir(parents=True, exist_ok=True)
            with (cache / f"{folder.name}.lock").open("w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                if not (folder / INDEX).exists():
                    _build(name, encoder, data, folder, device, batch)
        except OSError as error:
            raise DataError(f"{cache}: the cache cannot be written ({error.strerror or error})") from None
    with suppress(OSError):  # another user's cache may be read all the same
        os.utime(folder / INDEX)  # the time of last use, for eviction
    try:
        return np.load(folder / "features.npy", mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError):
        raise DataError(f"{folder}: the cache is damaged; delete it and it is built again") from None


def _build(name: str, encoder: FrozenEncoder, data: SearchData, folder: Path, device: torch.device, batch: int) -> None:
    row = {id_: number for number, id_ in enumerate(_ids(data))}
    print(f"igmsweep: encoding {len(row)} samples of {name} once into {folder}", file=sys.stderr)
    work = folder.parent / f".{folder.name}.building"
    shutil.rmtree(work, ignore_errors=True)  # what a killed process left
    work.mkdir()
    try:
        out = np.lib.format.open_memmap(
            work / "features.npy", mode="w+", dtype=np.float32, shape=(len(row), encoder.features)
        )
        for partition in (data.train, data.val):
            rows = np.asarray([row[id_] for id_ in partition.ids])
            done = 0
            for features in _encoded(name, encoder, data.dataset, partition, device, batch):
                out[rows[done : done + len(features)]] = features
                done += len(features)
        assert isinstance(out, np.memmap)
        out.flush()
        index = {"format": 1, "dataset": data.dataset.name, "samples": len(row), "weights": weights_hash(encoder)}
        (work / INDEX).write_text(json.dumps(index), encoding="utf-8")
        shutil.rmtree(folder, ignore_errors=True)  # without its index, so nobody's
        os.rename(work, folder)
    except BaseException:
        shutil.rmtree(work, ignore_errors=True)
        raise


def _encoded(
    name: str, encoder: FrozenEncoder, dataset: DataSet, partition: Partition, device: torch.device, batch: int
) -> Iterator[np.ndarray]:
    alone = replace(partition, arrays={name: partition.arrays[name]})
    for inputs in Loader(dataset, alone, batch, device):
        yield encoder(inputs.inputs[name]).float().cpu().numpy()
