"""What keeps a data set on disk from being the published one: how many samples its lists have, and which lists are missing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from igmsweep.data.base import DataSet, Part


def departures(dataset: DataSet, root: Path, listed: Mapping[Part, Iterable[str]]) -> list[str]:
    """Where a copy departs from the data set as published, a line each.

    Args:
        listed: the ids of the samples in each part that was looked at; none where it has no list.
    """
    ids = {part: set(each) for part, each in listed.items()}
    counts = {part: len(each) for part, each in ids.items()}
    own = [line for part in ids for line in dataset.departures(root, part)]
    return [*own, *differing(dataset, counts), *shared(ids)]


def differing(dataset: DataSet, counts: Mapping[Part, int]) -> list[str]:
    """Parts that have other numbers of samples than the published ones, or no list where there should be one."""
    found = []
    for part, count in counts.items():
        published = dataset.expected.get(part)
        if published is None or abs(count - published) <= dataset.rounded * published:
            continue
        about = f"{'about ' if dataset.rounded else ''}{published:,}"
        carved = "; validation is carved from train" if part == "val" else ""
        found.append(
            f"{part}: {count:,} samples listed, {about} published"
            if count
            else f"{part}: no list, {about} samples published{carved}"
        )
    return found


def shared(ids: Mapping[Part, set[str]]) -> list[str]:
    """Samples that stand in two parts."""
    parts = list(ids)
    return [
        f"{first} and {second} share {len(both):,} samples, such as {min(both)}"
        for place, first in enumerate(parts)
        for second in parts[place + 1 :]
        if (both := ids[first] & ids[second])
    ]
