"""What a data set is to the rest: a description, an index of samples, a reader, and a transform of batches."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

if TYPE_CHECKING:
    import torch

Part = Literal["train", "val", "test"]


@dataclass(frozen=True)
class Modality:
    """`shape` is (channels, height, width) of one transformed sample; `encoder` the default encoder's name."""

    name: str
    kind: str
    shape: tuple[int, ...]
    encoder: str


@dataclass(frozen=True)
class Sample:
    """One row of an annotation file. `group` is what must not stand on two sides of a grouped split."""

    id: str
    label: int
    files: Mapping[str, Path]
    group: str | None = None


class DataSet(ABC):
    """One data set. A subclass names its classes and modalities and says how to index, read and transform.

    `read` is deterministic and its results are cached; whatever is random belongs in `transform`.
    """

    name: str
    classes: tuple[str, ...]
    modalities: dict[str, Modality]
    metrics: tuple[str, str] = ("acc", "map")
    fold_group: Literal["none", "speaker"] = "none"
    """What folds keep together unless the user says otherwise."""

    def defaults(self, method: str) -> dict[str, Any]:
        """Configuration defaults for a method on this data, nested as in TrainConfig."""
        return {}

    @abstractmethod
    def index(self, root: Path, part: Part) -> list[Sample]:
        """The samples of an official part, in a fixed order; empty where there is no such list.

        Raises:
            DataError: a file is missing or malformed; the message names it.
        """

    @abstractmethod
    def read(self, sample: Sample) -> dict[str, np.ndarray]:
        """Decode one sample: an array per modality, the same dtype and shape for every sample."""

    @abstractmethod
    def recipe(self) -> dict[str, Any]:
        """Everything that the result of `read` depends on besides the files: part of the cache's key."""

    @abstractmethod
    def transform(
        self, inputs: dict[str, torch.Tensor], training: bool, generator: torch.Generator
    ) -> dict[str, torch.Tensor]:
        """A batch of cached arrays, on the device, as float tensors of `Modality.shape`; random only in training."""

    def ensure(self, root: Path) -> None:
        """Make the data when it is missing and can be made; most data sets leave that to `index`'s error."""


@dataclass(frozen=True)
class Partition:
    """Samples of one part: `arrays` per modality are memory-mapped, first axis the samples in order of `ids`."""

    ids: tuple[str, ...]
    labels: np.ndarray
    groups: tuple[str | None, ...]
    arrays: Mapping[str, np.ndarray]

    def __len__(self) -> int:
        return len(self.ids)

    def take(self, rows: np.ndarray) -> Partition:
        """Some rows, in the order given. All rows in order keep the maps; fewer are copied."""
        if len(rows) == len(self) and bool((rows == np.arange(len(self))).all()):
            return self
        return Partition(
            tuple(self.ids[row] for row in rows),
            self.labels[rows],
            tuple(self.groups[row] for row in rows),
            {name: array[rows] for name, array in self.arrays.items()},
        )


@dataclass(frozen=True)
class SearchData:
    """What a search may see. There is no test member, and nothing here opens a test file."""

    dataset: DataSet
    train: Partition
    val: Partition
    data_hash: str
    split_hash: str
    split: str
    """Where validation came from: `official`, `carved 10 %`, `fold 1 of 5`, with the grouping."""
