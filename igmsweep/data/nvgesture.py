"""NVGesture (Molchanov et al., 2016): 25 hand gestures of a driver, as depth, colour and the colour's optical flow.

    nvgesture_{train,test}_correct_cvpr2016_v2.lst    also without `cvpr2016_`, and the first version without `_v2`
    Video_data/class_01/subject13_r0/{sk_color,sk_depth}.avi    320 x 240, 30 frames a second, H.264

A line of a list is `path:./Video_data/class_01/subject13_r0 depth:sk_depth:90:170 color:sk_color:90:170 ... label:1`: a
sensor's file, its first frame and one past its last. Labels start at 1 and come from the list, never from the folder: 23
clips were relabelled in the second version. Train and test have different subjects; validation is subjects 7 and 12.
Optical flow is computed once, when the cache is built, or read from flow_data/{train,test}/ROW.npy.
"""

from __future__ import annotations

import copy
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import Field, model_validator

from igmsweep.data import arrays, frames, headers, video
from igmsweep.data.base import DataOptions, DataSet, Modality, Part, Sample
from igmsweep.data.clips import fit_frames, flow_as_bytes, flow_backend, optical_flow, read_stretch
from igmsweep.data.files import BadFile
from igmsweep.data.image_text import lines_of
from igmsweep.data.layouts import ListNames, find, first_there, lists_of
from igmsweep.errors import DataError

if TYPE_CHECKING:
    import torch

CLASSES = tuple(f"gesture {number}" for number in range(1, 26))
STEMS = ("correct_cvpr2016_v2", "correct_v2", "correct_cvpr2016", "correct")
"""Endings of the lists' names; the second version before the first."""
KINDS: dict[Part, str] = {"train": "train", "val": "valid", "test": "test"}
LISTS: dict[Part, tuple[ListNames, ...]] = {
    part: (ListNames(tuple(f"nvgesture_{kind}_{stem}.lst" for stem in STEMS), (".", "annotations")),)
    for part, kind in KINDS.items()
}
SENSORS = ("depth", "color")
CHANNELS = {"depth": 1, "rgb": 3, "flow": 2}


class NVGestureOptions(DataOptions):
    """How clips are read; `frames` and `crop` alone stay out of the cache's recipe."""

    flow: Literal["dis", "farneback", "tvl1", "npy"] = "dis"
    """The optical flow's algorithm, or `npy`: read flow_data/{train,test}/ROW.npy, (H, W, 2, T) in pixels, by the row's
    place in its list."""
    clip: int = Field(80, ge=2, le=400)
    """Frames that are cached; the lists' stretches have 80."""
    frames: int = Field(64, ge=2, le=400)
    """Consecutive frames that the encoder sees: at a random place in training, else from the middle."""
    size: int = Field(256, ge=8, le=512)
    """Height and width of a cached frame."""
    crop: int = Field(224, ge=8, le=512)
    """Height and width of what the encoder sees."""
    val_subjects: tuple[int, ...] = (7, 12)
    """Subjects of the train list that are held out, where there is no validation list; with `data.folds` and `data.group:
    subject` they are train again."""

    @model_validator(mode="after")
    def _fits(self) -> NVGestureOptions:
        if self.frames > self.clip:
            raise ValueError(f"frames: found {self.frames}, expected at most clip = {self.clip}")
        if self.crop > self.size:
            raise ValueError(f"crop: found {self.crop}, expected at most size = {self.size}")
        return self


class NVGesture(DataSet):
    """1,532 clips; depth, colour and flow in this order, which is the order of training."""

    name = "nvgesture"
    classes = CLASSES
    metrics = ("acc", "f1")
    grouping = "subject"
    Options = NVGestureOptions
    options: NVGestureOptions

    def __init__(self) -> None:
        self.options = NVGestureOptions()
        self.settle()

    def settle(self) -> None:
        o = self.options
        self.modalities = {
            name: Modality(name, "video", (channels, o.frames, o.crop, o.crop), "i3d")
            for name, channels in CHANNELS.items()
        }
        self.expected = {"train": 1050 - 144, "val": 144, "test": 482} if o.val_subjects == (7, 12) else {"test": 482}

    def defaults(self, method: str) -> dict[str, Any]:
        """Sec. 4.2: I3D from Kinetics, SGD, batches of 6; the released code's stages: 50 epochs each, twice."""
        return {
            "model": {"head": [256, 64], "weights": "pretrained"},
            "optim": {"name": "sgd", "lr": 0.01, "momentum": 0.9, "weight_decay": 1e-4, "batch_size": 6}
            | {"schedule": "plateau", "factor": 0.1},
            "stages": {"cycles": 2, "epochs": 50},
        }

    def index(self, root: Path, part: Part) -> list[Sample]:
        listed = lists_of(root, LISTS)["val"] is not None
        held = set() if listed else {f"subject{number}" for number in self.options.val_subjects}
        rows = _rows(root, "train" if part == "val" and not listed else part)
        if part != "test" and not listed:
            rows = [row for row in rows if (row.subject in held) == (part == "val")]
            if part == "val" and held and not rows:
                named = ", ".join(map(str, self.options.val_subjects))
                raise DataError(
                    f"{root}: the train list has no clip of subject {named}; expected data.options.val_subjects of it"
                )
        samples = []
        for row in rows:
            files = {name: _video(root, row, sensor) for name, sensor in (("depth", "depth"), ("rgb", "color"))}
            files["flow"] = files["rgb"]
            if self.options.flow == "npy":
                kind = "test" if part == "test" else "valid" if part == "val" and listed else "train"
                files["flow"] = _flow_folder(root) / kind / f"{row.number}.npy"
            text = {name: f"{first}:{end}" for name, (_, first, end) in row.sensors.items()}
            samples.append(Sample(row.folder, row.label, files, row.subject, text))
        return samples

    def at(self, root: Path) -> DataSet:
        """With the published test list alone to compare with where there is a validation list of the user's own."""
        if lists_of(root, LISTS)["val"] is None:
            return self
        twin = copy.copy(self)
        twin.expected = {"test": 482}
        return twin

    def departures(self, root: Path, part: Part) -> list[str]:
        path = lists_of(root, LISTS)[part]
        if path is None or path.stem.endswith("_v2"):
            return []
        return [
            f"{part}: {path.name} is the list's first version, of which the second ({path.stem}_v2.lst) corrected labels"
        ]

    def read(self, sample: Sample) -> dict[str, np.ndarray]:
        colour = self._frames(sample, "rgb")
        depth = self._frames(sample, "depth")
        flow = self._npy(sample) if self.options.flow == "npy" else optical_flow(colour, self.options.flow)
        return {"depth": _channels_first(depth), "rgb": _channels_first(colour), "flow": _channels_first(flow)}

    def read_modality(self, sample: Sample, name: str) -> np.ndarray:
        """uint8, (channels, clip, size, size)."""
        if name != "flow":
            return _channels_first(self._frames(sample, name))
        if self.options.flow == "npy":
            return _channels_first(self._npy(sample))
        return _channels_first(optical_flow(self._frames(sample, "rgb"), self.options.flow))

    @property
    def on_disk(self) -> tuple[str, ...]:
        """Computed flow is as good as the colour that it comes from."""
        return tuple(name for name in self.modalities if name != "flow" or self.options.flow == "npy")

    def vouched(self, sample: Sample, name: str) -> bool:
        path = sample.files[name]
        if name == "flow":
            shape = headers.array(path)
            return shape is not None and _is_flow(shape)
        first, end = _stretch(sample, name)
        if not path.is_dir():
            found = headers.packets(path)
            return found is not None and found.frames >= end
        files = frames.frame_files(path)
        return len(files) >= end and all(map(headers.picture, files[first:end]))

    def validation(self, root: Path) -> str:
        if lists_of(root, LISTS)["val"] is not None:
            return super().validation(root)
        return f"subjects {' and '.join(map(str, self.options.val_subjects))} of train"

    def _frames(self, sample: Sample, name: str) -> np.ndarray:
        first, end = _stretch(sample, name)
        clip = read_stretch(sample.files[name], first, end, self.options.size, CHANNELS[name])
        return fit_frames(clip, self.options.clip)

    def _npy(self, sample: Sample) -> np.ndarray:
        path = sample.files["flow"]
        flow = arrays.read(path)
        if not _is_flow(flow.shape):
            raise BadFile("unreadable", path, f"has shape {flow.shape}, expected (height, width, 2, frames)")
        clip = fit_frames(flow_as_bytes(flow.transpose(3, 2, 0, 1)), self.options.clip)
        return _resized(clip, self.options.size)

    def blank(self, name: str) -> np.ndarray:
        """A clip of grey frames, of no depth, or at rest."""
        value = 0 if name == "depth" else frames.GREY
        shape = (CHANNELS[name], self.options.clip, self.options.size, self.options.size)
        return np.full(shape, value, np.uint8)

    def recipe(self) -> dict[str, Any]:
        return {
            "clip": self.options.clip,
            "size": self.options.size,
            "flow": "npy" if self.options.flow == "npy" else flow_backend(self.options.flow),
            "backend": [frames.backend(), video.backend()],
        }

    def transform(
        self, inputs: dict[str, torch.Tensor], training: bool, generator: torch.Generator
    ) -> dict[str, torch.Tensor]:
        """(n, channels, frames, crop, crop) in [-1, 1], as I3D was trained.

        A place in time and space is drawn for each sample, the same for all modalities. There are no mirror images: they
        would be other gestures.
        """
        import torch

        o = self.options
        some = next(iter(inputs.values()))
        room = torch.tensor([o.clip - o.frames, o.size - o.crop], dtype=torch.float32)
        if training:
            draw = torch.rand((len(some), 3), generator=generator, device=some.device).cpu()
            places = (draw * (room[[0, 1, 1]] + 1)).long()
        else:
            places = (room[[0, 1, 1]] / 2).long().expand(len(some), 3)
        batch = {}
        for name, x in inputs.items():
            cut = torch.stack(
                [
                    x[row, :, start : start + o.frames, top : top + o.crop, left : left + o.crop]
                    for row, (start, top, left) in enumerate(places.tolist())
                ]
            )
            batch[name] = cut.float() / 127.5 - 1
        return batch


NVGESTURE = NVGesture()


@dataclass(frozen=True)
class _Row:
    number: int
    """Place in the list, from 0."""
    folder: str
    subject: str
    label: int
    sensors: dict[str, tuple[str, int, int]]
    """File, first frame and one past the last, of `depth` and `color`."""


def _rows(root: Path, part: Part) -> list[_Row]:
    path = find(root, "NVGesture", part, LISTS)
    rows = [_row(path, number, line) for number, line in enumerate(lines_of(path))]
    seen: set[str] = set()
    for row in rows:
        if row.folder in seen:
            raise DataError(f"{path}: line {row.number + 1}: {row.folder} stands in the list twice")
        seen.add(row.folder)
    return rows


def _row(path: Path, number: int, line: str) -> _Row:
    def refuse(found: str, expected: str) -> DataError:
        return DataError(f"{path}: line {number + 1}: found {found}, expected {expected}")

    fields = dict(field.partition(":")[::2] for field in line.split())
    for key in ("path", "depth", "color", "label"):
        if key not in fields:
            raise refuse(f"'{line[:60]}'", f"a field {key}:...")
    sensors = {}
    for key in SENSORS:
        match = re.fullmatch(r"([^:]+):(\d+):(\d+)", fields[key])
        if match is None or int(match[2]) >= int(match[3]):
            raise refuse(f"'{key}:{fields[key]}'", "FILE:FIRST:END with FIRST below END")
        sensors[key] = (match[1], int(match[2]), int(match[3]))
    label = fields["label"]
    if not label.isdigit() or not 1 <= int(label) <= len(CLASSES):
        raise refuse(f"label '{label}'", f"1 to {len(CLASSES)}")
    folder = fields["path"].removeprefix("./")
    subject = re.search(r"(subject\d+)_r\d+", folder)
    if subject is None:
        raise refuse(f"'{folder}'", "a folder called subjectS_rK")
    return _Row(number, folder, subject[1], int(label) - 1, sensors)


def _video(root: Path, row: _Row, sensor: str) -> Path:
    """The sensor's AVI; a folder of pictures with the same name, as the mini set has it, where only that is there."""
    name = root / row.folder / row.sensors[sensor][0]
    video = name.with_suffix(".avi")
    return name if name.is_dir() and not video.exists() else video


def _flow_folder(root: Path) -> Path:
    return first_there(root, ("Video_data/flow_data", "flow_data")) or root / "Video_data" / "flow_data"


def _stretch(sample: Sample, name: str) -> tuple[int, int]:
    """First frame, and one past the last."""
    first, end = sample.text["color" if name == "rgb" else name].split(":")
    return int(first), int(end)


def _is_flow(shape: tuple[int, ...]) -> bool:
    """(height, width, 2, frames)."""
    return len(shape) == 4 and shape[2] == 2


def _channels_first(clip: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(clip.swapaxes(0, 1))


def _resized(clip: np.ndarray, size: int) -> np.ndarray:
    """(T, 2, H, W) bytes at another size."""
    from PIL import Image

    if clip.shape[-2:] == (size, size):
        return clip
    planes = clip.reshape(-1, *clip.shape[-2:])
    small = [np.asarray(Image.fromarray(plane).resize((size, size), Image.Resampling.BILINEAR)) for plane in planes]
    return np.stack(small).reshape(*clip.shape[:2], size, size)
