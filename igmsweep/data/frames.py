"""Pictures: single files, and the frames of a clip in the order of their names."""

from __future__ import annotations

import math
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from igmsweep.data.audio import CONTAINERS
from igmsweep.data.files import BadFile, natural, reason, refuse_pointer
from igmsweep.data.limits import PIXELS, refuse_picture
from igmsweep.data.video import read_frames

if TYPE_CHECKING:
    from PIL.Image import Image

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".gif", ".tif", ".tiff")
GREY = 128
"""What a picture that cannot be read is filled with."""
FORMATS = ("JPEG", "PNG", "BMP", "DIB", "WEBP", "GIF", "TIFF")
"""Pillow's names of what is opened, whatever a file is called: no vector formats, for which it runs other programs."""
AT_ONCE = 2**23
"""Pixels beyond which the means of 2 x 2, 3 x 3, ... pixels are taken before anything else, to save memory."""
LARGE = 2048
"""Pixels of a side, beyond which not all are looked at for colours."""
KEPT = 2**28
"""Bytes of a video's frames that are held until it is known which of them are taken."""

_opening = threading.Lock()

FramePolicy = Literal["first", "uniform", "random"]


def frame_files(folder: Path) -> list[Path]:
    """The pictures of a clip's folder, in the order of their names' numbers (a directory's own order differs).

    Raises:
        BadFile: the folder is missing or holds no picture.
    """
    found = [path for path in folder.glob("*") if path.suffix.lower() in SUFFIXES]
    if not found:
        is_there = folder.is_dir()
        raise BadFile("empty" if is_there else "missing", folder, "holds no picture" if is_there else "no such folder")
    return sorted(found, key=lambda path: natural(path.name))


def read_picture(path: Path, size: tuple[int, int], channels: int) -> NDArray[np.uint8]:
    """(channels, height, width), resized to `size` where it differs.

    Raises:
        BadFile: the file is missing, truncated or no picture.
    """
    return pixels(open_picture(path), size, channels)


def open_picture(path: Path) -> Image:
    """A picture, decoded to its last row; a large one smaller (`AT_ONCE`), as no encoder sees so many pixels.

    Raises:
        BadFile: the file is missing, truncated, no picture, or of more than `PIXELS`.
    """
    with _opened(path) as picture:
        picture.load()
        times = math.isqrt(picture.width * picture.height // AT_ONCE)
        if times > 1 and picture.mode in ("L", "LA", "RGB", "RGBA"):
            return picture.reduce(times)
        return _eight_bits(picture.copy())


def upright(picture: Image) -> Image:
    """A picture as people see it: turned as its EXIF data say, and on white where it is transparent."""
    from PIL import Image, ImageOps

    turned = ImageOps.exif_transpose(picture)
    if "A" not in turned.getbands() and "transparency" not in turned.info:
        return turned
    seen = turned.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", seen.size, "white"), seen).convert("RGB")


def _eight_bits(picture: Image) -> Image:
    """The upper half of 16 bits, which Pillow's own conversion would cut off at 255."""
    from PIL import Image

    if picture.mode == "F":
        raise ValueError("its pixels are floating-point numbers, expected 8 or 16 bits")
    if not picture.mode.startswith("I"):
        return picture
    return Image.fromarray(np.clip(np.asarray(picture) >> 8, 0, 255).astype(np.uint8))


def header(path: Path) -> tuple[int, int, bool | None]:
    """Width and height of a picture, and whether it is grey: None where its header allows colours.

    Raises:
        BadFile: the file is missing or no picture.
    """
    with _opened(path) as picture:
        return *picture.size, True if picture.mode in ("1", "L", "LA", "I", "F", "I;16", "I;16B") else None


def looks_grey(path: Path) -> bool:
    """Whether a picture's three colours are the same everywhere; a JPEG is decoded small, of a large picture some pixels are taken.

    Raises:
        BadFile: the file is missing, truncated or no picture.
    """
    from PIL import Image

    with _opened(path) as picture:
        picture.draft("RGB", (64, 64))
        picture.thumbnail((LARGE, LARGE), Image.Resampling.NEAREST)
        red, green, blue = np.moveaxis(np.asarray(picture.convert("RGB")), -1, 0)
    return bool((red == green).all() and (green == blue).all())


@contextmanager
def _opened(path: Path) -> Iterator[Image]:
    """A picture that is decoded within the block. Raises BadFile for what goes wrong there, and for one of more than `PIXELS`."""
    from PIL import Image

    refuse_pointer(path)
    try:
        # Pillow warns of large pictures and refuses larger ones; here they are refused at one size, in one line
        with _opening, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            picture = Image.open(path, formats=FORMATS)
        with picture:
            refuse_picture(path, *picture.size)
            yield picture
    except BadFile:
        raise
    except Image.DecompressionBombError:
        raise BadFile("unreadable", path, f"has far more than {PIXELS:,} pixels, the most that are read") from None
    except Exception as error:
        kind = "truncated" if "truncated" in str(error).lower() else "unreadable"
        raise BadFile(kind, path, f"not readable as a picture ({reason(error)})") from None


def pixels(picture: Image, size: tuple[int, int], channels: int) -> NDArray[np.uint8]:
    """(channels, height, width) of a picture, resized to `size` by an antialiased bilinear filter."""
    from PIL import Image

    mode = "L" if channels == 1 else "RGB"
    converted = picture if picture.mode == mode else picture.convert(mode)  # which would copy it
    if converted.size != (size[1], size[0]):
        converted = converted.resize((size[1], size[0]), Image.Resampling.BILINEAR)
    array = np.asarray(converted, dtype=np.uint8)
    return array[None] if channels == 1 else np.ascontiguousarray(array.transpose(2, 0, 1))


def read_clip(
    path: Path, size: tuple[int, int], count: int, policy: FramePolicy, least: int = 1, channels: int = 3
) -> NDArray[np.uint8]:
    """(count, channels, height, width): frames of a folder of pictures at 1 fps, or of a video at the same rate.

    A clip with fewer frames repeats its last. `first` takes the first ones; `uniform` and `random` the middles of
    `count` equal stretches (which of them a training step sees is drawn later, from the cache).

    Args:
        least: refuse clips with fewer frames.

    Raises:
        BadFile: the clip is missing, unreadable, or has fewer than `least` frames.
    """
    limit = max(count, least) if policy == "first" else None
    if path.suffix.lower() in CONTAINERS:
        arrays = _held(islice(read_frames(path), limit), size, count, channels)
        _at_least(path, len(arrays), least)
        return np.stack([arrays[index] for index in frame_indices(len(arrays), count, policy)])
    return np.stack([pixels(open_picture(file), size, channels) for file in chosen_files(path, count, policy, least)])


def _held(pictures: Iterator[Image], size: tuple[int, int], count: int, channels: int) -> list[NDArray[np.uint8]]:
    """Arrays of pictures; of so many that they would exceed `KEPT`, every second one, or every fourth, and so on."""
    kept: list[NDArray[np.uint8]] = []
    every = 1
    for number, picture in enumerate(pictures):
        if number % every == 0:
            kept.append(pixels(picture, size, channels))
            if len(kept) > max(2 * count, KEPT // kept[0].nbytes):
                kept, every = kept[::2], 2 * every
    return kept


def chosen_files(folder: Path, count: int, policy: FramePolicy, least: int = 1) -> list[Path]:
    """The pictures of a clip's folder that `read_clip` takes.

    Raises:
        BadFile: the folder is missing, or has fewer than `least` pictures.
    """
    files = frame_files(folder)
    _at_least(folder, len(files), least)
    return [files[index] for index in frame_indices(len(files), count, policy)]


def frame_indices(total: int, count: int, policy: FramePolicy) -> list[int]:
    """Which of `total` frames to take, ascending.

    >>> frame_indices(9, 3, "first"), frame_indices(9, 3, "uniform"), frame_indices(2, 3, "first")
    ([0, 1, 2], [1, 4, 7], [0, 1, 1])
    """
    if policy == "first" or total <= count:
        return [min(index, total - 1) for index in range(count)]
    return [int((index + 0.5) * total / count) for index in range(count)]


def _at_least(path: Path, found: int, least: int) -> None:
    if found < least:
        raise BadFile("short", path, f"holds {found} frames, expected at least {least}")


def backend() -> str:
    """The picture decoder and its version, for the cache's key."""
    import PIL

    return f"pillow {PIL.__version__} bilinear"
