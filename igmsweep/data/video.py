"""Videos of any container through PyAV: frames in the order they are decoded, and the sound track."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from igmsweep.data.files import BadFile, reason, refuse_pointer

if TYPE_CHECKING:
    from PIL.Image import Image


@contextmanager
def opened(path: Path, options: dict[str, str] | None = None) -> Iterator[Any]:
    """A PyAV container, under FFmpeg's options of formats. Raises BadFile for a file that is missing or no video."""
    import av

    refuse_pointer(path)
    logging.getLogger("libav").setLevel(logging.CRITICAL)  # broken files are named once, by us
    try:
        container = av.open(str(path), container_options=options or {})
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
        step = _step(stream) if per_second else 1
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


def _step(stream: Any) -> int:
    """Every how many frames the field takes one, for one a second."""
    return max(1, int(stream.average_rate or stream.guessed_rate or 1))


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


def header(path: Path) -> tuple[int, int, float]:
    """Width, height and seconds of a video's pictures as the header says.

    Raises:
        BadFile: the file is missing, no video, has no pictures or does not say how long it is.
    """
    with opened(path) as container:
        if not container.streams.video:
            raise BadFile("empty", path, "has no video stream")
        if not container.duration:
            raise BadFile("unreadable", path, "does not say how long it is")
        codec = container.streams.video[0].codec_context
        return int(codec.width), int(codec.height), container.duration / 1e6


def sound_header(path: Path) -> tuple[int, float]:
    """Rate in Hz and seconds of a video's first sound track as the header says.

    Raises:
        BadFile: the file is missing, no video, has no sound or does not say how long it is.
    """
    with opened(path) as container:
        if not container.streams.audio:
            raise BadFile("no audio", path, "has no audio stream")
        if not container.duration:
            raise BadFile("unreadable", path, "does not say how long it is")
        return int(container.streams.audio[0].rate), container.duration / 1e6


@dataclass(frozen=True)
class Contents:
    """`frames` are pictures of the first video stream, `step` of them make one of the field's "1 fps"; `sound`: the first
    track is not empty; `seconds` as the container says, None where it does not."""

    frames: int
    step: int
    sound: bool
    seconds: float | None


def contents(path: Path) -> Contents:
    """What the packets of a video tell, undecoded.

    Raises:
        BadFile: the file is missing, no video, or ends early.
    """
    import av

    # an AVI has its rate in its header; FFmpeg decodes frames to guess it all the same, which takes as long as the rest
    with opened(path, {"fpsprobesize": "0"} if path.suffix.lower() == ".avi" else None) as container:
        video = next(iter(container.streams.video), None)
        sound = next(iter(container.streams.audio), None)
        counts: dict[int, int] = {}
        try:
            for packet in container.demux():
                if packet.is_corrupt:
                    raise BadFile("truncated", path, "holds damaged packets")
                counts[packet.stream.index] = counts.get(packet.stream.index, 0) + (packet.size > 0)
        except (av.FFmpegError, ValueError) as error:
            raise BadFile("truncated", path, f"stops early ({reason(error)})") from None
        frames = 0 if video is None else counts.get(video.index, 0)
        if video is not None and frames < video.frames:
            raise BadFile("truncated", path, f"holds {frames} frames, its header says {video.frames}")
        duration = None if not container.duration else container.duration / 1e6
        heard = sound is not None and counts.get(sound.index, 0) > 0
        return Contents(frames, 1 if video is None else _step(video), heard, duration)


def backend() -> str:
    """The decoder and its version, for the cache's key."""
    import av

    codec = ".".join(str(part) for part in av.library_versions["libavcodec"])
    return f"av {av.__version__}, libavcodec {codec}"
