"""Batches from a partition: shuffled by (seed, epoch) alone, so that a continued training draws what it would have."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from igmsweep.data import strata
from igmsweep.seeds import derived_seed

if TYPE_CHECKING:
    from igmsweep.data.base import DataSet, Partition

RESIDENT = {"cuda": 512 * 2**20, "cpu": 32 * 2**20}
"""Partitions up to this many bytes are kept as tensors on the device; larger ones are gathered from their maps, whose
pages all trials of a node share."""


@dataclass(frozen=True)
class Batch:
    """`inputs` per modality, (batch, C, H, W); `labels` (batch,) int64; `index` (batch,) rows of the partition.

    `mask` says for some modalities which samples have them, (batch,) bool; None, or a modality that is not in it: all have.
    An absent sample's input is there like any other, and the model is not to look at it: `model(batch.inputs, batch.mask)`.
    """

    inputs: dict[str, Tensor]
    labels: Tensor
    index: Tensor
    mask: dict[str, Tensor] | None = None

    def only(self, modalities: Sequence[str]) -> Batch:
        """The same samples with some modalities masked as a whole: left out of `inputs`."""
        mask = {name: self.mask[name] for name in modalities if name in self.mask} if self.mask else None
        return replace(self, inputs={name: self.inputs[name] for name in modalities}, mask=mask or None)

    def masked(self, presence: Mapping[str, Tensor]) -> Batch:
        """The same batch, of which each sample has the modalities that `presence` says; one that was absent stays so.

        Args:
            presence: (batch,) bool of some modalities, true where the sample has it.

        Raises:
            ValueError: a tensor of another shape or type, or a modality that the batch does not carry.
        """
        mask = dict(self.mask or {})
        for name, present in presence.items():
            if name not in self.inputs:
                raise ValueError(f"mask: '{name}' is not among the batch's {', '.join(self.inputs)}")
            if present.dtype != torch.bool or present.shape != self.labels.shape:
                raise ValueError(
                    f"mask of {name}: found {tuple(present.shape)} {present.dtype}, expected {tuple(self.labels.shape)} bool"
                )
            present = present.to(self.labels.device, non_blocking=True)
            mask[name] = mask[name] & present if name in mask else present
        return replace(self, mask=mask or None)


class Loader:
    """Iterates over a partition in batches on a device.

    Args:
        rows: which rows of the partition, in which order; all of them by default.
        training: shuffle by (seed, epoch) and augment.
    """

    def __init__(
        self,
        dataset: DataSet,
        partition: Partition,
        batch_size: int,
        device: torch.device,
        *,
        seed: int = 0,
        training: bool = False,
        rows: np.ndarray | None = None,
        channels_last: bool = False,
    ) -> None:
        self.dataset = dataset
        self.partition = partition
        self.batch_size = batch_size
        self.device = device
        self.seed = seed
        self.training = training
        self.channels_last = channels_last
        self.rows = np.arange(len(partition)) if rows is None else rows
        self.modalities: tuple[str, ...] = tuple(partition.arrays)
        self.epoch = 0
        self.prefetch = device.type == "cuda"
        self._labels = torch.from_numpy(np.ascontiguousarray(partition.labels, dtype=np.int64)).to(device)
        self._resident: dict[str, Tensor] | None = None
        if sum(array.nbytes for array in partition.arrays.values()) <= RESIDENT.get(device.type, 0):
            self._resident = {
                name: torch.from_numpy(np.array(array)).to(device) for name, array in partition.arrays.items()
            }

    def _like(self, rows: np.ndarray, training: bool) -> Loader:
        twin = Loader.__new__(Loader)
        twin.__dict__.update(self.__dict__)
        twin.rows, twin.training = rows, training
        return twin

    def clean(self, share: float, seed: int) -> Loader:
        """Without augmentation: all rows in file order, or for `share` < 1 a seeded share of every class, shuffled."""
        if share >= 1.0:
            return self._like(self.rows, False)
        return self._like(self.rows[strata.share_of(self._classes(), share, derived_seed(seed, "clean"))], False)

    def shuffled(self, seed: int) -> Loader:
        """The same rows in a seeded permutation, without augmentation: for passes whose batches are to be mixed."""
        order = np.random.default_rng(derived_seed(seed, "shuffled")).permutation(len(self.rows))
        return self._like(self.rows[order], False)

    def cut(self, share: float, seed: int) -> tuple[Loader, Loader]:
        """Two loaders over `1 - share` and `share` of the rows of every class, always the same cut; neither is empty.

        Raises:
            ValueError: fewer than two rows.
        """
        kept, held = strata.cut(self._classes(), share, derived_seed(seed, "cut"))
        return self._like(self.rows[kept], self.training), self._like(self.rows[held], False)

    def _classes(self) -> np.ndarray:
        return self.partition.labels[self.rows]

    def only(self, modalities: Sequence[str]) -> Loader:
        """The same loader, gathering some modalities alone."""
        twin = self._like(self.rows, self.training)
        twin.modalities = tuple(modalities)
        return twin

    def __len__(self) -> int:
        full, rest = divmod(len(self.rows), self.batch_size)
        # batch normalisation cannot train on a batch of one sample
        return full + int(rest > 1 or (rest == 1 and (not self.training or full == 0)))

    def __iter__(self) -> Iterator[Batch]:
        rows = self.rows
        generator = torch.Generator(device=self.device)
        generator.manual_seed(derived_seed(self.seed, "augment", self.epoch))
        if self.training:
            rows = rows[np.random.default_rng(derived_seed(self.seed, "shuffle", self.epoch)).permutation(len(rows))]
        batches = [rows[number * self.batch_size : (number + 1) * self.batch_size] for number in range(len(self))]
        if self._resident is not None or not self.prefetch:
            for chosen in batches:
                yield self.batch(chosen, generator)
            return
        with ThreadPoolExecutor(1) as ahead:  # the next batch is gathered while the device works on this one
            following = ahead.submit(self._gather, batches[0]) if batches else None
            for number, chosen in enumerate(batches):
                assert following is not None
                raw = following.result()
                if number + 1 < len(batches):
                    following = ahead.submit(self._gather, batches[number + 1])
                yield self._finish(chosen, raw, generator)

    def _gather(self, rows: np.ndarray) -> dict[str, Tensor]:
        """Rows of the maps as tensors in memory, pinned where they go to a GPU."""
        order = np.argsort(rows, kind="stable")  # maps are read fastest in ascending order
        back = np.argsort(order, kind="stable")
        raw = {name: torch.from_numpy(self.partition.arrays[name][rows[order]][back]) for name in self.modalities}
        return {name: x.pin_memory() for name, x in raw.items()} if self.device.type == "cuda" else raw

    def batch(
        self, rows: np.ndarray, generator: torch.Generator, present: Mapping[str, np.ndarray] | None = None
    ) -> Batch:
        """Samples by their row numbers, transformed on the device.

        Args:
            present: (len(rows),) bool of some modalities: which of the rows have it. `Batch.mask` then holds it.

        Raises:
            ValueError: an array of another shape or type, or a modality that this loader does not gather.
        """
        batch = self._finish(rows, None if self._resident is not None else self._gather(rows), generator)
        if not present:
            return batch
        return batch.masked({name: torch.from_numpy(np.asarray(each)) for name, each in present.items()})

    def _finish(self, rows: np.ndarray, gathered: dict[str, Tensor] | None, generator: torch.Generator) -> Batch:
        index = torch.from_numpy(rows).to(self.device, non_blocking=True)
        if gathered is None:
            assert self._resident is not None
            raw = {name: self._resident[name].index_select(0, index) for name in self.modalities}
        else:
            raw = {name: x.to(self.device, non_blocking=True) for name, x in gathered.items()}
        ready = self.partition.ready
        read = {name: x for name, x in raw.items() if name not in ready}
        changed = self.dataset.transform(read, self.training, generator) if read else {}
        inputs = {name: x if name in ready else changed[name] for name, x in raw.items()}
        if self.channels_last:
            inputs = {
                name: x.contiguous(memory_format=torch.channels_last) if x.ndim == 4 else x
                for name, x in inputs.items()
            }
        return Batch(inputs, self._labels.index_select(0, index), index)
