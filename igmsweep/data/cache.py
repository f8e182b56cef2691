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
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from igmsweep.data import jpegs
from igmsweep.data.base import DataSet, Part, Partition, Remark, Sample
from igmsweep.data.cache_build import JPEGS, NO_BLANK, Build, decode, first_usable
from igmsweep.data.cache_folders import INDEX, Entry, built_once, damaged, entries, mark_used, remove, writable
from igmsweep.data.digests import sample_digests
from igmsweep.data.jpegs import Jpegs
from igmsweep.data.progress import ProgressLine, clock
from igmsweep.errors import DataError

__all__ = ["Entry", "decoded", "entries", "partition", "remove", "under_policy"]

FORMAT = 2
SHARD = 128
"""Samples between two entries of a build's journal: what a killed build loses at most."""

log = logging.getLogger(__name__)


def partition(
    dataset: DataSet,
    root: Path,
    part: Part,
    cache: Path,
    *,
    bad_files: str = "error",
    silent_files: str = "keep",
    store: str = "raw",
    jobs: int | None = None,
) -> Partition:
    """A part of a data set from its cache, which is built when it is missing.

    Args:
        bad_files, silent_files: the policies of `DataConfig`.
        store: `raw` or `jpeg`, how pictures are kept.
        jobs: threads that decode; default: the cores this process may use, at most 16.

    Raises:
        DataError: the data set has no such part, files cannot be used and the policy refuses them, no sample can be
            read, or the cache folder cannot be written.
    """
    return under_policy(decoded(dataset, root, part, cache, jobs, store), dataset.name, bad_files, silent_files)


def decoded(
    dataset: DataSet, root: Path, part: Part, cache: Path, jobs: int | None = None, store: str = "raw"
) -> Partition:
    """The same with every sample still in it; `replaced` lists those with files that cannot be used."""
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


def under_policy(part: Partition, name: str, bad_files: str, silent_files: str) -> Partition:
    """The samples that the policies leave.

    Raises:
        DataError: files cannot be used and the policy is `error`, or `blank` where nothing can stand for them.
    """
    silent = [remark for remark in part.replaced if remark.kind == "silent"]
    bad = [remark for remark in part.replaced if remark.kind != "silent"]
    if bad and bad_files == "error":
        count = len({remark.sample for remark in bad})
        more = f" and {count - 1} more samples" if count > 1 else ""
        raise DataError(
            f"{bad[0].text} (sample {bad[0].sample}){more}; list them with `igmsweep data check {name}`, mend them, or "
            "set data.bad_files to skip or blank"
        )
    hopeless = [remark for remark in bad if remark.text.endswith(NO_BLANK)]
    if hopeless and bad_files == "blank":
        raise DataError(f"{hopeless[0].text}; set data.bad_files to skip")
    drop = (bad if bad_files == "skip" else []) + (silent if silent_files == "skip" else [])
    dropped = {remark.sample for remark in drop}
    rows = np.array([row for row, name in enumerate(part.ids) if name not in dropped], dtype=np.int64)
    return replace(
        part.take(rows),
        skipped=_once(drop),
        replaced=_once([remark for remark in part.replaced if remark.sample not in dropped]),
    )


def _once(remarks: list[Remark]) -> tuple[Remark, ...]:
    """The first remark on each sample: one file may be all its modalities."""
    return tuple({remark.sample: remark for remark in reversed(remarks)}.values())[::-1]


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
    except (OSError, ValueError, KeyError):
        raise damaged(folder) from None
    mark_used(folder)
    return Partition(
        tuple(index["ids"]),
        np.asarray(index["labels"], dtype=np.int64),
        tuple(index["groups"]),
        arrays,
        index["digest"],
        replaced=tuple(Remark(*remark) for remark in index["remarks"]),
    )


def _sized(path: Path, size: int) -> Path:
    """The path, if the file is as long as it was when it was written."""
    if path.stat().st_size != size:
        raise ValueError(path.name)
    return path
