"""One decoded copy for all trials of a node: memory-mapped arrays in a folder named by the hash of what made them.

A part (train, val, test) has a cache of its own, so that building the first two never touches a test file. A build is
done in a folder beside the final one, with a journal of what is finished, and renamed when it is whole: nobody reads half
a cache, and a build that was killed goes on where it stopped. The lock is the kernel's (`flock`), so that it falls with
the process that holds it, however that dies.

Samples whose files cannot be used are part of the cache, blank and listed: which policy applies to them is the reader's
choice and stays out of the key, as do split and augmentation.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import sys
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from igmsweep.data import jpegs
from igmsweep.data.base import DataSet, Part, Partition, Remark, Sample
from igmsweep.data.digests import sample_digests
from igmsweep.data.files import BadFile, reason
from igmsweep.data.jpegs import Jpegs
from igmsweep.data.progress import Progress, clock
from igmsweep.errors import DataError, UserError, nearest

FORMAT = 2
SHARD = 128
"""Samples between two entries of a build's journal: what a killed build loses at most."""
INDEX = "index.json"
JPEGS = ".jpegs"
NETWORK = ("nfs", "nfs4", "cifs", "smb3", "lustre", "gpfs", "beegfs", "fuse.sshfs")


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
    jobs = jobs or min(16, len(os.sched_getaffinity(0)))
    try:
        cache.mkdir(parents=True, exist_ok=True)
        digests = sample_digests(samples, root, cache, jobs)
        folder = cache / f"{dataset.name}-{part}-{_key(dataset, digests, store)}"
        if not (folder / INDEX).exists():
            with (cache / f"{folder.name}.lock").open("w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                if not (folder / INDEX).exists():
                    _warn_network(cache)
                    _build(dataset, samples, digests, folder, jobs, store)
                    _evict(cache, keep=folder)
    except OSError as error:
        raise DataError(f"{cache}: the cache cannot be written ({error.strerror or error})") from None
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


NO_BLANK = "nothing can stand in its place"


def _key(dataset: DataSet, digests: list[str], store: str) -> str:
    kept = [jpegs.backend()] if store == "jpeg" else []
    text = json.dumps([FORMAT, dataset.name, dataset.recipe(), digests, *kept], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


@dataclass(frozen=True)
class _Decoded:
    arrays: dict[str, np.ndarray]
    remarks: list[Remark]
    missing: list[str]
    """Modalities without an array: their blank is not known yet, or there is none."""
    blobs: Mapping[str, list[bytes]] = field(default_factory=dict)
    """What stands for an array that is kept as JPEG."""


def _decode(dataset: DataSet, sample: Sample) -> _Decoded:
    """A sample's arrays; whatever cannot be read becomes a remark and its modality's blank."""
    try:
        return _Decoded(dataset.read(sample), [], [])
    except DataError as error:
        whole = error
    except (OSError, ValueError, EOFError) as error:  # a reader that lets its library's exceptions through
        whole = DataError(f"sample {sample.id}: {reason(error)}")
    arrays: dict[str, np.ndarray] = {}
    remarks = []
    for name in dataset.modalities:
        try:
            arrays[name] = dataset.read_modality(sample, name)
        except (DataError, OSError, ValueError, EOFError, KeyError) as error:
            own = error if isinstance(error, DataError) else whole
            remarks.append(Remark(own.kind if isinstance(own, BadFile) else "unreadable", sample.id, name, str(own)))
            stand_in = dataset.blank(name)
            if stand_in is not None:
                arrays[name] = stand_in
    return _Decoded(arrays, remarks, [name for name in dataset.modalities if name not in arrays])


def _build(dataset: DataSet, samples: list[Sample], digests: list[str], folder: Path, jobs: int, store: str) -> None:
    started = time.monotonic()
    work = folder.parent / f".{folder.name}.building"
    work.mkdir(exist_ok=True)
    try:
        _fill(dataset, samples, work, jobs, folder, store)
    except Exception:  # what a person must mend; an interrupted build, on the other hand, goes on where it stopped
        shutil.rmtree(work, ignore_errors=True)
        raise
    index = _index(dataset, samples, _key(dataset, digests, store), work)
    (work / _Build.JOURNAL).unlink()
    if folder.exists():  # without its index, so nobody's
        shutil.rmtree(folder)
    os.rename(work, folder)
    size = sum(index["bytes"].values()) / 2**20
    print(f"igmsweep: decoded in {clock(time.monotonic() - started)}, {size:.0f} MiB", file=sys.stderr)


def _fill(dataset: DataSet, samples: list[Sample], work: Path, jobs: int, folder: Path, store: str) -> None:
    """Decode what an earlier, interrupted build has not."""
    build = _Build(work, len(samples))
    again = f", {build.done} of them done before" if build.done else ""
    print(f"igmsweep: decoding {len(samples)} samples of {dataset.name} into {folder}{again}", file=sys.stderr)
    if not build.maps:
        build.allocate(_first_usable(dataset, samples), store)
    with ThreadPoolExecutor(jobs) as pool, Progress(len(samples), "samples", build.done) as progress:
        try:
            for first in range(build.done, len(samples), SHARD):
                shard = samples[first : first + SHARD]
                remarks: list[Remark] = []
                for row, decoded in enumerate(
                    pool.map(lambda sample: build.packed(_decode(dataset, sample)), shard), start=first
                ):
                    build.put(row, samples[row].id, decoded)
                    remarks += decoded.remarks
                    progress.advance()
                build.finish(first + len(shard), remarks)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _index(dataset: DataSet, samples: list[Sample], digest: str, work: Path) -> dict[str, Any]:
    """Write the file that makes a cache whole, and return what stands in it."""
    build = _Build(work, len(samples))
    index = {
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
    with (work / INDEX).open("w", encoding="utf-8") as file:
        json.dump(index, file)
        file.flush()
        os.fsync(file.fileno())
    return index


def _first_usable(dataset: DataSet, samples: list[Sample]) -> Mapping[str, np.ndarray]:
    """An array per modality, from the first samples that have them; they give dtype and shape."""
    found: dict[str, np.ndarray] = {}
    first: Remark | None = None
    for sample in samples:
        decoded = _decode(dataset, sample)
        bad = {remark.modality for remark in decoded.remarks}
        found |= {name: array for name, array in decoded.arrays.items() if name not in bad and name not in found}
        first = first or next(iter(decoded.remarks), None)
        if len(found) == len(dataset.modalities):
            return {name: found[name] for name in dataset.modalities}
    assert first is not None
    lacking = ", ".join(name for name in dataset.modalities if name not in found)
    raise DataError(
        f"{dataset.name}: not one of {len(samples)} samples has a usable {lacking}; the first: {first.text}"
    )


class _Build:
    """A build's folder: the maps, and a journal whose last whole line says how far they are written. The map of an array
    that is kept as JPEG holds where in its file of pictures each begins and ends."""

    JOURNAL = "journal.jsonl"

    def __init__(self, work: Path, count: int) -> None:
        self.work = work
        self.count = count
        self.done = 0
        self.remarks: list[Remark] = []
        self.maps: dict[str, np.ndarray] = {}
        self.jpeg: dict[str, tuple[int, ...]] = {}
        arrays: list[str] = []
        ends: dict[str, int] = {}
        entries = list(self._entries())
        for entry in entries:
            if "arrays" in entry:
                arrays = entry["arrays"]
                self.jpeg = {name: tuple(shape) for name, shape in entry.get("jpeg", {}).items()}
            else:
                self.done = entry["done"]
                ends = entry.get("ends", {})
                self.remarks += [Remark(*remark) for remark in entry["remarks"]]
        try:
            self.maps = {name: np.load(work / f"{name}.npy", mmap_mode="r+", allow_pickle=False) for name in arrays}
            for name in self.jpeg:
                os.truncate(work / f"{name}{JPEGS}", ends.get(name, 0))  # what follows is not in the journal
        except (OSError, ValueError):
            self.done, self.remarks, self.maps, self.jpeg = 0, [], {}, {}
        if self.maps:  # what follows must not be written behind half a line
            (work / self.JOURNAL).write_text("".join(json.dumps(entry) + "\n" for entry in entries), encoding="utf-8")

    def _entries(self) -> Iterator[dict[str, Any]]:
        try:
            lines = (self.work / self.JOURNAL).read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError):
            return
        for line in lines:
            try:
                yield json.loads(line)
            except ValueError:  # the line that was being written
                return

    def allocate(self, like: Mapping[str, np.ndarray], store: str) -> None:
        """Empty maps of the right size, with their disk space taken: a full disk is an error here, not a crash later."""
        self.jpeg = {name: array.shape for name, array in like.items() if store == "jpeg" and jpegs.is_pictures(array)}
        for name, array in like.items():
            path = self.work / f"{name}.npy"
            dtype, shape = array.dtype, array.shape
            if name in self.jpeg:
                (self.work / f"{name}{JPEGS}").write_bytes(b"")
                dtype, shape = np.dtype(np.int64), (jpegs.count(array.shape) + 1,)
            self.maps[name] = np.lib.format.open_memmap(path, mode="w+", dtype=dtype, shape=(self.count, *shape))
            with path.open("r+b") as file:
                os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
        (self.work / self.JOURNAL).write_text(
            json.dumps({"arrays": list(like), "jpeg": self.jpeg}) + "\n", encoding="utf-8"
        )

    def packed(self, decoded: _Decoded) -> _Decoded:
        """The same with pictures as JPEG where they are kept so; costly, so done by the threads that decode."""
        arrays = {name: np.zeros(self.jpeg[name], np.uint8) for name in decoded.missing if name in self.jpeg}
        arrays |= decoded.arrays
        blobs = {
            name: jpegs.encode(array)
            for name, array in arrays.items()
            if array.shape == self.jpeg.get(name) and array.dtype == np.uint8
        }
        return replace(decoded, blobs=blobs)

    def put(self, row: int, name: str, decoded: _Decoded) -> None:
        """Write one sample's row."""
        for modality, array in decoded.arrays.items():
            target, expected = self.maps[modality], self.jpeg.get(modality) or self.maps[modality].shape[1:]
            if array.shape != expected:
                raise DataError(f"sample {name}: its {modality} has shape {array.shape}, the others {expected}")
            if modality not in self.jpeg:
                target[row] = array
        for modality in decoded.missing:
            if modality not in self.jpeg:
                self.maps[modality][row] = 0
        for modality, blobs in decoded.blobs.items():
            with (self.work / f"{modality}{JPEGS}").open("ab") as file:
                first = file.tell()
                file.write(b"".join(blobs))
            self.maps[modality][row] = first + np.cumsum([0, *map(len, blobs)])
        for number, remark in enumerate(decoded.remarks):
            if remark.modality in decoded.missing:
                text = f"{remark.text}; {NO_BLANK}"
                decoded.remarks[number] = Remark(remark.kind, remark.sample, remark.modality, text)

    def finish(self, done: int, remarks: list[Remark]) -> None:
        """The rows before `done` are on disk."""
        for array in self.maps.values():
            assert isinstance(array, np.memmap)
            array.flush()
        entry: dict[str, Any] = {"done": done, "remarks": [[r.kind, r.sample, r.modality, r.text] for r in remarks]}
        for name in self.jpeg:
            with (self.work / f"{name}{JPEGS}").open("rb") as pictures:
                os.fsync(pictures.fileno())
                entry.setdefault("ends", {})[name] = os.fstat(pictures.fileno()).st_size
        with (self.work / self.JOURNAL).open("a", encoding="utf-8") as file:
            file.write(json.dumps(entry) + "\n")
        self.done = done
        self.remarks += remarks


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
        raise DataError(f"{folder}: the cache is damaged; delete it and it is built again") from None
    with suppress(OSError):  # another user's cache may be read all the same
        os.utime(folder / INDEX)  # the time of last use, for `cache list` and eviction
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


@dataclass(frozen=True)
class Entry:
    """One cache: `used` is when it was last opened, in seconds since the epoch; `whole` is false for a stopped build."""

    path: Path
    dataset: str
    part: str
    samples: int
    bytes: int
    used: float
    whole: bool


def entries(cache: Path) -> list[Entry]:
    """What a cache folder holds, last used first."""
    found = []
    for path in sorted(cache.iterdir()) if cache.is_dir() else []:
        if not path.is_dir():
            continue
        name = path.name.removeprefix(".").removesuffix(".building")
        dataset, part, _ = (*name.rsplit("-", 2), "", "")[:3]
        try:
            size = sum(file.stat().st_size for file in path.iterdir())
            whole = (path / INDEX).exists() and path.name == name
            samples = json.loads((path / INDEX).read_text(encoding="utf-8"))["samples"] if whole else 0
            used = (path / INDEX if whole else path).stat().st_mtime
        except (OSError, ValueError, KeyError):
            continue
        found.append(Entry(path, dataset, part, samples, size, used, whole))
    return sorted(found, key=lambda entry: -entry.used)


def remove(cache: Path, names: list[str]) -> list[Entry]:
    """Delete caches by their folder's or their data set's name; a process that has one open keeps what it mapped.

    Raises:
        UserError: no cache has such a name.
    """
    held = entries(cache)
    chosen: dict[Path, Entry] = {}
    for name in names:
        fitting = [entry for entry in held if name in (entry.path.name, entry.dataset)]
        if not fitting:
            known = sorted({entry.dataset for entry in held} | {entry.path.name for entry in held})
            raise UserError(f"{cache}: holds no cache '{name}'{nearest(name, known)}")
        chosen |= {entry.path: entry for entry in fitting}
    for entry in chosen.values():
        if not entry.whole:
            lock = cache / f"{entry.path.name.removeprefix('.').removesuffix('.building')}.lock"
            with lock.open("w") as file:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except OSError:
                    raise UserError(f"{entry.path}: is being built by another process") from None
        _delete(entry.path)
    return list(chosen.values())


def _delete(path: Path) -> None:
    (path / INDEX).unlink(missing_ok=True)  # first, so that nobody opens a folder that is going away
    shutil.rmtree(path, ignore_errors=True)


def _evict(cache: Path, keep: Path) -> None:
    """Delete the caches that were used longest ago while all take more than `$IGMSWEEP_CACHE_LIMIT` (GiB)."""
    text = os.environ.get("IGMSWEEP_CACHE_LIMIT", "")
    if not text:
        return
    try:
        limit = float(text) * 2**30
    except ValueError:
        raise UserError(f"IGMSWEEP_CACHE_LIMIT: found '{text}', expected GiB, such as 50") from None
    held = entries(cache)
    total = sum(entry.bytes for entry in held)
    for entry in reversed(held):
        if total <= limit or not entry.whole:
            continue
        if entry.path == keep or entry.dataset == keep.name.rsplit("-", 2)[0]:
            continue  # the other parts of the same data set are wanted with it
        print(f"igmsweep: removing {entry.path}, over IGMSWEEP_CACHE_LIMIT", file=sys.stderr)
        _delete(entry.path)
        total -= entry.bytes


def _warn_network(cache: Path) -> None:
    """Say it once where the cache lies on a network file system, whose pages processes do not share well."""
    best, kind = "", ""
    try:
        for line in Path("/proc/mounts").read_text(encoding="utf-8").splitlines():
            _, mount, found, *_ = line.split(" ")
            inside = cache == Path(mount) or cache.is_relative_to(mount)
            if inside and len(mount) >= len(best):
                best, kind = mount, found
    except (OSError, ValueError):
        return
    if kind in NETWORK:
        print(
            f"igmsweep: {cache} lies on {kind}; set IGMSWEEP_CACHE to a disk of this node, which is faster and safer",
            file=sys.stderr,
        )
