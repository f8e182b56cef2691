"""What files hold, as hashes that are computed once: a list in the cache folder knows each file's size and time.

A cache is named after these hashes, so that a data set that was moved, copied or merely touched is not decoded again,
and one whose files changed is.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from igmsweep.data.base import Sample
from igmsweep.data.files import MEDIUM
from igmsweep.data.progress import ProgressLine
from igmsweep.disk import exclusive, write_atomically

UNREADABLE = "-"
"""Stands for the hash of a file that is missing or cannot be read."""

ENDS = 4096
"""Bytes at each end by which files of one size are told apart before they are read whole."""

Stamp = tuple[int, int]


def sample_digests(samples: list[Sample], root: Path, cache: Path, jobs: int) -> list[str]:
    """A hash of each sample: its id, label, text, and the bytes of its files; the files' places do not matter."""
    stamps = {path: stamp for sample in samples for folder in sample.files.values() for path, stamp in _files(folder)}
    hashes = _hashes(stamps, root, cache, jobs)
    digests = []
    for sample in samples:
        files = {
            name: [[file.name, hashes[file]] for file, _ in _files(path)] if path.is_dir() else hashes.get(path)
            for name, path in sample.files.items()
        }
        text = json.dumps([sample.id, sample.label, dict(sample.text), files], sort_keys=True)
        digests.append(hashlib.sha256(text.encode()).hexdigest()[:24])
    return digests


def file_digest(path: Path) -> str:
    """24 hexadecimal digits of the SHA-256 of a file's bytes, or UNREADABLE, as files beyond `MEDIUM` are."""
    digest = hashlib.sha256()
    try:
        with path.open("rb", buffering=0) as file:
            if os.fstat(file.fileno()).st_size > MEDIUM:
                return UNREADABLE
            while block := file.read(2**20):
                digest.update(block)
    except OSError:
        return UNREADABLE
    return digest.hexdigest()[:24]


def _files(path: Path) -> list[tuple[Path, Stamp]]:
    """The file itself, or the files of a folder in the order of their names, with size and time; [] when missing."""
    try:
        if path.is_dir():
            with os.scandir(path) as entries:
                found = [(path / entry.name, entry.stat()) for entry in entries if entry.is_file()]
            return [(file, (status.st_size, status.st_mtime_ns)) for file, status in sorted(found, key=lambda f: f[0])]
        status = path.stat()
    except OSError:
        return []
    if not stat.S_ISREG(status.st_mode):  # a pipe or a device may never end
        return []
    return [(path, (status.st_size, status.st_mtime_ns))]


def _hashes(stamps: dict[Path, Stamp], root: Path, cache: Path, jobs: int) -> dict[Path, str]:
    """Hashes of files, from the list of an earlier run where size and time are the same."""
    name = hashlib.sha256(str(root).encode()).hexdigest()[:16]
    known = cache / f"files-{name}.json"
    hashes, missing = _lookup(stamps, root, _read(known))
    if not missing:
        return hashes
    with exclusive(cache / f"files-{name}.lock"):  # processes that start together read the files once
        listed = _read(known)
        hashes, missing = _lookup(stamps, root, listed)
        if missing:
            with ProgressLine(len(missing), "files read") as progress, ThreadPoolExecutor(jobs) as pool:
                try:
                    for path, digest in zip(missing, pool.map(file_digest, missing), strict=True):
                        hashes[path] = digest
                        progress.advance()
                except BaseException:
                    pool.shutdown(wait=False, cancel_futures=True)
                    raise
            for path in missing:
                if hashes[path] != UNREADABLE:
                    listed[_short(path, root)] = [*stamps[path], hashes[path]]
            write_atomically(known, json.dumps(listed))
    return hashes


def _lookup(
    stamps: dict[Path, Stamp], root: Path, listed: dict[str, list[object]]
) -> tuple[dict[Path, str], list[Path]]:
    hashes: dict[Path, str] = {}
    missing = []
    for path, stamp in stamps.items():
        found = listed.get(_short(path, root))
        if found is not None and found[:2] == list(stamp):
            hashes[path] = str(found[2])
        else:
            missing.append(path)
    return hashes, missing


def _read(known: Path) -> dict[str, list[object]]:
    try:
        listed = json.loads(known.read_text(encoding="utf-8"))
    except (OSError, ValueError):  # none yet, or damaged: the files are read again
        return {}
    return listed if isinstance(listed, dict) else {}


def _short(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)


def duplicates(paths: Iterable[Path]) -> list[list[Path]]:
    """Files with equal bytes, in groups of two and more; only those of equal size, and then of equal ends, are read whole."""
    groups = [list(paths)]
    for key in (_size, _ends, file_digest):
        groups = [alike for group in groups for alike in _alike(group, key)]
    return groups


def _alike(paths: Iterable[Path], key: Callable[[Path], object]) -> list[list[Path]]:
    """Files that share a key, two and more; those that are empty or cannot be read have none."""
    found: dict[object, list[Path]] = {}
    for path in paths:
        found.setdefault(key(path), []).append(path)
    return [group for value, group in found.items() if len(group) > 1 and value not in (0, UNREADABLE)]


def _size(path: Path) -> int | str:
    try:
        return path.stat().st_size
    except OSError:
        return UNREADABLE


def _ends(path: Path) -> bytes | str:
    """The first and the last bytes of a file."""
    try:
        with path.open("rb") as file:
            start = file.read(ENDS)
            file.seek(max(0, path.stat().st_size - ENDS))
            return start + file.read(ENDS)
    except OSError:
        return UNREADABLE
