"""Decoding into a cache's folder: maps of known size, written a shard at a time, and a journal of what is on disk."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from igmsweep.data import jpegs
from igmsweep.data.base import DataSet, Remark, Sample
from igmsweep.data.files import BadFile, reason
from igmsweep.errors import DataError

JPEGS = ".jpegs"
NO_BLANK = "nothing can stand in its place"


@dataclass(frozen=True)
class Decoded:
    arrays: dict[str, np.ndarray]
    remarks: list[Remark]
    missing: list[str]
    """Modalities without an array: their blank is not known yet, or there is none."""
    blobs: Mapping[str, list[bytes]] = field(default_factory=dict)
    """What stands for an array that is kept as JPEG."""


def decode(dataset: DataSet, sample: Sample) -> Decoded:
    """A sample's arrays; whatever cannot be read becomes a remark and its modality's blank."""
    try:
        return Decoded(dataset.read(sample), [], [])
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
    return Decoded(arrays, remarks, [name for name in dataset.modalities if name not in arrays])


def first_usable(dataset: DataSet, samples: list[Sample]) -> Mapping[str, np.ndarray]:
    """An array per modality, from the first samples that have them; they give dtype and shape."""
    found: dict[str, np.ndarray] = {}
    first: Remark | None = None
    for sample in samples:
        decoded = decode(dataset, sample)
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


class Build:
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

    def packed(self, decoded: Decoded) -> Decoded:
        """The same with pictures as JPEG where they are kept so; costly, so done by the threads that decode."""
        arrays = {name: np.zeros(self.jpeg[name], np.uint8) for name in decoded.missing if name in self.jpeg}
        arrays |= decoded.arrays
        blobs = {
            name: jpegs.encode(array)
            for name, array in arrays.items()
            if array.shape == self.jpeg.get(name) and array.dtype == np.uint8
        }
        return replace(decoded, blobs=blobs)

    def put(self, row: int, name: str, decoded: Decoded) -> None:
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
