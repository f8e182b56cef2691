"""One decoded copy for all trials of a node: memory-mapped arrays in a folder named by the hash of what made them.

A part (train, val, test) has a cache of its own, so that building the first two never touches a test file. A build keeps a
journal of what is finished, so that one that was killed goes on where it stopped.

Samples whose files cannot be used are part of the cache, blank and listed: which policy applies to them is the reader's
choice and stays out of the key, as do split and augmentation.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from igmsweep.data import jpegs
from igmsweep.data.base import DataSet, Part, Partition, Remark, Sample
from igmsweep.data.cache_build import JPEGS, Build, decode, first_usable
from igmsweep.data.cache_folders import INDEX, Entry, built_once, damaged, entries, mark_used, remove, writable
from igmsweep.data.digests import sample_digests
from igmsweep.data.jpegs import Jpegs
from igmsweep.data.progress import ProgressLine, clock
from igmsweep.errors import DataError

__all__ = ["Entry", "decoded", "entries", "remove"]

FORMAT = 2
SHARD = 128
"""Samples between two entries of a build's journal: what a killed build loses at most."""

log = logging.getLogger(__name__)


def decoded(
    dataset: DataSet, root: Path, part: Part, cache: Path, jobs: int | None = None, store: str = "raw"
) -> Partition:
    """A part of a data set from its cache, which is built when it is missing: every sample, also those with files that cannot be
    used, which `replaced` lists.

    Args:
        jobs: threads that decode; default: the cores this process may use, at most 16.
        store: `raw` or `jpeg`, how pictures are kept.

    Raises:
        DataError: the data set has no such part, no sample of it can be read, or the cache folder cannot be written.
    """
    samples = dataset.index(root, part)
    if not samples:
        raise DataError(f"{root}: {dataset.name} has no {part} list")
    threads = jobs or min(16, len(os.sched_getaffinity(0)))
    with writable(cache):
        digests = sample_digests(samples, root, cache, threads)
        key = _key(dataset, digests, store)
        folder = cache / f"{dataset.name}-{part}-{key}"

        def build(work: Path) -> dict[str, Any]:
            started = time.monotonic()
            _fill(dataset, samples, work, threads, folder, store)
            index = _index(dataset, samples, key, work)
            size = sum(index["bytes"].values()) / 2**20
            log.info("decoded in %s, %.0f MiB", clock(time.monotonic() - started), size)
            return index

        built_once(folder, build, Build.JOURNAL)
    return _open(folder)


def _key(dataset: DataSet, digests: list[str], store: str) -> str:
    kept = [jpegs.backend()] if store == "jpeg" else []
    text = json.dumps([FORMAT, dataset.name, dataset.recipe(), digests, *kept], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _fill(dataset: DataSet, samples: list[Sample], work: Path, jobs: int, folder: Path, store: str) -> None:
    """Decode what an earlier, interrupted build has not."""
    build = Build(work, len(samples))
    again = f", {build.done} of them done before" if build.done else ""
    log.info("decoding %d samples of %s into %s%s", len(samples), dataset.name, folder, again)
    if not build.maps:
        build.allocate(first_usable(dataset, samples), store)
    with ThreadPoolExecutor(jobs) as pool, ProgressLine(len(samples), "samples", build.done) as progress:
        try:
            for first in range(build.done, len(samples), SHARD):
                shard = samples[first : first + SHARD]
                remarks: list[Remark] = []
                for row, decoded in enumerate(
                    pool.map(lambda sample: build.packed(decode(dataset, sample)), shard), start=first
                ):
                    build.put(row, samples[row].id, decoded)
                    remarks += decoded.remarks
                    progress.advance()
                build.finish(first + len(shard), remarks)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _index(dataset: DataSet, samples: list[Sample], digest: str, work: Path) -> dict[str, Any]:
    """What stands in the file that makes a cache whole."""
    build = Build(work, len(samples))
    return {
        "format": FORMAT,
        "dataset": dataset.name,
        "samples": len(samples),
        "digest": digest,
        "arrays": list(build.maps),
        "jpeg": {name: list(shape) for name, shape in build.jpeg.items()},
        "ids": [sample.id for sample in samples],
        "labels": [sample.label for sample in samples],
        "groups": [sample.group for sample in samples],
        "remarks": [[remark.kind, remark.sample, remark.modality, remark.text] for remark in build.remarks],
        "bytes": {name: (work / f"{name}.npy").stat().st_size for name in build.maps}
        | {f"{name}{JPEGS}": (work / f"{name}{JPEGS}").stat().st_size for name in build.jpeg},
        "recipe": dataset.recipe(),
    }


def _open(folder: Path) -> Partition:
    try:
        index = json.loads((folder / INDEX).read_text(encoding="utf-8"))
        arrays: dict[str, np.ndarray | Jpegs] = {}
        for name in index["arrays"]:
            array = np.load(_sized(folder / f"{name}.npy", index["bytes"][name]), mmap_mode="r", allow_pickle=False)
            arrays[name] = array
            if name in index.get("jpeg", {}):
                pictures = np.memmap(_sized(folder / f"{name}{JPEGS}", index["bytes"][f"{name}{JPEGS}"]), mode="r")
                arrays[name] = Jpegs(array, pictures, tuple(index["jpeg"][name]))
        found = Partition(
            tuple(index["ids"]),
            np.asarray(index["labels"], dtype=np.int64),
            tuple(index["groups"]),
            arrays,
            index["digest"],
            replaced=tuple(Remark(*remark) for remark in index["remarks"]),
        )
        if {len(each) for each in (found.labels, found.groups, *arrays.values())} != {len(found.ids)}:
            raise ValueError(INDEX)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise damaged(folder) from None
    mark_used(folder)
    return found


def _sized(path: Path, size: int) -> Path:
    """The path, if the file is as long as it was when it was written."""
    if path.stat().st_size != size:
        raise ValueError(path.name)
    return path
