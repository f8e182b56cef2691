"""What a data set is to the rest: a description, an index of samples, a reader, and a transform of batches."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError

from igmsweep.data import headers
from igmsweep.data.files import BadFile
from igmsweep.data.jpegs import Jpegs
from igmsweep.data.rows import Rows
from igmsweep.errors import DataError, UserError, nearest
from igmsweep.legible import quoted
from igmsweep.record.bad_samples import BadSamples
from igmsweep.schema.messages import one_line

if TYPE_CHECKING:
    import torch

Part = Literal["train", "val", "test"]
PARTS: tuple[Part, ...] = ("train", "val", "test")


@dataclass(frozen=True)
class Modality:
    """`shape` is that of one transformed sample, `encoder` the default encoder's name.

    (channels, height, width) of a picture or spectrogram, (channels, frames, height, width) of several frames,
    (3, tokens) of a text: token ids, attention mask, segment ids.
    """

    name: str
    kind: str
    shape: tuple[int, ...]
    encoder: str


@dataclass(frozen=True)
class Sample:
    """One row of an annotation file.

    `files` per modality are files, or folders that stand for the files in them; `text` holds what a modality takes from
    the annotation file itself. `group` is what must not stand on two sides of a grouped split.
    """

    id: str
    label: int
    files: Mapping[str, Path]
    group: str | None = None
    text: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Remark:
    """Something to know about a sample: `kind` is one of `igmsweep.data.files.KINDS`."""

    kind: str
    sample: str
    modality: str
    text: str


class DataOptions(BaseModel):
    """A data set's own settings, `data.options` of a configuration; a subclass adds typed fields with defaults."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class DataSet(ABC):
    """One data set. A subclass names its classes and modalities and says how to index, read and transform.

    `read` is deterministic and its results are cached; whatever is random belongs in `transform`.
    """

    name: str
    classes: tuple[str, ...]
    modalities: dict[str, Modality]
    metrics: tuple[str, str] = ("acc", "map")
    grouping: str = "speaker"
    """What `Sample.group` is, in one word: the value of `data.group` that keeps groups on one side."""
    fold_group: str = "none"
    """What folds keep together unless the user says otherwise."""
    presets: Mapping[str, Mapping[str, Any]] = {}
    """What a method's preset also sets on this data: `method.preset`, such as `igm.released`, to dotted paths and values."""
    expected: Mapping[Part, int] = {}
    """Samples of each part in the data set as published."""
    rounded: float = 0.0
    """How far counts may be from `expected`, as a share of it, where no two copies are equal."""
    Options: type[DataOptions] = DataOptions
    options: DataOptions = DataOptions()
    home: Path | None = None
    """Where the data lie when nobody says; None: as `igmsweep.data.root_of` finds them."""

    def with_options(self, given: Mapping[str, Any]) -> DataSet:
        """The same data set under other `data.options`.

        Raises:
            UserError: an unknown option or an impossible value.
        """
        for key in given:
            if key not in self.Options.model_fields:
                known = self.Options.model_fields
                near = nearest(f"data.options.{key}", [f"data.options.{name}" for name in known])
                raise UserError(
                    f"unknown key {quoted(f'data.options.{key}')}, {self.name} has {', '.join(known) or 'no options'}{near}"
                )
        try:
            options = self.Options(**given)
            derived = self.suggested(options, given)
            options = self.Options(**{**derived, **given}) if derived else options
        except ValidationError as error:
            raise UserError(one_line(error, given, "data.options")) from None
        twin = copy.copy(self)
        twin.options = options
        twin.settle()
        return twin

    def suggested(self, options: Any, given: Mapping[str, Any]) -> dict[str, Any]:
        """Options that are derived from the data or from the ones given, for those that are not in `given`."""
        return {}

    def reading(self) -> dict[str, str]:
        """How each modality is read under the options, in words, where that was derived from the data; else nothing."""
        return {}

    def settle(self) -> None:
        """Set what depends on `self.options`, such as `self.modalities`."""

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
        """Decode one sample: an array per modality, the same dtype and shape for every sample.

        Raises:
            DataError: a file cannot be used; `BadFile` says how.
        """

    def read_modality(self, sample: Sample, name: str) -> np.ndarray:
        """One modality of a sample, for samples of which another modality cannot be read."""
        return self.read(sample)[name]

    def blank(self, name: str) -> np.ndarray | None:
        """What stands for an unusable file under `bad_files: blank`, such as silence; None: nothing can."""
        return None

    @property
    def on_disk(self) -> tuple[str, ...]:
        """The modalities that have files or texts of their own; the others are computed from these."""
        return tuple(self.modalities)

    def vouched(self, sample: Sample, name: str) -> bool:
        """Whether headers alone show that a modality of a sample can be read; a text of the list needs no file.

        Raises:
            DataError: what is there shows that it cannot be read.
        """
        path = sample.files.get(name)
        return path is None or headers.vouched(path, self.modalities[name].kind)

    def inspect(self, sample: Sample, decode: bool = False) -> list[Remark]:
        """What is wrong or strange about a sample's files, each said once; `igmsweep data check` asks.

        Args:
            decode: read every file to its end; else only those that their headers do not vouch for.
        """
        remarks: dict[str, Remark] = {}
        for name in self.on_disk:
            try:
                if decode or not self.vouched(sample, name):
                    self.read_modality(sample, name)
            except DataError as error:
                kind = error.kind if isinstance(error, BadFile) else "unreadable"
                remarks.setdefault(str(error), Remark(kind, sample.id, name, str(error)))
        return list(remarks.values())

    @abstractmethod
    def recipe(self) -> dict[str, Any]:
        """Everything that the result of `read` depends on besides the files: part of the cache's key."""

    @abstractmethod
    def transform(
        self, inputs: dict[str, torch.Tensor], training: bool, generator: torch.Generator
    ) -> dict[str, torch.Tensor]:
        """A batch of cached arrays, on the device, as float tensors of `Modality.shape`; random only in training."""

    def check(self) -> None:
        """Raise UserError where something that `read` needs besides the samples' files is not there, such as a tokenizer."""

    def at(self, root: Path) -> DataSet:
        """The data set as it lies in a folder: one whose copies differ in their classes takes them from there.

        Raises:
            DataError: the files that say so are missing or malformed.
        """
        return self

    def notes(self, root: Path) -> list[str]:
        """What to know about the data set as it lies in a folder, a line each; `igmsweep data check` prints them."""
        return []

    def departures(self, root: Path, part: Part) -> list[str]:
        """Where a part in a folder is not the official one, a line each: lists that are missing and what stands in for them, rows
        that are left out. Whoever trains on it is told, and `igmsweep data check` is not content. Only that part's list is read.
        """
        return []

    def validation(self, root: Path) -> str:
        """What the validation part is, in a few words: `official` where it has as many samples as the published one."""
        published = self.expected.get("val")
        return "official" if published and len(self.index(root, "val")) == published else "the copy's own list"

    def ensure(self, root: Path) -> None:
        """Make the data when it is missing and can be made; most data sets leave that to `index`'s error."""


@dataclass(frozen=True)
class Partition:
    """Samples of one part: `arrays` per modality are memory-mapped, first axis the samples in order of `ids`."""

    ids: tuple[str, ...]
    labels: np.ndarray
    groups: tuple[str | None, ...]
    arrays: Mapping[str, np.ndarray | Jpegs | Rows]
    digest: str = ""
    """Hash of recipe, ids, labels and contents of the files."""
    skipped: tuple[Remark, ...] = ()
    """Samples that the policies left out."""
    replaced: tuple[Remark, ...] = ()
    """Samples in which silence or a grey picture stands for a file."""
    ready: frozenset[str] = frozenset()
    """Modalities whose arrays are features already: the data set's transform does not see them."""

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def listed(self) -> tuple[str, ...]:
        """The ids of its samples, and of those that the policies left out."""
        return self.ids + tuple(remark.sample for remark in self.skipped)

    def take(self, rows: np.ndarray) -> Partition:
        """Some rows, in the order given, as a view on the same maps: nothing is copied."""
        if len(rows) == len(self) and bool((rows == np.arange(len(self))).all()):
            return self
        return replace(
            self,
            ids=tuple(self.ids[row] for row in rows),
            labels=self.labels[rows],
            groups=tuple(self.groups[row] for row in rows),
            arrays={name: Rows.of(array).take(rows) for name, array in self.arrays.items()},
        )

    def joined(self, other: Partition) -> Partition:
        """This partition's rows, then the other's, as a view on the maps of both.

        Raises:
            ValueError: one holds features of a modality, the other what an encoder reads.
        """
        if self.ready != other.ready:
            raise ValueError(f"features of {sorted(self.ready)} cannot be joined to features of {sorted(other.ready)}")
        return Partition(
            self.ids + other.ids,
            np.concatenate([self.labels, other.labels]),
            self.groups + other.groups,
            {name: Rows.of(array).joined(Rows.of(other.arrays[name])) for name, array in self.arrays.items()},
            self.digest + other.digest,
            self.skipped + other.skipped,
            self.replaced + other.replaced,
            self.ready,
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
    """Where validation came from: `official`, `the copy's own list`, `your own list`, `carved 1/10`, `fold 1 of 5`, with the grouping."""
    skipped: tuple[Remark, ...] = ()
    """Samples that `data.bad_files` and `data.silent_files` left out of train and validation."""
    replaced: tuple[Remark, ...] = ()
    """Samples in which silence or a grey picture stands for a file."""
    bad: tuple[BadSamples, ...] = ()
    """The same, counted by part and kind."""
    departures: tuple[str, ...] = ()
    """Where the data set is not the published one, a line each."""

    @property
    def warnings(self) -> list[str]:
        """What whoever trains on it is to know, a line each."""
        return [*(each.words() for each in self.bad if each.count), *self.departures]
