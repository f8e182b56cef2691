"""Pictures kept as JPEG in the cache, an array to their readers: a sixth of the disk and of the pages, decoded as read.

Frames that fit one node's memory should stay raw: decoding costs each trial processor time in every epoch.
"""

from __future__ import annotations

import io
import itertools
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray

QUALITY = 95
LEAST = 16
"""Pixels a side from which on an array of bytes counts as pictures."""


def backend() -> str:
    """What wrote the files, for the cache's key."""
    import PIL

    return f"jpeg {QUALITY} 4:4:4 pillow {PIL.__version__}"


def is_pictures(array: np.ndarray) -> bool:
    """Bytes of (C, H, W), (frames, C, H, W) or (C, frames, H, W)."""
    return array.dtype == np.uint8 and array.ndim in (3, 4) and min(array.shape[-2:]) >= LEAST


def encode(array: NDArray[np.uint8]) -> list[bytes]:
    """One sample's pictures, in colour where it has three channels, else a grey one a plane."""
    from PIL import Image

    blobs = []
    for plane in _planes(array):
        file = io.BytesIO()
        Image.fromarray(np.ascontiguousarray(plane)).save(file, "JPEG", quality=QUALITY, subsampling=0)
        blobs.append(file.getvalue())
    return blobs


def count(shape: tuple[int, ...]) -> int:
    """JPEG files that a sample of `shape` becomes."""
    return len(_planes(np.empty(shape, np.uint8)))


def decode(blobs: list[NDArray[np.uint8]], out: NDArray[np.uint8]) -> None:
    """Write one sample's pictures into `out`."""
    from PIL import Image

    for plane, blob in zip(_planes(out), blobs, strict=True):
        with Image.open(io.BytesIO(blob.tobytes())) as picture:
            plane[...] = np.asarray(picture)


def _planes(array: NDArray[np.uint8]) -> list[NDArray[np.uint8]]:
    """Views of the pictures in an array: (H, W, 3), or (H, W) where there are not three channels."""
    if array.ndim == 3:
        array = array[None]
    elif array.shape[1] not in (1, 3):
        array = array.swapaxes(0, 1)
    if array.shape[1] == 3:
        return [frame.transpose(1, 2, 0) for frame in array]
    return [plane for frame in array for plane in frame]


class Jpegs:
    """Samples of one shape, kept as JPEG. Indexing with an integer, a slice or an index array decodes.

    Args:
        bounds: (samples, pictures + 1) int64: where in `data` each picture begins and the last one ends.
        data: all files, one after the other; memory-mapped.
        shape: of one sample.
        threads: that decode at a time; None: as many as torch computes with.
    """

    dtype = np.dtype(np.uint8)

    def __init__(
        self, bounds: np.ndarray, data: np.ndarray, shape: tuple[int, ...], threads: int | None = None
    ) -> None:
        self._bounds = bounds
        self._data = data
        self._threads = threads
        self.shape: tuple[int, ...] = (len(bounds), *shape)

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def nbytes(self) -> int:
        """Bytes that the decoded array takes."""
        return int(np.prod(self.shape))

    def __len__(self) -> int:
        return len(self._bounds)

    def __getitem__(self, key: Any) -> NDArray[np.uint8]:
        if isinstance(key, int | np.integer):
            return self[np.array([key])][0]
        bounds = self._bounds[key]
        out = np.empty((len(bounds), *self.shape[1:]), np.uint8)

        def one(row: int) -> None:
            ends = bounds[row].tolist()
            decode([self._data[first:end] for first, end in itertools.pairwise(ends)], out[row])

        threads = self._threads or _threads()
        if threads == 1 or len(out) < 2:
            for row in range(len(out)):
                one(row)
        else:
            with ThreadPoolExecutor(threads) as pool:
                list(pool.map(one, range(len(out))))
        return out

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return self[:].astype(dtype or self.dtype, copy=False)


def _threads() -> int:
    import torch

    return torch.get_num_threads()
