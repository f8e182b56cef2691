"""One decoded copy for all trials of a node: memory-mapped arrays in a folder named by the hash of what made them.

A part (train, val, test) has a cache of its own, so that building the first two never touches a test file. A build
goes to a temporary folder that is renamed when it is whole; a lock makes processes that start together build once.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from igmsweep.data.base import DataSet, Part, Partition, Sample
from igmsweep.errors import DataError

FORMAT = 1


def partition(dataset: DataSet, root: Path, part: Part, cache: Path) -> Partition:
    """A part of a data set from its cache, which is built when it is missing.

    Raises:
        DataError: a file is missing or unreadable, or the cache folder cannot be written.
    """
    samples = dataset.index(root, part)
    if not samples:
        raise DataError(f"{root}: {dataset.name} has no {part} list")
    folder = cache / f"{dataset.name}-{part}-{_key(dataset, root, samples)}"
    if not (folder / "index.json").exists():
        try:
            cache.mkdir(parents=True, exist_ok=True)
            with (cache / f"{folder.name}.lock").open("w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                if not (folder / "index.json").exists():
                    _build(dataset, samples, folder)
        except OSError as error:
            raise DataError(f"{cache}: the cache cannot be written ({error.strerror or error})") from None
    return _open(folder)


def content_hash(dataset: DataSet, root: Path, parts: tuple[Part, ...]) -> str:
    """12 hexadecimal digits of recipe and files of some parts: two searches may be compared when theirs agree."""
    digest = hashlib.sha256()
    for part in parts:
        samples = dataset.index(root, part)
        if samples:
            digest.update(_contents(dataset, root, samples, stamps=False))
    return digest.hexdigest()[:12]


def _key(dataset: DataSet, root: Path, samples: list[Sample]) -> str:
    return hashlib.sha256(_contents(dataset, root, samples, stamps=True)).hexdigest()[:16]


def _contents(dataset: DataSet, root: Path, samples: list[Sample], stamps: bool) -> bytes:
    """Recipe, names, labels, sizes; with `stamps`, where the files lie and when they changed too."""
    files: list[Any] = [str(root)] if stamps else []
    for sample in samples:
        row: list[Any] = [sample.id, sample.label]
        for path in sample.files.values():
            row.append(path.relative_to(root).as_posix())
            try:
                status = path.stat()
            except OSError:
                raise DataError(f"{path}: no such file (sample {sample.id})") from None
            row += [status.st_size, status.st_mtime_ns] if stamps else [status.st_size]
        files.append(row)
    return json.dumps([FORMAT, dataset.name, dataset.recipe(), files], sort_keys=True).encode()


def _build(dataset: DataSet, samples: list[Sample], folder: Path) -> None:
    started = time.monotonic()
    print(f"igmsweep: decoding {len(samples)} samples of {dataset.name} into {folder}", file=sys.stderr)
    partial = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        maps: dict[str, np.ndarray] = {}
        for row, sample in enumerate(samples):
            for name, array in dataset.read(sample).items():
                if name not in maps:
                    maps[name] = np.lib.format.open_memmap(
                        partial / f"{name}.npy", mode="w+", dtype=array.dtype, shape=(len(samples), *array.shape)
                    )
                if array.shape != maps[name].shape[1:]:
                    raise DataError(
                        f"sample {sample.id}: its {name} has shape {array.shape}, the others {maps[name].shape[1:]}"
                    )
                maps[name][row] = array
        for array in maps.values():
            assert isinstance(array, np.memmap)
            array.flush()
        index = {
            "format": FORMAT,
            "arrays": list(maps),
            "ids": [sample.id for sample in samples],
            "labels": [sample.label for sample in samples],
            "groups": [sample.group for sample in samples],
            "bytes": {name: (partial / f"{name}.npy").stat().st_size for name in maps},
            "recipe": dataset.recipe(),
        }
        with (partial / "index.json").open("w", encoding="utf-8") as file:
            json.dump(index, file)
            file.flush()
            os.fsync(file.fileno())
        if folder.exists():
            shutil.rmtree(folder)
        os.rename(partial, folder)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    print(f"igmsweep: decoded in {time.monotonic() - started:.0f} s", file=sys.stderr)


def _open(folder: Path) -> Partition:
    index = json.loads((folder / "index.json").read_text(encoding="utf-8"))
    arrays = {}
    for name in index["arrays"]:
        path = folder / f"{name}.npy"
        if not path.exists() or path.stat().st_size != index["bytes"][name]:
            raise DataError(f"{path}: the cache is damaged; delete {folder} and it is built again")
        arrays[name] = np.load(path, mmap_mode="r", allow_pickle=False)
    return Partition(tuple(index["ids"]), np.asarray(index["labels"], dtype=np.int64), tuple(index["groups"]), arrays)
