"""Pictures: frames of a clip in the order of their names."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from igmsweep.data.files import refuse_pointer
from igmsweep.errors import DataError

SUFFIXES = (".jpg", ".jpeg", ".png")


def frame_files(folder: Path) -> list[Path]:
    """The pictures of a clip's folder, sorted by name (a directory's own order differs between file systems).

    Raises:
        DataError: the folder is missing or holds no picture.
    """
    found = sorted(path for path in folder.glob("*") if path.suffix.lower() in SUFFIXES)
    if not found:
        raise DataError(f"{folder}: {'holds no picture' if folder.is_dir() else 'no such folder'}")
    return found


def read_picture(path: Path, size: tuple[int, int], channels: int) -> NDArray[np.uint8]:
    """(channels, height, width), resized to `size` where it differs.

    Raises:
        DataError: the file is missing, truncated or no picture.
    """
    from PIL import Image

    refuse_pointer(path)
    try:
        with Image.open(path) as picture:
            converted = picture.convert("L" if channels == 1 else "RGB")
            if converted.size != (size[1], size[0]):
                converted = converted.resize((size[1], size[0]), Image.Resampling.BILINEAR)
            pixels = np.asarray(converted, dtype=np.uint8)
    except DataError:
        raise
    except Exception as error:
        raise DataError(f"{path}: not readable as a picture ({' '.join(str(error).split())})") from None
    return pixels[None] if channels == 1 else np.ascontiguousarray(pixels.transpose(2, 0, 1))
