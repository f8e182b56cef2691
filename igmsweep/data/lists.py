"""What can be said of a data set before any of it is decoded: who trains, who validates, and whether that is possible."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from igmsweep.data import split
from igmsweep.data.base import DataSet, Part, Partition, Sample
from igmsweep.schema.sections import DataConfig


@dataclass(frozen=True)
class Lists:
    """The train and validation lists of a data set in its folder. No file of a sample has been opened."""

    dataset: DataSet
    parts: Mapping[Part, Sequence[Sample]]

    def cut(self, config: DataConfig) -> tuple[Partition, Partition]:
        """Train and validation as `load_search` would cut them: ids, labels and groups, no arrays.

        Samples that `data.bad_files` will leave out are still here. What is refused could not be trained on without them either.

        Raises:
            UserError: a fold that is none, or groups that the data set does not know.
            DataError: a class is empty on one side, or there are fewer samples than parts to cut.
        """
        train, val = (_without_arrays(self.parts[part]) for part in ("train", "val"))
        train, val, _ = split.sides(train, val if len(val) else None, config, classes=self.dataset.classes)
        split.check(train.labels, self.dataset.classes, "train", self.dataset.name)
        split.check(val.labels, self.dataset.classes, "validation", self.dataset.name)
        return train, val

    def texts(self, most: int = 16) -> Partition:
        """The first training samples with what is read from the list alone, no file of theirs: texts.

        Raises:
            UserError: as `DataSet.check`.
        """
        some = self.parts["train"][:most]
        names = [
            name for name, each in self.dataset.modalities.items() if each.kind == "text" and name not in some[0].files
        ]
        arrays = {name: np.stack([self.dataset.read_modality(sample, name) for sample in some]) for name in names}
        return replace(_without_arrays(some), arrays=arrays)

    def samples(self) -> dict[str, Sample]:
        """By id, those of both lists."""
        return {sample.id: sample for part in self.parts.values() for sample in part}


def labels_of(samples: Sequence[Sample]) -> np.ndarray:
    """(n,) int64."""
    return np.array([sample.label for sample in samples], dtype=np.int64)


def _without_arrays(samples: Sequence[Sample]) -> Partition:
    ids, groups = tuple(sample.id for sample in samples), tuple(sample.group for sample in samples)
    return Partition(ids, labels_of(samples), groups, {})
