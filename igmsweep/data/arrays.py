"""`.npy` files, of which the header is looked at before any memory is given to it."""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.lib import format as npy

from igmsweep.data.files import BadFile, reason, refuse_pointer
from igmsweep.data.limits import NUMBERS
from igmsweep.errors import DataError


def header(path: Path) -> tuple[int, ...]:
    """The shape of an array of numbers that is as long as its header says.

    Raises:
        BadFile: the file is missing, no array of numbers, ends early, or holds more than `NUMBERS`.
    """
    refuse_pointer(path)
    try:
        with path.open("rb") as file:
            version = npy.read_magic(file)
            read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
            shape, _, dtype = read(file)
            lacking = math.prod(shape) * dtype.itemsize - (path.stat().st_size - file.tell())
    except Exception as error:  # numpy lets the tokenizer's through
        raise BadFile("unreadable", path, f"not readable as an array ({reason(error)})") from None
    if dtype.kind not in "biuf":
        raise BadFile("unreadable", path, f"is an array of {str(dtype)[:60]}, expected numbers")
    if any(length < 0 for length in shape) or lacking > 0:
        raise BadFile("truncated", path, f"is truncated: {lacking:,} bytes fewer than its header says")
    if math.prod(shape) > NUMBERS:
        raise BadFile("unreadable", path, f"holds {math.prod(shape):,} numbers, expected at most {NUMBERS:,}")
    return tuple(shape)


def read(path: Path) -> np.ndarray:
    """The array in a file.

    Raises:
        BadFile: as `header`.
    """
    header(path)
    try:
        return np.asarray(np.load(path, allow_pickle=False))
    except (OSError, ValueError, EOFError) as error:
        raise BadFile("unreadable", path, f"not readable as an array ({reason(error)})") from None


def read_input(path: Path) -> np.ndarray:
    """The array in a file as an encoder is given it: float32 of three or four axes.

    Raises:
        BadFile: as `header`, or it has no axis or more than four, or holds NaN or infinity.
    """
    array = read(path)
    if not 1 <= array.ndim <= 4:
        raise BadFile("unreadable", path, f"is {array.dtype} of {array.ndim} axes, expected numbers of 1 to 4 axes")
    with np.errstate(over="ignore"):
        found = array.reshape(three_axes(array.shape)).astype(np.float32)
    if not np.isfinite(found).all():
        raise BadFile("unreadable", path, "holds NaN or infinity")
    return found


def three_axes(shape: tuple[int, ...]) -> tuple[int, ...]:
    """An array's shape as that of a picture of one channel, or of a row of one; four axes stay."""
    return (1,) * (3 - len(shape)) + shape


def first_shape(paths: Iterable[Path]) -> tuple[int, ...]:
    """The shape of the first array that can be used, as `read_input` gives it.

    Raises:
        DataError: none can; it says why the first cannot.
    """
    first: DataError | None = None
    for path in paths:
        try:
            return read_input(path).shape
        except DataError as error:
            first = first or error
    raise DataError(f"{first}; nor can any other array of its column be used")
