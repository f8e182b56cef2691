"""A data set from a CSV file, without code: a row a sample, a column a modality.

    label,group,split,audio,image
    cat,alice,train,sounds/0001.wav,pictures/0001.jpg
    dog,bob,test,sounds/0002.wav,pictures/0002.jpg

`label` is needed. `id` names rows, `group` keeps rows that belong together on one side of a split (`data.group: group`),
`split` says train, val (or valid) or test; without it everything is train. Every other column is a modality, of the kind
that its fields show: sounds, pictures, videos or folders of frames, .npy arrays of one shape, or plain text (`igmsweep.data.table_kinds`). Paths are relative to
the file. The data set is named by the file (`igmsweep tune my/samples.csv`), by a folder with one CSV file, or
by one with `metadata.csv` (`igmsweep.data.table_file`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from igmsweep.data import arrays, audio, augment, frames, headers, text, video
from igmsweep.data.base import DataSet, Modality, Part, Remark, Sample
from igmsweep.data.files import BadFile
from igmsweep.data.front_ends import FrontEnd, front_end
from igmsweep.data.table_facts import Facts, look
from igmsweep.data.table_file import METADATA, SPLITS, read_rows, sources
from igmsweep.data.table_kinds import column_kind
from igmsweep.data.table_options import TableOptions, defaults, encoder, in_words, suggested
from igmsweep.data.table_paths import leading_out
from igmsweep.errors import DataError

if TYPE_CHECKING:
    import torch

NAME = 80
"""Characters of a table's name, which names folders of the cache."""


class Table(DataSet):
    """A CSV file, or a folder with `metadata.csv`, as a data set; `classes` are the labels in sorted order.

    Options that are not given follow from the data (`igmsweep.data.table_options`); files are looked at when that is
    first needed, never for a configuration that spells all of them out.

    Args:
        path: the file, or a folder with one, in full.
        root: what its paths are relative to; None: the file's own folder.

    Raises:
        UserError: there is no such file, or its columns make no data set.
    """

    grouping = "group"
    metrics = ("acc", "f1")
    Options = TableOptions
    home: Path

    def __init__(self, path: Path, root: Path | None = None) -> None:
        files = sources(path)
        self.path = files[0] if len(files) == 1 else path
        folder = path if path.is_dir() else path.parent
        self.home = folder if root is None else root
        named = folder.name if files[0].name == METADATA else self.path.stem
        self.name = re.sub(r"[^A-Za-z0-9_.]", "_", named)[:NAME]
        self._rows, self._columns = read_rows(files, folder)
        self.classes = tuple(sorted({row["label"] for _, row in self._rows}))
        self.fold_group = "group" if all(row.get("group") for _, row in self._rows) else "none"
        self._kinds = {name: column_kind(self.path, self.home, name, self._rows) for name in self._columns}
        for name in [name for name, kind in self._kinds.items() if kind != "text"]:
            for _, row in self._rows:
                row[name] = row[name].replace("\\", "/")  # as Windows writes paths
        self._astray = leading_out(self.path, self.home, self._rows, self._kinds)
        first = [next(row[name] for _, row in self._rows if row[name]) for name in self._columns]
        self.examples = tuple(self.home / field for field in first)
        """The first file of each column, which shows the column's kind and an array's shape."""

    @cached_property
    def options(self) -> TableOptions:  # type: ignore[override]
        options = self.with_options({}).options
        assert isinstance(options, TableOptions)
        return options

    @cached_property
    def modalities(self) -> dict[str, Modality]:  # type: ignore[override]
        shapes = {column: self._shape(column) for column in self._kinds}
        return {
            column: Modality(
                column,
                "image" if kind == "array" else kind,
                shapes[column],
                encoder(kind, shapes[column], self.options),
            )
            for column, kind in self._kinds.items()
        }

    @cached_property
    def _front_end(self) -> FrontEnd:
        o = self.options
        return front_end(o.frontend, o.rate, o.seconds, o.bands)

    @cached_property
    def facts(self) -> Facts:
        """What the data are like."""
        rows = [row for _, row in self._rows if SPLITS[row.get("split") or "train"] != "test"]
        return look(self.home, rows, self._kinds)

    def suggested(self, options: TableOptions, given: Mapping[str, Any]) -> dict[str, Any]:
        if self._astray is not None and not options.outside:
            raise DataError(self._astray)
        if given.keys() >= TableOptions.model_fields.keys() - {"outside"}:  # which does not follow from the data
            return {}
        return suggested(self.facts, options, given)

    def settle(self) -> None:
        for name in ("modalities", "_front_end"):  # made anew when they are asked for
            vars(self).pop(name, None)

    def defaults(self, method: str) -> dict[str, Any]:
        """Encoders by the size of their input, a schedule by the number of samples: `igmsweep.data.table_options.defaults`."""
        encoders = {name: modality.encoder for name, modality in self.modalities.items()}
        return defaults(encoders, sum(self._part(row) == "train" for _, row in self._rows))

    def reading(self) -> dict[str, str]:
        return {
            column: in_words(kind, self.modalities[column].shape, self.options) for column, kind in self._kinds.items()
        }

    @property
    def _channels(self) -> int:
        return 1 if self.options.colour == "grey" else 3

    def _part(self, row: Mapping[str, str]) -> Part:
        return "train" if self.options.split == "none" else SPLITS[row.get("split") or "train"]

    def index(self, root: Path, part: Part) -> list[Sample]:
        samples = []
        for number, row in self._rows:
            if self._part(row) != part:
                continue
            samples.append(
                Sample(
                    row.get("id") or f"row{number}",
                    self.classes.index(row["label"]),
                    {name: root / row[name] for name, kind in self._kinds.items() if kind != "text" and row[name]},
                    row.get("group") or None,
                    {name: row[name] for name, kind in self._kinds.items() if kind == "text"},
                )
            )
        return samples

    def read(self, sample: Sample) -> dict[str, np.ndarray]:
        return {name: self.read_modality(sample, name) for name in self._kinds}

    def read_modality(self, sample: Sample, name: str) -> np.ndarray:
        """float32 (bins, frames), uint8 (frames, 3 or 1, size, size), a float32 array, or int32 (3, tokens)."""
        kind, size = self._kinds[name], (self.options.size, self.options.size)
        if kind == "text":
            return self._tokens(sample.text[name])
        path = self._file(sample, name)
        if kind == "audio":
            wave = audio.read_sound(path, self.options.rate, self.options.seconds)
            audio.refuse_silence(wave, path)
            return self._front_end(wave)
        if kind == "image":
            return frames.pixels(frames.upright(frames.open_picture(path)), size, self._channels)[None]
        if kind == "video":
            return frames.read_clip(path, size, self.options.frames, "uniform", channels=self._channels)
        array, expected = arrays.read_input(path), self.modalities[name].shape
        if array.shape != expected:
            found, shape = (" x ".join(map(str, each)) for each in (array.shape, expected))
            raise BadFile("unreadable", path, f"is an array of {found}, expected {shape} as the first of its column")
        return array

    def _file(self, sample: Sample, name: str) -> Path:
        """Raises BadFile where the row names none."""
        if name not in sample.files:
            raise BadFile("missing", self.path, f"{sample.id}: its {name} is empty")
        return sample.files[name]

    def vouched(self, sample: Sample, name: str) -> bool:
        if self._kinds[name] == "array":
            shape = headers.array(self._file(sample, name))
            return shape is not None and arrays.three_axes(shape) == self.modalities[name].shape
        return self._kinds[name] == "text" or headers.vouched(self._file(sample, name), self._kinds[name])

    def check(self) -> None:
        if "text" in self._kinds.values():
            self._tokens("")

    def blank(self, name: str) -> np.ndarray | None:
        kind = self._kinds[name]
        if kind == "audio":
            return self._front_end(np.zeros(self.options.rate, np.float32))
        if kind in ("image", "video"):
            count = self.options.frames if kind == "video" else 1
            return np.full((count, self._channels, self.options.size, self.options.size), frames.GREY, np.uint8)
        return None

    def recipe(self) -> dict[str, Any]:
        kinds = set(self._kinds.values())
        recipe: dict[str, Any] = {"columns": self._kinds, "classes": list(self.classes)}
        if "audio" in kinds:
            recipe["audio"] = self._front_end.recipe()
        if kinds & {"image", "video"}:
            recipe["frames"] = [self.options.frames, self.options.size, self.options.colour, frames.backend()]
        if "image" in kinds:
            recipe["pictures"] = "upright"
        if "array" in kinds:
            recipe["arrays"] = "float32"
        if kinds & {"audio", "video"}:
            recipe["video"] = video.backend()
        if "text" in kinds:
            words = self.options.tokenizer == text.WORDS
            numbers = self.options.vocabulary if words else text.find(self.options.tokenizer).digest
            recipe["text"] = [words, self.options.tokens, numbers]
        return recipe

    def transform(
        self, inputs: dict[str, torch.Tensor], training: bool, generator: torch.Generator
    ) -> dict[str, torch.Tensor]:
        """Pictures cropped and flipped in training, less the mean of ImageNet or CLIP; spectrograms moved in training,
        normalised as the front end says; the rest as it is."""
        batch = {}
        for name, x in inputs.items():
            kind, count, crop = self._kinds[name], x.shape[1], self.options.crop
            if kind == "audio":
                x = self._front_end.normalised(x)
                most = round(self.options.shift * x.shape[2]), round(self.options.shift * x.shape[3])
                batch[name] = augment.shift(x, most, generator) if training and any(most) else x
            elif kind in ("image", "video"):
                flat = x.flatten(0, 1)
                if training and self.options.area < 1:
                    scale = (self.options.area, 1.0)
                    flat = augment.random_crop_and_flip(flat, crop, generator, count, scale, self.options.flip)
                else:
                    flat = augment.resize(flat, crop)
                    flat = augment.mirror(flat, generator, count) if training and self.options.flip else flat
                clip = augment.normalise(flat, *augment.STATISTICS[self.options.normalise]).unflatten(0, (-1, count))
                batch[name] = clip[:, 0] if count == 1 else clip.transpose(1, 2)
            else:
                batch[name] = x if kind == "text" else x.float()
        return batch

    def inspect(self, sample: Sample, decode: bool = False) -> list[Remark]:
        remarks = super().inspect(sample, decode)
        for name, words in sample.text.items():
            if not words.strip():
                remarks.append(Remark("no words", sample.id, name, f"{self.path}: {sample.id}: its {name} is empty"))
        return remarks

    def validation(self, root: Path) -> str:
        return "your own list"

    def _shape(self, column: str) -> tuple[int, ...]:
        kind, o = self._kinds[column], self.options
        if kind == "audio":
            return (1, *self._front_end.shape)
        if kind == "text":
            return (3, o.tokens)
        if kind == "array":
            return arrays.first_shape([self.home / row[column] for _, row in self._rows if row[column]])
        count = o.frames if kind == "video" else 1
        return (self._channels, *([count] if count > 1 else []), o.crop, o.crop)

    def _tokens(self, words: str) -> np.ndarray:
        """Token ids, attention mask and segment ids, (3, tokens) int32."""
        o = self.options
        if o.tokenizer == text.WORDS:
            return text.hashed(words, o.tokens, o.vocabulary)
        return text.find(o.tokenizer).encode(words, None, o.tokens)
