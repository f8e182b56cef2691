"""Features of frozen encoders: computed once a sample, and mapped by all trials of a node.

A feature cache is a folder in the data cache, named by the hash of the weights, the data and the encoder's inputs, and built
as decoded parts are, so that `igmsweep data cache` lists and removes it too. It holds features of training and validation
samples together, in the order of their ids: the folds of one data set share it.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from igmsweep.data.base import DataSet, Partition, SearchData
from igmsweep.data.cache_folders import built_once, damaged, mark_used, writable
from igmsweep.data.loader import Loader
from igmsweep.models.frozen import FrozenEncoder
from igmsweep.models.weights import weights_hash

if TYPE_CHECKING:
    from igmsweep.models.multimodal import MultimodalModel

ARRAY = "features.npy"

log = logging.getLogger(__name__)


def with_features(
    model: MultimodalModel, data: SearchData, cache: Path, device: torch.device, batch: int
) -> SearchData:
    """Put the features of the model's frozen encoders in the place of what these read; `Partition.ready` says so.

    Args:
        cache: folder of caches.
        batch: samples a forward pass of the encoder.

    Raises:
        DataError: the cache folder cannot be written.
    """
    frozen = {name: module for name, module in model.encoders.items() if isinstance(module, FrozenEncoder)}
    if not frozen:
        return data
    row = {id_: number for number, id_ in enumerate(_ids(data))}
    features = {name: _cached(name, encoder, data, cache, device, batch) for name, encoder in frozen.items()}

    def encoded(part: Partition) -> Partition:
        rows = np.asarray([row[id_] for id_ in part.ids])
        arrays = {name: array[rows] for name, array in features.items()}
        return replace(part, arrays={**part.arrays, **arrays}, ready=part.ready | frozenset(arrays))

    return replace(data, train=encoded(data.train), val=encoded(data.val))


def _ids(data: SearchData) -> list[str]:
    return sorted({*data.train.ids, *data.val.ids})


def _cached(
    name: str, encoder: FrozenEncoder, data: SearchData, cache: Path, device: torch.device, batch: int
) -> np.ndarray:
    """Features of all samples, (n, d) float32, in the order of their ids."""
    dataset, weights = data.dataset, weights_hash(encoder)
    parts: list[Any] = [data.data_hash, dataset.name, name, weights, dataset.modalities[name].shape]
    parts += [_ids(data), dataset.recipe(), torch.__version__.split("+")[0]]
    key = hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()[:16]
    folder = cache / f"{dataset.name}-features_{name}-{key}"

    def build(work: Path) -> Mapping[str, Any]:
        log.info("encoding %d samples of %s once into %s", len(_ids(data)), name, folder)
        _encode(name, encoder, data, work / ARRAY, device, batch)
        return {"format": 1, "dataset": dataset.name, "samples": len(_ids(data)), "weights": weights}

    with writable(cache):
        built_once(folder, build)
    mark_used(folder)
    try:
        return np.load(folder / ARRAY, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError):
        raise damaged(folder) from None


def _encode(name: str, encoder: FrozenEncoder, data: SearchData, path: Path, device: torch.device, batch: int) -> None:
    """Write the features of both partitions as one array."""
    row = {id_: number for number, id_ in enumerate(_ids(data))}
    out = np.lib.format.open_memmap(path, mode="w+", dtype=np.float32, shape=(len(row), encoder.features))
    for partition in (data.train, data.val):
        rows = np.asarray([row[id_] for id_ in partition.ids])
        done = 0
        for features in _batches(name, encoder, data.dataset, partition, device, batch):
            out[rows[done : done + len(features)]] = features
            done += len(features)
    assert isinstance(out, np.memmap)
    out.flush()


def _batches(
    name: str, encoder: FrozenEncoder, dataset: DataSet, partition: Partition, device: torch.device, batch: int
) -> Iterator[np.ndarray]:
    alone = replace(partition, arrays={name: partition.arrays[name]})
    for inputs in Loader(dataset, alone, batch, device):
        yield encoder(inputs.inputs[name]).float().cpu().numpy()
