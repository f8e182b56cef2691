"""The folders of a cache: built once, opened by all, listed, removed, and evicted when together they are too large.

A folder is filled beside its place and renamed when it is whole: nobody reads half a cache. `index.json` makes it whole. The
lock is the kernel's, so that it falls with the process that holds it, however that dies.
"""

from __future__ import annotations

import json
import logging
import os
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from igmsweep.disk import exclusive, write_atomically
from igmsweep.errors import DataError, UserError, nearest
from igmsweep.gate.paths import refuse_links

INDEX = "index.json"
OURS = re.compile(r".+-[a-z_]+-[0-9a-f]{4,}")
"""Data set, part and recipe: no other folder is a cache, so that none is taken away as one."""
NETWORK = ("nfs", "nfs4", "cifs", "smb3", "lustre", "gpfs", "beegfs", "fuse.sshfs")

log = logging.getLogger(__name__)


def built_once(folder: Path, build: Callable[[Path], Mapping[str, Any]], journal: str | None = None) -> None:
    """Make sure that `folder` is whole: where it is not, `build` fills it, in one process of all that ask together.

    Args:
        folder: its parent is the cache, which exists.
        build: is given the folder to fill, and returns what `index.json` is to hold. An exception of its leaves nothing behind.
        journal: a file by which `build` goes on where an interrupted one stopped; it is left out of the finished folder.

    Raises:
        OSError: the cache cannot be written.
    """
    if (folder / INDEX).exists():
        return
    with exclusive(_lock(folder)):
        if (folder / INDEX).exists():  # another process has built it meanwhile
            return
        _warn_network(folder.parent)
        work = folder.parent / f".{folder.name}.building"
        refuse_links(folder.parent, work.name)
        if journal is None:
            shutil.rmtree(work, ignore_errors=True)  # what a killed process left
        work.mkdir(exist_ok=True)
        try:
            index = build(work)
        except BaseException as error:
            if journal is None or isinstance(error, Exception):  # what a person must mend is not gone on from
                shutil.rmtree(work, ignore_errors=True)
            raise
        write_atomically(work / INDEX, json.dumps(index))
        if journal is not None:
            (work / journal).unlink()
        if folder.exists():  # without its index, so nobody's
            shutil.rmtree(folder)
        os.rename(work, folder)
        _evict(folder.parent, keep=folder)


@contextmanager
def writable(cache: Path) -> Iterator[None]:
    """A cache folder that is made when it is missing. Raises DataError where it, or a file in it, cannot be written."""
    try:
        cache.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        raise DataError(f"{cache}: the cache cannot be written ({error.strerror or error})") from None


def mark_used(folder: Path) -> None:
    """Keep the time of last use, for `cache list` and eviction."""
    with suppress(OSError):  # another user's cache may be read all the same
        os.utime(folder / INDEX)


def damaged(folder: Path) -> DataError:
    """The error for a folder whose files are not what was written."""
    return DataError(f"{folder}: the cache is damaged; delete it and it is built again")


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
        name = _final(path)
        if not path.is_dir() or path.is_symlink() or not OURS.fullmatch(name):
            continue
        dataset, part, _ = (*name.rsplit("-", 2), "", "")[:3]
        try:
            size = sum(file.stat().st_size for file in path.iterdir())
            whole = (path / INDEX).exists() and path.name == name
            samples = json.loads((path / INDEX).read_text(encoding="utf-8"))["samples"] if whole else 0
            used = (path / INDEX if whole else path).stat().st_mtime
        except (OSError, ValueError, KeyError, TypeError):
            continue
        found.append(Entry(path, dataset, part, samples, size, used, whole))
    return sorted(found, key=lambda entry: -entry.used)


def remove(cache: Path, names: list[str]) -> list[Entry]:
    """Delete caches by their folder's or their data set's name; a process that has one open keeps what it mapped.

    Raises:
        UserError: no cache has such a name, or another process is building it.
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
        if entry.whole:
            _delete(entry.path)
            continue
        try:
            with exclusive(_lock(entry.path), wait=False):
                _delete(entry.path)
        except BlockingIOError:
            raise UserError(f"{entry.path}: is being built by another process") from None
    return list(chosen.values())


def _final(path: Path) -> str:
    """The name of a cache, from its folder or the one in which it is being built."""
    return path.name.removeprefix(".").removesuffix(".building")


def _lock(path: Path) -> Path:
    return path.parent / f"{_final(path)}.lock"


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
        log.info("removing %s, over IGMSWEEP_CACHE_LIMIT", entry.path)
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
        log.warning("%s lies on %s; set IGMSWEEP_CACHE to a disk of this node, which is faster and safer", cache, kind)
