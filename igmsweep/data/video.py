"""Videos of any container through PyAV: frames in the order they are decoded, and the sound track."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from igmsweep.data.files import BadFile, reason, refuse_pointer

if TYPE_CHECKING:
    from PIL.Image import Image


@contextmanager
def opened(path: Path) -> Iterator[Any]:
    """A PyAV container. Raises BadFile for a file that is missing or no video."""
    import av

    refuse_pointer(path)
    logging.getLogger("libav").setLevel(logging.CRITICAL)  # broken files are named once, by us
    try:
        container = av.open(str(path))
    except (av.FFmpegError, OSError, ValueError) as error:
        raise BadFile("unreadable", path, f"not readable as a video ({reason(error)})") from None
    with container:
        yield container


def read_frames(path: Path, per_second: bool = True, limit: int | None = None) -> list[Image]:
    """Pictures of a video in order: every one, or the field's "1 fps", which is every int(fps)-th from the first.

    Frames are decoded one after the other and counted, since seeking lands on key frames only.

    Args:
        limit: stop after so many pictures.

    Raises:
        BadFile: the file is missing, no video, or holds no frame that can be decoded.
    """
    import av

    frames: list[Image] = []
    with opened(path) as container:
        if not container.streams.video:
            raise BadFile("empty", path, "has no video stream")
        stream = container.streams.video[0]
        rate = stream.average_rate or stream.guessed_rate or 1
        step = max(1, int(rate)) if per_second else 1
        try:
            for number, frame in enumerate(container.decode(stream)):
                if number % step == 0:
                    frames.append(frame.to_image())
                    if limit is not None and len(frames) >= limit:
                        break
        except (av.FFmpegError, ValueError) as error:
            if not frames:
                raise BadFile("unreadable", path, f"not readable as a video ({reason(error)})") from None
            raise BadFile("truncated", path, f"stops after {number + 1} frames ({reason(error)})") from None
    if not frames:
        raise BadFile("empty", path, "holds no frames")
    return frames


def read_track(path: Path) -> tuple[NDArray[np.float32], int]:
    """The first sound track: channels averaged, (samples,) in [-1, 1], and its rate in Hz.

    Raises:
        BadFile: the file is missing, no video, or has no sound.
    """
    import av

    blocks = []
    with opened(path) as container:
        if not container.streams.audio:
            raise BadFile("no audio", path, "has no audio stream")
        stream = container.streams.audio[0]
        rate = int(stream.rate)
        resampler = av.AudioResampler(format="fltp")
        try:
            for frame in container.decode(stream):
                blocks += [block.to_ndarray().mean(axis=0) for block in resampler.resample(frame)]
            blocks += [block.to_ndarray().mean(axis=0) for block in resampler.resample(None)]
        except (av.FFmpegError, ValueError) as error:
            if not blocks:
                raise BadFile("unreadable", path, f"its sound cannot be decoded ({reason(error)})") from None
            raise BadFile("truncated", path, f"its sound stops early ({reason(error)})") from None
    wave = np.concatenate(blocks).astype(np.float32) if blocks else np.zeros(0, np.float32)
    if len(wave) == 0:
        raise BadFile("no audio", path, "its audio stream holds no samples")
    return wave, rate


def seconds(path: Path) -> float | None:
    """Length of a video as its container says it; None where it does not.

    Raises:
        BadFile: the file is missing or no video.
    """
    with opened(path) as container:
        return None if not container.duration else container.duration / 1e6


def backend() -> str:
    """The decoder and its version, for the cache's key."""
    import av

    codec = ".".join(str(part) for part in av.library_versions["libavcodec"])
    return f"av {av.__version__}, libavcodec {codec}"
