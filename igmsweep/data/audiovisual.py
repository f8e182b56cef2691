"""What CREMA-D, Kinetics-Sounds and their like share: a sound and some frames a clip, read, cached and augmented alike."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import Field

from igmsweep.data import audio, augment, frames, headers, video
from igmsweep.data.base import DataOptions, DataSet, Modality, Remark, Sample
from igmsweep.data.frames import FramePolicy
from igmsweep.data.front_ends import FRONT_ENDS

if TYPE_CHECKING:
    import torch


class AudioVisualOptions(DataOptions):
    """How sound and frames are read; every field but `crop` belongs to the cache's recipe."""

    frontend: Literal["stft22k", "stft35k", "stft16k", "fbank128"] = "stft22k"
    """The spectrogram, by name; see `igmsweep.data.front_ends`."""
    spectrogram: Literal["float32", "float16"] = "float32"
    """What the cache holds; float16 halves it and is off by at most 0.0065."""
    frames: int = Field(1, ge=1, le=64)
    """Frames of a clip that the encoder sees."""
    frame_policy: FramePolicy = "uniform"
    """`first` ones, the middles of equal stretches (`uniform`), or `random`: other ones in every epoch."""
    frame_pool: int = Field(3, ge=1, le=64)
    """Under `random`, how many frames of a clip are cached to draw from."""
    size: int = Field(256, ge=8, le=1024)
    """Height and width of a cached frame."""
    crop: int = Field(224, ge=8, le=1024)
    """Height and width of what the encoder sees."""


class AudioVisual(DataSet):
    """A clip is a sound and its frames. `sample.files` names a sound file or a video, a folder of pictures or a video."""

    Options: type[DataOptions] = AudioVisualOptions
    options: AudioVisualOptions
    audio = "audio"
    video = "video"
    aspect = 1.0
    """Width over height of the frames on disk, where all have the same."""
    least_frames = 1
    """Clips with fewer frames are not usable."""
    usual_seconds: tuple[float, float] = (0.0, float("inf"))
    """Sounds outside are remarked upon by `data check`."""

    def __init__(self) -> None:
        self.options = self.Options()  # type: ignore[assignment]
        self.settle()

    def settle(self) -> None:
        o = self.options
        picture = (3, o.crop, o.crop) if o.frames == 1 else (3, o.frames, o.crop, o.crop)
        self.modalities = {
            self.audio: Modality(self.audio, "audio", (1, *FRONT_ENDS[o.frontend].shape), "resnet18"),
            self.video: Modality(self.video, "video", picture, "resnet18"),
        }

    @property
    def _cached_frames(self) -> int:
        return max(self.options.frames, self.options.frame_pool if self.options.frame_policy == "random" else 1)

    def read(self, sample: Sample) -> dict[str, np.ndarray]:
        return {name: self.read_modality(sample, name) for name in self.modalities}

    def read_modality(self, sample: Sample, name: str) -> np.ndarray:
        """float spectrogram (bins, frames), or uint8 frames (count, 3, size, size)."""
        path = sample.files[name]
        if name == self.audio:
            front_end = FRONT_ENDS[self.options.frontend]
            wave = audio.read_sound(path, front_end.rate)
            audio.refuse_silence(wave, path)
            return front_end(wave).astype(self.options.spectrogram)
        size = (self.options.size, self.options.size)
        return frames.read_clip(path, size, self._cached_frames, self.options.frame_policy, self.least_frames)

    def blank(self, name: str) -> np.ndarray:
        """The spectrogram of silence, or grey frames."""
        if name == self.audio:
            front_end = FRONT_ENDS[self.options.frontend]
            return front_end(np.zeros(front_end.rate, np.float32)).astype(self.options.spectrogram)
        return np.full((self._cached_frames, 3, self.options.size, self.options.size), frames.GREY, np.uint8)

    def recipe(self) -> dict[str, Any]:
        return {
            "audio": FRONT_ENDS[self.options.frontend].recipe(),
            "spectrogram": self.options.spectrogram,
            "frames": {
                "count": self._cached_frames,
                "policy": "uniform" if self.options.frame_policy == "random" else self.options.frame_policy,
                "least": self.least_frames,
                "size": self.options.size,
                "backend": [frames.backend(), video.backend()],
            },
            "classes": list(self.classes),
        }

    def transform(
        self, inputs: dict[str, torch.Tensor], training: bool, generator: torch.Generator
    ) -> dict[str, torch.Tensor]:
        """(n, 1, bins, frames), normalised as the front end says; frames cropped, flipped and less ImageNet's mean.

        Frames are (n, 3, crop, crop), or (n, 3, frames, crop, crop) where there are several.
        """
        batch = {}
        for name, x in inputs.items():
            if name == self.audio:
                batch[name] = FRONT_ENDS[self.options.frontend].normalised(x)
                continue
            count, crop = self.options.frames, self.options.crop
            if x.shape[1] > count:
                chosen = frames.frame_indices(x.shape[1], count, "uniform")
                x = augment.random_frames(x, count, generator) if training else x[:, chosen]
            flat = x.flatten(0, 1)
            if training:
                flat = augment.random_crop_and_flip(flat, crop, generator, per_clip=count, aspect=self.aspect)
            else:
                flat = augment.resize(flat, crop)
            clip = augment.normalise(flat, *augment.IMAGENET).unflatten(0, (-1, count))
            batch[name] = clip[:, 0] if count == 1 else clip.transpose(1, 2)
        return batch

    def vouched(self, sample: Sample, name: str) -> bool:
        path = sample.files[name]
        if name == self.audio:
            return headers.vouched(path, "audio")
        if path.suffix.lower() in audio.CONTAINERS:
            found = headers.packets(path)
            return found is not None and -(-found.frames // found.step) >= self.least_frames
        chosen = frames.chosen_files(path, self._cached_frames, self.options.frame_policy, self.least_frames)
        return all(map(headers.picture, chosen))

    def inspect(self, sample: Sample, decode: bool = False) -> list[Remark]:
        remarks = super().inspect(sample, decode)
        if any(remark.kind != "silent" for remark in remarks):
            return remarks
        for name, path in {path: (name, path) for name, path in sample.files.items()}.values():
            length = _seconds(path)
            if length is not None and not self.usual_seconds[0] <= length <= self.usual_seconds[1]:
                kind = "long" if length > self.usual_seconds[1] else "brief"
                usual = f"{self.usual_seconds[0]:g} to {self.usual_seconds[1]:g} s"
                remarks.append(Remark(kind, sample.id, name, f"{path}: lasts {length:.1f} s, expected {usual}"))
        return remarks


def _seconds(path: Path) -> float | None:
    if path.suffix.lower() in audio.CONTAINERS:
        found = headers.packets(path)
        return None if found is None else found.seconds
    if path.suffix.lower() in audio.SOUNDS:
        return audio.header(path)[1]
    return None
