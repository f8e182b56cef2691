"""Videos of any container through PyAV: frames in the order they are decoded, and the sound track."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from igmsweep.data.files import BadFile, reason, refuse_pointer
from igmsweep.data.limits import FRAME, FRAMES, PACKETS, SAMPLES, SECONDS, refuse_length, refuse_picture, refuse_sound

if TYPE_CHECKING:
    from PIL.Image import Image


FORMATS = "mov,mp4,flv,avi,matroska,webm,mpeg,mpegts,mpegvideo,asf,h264,hevc,m4v"
"""FFmpeg's names of what is opened: no playlists, which name other files and addresses."""


@contextmanager
def opened(path: Path, options: dict[str, str] | None = None) -> Iterator[Any]:
    """A PyAV container, under FFmpeg's options of formats. Raises BadFile for a file that is missing, no video, or beyond
    `igmsweep.data.limits`."""
    import av

    refuse_pointer(path)
    logging.getLogger("libav").setLevel(logging.CRITICAL)  # broken files are named once, by us
    try:
        container = av.open(str(path), container_options={"format_whitelist": FORMATS, **(options or {})})
    except (av.FFmpegError, OSError, ValueError) as error:
        raise BadFile("unreadable", path, f"not readable as a video ({reason(error)})") from None
    with container:
        refuse_length(path, (container.duration or 0) / 1e6)
        codec = next((stream.codec_context for stream in container.streams.video), None)
        if codec is not None and codec.width:  # else its first frame will say
            refuse_picture(path, codec.width, codec.height, FRAME)
        try:
            yield container
        except IndexError:  # PyAV's own
            raise BadFile("unreadable", path, "holds packets of a stream that it does not name") from None


def read_frames(path: Path, per_second: bool = True) -> Iterator[Image]:
    """Pictures of a video in order, decoded as they are asked for: every one, or the field's "1 fps", which is every int(fps)-th from the first.

    Frames are decoded one after the other and counted, since seeking lands on key frames only.

    Raises:
        BadFile: the file is missing, no video, holds no frame that can be decoded, or ends early; or more than `FRAMES` were decoded.
    """
    import av

    number = -1
    with opened(path) as container:
        if not container.streams.video:
            raise BadFile("empty", path, "has no video stream")
        stream = container.streams.video[0]
        _decoder(path, stream)
        step = _step(stream) if per_second else 1
        try:
            for number, frame in enumerate(container.decode(stream)):
                if number >= FRAMES:
                    raise BadFile("unreadable", path, f"holds more than {FRAMES:,} frames; cut it into clips")
                if number % step == 0:
                    refuse_picture(path, frame.width, frame.height, FRAME)
                    yield frame.to_image()
        except (av.FFmpegError, ValueError) as error:
            if number < 0:
                raise BadFile("unreadable", path, f"not readable as a video ({reason(error)})") from None
            raise BadFile("truncated", path, f"stops after {number + 1} frames ({reason(error)})") from None
    if number < 0:
        raise BadFile("empty", path, "holds no frames")


def _step(stream: Any) -> int:
    """Every how many frames the field takes one, for one a second."""
    return max(1, int(stream.average_rate or stream.guessed_rate or 1))


def read_track(path: Path, seconds: float = SECONDS) -> tuple[NDArray[np.float32], int]:
    """The first sound track: channels averaged, (samples,) in [-1, 1], and its rate in Hz.

    Args:
        seconds: what lies behind them is not decoded.

    Raises:
        BadFile: the file is missing, no video, has no sound, or more of it than `igmsweep.data.limits` allow.
    """
    import av

    blocks: list[NDArray[np.float32]] = []
    length = 0
    with opened(path) as container:
        if not container.streams.audio:
            raise BadFile("no audio", path, "has no audio stream")
        stream = container.streams.audio[0]
        rate = _rate(path, stream)
        most = min(SAMPLES, math.ceil(seconds * rate))
        resampler = av.AudioResampler(format="fltp")
        try:
            for frame in container.decode(stream):
                blocks += [block.to_ndarray().mean(axis=0) for block in resampler.resample(frame)]
                length += frame.samples
                if length >= most:
                    break
            blocks += [block.to_ndarray().mean(axis=0) for block in resampler.resample(None)]
        except (av.FFmpegError, ValueError) as error:
            if not blocks:
                raise BadFile("unreadable", path, f"its sound cannot be decoded ({reason(error)})") from None
            raise BadFile("truncated", path, f"its sound stops early ({reason(error)})") from None
    wave = np.concatenate(blocks).astype(np.float32)[:most] if blocks else np.zeros(0, np.float32)
    if len(wave) >= SAMPLES:
        raise BadFile("unreadable", path, f"holds more than {SAMPLES:,} samples of sound")
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
        codec = _decoder(path, container.streams.video[0])
        return int(codec.width), int(codec.height), _duration(path, container)


def sound_header(path: Path) -> tuple[int, float]:
    """Rate in Hz and seconds of a video's first sound track as the header says.

    Raises:
        BadFile: the file is missing, no video, has no sound or does not say how long it is.
    """
    with opened(path) as container:
        if not container.streams.audio:
            raise BadFile("no audio", path, "has no audio stream")
        return _rate(path, container.streams.audio[0]), _duration(path, container)


def _duration(path: Path, container: Any) -> float:
    """Seconds of a container. Raises BadFile where it does not say."""
    if not container.duration:
        raise BadFile("unreadable", path, "does not say how long it is")
    return float(container.duration / 1e6)


def _rate(path: Path, stream: Any) -> int:
    """The rate of a sound track in Hz. Raises BadFile where that or its channels are beyond `igmsweep.data.limits`."""
    codec = _decoder(path, stream)
    refuse_sound(path, codec.rate, codec.channels)
    return int(codec.rate)


def _decoder(path: Path, stream: Any) -> Any:
    """What decodes a stream. Raises BadFile where nothing does."""
    if stream.codec_context is None:
        raise BadFile("unreadable", path, f"its {stream.type} is coded in a way that no decoder knows")
    return stream.codec_context


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
                if sum(counts.values()) > PACKETS:
                    raise BadFile("unreadable", path, f"holds more than {PACKETS:,} packets")
        except (av.FFmpegError, ValueError) as error:
            raise BadFile("truncated", path, f"stops early ({reason(error)})") from None
        video, sound = (None if each is None or each.codec_context is None else each for each in (video, sound))
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
