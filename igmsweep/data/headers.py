"""What headers, lengths and last bytes tell of a file without decoding it.

They never condemn: a file that they do not vouch for is decoded, and the decoder gives the verdict. What they cannot see
is damage in the middle of a file whose beginning, end and lengths are in order.
"""

from __future__ import annotations

import struct
from functools import lru_cache
from pathlib import Path

import numpy as np

from igmsweep.data import arrays, audio
from igmsweep.data.audio import CONTAINERS, SOUNDS
from igmsweep.data.files import BadFile
from igmsweep.data.frames import SUFFIXES, frame_files
from igmsweep.data.frames import header as frame_header
from igmsweep.data.limits import FRAMES, PIXELS, refuse_picture
from igmsweep.data.video import Contents, contents
from igmsweep.gate.files import regular

TAIL = 64
"""Bytes at a picture's end in which its end marker is looked for."""
PROBES, PROBE = 5, 2048
"""Places of a sound, and samples at each, of which one must be loud."""
SMALL = PIXELS // 1024
"""Bytes of a JPEG that has fewer than `PIXELS`: each 64 of them take a bit at least, so this is on the safe side."""


def vouched(path: Path, kind: str) -> bool:
    """Whether a file, or every picture of a folder, can be read for a modality of that kind, as far as headers tell.

    Raises:
        BadFile: a folder holds no picture.
    """
    suffix = path.suffix.lower()
    if suffix in CONTAINERS:
        found = packets(path)
        return found is not None and (found.sound if kind == "audio" else 0 < found.frames <= FRAMES)
    if suffix in SOUNDS:
        return sound(path)
    if suffix in SUFFIXES:
        return picture(path)
    if suffix == ".npy":
        return array(path) is not None
    return path.is_dir() and all(map(picture, frame_files(path)))


def picture(path: Path) -> bool:
    """A JPEG or PNG file that ends with its end marker."""
    if not regular(path):
        return False
    try:
        with path.open("rb") as file:
            start = file.read(24)
            size = file.seek(0, 2)
            file.seek(-min(TAIL, size), 2)
            end = file.read()
        if start.startswith(b"\xff\xd8\xff"):
            if size > SMALL:
                frame_header(path)
            return b"\xff\xd9" in end
        if len(start) < 24 or not start.startswith(b"\x89PNG\r\n\x1a\n"):
            return False
        refuse_picture(path, *struct.unpack(">II", start[16:]))
    except (OSError, BadFile):
        return False
    return b"IEND" in end


def sound(path: Path) -> bool:
    """A sound file that is as long as its header says, and not silent."""
    try:
        with audio.opened(path) as file:
            starts = np.linspace(0, max(0, file.frames - PROBE), PROBES).astype(int)
            for start in starts[::-1] if file.seekable() else starts[:1]:  # the end first: is it there?
                file.seek(start)
                wave = file.read(PROBE, dtype="float32", always_2d=True).mean(axis=1)
                if len(wave) and np.abs(wave).max() >= audio.SILENCE:
                    return audio.missing_bytes(path) == 0
    except (OSError, RuntimeError, ValueError, BadFile):  # ValueError: the length of a damaged MP3 is negative
        return False
    return False


def packets(path: Path) -> Contents | None:
    """What a video's packets tell, undecoded; None where they are not in order. Kept for the modality that asks next."""
    try:
        status = path.stat()
    except (OSError, ValueError):
        return None
    return _packets(path, status.st_size, status.st_mtime_ns)


def array(path: Path) -> tuple[int, ...] | None:
    """The shape of a `.npy` file of numbers that is as long as its header says; else None."""
    try:
        return arrays.header(path)
    except BadFile:
        return None


@lru_cache(maxsize=64)
def _packets(path: Path, size: int, time: int) -> Contents | None:
    try:
        return contents(path)
    except BadFile:
        return None
