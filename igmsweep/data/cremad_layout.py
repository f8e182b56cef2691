"""CREMA-D's prepared layout on disk, which several audio-video data sets share.

AudioWAV/NAME.wav    Image-01-FPS/NAME/*.jpg|png    annotations/{train,valid,test}.csv    rows NAME,LABEL
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from igmsweep.data.base import Part, Sample
from igmsweep.data.files import read_annotations
from igmsweep.errors import DataError, nearest

LISTS = {"train": "train.csv", "val": "valid.csv", "test": "test.csv"}


def index(
    root: Path,
    part: Part,
    classes: tuple[str, ...],
    audio: str,
    visual: str,
    group: Callable[[str], str | None],
) -> list[Sample]:
    """Samples of a part in the order of its list; an empty list where the data set has no validation file.

    A sample's `visual` file is the folder of its frames.

    Raises:
        DataError: a list is missing, a label is unknown, or a name occurs twice.
    """
    path = root / "annotations" / LISTS[part]
    if part == "val" and not path.exists() and (root / "annotations").is_dir():
        return []
    samples = []
    seen: set[str] = set()
    for name, label in read_annotations(path):
        if label not in classes:
            raise DataError(f"{path}: {name}: unknown label '{label}'{nearest(label, classes)}")
        if name in seen:
            raise DataError(f"{path}: {name} stands in the list twice")
        seen.add(name)
        files = {audio: root / "AudioWAV" / f"{name}.wav", visual: root / "Image-01-FPS" / name}
        samples.append(Sample(name, classes.index(label), files, group(name)))
    return samples
