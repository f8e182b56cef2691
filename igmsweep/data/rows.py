"""Chosen rows of memory-mapped arrays as if they were one array, so that a split never copies what trials share."""

from __future__ import annotations

from typing import Any

import numpy as np

from igmsweep.data.jpegs import Jpegs


class Rows:
    """Rows of some arrays of one dtype and row shape. Indexing with an integer, a slice or an index array copies.

    >>> rows = Rows.of(np.arange(10)).take(np.array([7, 2, 5]))
    >>> rows[np.array([1, 2])].tolist(), len(rows)
    ([2, 5], 3)
    """

    def __init__(self, sources: tuple[np.ndarray | Jpegs, ...], source: np.ndarray, row: np.ndarray) -> None:
        self.sources = sources
        self._source = source
        self._row = row
        self.shape: tuple[int, ...] = (len(row), *sources[0].shape[1:])
        self.dtype = sources[0].dtype

    @classmethod
    def of(cls, array: np.ndarray | Jpegs | Rows) -> Rows:
        """All rows of an array; Rows stay as they are."""
        if isinstance(array, Rows):
            return array
        return cls((array,), np.zeros(len(array), np.int8), np.arange(len(array)))

    def take(self, rows: np.ndarray) -> Rows:
        """Some rows in the order given, still without a copy."""
        return Rows(self.sources, self._source[rows], self._row[rows])

    def joined(self, other: Rows) -> Rows:
        """These rows, then the other's."""
        source = np.concatenate([self._source, other._source + len(self.sources)])
        return Rows(self.sources + other.sources, source, np.concatenate([self._row, other._row]))

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def nbytes(self) -> int:
        """Bytes that a copy would take."""
        return int(np.prod(self.shape)) * self.dtype.itemsize

    def __len__(self) -> int:
        return len(self._row)

    def __getitem__(self, key: Any) -> np.ndarray:
        if isinstance(key, int | np.integer):
            return np.asarray(self.sources[self._source[key]][self._row[key]])
        source, row = self._source[key], self._row[key]
        if len(self.sources) == 1:
            return np.asarray(self.sources[0][row])
        out = np.empty((len(row), *self.shape[1:]), self.dtype)
        for number, array in enumerate(self.sources):
            here = source == number
            if here.any():
                out[here] = array[row[here]]
        return out

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return self[:].astype(dtype or self.dtype, copy=False)
