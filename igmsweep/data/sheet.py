"""A picture of a few samples a class as the model sees them: decoded, transformed, drawn side by side."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from igmsweep.data.base import DataSet, Modality, Sample
from igmsweep.errors import DataError, UserError, nearest
from igmsweep.late import torch

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FORMATS = ("png", "svg", "pdf")
FRAMES = 4
"""Frames of a clip that are drawn, from all over it."""
WIDTHS = {"text": 2.4, "audio": 1.6}
"""Inches of a cell by the kind of its modality; a row is HEIGHT high."""
HEIGHT = 1.1


@dataclass(frozen=True)
class Shown:
    """Samples and what became of them: `batch` has an array a modality, first axis the samples."""

    samples: list[Sample]
    batch: dict[str, np.ndarray]


def write_sheet(
    dataset: DataSet, root: Path, path: Path, count: int = 3, most: int = 12, training: bool = False, seed: int = 0
) -> None:
    """Draw samples of the train part into a file; no other part is read.

    Args:
        path: PNG, SVG or PDF by its suffix.
        count: samples of a class, from all over the list; those that cannot be read are passed over.
        most: classes, from the first.
        training: as in training, with its random crops and flips, in place of as in validation.
        seed: of what is random.

    Raises:
        UserError: another format.
        DataError: the train part has no such sample, or not one of a class can be read.
    """
    kind = path.suffix.lower().removeprefix(".")
    if kind not in FORMATS:
        raise UserError(
            f"--out: found '{path.name}', expected a name in .{', .'.join(FORMATS)}{nearest(kind, FORMATS)}"
        )
    samples = dataset.index(root, "train")
    classes = list(dataset.classes[:most])
    rows = [usable(dataset, [each for each in samples if each.label == label], count) for label in range(len(classes))]
    if not any(rows):
        raise DataError(f"{dataset.name}: its train part has no sample of the classes to be drawn")
    shown = transformed(dataset, [each for row in rows for each in row], training, seed)
    figure = _figure(dataset, shown, [len(row) for row in rows], classes, count)
    part = "as in training" if training else "as in validation"
    more = f", {len(classes)} of {len(dataset.classes)} classes" if len(classes) < len(dataset.classes) else ""
    shapes = "; ".join(f"{name} {' x '.join(map(str, one.shape))}" for name, one in dataset.modalities.items())
    figure.suptitle(f"{dataset.name}, train, {part}{more}: {shapes}", fontsize=8, x=0.01, ha="left", parse_math=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)


def usable(dataset: DataSet, samples: Sequence[Sample], count: int) -> list[tuple[Sample, dict[str, np.ndarray]]]:
    """At most `count` samples that can be read, from all over the list, with their arrays; none of an empty list.

    Raises:
        DataError: there are some, and none of them can be read.
    """
    order = [int(index) for index in np.linspace(0, len(samples) - 1, min(count, len(samples))).round()]
    order += [index for index in range(len(samples)) if index not in set(order)]
    found: list[tuple[Sample, dict[str, np.ndarray]]] = []
    first: DataError | None = None
    for index in order:
        if len(found) == count:
            break
        try:
            found.append((samples[index], dataset.read(samples[index])))
        except DataError as error:
            first = first or error
    if not found and first is not None:
        raise first
    return found


def transformed(
    dataset: DataSet, read: Sequence[tuple[Sample, dict[str, np.ndarray]]], training: bool, seed: int
) -> Shown:
    """What an encoder is given of some samples that have been read."""
    inputs = {name: torch.from_numpy(np.stack([arrays[name] for _, arrays in read])) for name in dataset.modalities}
    batch = dataset.transform(inputs, training, torch.Generator().manual_seed(seed))
    return Shown([sample for sample, _ in read], {name: x.cpu().numpy() for name, x in batch.items()})


def picture(x: np.ndarray) -> np.ndarray:
    """(C, H, W) as (H, W) or (H, W, 3) in [0, 1], stretched to the full range; two channels become red and green."""
    low, high = np.percentile(x, [0.5, 99.5])
    y = np.clip((x - low) / max(float(high - low), 1e-9), 0, 1).transpose(1, 2, 0)
    if y.shape[2] == 2:
        return np.concatenate([y, np.full_like(y[..., :1], 0.5)], axis=2)
    return y[..., 0] if y.shape[2] != 3 else y


def strip(x: np.ndarray) -> np.ndarray:
    """A clip (C, T, H, W) as a picture (C, H, frames x W) of at most FRAMES of its frames."""
    chosen = np.linspace(0, x.shape[1] - 1, min(FRAMES, x.shape[1])).round().astype(int)
    return np.concatenate([x[:, index] for index in chosen], axis=2)


def caption(sample: Sample, name: str, tokens: np.ndarray) -> str:
    """A text as it stands in the list, and how many of the places that the encoder is given it fills."""
    told = [sample.text[key] for key in (name, "pair") if sample.text.get(key)] or [f"{name} of {sample.id}"]
    used, length = int(tokens[1].sum()), tokens.shape[1]
    lines = textwrap.wrap(" | ".join(told), 38, max_lines=5, placeholder=" ...")
    return "\n".join([*lines, f"[{used} of {length} tokens{', full' if used == length else ''}]"])


def _figure(dataset: DataSet, shown: Shown, counts: Sequence[int], classes: Sequence[str], most: int) -> Figure:
    from matplotlib.figure import Figure

    modalities = list(dataset.modalities.values())
    widths = [_width(one) for _ in range(most) for one in modalities]
    figure = Figure(figsize=(1.1 + sum(widths), 0.5 + HEIGHT * len(classes)), layout="constrained")
    axes = figure.subplots(len(classes), len(widths), squeeze=False, width_ratios=widths)
    row = 0
    for number, count in enumerate(counts):
        for column, axis in enumerate(axes[number]):
            axis.set_xticks([])
            axis.set_yticks([])
            place, one = divmod(column, len(modalities))
            if place >= count:
                axis.axis("off")
                continue
            _draw(axis, modalities[one], shown.samples[row + place], shown.batch[modalities[one].name][row + place])
            if number == 0:
                axis.set_title(modalities[one].name, fontsize=7)
        label = textwrap.shorten(str(classes[number]), 18, placeholder="...")
        axes[number][0].set_ylabel(label, rotation=0, ha="right", va="center", fontsize=8, parse_math=False)
        row += count
    return figure


def _width(modality: Modality) -> float:
    if len(modality.shape) == 4:
        return HEIGHT * min(FRAMES, modality.shape[1])
    return WIDTHS.get(modality.kind, HEIGHT)


def _draw(axis: Axes, modality: Modality, sample: Sample, x: np.ndarray) -> None:
    if modality.kind == "text":
        for spine in axis.spines.values():
            spine.set_visible(False)
        told = caption(sample, modality.name, x)
        axis.text(0, 0.5, told, fontsize=7, va="center", transform=axis.transAxes, parse_math=False)
        return
    options: dict[str, Any] = {"aspect": "equal", "cmap": "gray"}
    if modality.kind == "audio":
        options = {"aspect": "auto", "cmap": "magma", "origin": "lower"}
    axis.imshow(picture(strip(x) if x.ndim == 4 else x), interpolation="nearest", **options)
