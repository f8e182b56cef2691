"""A data set from a CSV file, without code: a row a sample, a column a modality.

    label,group,split,audio,image
    cat,alice,train,sounds/0001.wav,pictures/0001.jpg
    dog,bob,test,sounds/0002.wav,pictures/0002.jpg

`label` is needed. `id` names rows, `group` keeps rows that belong together on one side of a split (`data.group: group`),
`split` says train, val (or valid) or test; without it everything is train. Every other column is a modality, of the kind
that its fields show: sounds, pictures, videos or folders of frames, .npy arrays of one shape, or plain text. Paths are
relative to the file. The data set is named by the file (`igmsweep tune my/samples.csv`) or by a folder with one CSV file.
"""

from __future__ import annotations

import re
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import Field

from igmsweep.data import audio, augment, frames, video
from igmsweep.data.base import DataOptions, DataSet, Modality, Part, Remark, Sample
from igmsweep.data.files import BadFile, reason, refuse_pointer
from igmsweep.data.front_ends import FRONT_ENDS
from igmsweep.data.table_file import SPLITS, csv_file, read_rows
from igmsweep.errors import DataError, UserError

if TYPE_CHECKING:
    import torch

ENCODERS = {"audio": "resnet18", "image": "resnet18", "video": "resnet18", "array": "resnet18", "text": "bert"}


class TableOptions(DataOptions):
    """How the columns are read."""

    frontend: Literal["stft22k", "stft35k", "stft16k", "mel8k", "fbank128"] = "stft16k"
    """The spectrogram of sounds, by name; see `igmsweep.data.front_ends`."""
    frames: int = Field(1, ge=1, le=64)
    """Frames of a video or of a folder of frames, at one a second."""
    size: int = Field(256, ge=8, le=1024)
    """Height and width of a cached picture."""
    crop: int = Field(224, ge=8, le=1024)
    """Height and width of what the encoder sees."""
    flip: bool = True
    """Whether a picture may be mirrored in training; not where left and right differ."""
    normalise: Literal["imagenet", "clip"] = "imagenet"
    """Whose mean and deviation pictures are normalised with."""
    tokenizer: str = "words"
    """`words` numbers words by their hash and needs no vocabulary; else a tokenizer of transformers, by name or path."""
    tokens: int = Field(64, ge=4, le=512)
    """Tokens of a text; longer ones are cut."""
    vocabulary: int = Field(30522, ge=16)
    """How many numbers `tokenizer: words` uses."""


class Table(DataSet):
    """A CSV file as a data set; `classes` are its labels in sorted order.

    Args:
        path: the file, or a folder with one.

    Raises:
        UserError: there is no such file, or its columns make no data set.
    """

    grouping = "group"
    metrics = ("acc", "f1")
    Options = TableOptions
    options: TableOptions

    def __init__(self, path: Path) -> None:
        self.path = csv_file(path.expanduser().resolve())
        self.home = self.path.parent
        self.name = re.sub(r"[^A-Za-z0-9_.]", "_", self.path.stem)
        self._rows, self._columns = read_rows(self.path)
        self.classes = tuple(sorted({row["label"] for _, row in self._rows}))
        self.fold_group = "group" if all(row.get("group") for _, row in self._rows) else "none"
        first = {column: next((row[column] for _, row in self._rows if row[column]), "") for column in self._columns}
        self._kinds = {column: self._kind(column, field) for column, field in first.items()}
        self.examples = tuple(self.home / field for field in first.values())
        """The first file of each column, which shows the column's kind and an array's shape."""
        self.options = TableOptions()
        self.settle()

    def settle(self) -> None:
        self.modalities = {
            column: Modality(column, "image" if kind == "array" else kind, self._shape(column), ENCODERS[kind])
            for column, kind in self._kinds.items()
        }

    def index(self, root: Path, part: Part) -> list[Sample]:
        samples = []
        for number, row in self._rows:
            if SPLITS[row.get("split") or "train"] != part:
                continue
            samples.append(
                Sample(
                    row.get("id") or f"row{number}",
                    self.classes.index(row["label"]),
                    {name: root / row[name] for name, kind in self._kinds.items() if kind != "text"},
                    row.get("group") or None,
                    {name: row[name] for name, kind in self._kinds.items() if kind == "text"},
                )
            )
        return samples

    def read(self, sample: Sample) -> dict[str, np.ndarray]:
        return {name: self.read_modality(sample, name) for name in self._kinds}

    def read_modality(self, sample: Sample, name: str) -> np.ndarray:
        """float32 (bins, frames), uint8 (frames, 3, size, size), the array itself, or int32 (3, tokens)."""
        kind, size = self._kinds[name], (self.options.size, self.options.size)
        if kind == "text":
            return self._tokens(sample.text[name])
        path = sample.files[name]
        if kind == "audio":
            front_end = FRONT_ENDS[self.options.frontend]
            wave = audio.read_sound(path, front_end.rate)
            audio.refuse_silence(wave, path)
            return front_end(wave)
        if kind == "image":
            return frames.read_picture(path, size, 3)[None]
        if kind == "video":
            return frames.read_clip(path, size, self.options.frames, "uniform")
        return _read_array(path)

    def check(self) -> None:
        if "text" in self._kinds.values():
            self._tokens("")

    def blank(self, name: str) -> np.ndarray | None:
        kind = self._kinds[name]
        if kind == "audio":
            front_end = FRONT_ENDS[self.options.frontend]
            return front_end(np.zeros(front_end.rate, np.float32))
        if kind in ("image", "video"):
            count = self.options.frames if kind == "video" else 1
            return np.full((count, 3, self.options.size, self.options.size), frames.GREY, np.uint8)
        return None

    def recipe(self) -> dict[str, Any]:
        kinds = set(self._kinds.values())
        recipe: dict[str, Any] = {"columns": self._kinds, "classes": list(self.classes)}
        if "audio" in kinds:
            recipe["audio"] = FRONT_ENDS[self.options.frontend].recipe()
        if kinds & {"image", "video"}:
            recipe["frames"] = [self.options.frames, self.options.size, frames.backend()]
        if kinds & {"audio", "video"}:
            recipe["video"] = video.backend()
        if "text" in kinds:
            recipe["text"] = [self.options.tokenizer, self.options.tokens, self.options.vocabulary]
        return recipe

    def transform(
        self, inputs: dict[str, torch.Tensor], training: bool, generator: torch.Generator
    ) -> dict[str, torch.Tensor]:
        """Pictures cropped and flipped in training, less the mean of ImageNet or CLIP; sounds as the front end; the rest as it is."""
        batch = {}
        for name, x in inputs.items():
            kind, count, crop = self._kinds[name], x.shape[1], self.options.crop
            if kind == "audio":
                front_end = FRONT_ENDS[self.options.frontend]
                batch[name] = ((x.float() - front_end.mean) / front_end.std).unsqueeze(1)
            elif kind in ("image", "video"):
                flat = x.flatten(0, 1)
                if training:
                    flat = augment.random_crop_and_flip(flat, crop, generator, per_clip=count, flip=self.options.flip)
                else:
                    flat = augment.resize(flat, crop)
                clip = augment.normalise(flat, *augment.STATISTICS[self.options.normalise]).unflatten(0, (-1, count))
                batch[name] = clip[:, 0] if count == 1 else clip.transpose(1, 2)
            else:
                batch[name] = x if kind == "text" else x.float()
        return batch

    def inspect(self, sample: Sample, decode: bool = False) -> list[Remark]:
        remarks = super().inspect(sample, decode)
        for name, text in sample.text.items():
            if not text.strip():
                remarks.append(Remark("empty", sample.id, name, f"{self.path}: {sample.id}: its {name} is empty"))
        return remarks

    def validation(self, root: Path) -> str:
        return "the file's column split"

    def _kind(self, column: str, field: str) -> str:
        """The kind of a column, from its first field that is not empty."""
        suffix = Path(field).suffix.lower()
        if suffix in audio.SOUNDS:
            return "audio"
        if suffix in frames.SUFFIXES:
            return "image"
        if suffix in audio.CONTAINERS:
            return "audio" if column.lower() in ("audio", "sound") else "video"
        if suffix == ".npy":
            return "array"
        return "video" if field and (self.path.parent / field).is_dir() else "text"

    def _shape(self, column: str) -> tuple[int, ...]:
        kind, o = self._kinds[column], self.options
        if kind == "audio":
            return (1, *FRONT_ENDS[o.frontend].shape)
        if kind == "text":
            return (3, o.tokens)
        if kind == "array":
            return _array_shape(self.path.parent, [row[column] for _, row in self._rows])
        count = o.frames if kind == "video" else 1
        return (3, o.crop, o.crop) if count == 1 else (3, count, o.crop, o.crop)

    def _tokens(self, text: str) -> np.ndarray:
        """Token ids, attention mask and segment ids, (3, tokens) int32."""
        if self.options.tokenizer == "words":
            words = re.findall(r"\w+|[^\w\s]", text.lower())[: self.options.tokens]
            ids = [1 + zlib.crc32(word.encode()) % (self.options.vocabulary - 1) for word in words] or [0]
            out = np.zeros((3, self.options.tokens), np.int32)
            out[0, : len(ids)] = ids
            out[1, : len(ids)] = 1
            return out
        encoded = _tokenizer(self.options.tokenizer)(
            text, truncation=True, max_length=self.options.tokens, padding="max_length", return_token_type_ids=True
        )
        return np.asarray([encoded[key] for key in ("input_ids", "attention_mask", "token_type_ids")], np.int32)


_tables: dict[Path, tuple[tuple[tuple[int, int, int], ...], Table]] = {}
"""By file: kind, size and time of it and of its examples, and the table they made."""


def read_table(path: Path) -> Table:
    """The table at a path, which is read again only when it has changed since, or a file that a column's kind or shape is from.

    Raises:
        UserError, DataError: as Table and `read_rows` say.
    """
    file = csv_file(path.expanduser().resolve())
    now = _status(file)  # before it is read: what is written meanwhile is read the next time
    kept = _tables.get(file)
    if kept is None or kept[0] != (now, *map(_status, kept[1].examples)):
        found = Table(file)
        _tables[file] = kept = ((now, *map(_status, found.examples)), found)
    return kept[1]


def _status(path: Path) -> tuple[int, int, int]:
    """Kind, size and time of a file."""
    try:
        status = path.stat()
    except (OSError, ValueError):  # a text is no path
        return (0, 0, 0)
    return (status.st_mode, status.st_size, status.st_mtime_ns)


_tokenizers: dict[str, Any] = {}


def _tokenizer(name: str) -> Any:
    """A tokenizer of transformers from this machine alone."""
    if name not in _tokenizers:
        try:
            from transformers import AutoTokenizer
        except ImportError:
            raise UserError(
                f"data.options.tokenizer: '{name}' needs transformers (pip install 'igmsweep[text]'); `words` does not"
            ) from None
        try:
            _tokenizers[name] = AutoTokenizer.from_pretrained(name, local_files_only=True, trust_remote_code=False)
        except Exception as error:
            raise UserError(
                f"data.options.tokenizer: '{name}' is neither a folder nor in this machine's cache ({reason(error)[:120]})"
            ) from None
    return _tokenizers[name]


def _read_array(path: Path) -> np.ndarray:
    refuse_pointer(path)
    try:
        array = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise BadFile("unreadable", path, f"not readable as an array ({reason(error)})") from None
    if array.ndim == 1:
        array = array[None, None]
    return np.asarray(array[None] if array.ndim == 2 else array)


def _array_shape(folder: Path, fields: list[str]) -> tuple[int, ...]:
    for field in fields:
        try:
            return _read_array(folder / field).shape
        except DataError:
            continue
    raise DataError(f"{folder / fields[0]}: is not readable as an array, nor is any other of its column")
