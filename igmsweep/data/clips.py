"""Stretches of videos by frame number, and optical flow between their frames."""

from __future__ import annotations

import importlib
import itertools
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from igmsweep.data.files import BadFile, reason
from igmsweep.data.frames import frame_files, open_picture, pixels
from igmsweep.data.video import opened
from igmsweep.errors import UserError

FlowAlgorithm = Literal["dis", "farneback", "tvl1"]
FLOW_BOUND = 20.0
"""Flow is kept within this many pixels a frame, I3D's convention, and spread over the values of a byte."""


def read_stretch(path: Path, first: int, end: int, size: int, channels: int) -> NDArray[np.uint8]:
    """Frames `first` to `end`, the last excluded, of a video or of a folder of pictures: (end - first, C, size, size).

    Frames are decoded from the start and counted, since a seek lands on key frames only. Colours are red, green, blue.

    Raises:
        BadFile: the file is missing, no video, or ends before frame `end`.
    """
    if path.is_dir():
        files = frame_files(path)
        if len(files) < end:
            raise BadFile("short", path, f"holds {len(files)} frames, expected {end}")
        return np.stack([pixels(open_picture(file), (size, size), channels) for file in files[first:end]])
    import av

    frames: list[NDArray[np.uint8]] = []
    number = -1
    with opened(path) as container:
        if not container.streams.video:
            raise BadFile("empty", path, "has no video stream")
        stream = container.streams.video[0]
        try:
            for number, frame in enumerate(container.decode(stream)):
                if number >= end:
                    break
                if number >= first:
                    frames.append(pixels(frame.to_image(), (size, size), channels))
        except (av.FFmpegError, ValueError) as error:
            raise BadFile("truncated", path, f"stops after {number + 1} frames ({reason(error)})") from None
    if len(frames) < end - first:
        raise BadFile("short", path, f"holds {number + 1} frames, expected {end}")
    return np.stack(frames)


def fit_frames(clip: NDArray[np.uint8], count: int) -> NDArray[np.uint8]:
    """The first `count` frames; a shorter clip repeats its last."""
    rows = np.minimum(np.arange(count), len(clip) - 1)
    return clip[rows]


def optical_flow(clip: NDArray[np.uint8], algorithm: FlowAlgorithm) -> NDArray[np.uint8]:
    """Flow from each frame of (T, 3, H, W) to the next, as (T, 2, H, W) bytes, horizontal before vertical.

    127.5 is rest and 0 and 255 are FLOW_BOUND pixels to the left or up and to the right or down. The last frame, which
    has no next one, repeats the flow before it.

    Raises:
        UserError: OpenCV, or the algorithm in it, is not installed.
    """
    cv2, engine = _engine(algorithm)
    grey = [cv2.cvtColor(np.ascontiguousarray(frame.transpose(1, 2, 0)), cv2.COLOR_RGB2GRAY) for frame in clip]
    flows = [engine(one, other) for one, other in itertools.pairwise(grey)]
    if not flows:
        flows = [np.zeros((*grey[0].shape, 2), np.float32)]
    flows.append(flows[-1])
    return flow_as_bytes(np.stack(flows[: len(clip)]).transpose(0, 3, 1, 2))


def flow_as_bytes(flow: NDArray[np.floating]) -> NDArray[np.uint8]:
    """Pixels a frame, cut at FLOW_BOUND on both sides, as bytes."""
    return np.round((np.clip(flow, -FLOW_BOUND, FLOW_BOUND) / FLOW_BOUND + 1) * 127.5).astype(np.uint8)


def flow_backend(algorithm: FlowAlgorithm) -> str:
    """Algorithm and OpenCV's version, for the cache's key."""
    cv2, _ = _engine(algorithm)
    return f"{algorithm} opencv {cv2.__version__}"


def _engine(algorithm: FlowAlgorithm) -> tuple[Any, Any]:
    try:
        cv2: Any = importlib.import_module("cv2")
    except ImportError:
        raise UserError(
            "data.options.flow: optical flow needs OpenCV; install it with: pip install 'igmsweep[flow]', "
            "or set data.options.flow to npy where flow is on disk already"
        ) from None
    if algorithm == "farneback":
        return cv2, lambda one, other: cv2.calcOpticalFlowFarneback(one, other, None, 0.5, 3, 15, 3, 5, 1.2, 0)
    if algorithm == "dis":
        dis = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
        return cv2, lambda one, other: dis.calc(one, other, None)
    if not hasattr(cv2, "optflow"):
        raise UserError(
            "data.options.flow: tvl1 is in opencv-contrib-python-headless alone, which replaces opencv-python-headless"
        )
    tvl1 = cv2.optflow.DualTVL1OpticalFlow_create()
    return cv2, lambda one, other: tvl1.calc(one, other, None)
