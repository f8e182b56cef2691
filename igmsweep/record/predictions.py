"""What a finished training predicts, sample by sample: `predictions.npz` beside its result, for statistics afterwards.

Two trainings that were scored on the same samples can be compared sample by sample, and any metric can be computed again on
a part of the samples; scores alone allow neither.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from igmsweep.disk import replacing
from igmsweep.gate.files import MIB, regular
from igmsweep.legible import clean
from igmsweep.record.paths import predictions_file

SMALL = 200_000
"""Samples times classes up to which they are kept by default: 400 kB a training before compression."""
LARGEST = 128 * MIB
"""Bytes of predictions when unpacked, of which a report holds a few: 50,000 samples of 1,000 classes have 100 MB."""
KEEP = ("auto", "all", "none")


@dataclass(frozen=True, eq=False)
class Predictions:
    """`probabilities`: (samples, classes) float16 of the fused prediction. `labels`: (samples,) the truth. `samples`: a hash of the
    samples' ids in order; trainings with the same one are paired."""

    probabilities: np.ndarray
    labels: np.ndarray
    samples: str

    @property
    def correct(self) -> np.ndarray:
        """(samples,) bool: whether the likeliest class is the true one."""
        return np.asarray(self.probabilities.argmax(axis=1) == self.labels)

    def __len__(self) -> int:
        return len(self.labels)


def samples_hash(ids: Sequence[str]) -> str:
    """Of samples' ids in their order."""
    return hashlib.sha256("\n".join(ids).encode()).hexdigest()[:12]


def kept(keep: str, samples: int, classes: int) -> bool:
    """Whether predictions of this size are kept: `all`, `none`, or `auto` where they are small."""
    return keep == "all" or (keep == "auto" and samples * classes <= SMALL)


def joined(parts: Sequence[Predictions]) -> Predictions:
    """Those of folds, which hold out other samples each, as of one set."""
    return Predictions(
        np.concatenate([part.probabilities for part in parts]),
        np.concatenate([part.labels for part in parts]),
        " ".join(part.samples for part in parts),
    )


def write_predictions(folder: Path, found: Predictions, fold: int | None = None) -> None:
    """Write them into a training's folder, whole or not at all. Raises OSError."""
    with replacing(predictions_file(folder, fold)) as partial, partial.open("wb") as file:
        np.savez_compressed(
            file,
            probabilities=found.probabilities.astype(np.float16),
            labels=found.labels.astype(np.uint16),
            samples=np.array(found.samples),
        )


def read_predictions(folder: Path, fold: int | None = None) -> Predictions | None:
    """What a training predicted; None where it was not kept, or cannot be read as what `write_predictions` writes."""
    return read_archive(predictions_file(folder, fold))


def read_archive(path: Path) -> Predictions | None:
    """Predictions of a file; None where it holds none, or more than LARGEST bytes."""
    if not regular(path):
        return None
    try:
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            if sum(entry.file_size for entry in file.zip.infolist()) > LARGEST:  # headers, nothing is unpacked yet
                return None
            probabilities, labels, samples = file["probabilities"], file["labels"], clean(str(file["samples"]))
    except Exception:  # a damaged archive fails in many ways: of the zip, of zlib, of the array's header
        return None
    if probabilities.ndim != 2 or probabilities.dtype.kind != "f" or labels.shape != probabilities.shape[:1]:
        return None
    if labels.dtype.kind not in "ui" or not len(labels):
        return None
    if int(labels.min()) < 0 or int(labels.max()) >= probabilities.shape[1]:
        return None
    if not np.isfinite(probabilities).all():
        return None
    return Predictions(probabilities, labels, samples)
