"""The settings of a CSV data set, and what a practitioner would choose for data such as these."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from typing import Any, Literal

from pydantic import Field

from igmsweep.data.base import DataOptions
from igmsweep.data.front_ends import FRONT_ENDS
from igmsweep.data.table_facts import Facts
from igmsweep.data.text import WORDS

SMALL = 8192
"""Pictures and spectrograms of up to so many numbers a channel, about 90 x 90, get the small encoder."""
LONGEST = 10.0
"""Seconds of a sound that are read unless the user says more."""
CROP, CACHED = 224, 256
"""What ResNets are made for, and what is cached to crop from."""
LEAST_STEPS = {"small": 540, "large": 1800}
"""Steps of each modality that a training is given at least, by the size of its encoders."""
CYCLES = 3


class TableOptions(DataOptions):
    """How the columns are read. What is not given is taken from the data (`suggested`); the defaults here are for
    kinds of columns that a file does not have."""

    split: Literal["column", "none"] = "column"
    """`none` leaves the column `split` aside: every row is for training, folds are cut from all of them."""
    outside: bool = False
    """Whether paths may lead out of the file's folder, or out of the root: by `..`, as absolute paths, by symbolic links."""
    frontend: Literal["mel", "stft22k", "stft35k", "stft16k", "mel8k", "fbank128"] = "mel"
    """The spectrogram of sounds; all but `mel` are presets of the next three. See `igmsweep.data.front_ends`."""
    rate: int = Field(16000, ge=1000, le=192_000)
    """Hz that sounds are resampled to."""
    seconds: float = Field(5.0, gt=0, le=600)
    """Length of every sound: longer ones are cut, shorter ones padded with silence, by the presets repeated."""
    bands: int | None = Field(64, ge=4, le=512)
    """Mel bands; null for an STFT, which keeps all its bins."""
    shift: float = Field(0.05, ge=0, lt=0.5)
    """How far a spectrogram is moved in training at most, as a share of its bands and of its frames; 0: not at all."""
    frames: int = Field(1, ge=1, le=64)
    """Frames of a video or of a folder of frames, at one a second."""
    size: int = Field(CACHED, ge=8, le=1024)
    """Height and width of a cached picture."""
    crop: int = Field(CROP, ge=8, le=1024)
    """Height and width of what the encoder sees."""
    area: float = Field(0.5, gt=0, le=1)
    """The least share of a picture that a random crop of training covers; 1: no random crop."""
    flip: bool = False
    """Whether a picture may be mirrored in training; not where left and right differ."""
    colour: Literal["rgb", "grey"] = "rgb"
    """What pictures and frames are read as: three channels or one."""
    normalise: Literal["imagenet", "clip"] = "imagenet"
    """Whose mean and deviation pictures are normalised with."""
    tokenizer: str = WORDS
    """`words` numbers words by their hash and needs no vocabulary; else a tokenizer of transformers, by name or path."""
    tokens: int = Field(64, ge=4, le=512)
    """Tokens of a text; longer ones are cut."""
    vocabulary: int = Field(30522, ge=16)
    """How many numbers `tokenizer: words` uses."""


def suggested(facts: Facts, given: TableOptions, named: Collection[str]) -> dict[str, Any]:
    """Options for data such as these, where the user has named some of them; a named one decides what hangs on it.

    Args:
        given: the user's options; only those in `named` count.
    """
    found: dict[str, Any] = {}

    def put(key: str, value: Any) -> None:
        if key not in named:
            found[key] = value

    def now(key: str) -> Any:
        return found.get(key, getattr(given, key))

    preset = FRONT_ENDS.get(given.frontend) if "frontend" in named else None
    if preset is not None:
        put("rate", preset.rate)
        put("seconds", preset.seconds)
        put("bands", preset.bands)
    elif facts.rate is not None and facts.seconds is not None:
        put("rate", max(1000, min(16000, facts.rate)))
        put("seconds", _length(facts.seconds))
        put("bands", 64 if now("rate") > 8000 else 40)
    if facts.side is not None:
        put("size", max(8, min(CACHED, facts.side)))
        put("crop", min(CROP, now("size")))
        put("area", 0.8 if now("crop") ** 2 <= SMALL else 0.5)
        put("colour", "grey" if facts.grey else "rgb")
    if facts.frames is not None:
        put("frames", min(3, facts.frames))
    if facts.words is not None and facts.vocabulary is not None:
        # word pieces are about four for three words, and two tokens frame a text
        tokens = facts.words if now("tokenizer") == WORDS else math.ceil(facts.words * 4 / 3) + 2
        put("tokens", min(512, max(8, 8 * math.ceil(tokens / 8))))
        put("vocabulary", min(32768, max(1024, 1 << (2 * facts.vocabulary - 1).bit_length())))
    return found


def _length(seconds: float) -> float:
    """Rounded up to a tenth of a second, from 3 s on to half a second."""
    step = 0.1 if seconds <= 3 else 0.5
    return max(0.1, min(LONGEST, round(math.ceil(seconds / step - 1e-9) * step, 1)))


def encoder(kind: str, shape: tuple[int, ...], options: TableOptions) -> str:
    """The default encoder of a column: small ones for small inputs and for words by their hash."""
    if kind == "text":
        return f"text_mini:{options.vocabulary}" if options.tokenizer == WORDS else "bert"
    return "resnet_mini" if math.prod(shape[-2:]) <= SMALL else "resnet18"


def in_words(kind: str, shape: tuple[int, ...], options: TableOptions) -> str:
    """How a column of a kind is read, and into what shape."""
    o = options
    if kind == "audio":
        bands = f"{o.bands} bands" if o.bands is not None else f"{shape[1]} bins"
        return f"{o.seconds:g} s at {o.rate} Hz, {o.frontend} of {bands} x {shape[-1]}"
    if kind == "text":
        return f"{o.tokens} tokens" + (f" of {o.vocabulary} hashed words" if o.tokenizer == WORDS else "")
    if kind == "array":
        return f"arrays of {' x '.join(map(str, shape))}"
    crop = "whole" if o.area == 1 else f"crops of {o.area:g} or more"
    frame = f"{o.crop} x {o.crop} {'grey' if o.colour == 'grey' else 'colour'}, {crop}, {'' if o.flip else 'no '}flip"
    return frame if kind == "image" else f"{o.frames} frame{'s' * (o.frames > 1)} of {frame}"


def defaults(encoders: Mapping[str, str], samples: int) -> dict[str, Any]:
    """A schedule for encoders by modality and the number of training samples, nested as in TrainConfig.

    Three cycles, in each of which every modality gets as many epochs as make enough steps in all. The learning rate is
    divided by 10 in the last third of a stage. SGD at the rates that avdigits and the paper train ResNets with; Adam
    where there are texts, since a word's own weights are moved by few batches.
    """
    encoders = {name: each.partition(":")[0] for name, each in encoders.items()}
    kinds = set(encoders.values())
    large = bool(kinds & {"resnet18", "bert"})
    batch = min(32, max(2, samples // 4))
    steps = CYCLES * max(1, math.ceil(samples / batch))
    epochs = max(3, min(20, round(LEAST_STEPS["large" if large else "small"] / steps)))
    rates: dict[str, float] = {"resnet_mini": 0.025, "resnet18": 0.01}
    if kinds & {"text_mini", "bert"}:
        rates = {"resnet_mini": 1e-3, "resnet18": 1e-4, "text_mini": 1e-3, "bert": 2e-5}
    return {
        "model": {
            "head": [256, 64],
            "weights": {name: "pretrained" if each == "bert" else "none" for name, each in encoders.items()},
        },
        "optim": {
            "name": "adam" if kinds & {"text_mini", "bert"} else "sgd",
            "lr": {name: rates[each] for name, each in encoders.items()},
            "batch_size": batch,
            "schedule": "step",
            "step_size": math.ceil(2 * epochs / 3),
        },
        # a pretrained BERT is fine-tuned for three epochs in all
        "stages": {
            "cycles": CYCLES,
            "epochs": {name: 1 if each == "bert" else epochs for name, each in encoders.items()},
        },
        "channels_last": "resnet_mini" in kinds,  # a third faster for these encoders on a CPU
    }
