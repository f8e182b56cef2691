"""What the files of one sample may ask for. Whatever asks for more is refused by name, before it is decoded: a few bytes can stand
for pictures, sounds and arrays that no memory holds, or that take hours.
"""

from __future__ import annotations

from pathlib import Path

from igmsweep.data.files import BadFile

PIXELS = 100_000_000
"""Of a picture."""
FRAME = 40_000_000
"""Pixels of a frame of a video, of which decoders hold several: 8K has 35 million."""
NUMBERS = 2**26
"""Of an array: 256 MiB as float32."""
SECONDS = 4 * 3600.0
"""Of a sound or a video."""
RATES = (100, 1_000_000)
"""Hz of a sound."""
CHANNELS = 64
"""Of a sound."""
SAMPLES = 2**27
"""Of what is read of a sound, in all its channels: 512 MiB."""
FRAMES = 100_000
"""Of a video that are decoded: an hour at 27 a second."""
PACKETS = 2_000_000
"""Of a video: four hours hold half as many."""


def refuse_picture(path: Path, width: int, height: int, most: int = PIXELS) -> None:
    """Raise BadFile for a picture, or a video's frame, of more than `most` pixels, or of none."""
    if not 0 < width * height <= most:
        raise BadFile("unreadable", path, f"is {width:,} x {height:,} pixels, expected 1 to {most:,} in all")


def refuse_sound(path: Path, rate: int | None, channels: int, seconds: float = 0.0) -> None:
    """Raise BadFile for a sound of an absurd rate in Hz, too many channels, or more than `SECONDS`."""
    if rate is None or not RATES[0] <= rate <= RATES[1]:
        raise BadFile("unreadable", path, f"has a rate of {rate or 0:,} Hz, expected {RATES[0]:,} to {RATES[1]:,}")
    if not 0 < channels <= CHANNELS:
        raise BadFile("unreadable", path, f"has {channels:,} channels of sound, expected 1 to {CHANNELS}")
    refuse_length(path, seconds)


def refuse_length(path: Path, seconds: float) -> None:
    """Raise BadFile for what lasts more than `SECONDS`."""
    if seconds > SECONDS:
        raise BadFile("unreadable", path, f"lasts {seconds / 3600:,.1f} h, expected at most {SECONDS / 3600:g}")
