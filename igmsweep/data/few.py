"""A few samples of a data set, decoded into memory: what a dry run measures on. Nothing is written, no other file is opened."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from igmsweep.data import jpegs
from igmsweep.data.base import Partition, Remark, Sample, SearchData
from igmsweep.data.cache_build import Decoded, decode
from igmsweep.data.files import USABLE
from igmsweep.data.lists import Lists
from igmsweep.errors import DataError
from igmsweep.schema.sections import DataConfig

MOST = {"train": 48, "val": 16}
LEAST = {"train": 2, "val": 1}
"""Samples of each side: as many as are decoded in the time that is given, between these."""


@dataclass(frozen=True)
class Few:
    """A few samples, and what they say of all.

    Attributes:
        data: the samples, drawn from all over train and validation.
        train, val: how many samples each side has in truth, those with bad files counted.
        decoded: samples that were decoded.
        seconds: of wall clock for decoding one, all cores at work.
        bytes: of one in the cache.
        unusable: of those decoded, how many have a file that cannot be used.
    """

    data: SearchData
    train: int
    val: int
    decoded: int
    seconds: float
    bytes: int
    unusable: int

    def all_seconds(self) -> float:
        """Seconds of decoding train and validation."""
        return self.seconds * (self.train + self.val)

    def all_bytes(self) -> int:
        """Bytes of train and validation in the cache."""
        return self.bytes * (self.train + self.val)


def decode_few(lists: Lists, config: DataConfig, seconds: float) -> Few:
    """Decode samples from all over train and validation until the time is up, as many as `MOST` says, at least `LEAST`.

    Raises:
        UserError, DataError: as `Lists.cut`, or none of the samples that were tried can be used.
    """
    sides = dict(zip(("train", "val"), lists.cut(config), strict=True))
    samples, dataset = lists.samples(), lists.dataset
    queue = [(side, row, samples[sides[side].ids[row]]) for side, row in _in_turn(sides)]
    kept: dict[str, list[tuple[int, Decoded]]] = {side: [] for side in sides}
    threads = min(16, len(os.sched_getaffinity(0)))
    remarks: dict[str, list[Remark]] = {side: [] for side in sides}
    tried: list[Decoded] = []
    began = time.perf_counter()

    def take(chunk: list[tuple[str, int, Sample]], found: list[Decoded]) -> None:
        tried.extend(found)
        for (side, row, _), each in zip(chunk, found, strict=True):
            remarks[side] += each.remarks
            if not each.missing:
                kept[side].append((row, each))

    take(queue[:1], [decode(dataset, each) for _, _, each in queue[:1]])  # alone: it also loads the libraries
    warm = time.perf_counter()
    with ThreadPoolExecutor(threads) as pool:
        for first in range(1, len(queue), threads):
            chunk = queue[first : first + threads]
            take(chunk, list(pool.map(lambda each: decode(dataset, each[2]), chunk)))
            enough = all(len(kept[side]) >= LEAST[side] for side in sides)
            if enough and time.perf_counter() - began > seconds:
                break
    spent = time.perf_counter() - warm
    for side, found in kept.items():
        if not found:
            count = min(MOST[side], len(sides[side]))
            raise DataError(
                f"{dataset.name}: none of the {count} samples of {side} that were tried can be used; the first: {remarks[side][0].text}"
            )
    some = kept["train"][0][1]
    return Few(
        SearchData(
            dataset,
            _in_memory(sides["train"], kept["train"]),
            _in_memory(sides["val"], kept["val"]),
            "few",
            "few",
            "few",
        ),
        len(sides["train"]),
        len(sides["val"]),
        len(tried),
        spent / max(1, len(tried) - 1),
        sum(_size(array, config.store) for array in some.arrays.values()),
        sum(any(remark.kind not in USABLE for remark in each.remarks) for each in tried),
    )


def _in_turn(sides: dict[str, Partition]) -> Iterator[tuple[str, int]]:
    """Rows from all over both sides, at any time in about the proportion of `MOST`."""
    rng = np.random.default_rng(0)
    found = []
    for side, whole in sides.items():
        rows = rng.permutation(len(whole))[: MOST[side]]
        found += [((place + 1) / MOST[side], side, int(row)) for place, row in enumerate(rows)]
    return ((side, row) for _, side, row in sorted(found))


def _in_memory(side: Partition, kept: list[tuple[int, Decoded]]) -> Partition:
    part = side.take(np.array([row for row, _ in kept], dtype=np.int64))
    names = kept[0][1].arrays
    arrays = {name: np.stack([each.arrays[name] for _, each in kept]) for name in names}
    return Partition(part.ids, part.labels, part.groups, arrays)


def _size(array: np.ndarray, store: str) -> int:
    if store == "jpeg" and jpegs.is_pictures(array):
        return sum(map(len, jpegs.encode(array)))
    return array.nbytes
