"""What Twitter2015 and Sarcasm share: a picture and a text a sample, read, cached and augmented alike."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import Field

from igmsweep.data import augment, frames, text
from igmsweep.data.base import DataOptions, DataSet, Modality, Sample
from igmsweep.data.files import read_text

if TYPE_CHECKING:
    import torch

WARM_UP = {"optim.schedule": "warmup", "optim.factor": 2 / 3}
"""The released code's schedule on texts: 6.67e-6 in the first epoch of every stage, then 1e-5; it never decays."""


class ImageTextOptions(DataOptions):
    """How texts and pictures are read; `crop` and `normalise` alone stay out of the cache's recipe."""

    tokenizer: str = "bert-base-uncased"
    """A folder with tokenizer.json or vocab.txt, such a file, or a name in the user's Hugging Face cache."""
    tokens: int = Field(64, ge=4, le=512)
    """Length of every text in tokens, the special ones included."""
    words: int | None = Field(None, ge=1)
    """Cut texts after so many words before they are tokenised; the released code cuts at 50, the paper does not say."""
    size: int = Field(256, ge=8, le=1024)
    """Height and width of a cached picture."""
    crop: int = Field(224, ge=8, le=1024)
    """Height and width of what the encoder sees."""
    normalise: Literal["imagenet", "clip"] = "imagenet"
    """Whose mean and deviation pictures are normalised with; the released code takes CLIP's."""


class ImageText(DataSet):
    """`text` is (3, tokens) integers (ids, mask, segments), `image` (3, crop, crop).

    A subclass fills `sample.text["text"]`, and `sample.text["pair"]` where BERT is given two texts.
    """

    metrics = ("acc", "f1")
    Options: type[DataOptions] = ImageTextOptions
    options: ImageTextOptions

    def __init__(self) -> None:
        self.options = self.Options()  # type: ignore[assignment]
        self.settle()

    def settle(self) -> None:
        self.modalities = {
            "text": Modality("text", "text", (3, self.options.tokens), "bert"),
            "image": Modality("image", "image", (3, self.options.crop, self.options.crop), "resnet50"),
        }

    def defaults(self, method: str) -> dict[str, Any]:
        """Sec. 4.2: pretrained BERT and ResNet50, features of 1024, Adam at 1e-5, batches of 12.

        A picture that is missing or broken is grey: some are in every copy in circulation.
        """
        return {
            "data": {"bad_files": "blank"},
            "model": {"head": [256, 64], "project": 1024, "weights": "pretrained"},
            "optim": {"name": "adam", "lr": 1e-5, "weight_decay": 1e-4, "batch_size": 12}
            | {"schedule": "plateau", "factor": 0.1},
        }

    def read(self, sample: Sample) -> dict[str, np.ndarray]:
        return {name: self.read_modality(sample, name) for name in self.modalities}

    def read_modality(self, sample: Sample, name: str) -> np.ndarray:
        """(3, tokens) int32, or (3, size, size) uint8."""
        if name == "image":
            return frames.read_picture(sample.files["image"], (self.options.size, self.options.size), channels=3)
        first, second = sample.text["text"], sample.text.get("pair")
        if self.options.words is not None:
            first = " ".join(first.split()[: self.options.words])
        return text.find(self.options.tokenizer).encode(first, second, self.options.tokens)

    def check(self) -> None:
        text.find(self.options.tokenizer).encode("", None, self.options.tokens)

    def blank(self, name: str) -> np.ndarray | None:
        """A grey picture; nothing stands for a text."""
        if name != "image":
            return None
        return np.full((3, self.options.size, self.options.size), frames.GREY, np.uint8)

    def recipe(self) -> dict[str, Any]:
        tokenizer = text.find(self.options.tokenizer)
        return {
            "text": {"tokenizer": tokenizer.file.name, "hash": tokenizer.digest}
            | {"tokens": self.options.tokens, "words": self.options.words},
            "image": {"size": self.options.size, "backend": frames.backend()},
            "classes": list(self.classes),
        }

    def transform(
        self, inputs: dict[str, torch.Tensor], training: bool, generator: torch.Generator
    ) -> dict[str, torch.Tensor]:
        """Texts as they are; pictures cropped to half of their area or more and flipped in training, else resized."""
        batch = {}
        for name, x in inputs.items():
            if name == "image":
                if training:
                    x = augment.random_crop_and_flip(x, self.options.crop, generator, scale=(0.5, 1.0))
                else:
                    x = augment.resize(x, self.options.crop)
                x = augment.normalise(x, *augment.STATISTICS[self.options.normalise])
            batch[name] = x
        return batch


def official_caption(words: str) -> str:
    """A text as the authors' code cleans it before BERT sees it, but for the cut at 50 words (`data.options.words`).

    Lower case without , . ' ! ? " ( ) * # : ; ~; `-` and `/` become spaces, `<person>` becomes `person`, and spaces that
    follow one another become one.
    """
    plain = re.sub(r"[,.'!?\"()*#:;~]", "", words.lower()).replace("-", " ").replace("/", " ")
    return re.sub(r"\s{2,}", " ", plain.replace("<person>", "person")).rstrip("\n").strip(" ")


def lines_of(path: Path) -> list[str]:
    """Lines of a UTF-8 text file, which end at a line feed only: posts hold other characters that Python would cut at.

    Raises:
        BadFile: the file is missing, empty, a Git-LFS pointer or not UTF-8.
    """
    lines = [line.removesuffix("\r") for line in read_text(path).split("\n")]
    while lines and not lines[-1].strip():
        lines.pop()
    return lines
