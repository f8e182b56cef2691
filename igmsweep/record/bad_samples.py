"""How many samples of a part were left out, or stand there with silence or a grey picture in a file's place, and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

UNSPLIT = "train and val"
"""The part of a sweep whose `sweep.yaml` does not tell training from validation samples."""


@dataclass(frozen=True)
class BadSamples:
    """Of the `samples` that a data set's `part` has, those that a policy touched: kind of file (`missing`, ...) -> samples."""

    part: str
    samples: int
    left_out: Mapping[str, int]
    filled: Mapping[str, int]
    """With silence or a grey picture in a file's place."""

    @property
    def count(self) -> int:
        """Samples that were left out or filled."""
        return sum(self.left_out.values()) + sum(self.filled.values())

    @property
    def share(self) -> float:
        """`count` of all samples, 0 to 1."""
        return self.count / self.samples if self.samples else 0.0

    def words(self) -> str:
        """One line.

        >>> BadSamples("train", 19816, {}, {"missing": 14800, "truncated": 3}).words()
        "train: of 19,816 samples, 14,803 have silence or grey in a file's place (14,800 missing, 3 truncated)"
        """
        told = []
        if self.left_out:
            count = sum(self.left_out.values())
            told.append(f"{count:,} {'is' if count == 1 else 'are'} left out ({kinds_text(self.left_out)})")
        if self.filled:
            count = sum(self.filled.values())
            has = "has" if count == 1 else "have"
            told.append(f"{count:,} {has} silence or grey in a file's place ({kinds_text(self.filled)})")
        return f"{self.part}: of {self.samples:,} samples, {' and '.join(told) or 'all are used as they are'}"

    def as_dict(self) -> dict[str, Any]:
        """The same as plain data, for `sweep.yaml` and `test_eval.json`."""
        counts = {"left_out": dict(self.left_out), "filled": dict(self.filled)}
        return {"part": self.part, "samples": self.samples, **counts}


def told_of_data(data: Any) -> list[str]:
    """What the `data` of a `sweep.yaml` has to say of its samples, a line each: bad ones by part, and where the parts are not the official
    ones. Of a version that listed samples without their parts, the sums; of a damaged file, nothing.

    >>> told_of_data({"train": 9, "val": 2, "skipped": ["a: missing"], "replaced": []})
    ['train and val: of 12 samples, 1 is left out (1 missing)']
    """
    if not isinstance(data, Mapping):
        return []
    departures = data.get("departures")
    lines = [each.words() for each in _found(data) if each.count]
    return lines + [str(line) for line in (departures if isinstance(departures, list) else [])]


def _found(data: Mapping[str, Any]) -> list[BadSamples]:
    listed = data.get("bad")
    if isinstance(listed, list):
        return [read for each in listed if (read := read_bad(each)) is not None]
    left_out, filled = (_counted(data.get(key)) for key in ("skipped", "replaced"))
    counts = [data.get(key) for key in ("train", "val")]
    samples = sum(count for count in counts if isinstance(count, int)) + sum(left_out.values())
    return [BadSamples(UNSPLIT, samples, left_out, filled)]


def read_bad(value: Any) -> BadSamples | None:
    """What `as_dict` gave, else None."""
    try:
        left_out, filled = ({str(k): int(n) for k, n in value[key].items()} for key in ("left_out", "filled"))
        return BadSamples(str(value["part"]), int(value["samples"]), left_out, filled)
    except (KeyError, TypeError, ValueError, AttributeError):
        return None


def _counted(entries: Any) -> dict[str, int]:
    """Kinds of entries such as `1001_IEO_NEU_XX: missing`, counted."""
    return dict(Counter(str(entry).rpartition(": ")[2] for entry in entries)) if isinstance(entries, list) else {}


def kinds_text(counts: Mapping[str, int]) -> str:
    """`14,800 missing, 3 truncated`: the commonest first."""
    return ", ".join(f"{count:,} {kind}" for kind, count in sorted(counts.items(), key=lambda each: -each[1]))
