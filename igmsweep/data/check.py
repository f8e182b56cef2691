"""`igmsweep data check`: what a data set on disk lacks, by name, and how its counts compare with the published ones."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from igmsweep.data.base import PARTS, DataSet, Part, Remark, Sample
from igmsweep.data.digests import duplicates
from igmsweep.data.files import USABLE, absent
from igmsweep.data.policies import by_kind
from igmsweep.data.progress import ProgressLine
from igmsweep.data.published import departures
from igmsweep.data.remarks import SHOWN, folders_of, told
from igmsweep.errors import DataError

BECOMES = {
    "error": "training is refused: mend the files, or set data.bad_files to skip (leave such samples out) or to blank ({blank} "
    "in their place), and data.bad_share where they are more than 1 % of a part",
    "skip": "such samples are left out, up to data.bad_share of a part: mend the files, or set data.bad_files=blank for {blank} in "
    "their place",
    "blank": "{blank} stand in the files' place, up to data.bad_share of a part: mend them, or set data.bad_files=skip to leave such "
    "samples out",
}
"""What a policy makes of samples that cannot be used."""
LEFT_OUT = {
    "error": "training is refused: mend the files, or set data.bad_files=skip to leave such samples out, and data.bad_share where they "
    "are more than 1 % of a part",
    "skip": "such samples are left out, up to data.bad_share of a part: mend the files",
    "blank": "training is refused, as nothing can stand in the files' place: mend them, or set data.bad_files=skip",
}
"""The same where all modalities are such that nothing can stand for them."""
BLANKS = {"audio": "silence", "image": "grey pictures", "video": "grey pictures"}
"""What stands for a modality that cannot be read."""


@dataclass(frozen=True)
class PartReport:
    """One part: `lack` says why there is none; `groups` are those whose samples it holds, `folders` those of its files by modality."""

    samples: int
    expected: int | None
    classes: dict[str, int] = field(default_factory=dict)
    groups: frozenset[str] = frozenset()
    lack: str | None = None
    remarks: tuple[Remark, ...] = ()
    folders: dict[str, Path] = field(default_factory=dict)

    @property
    def unusable(self) -> int:
        """Samples that need `data.bad_files`."""
        return len({remark.sample for remark in self.remarks if remark.kind not in USABLE})

    @property
    def bad(self) -> int:
        """Samples that `data.bad_share` counts: the unusable and the silent ones."""
        return len({remark.sample for remark in self.remarks if remark.kind == "silent" or remark.kind not in USABLE})


@dataclass(frozen=True)
class Report:
    """What was found in a folder."""

    dataset: str
    root: Path
    parts: dict[Part, PartReport]
    duplicates: tuple[tuple[Remark, ...], ...]
    notes: tuple[str, ...]
    departures: tuple[str, ...] = ()
    """Where it is not the data set as published."""
    blank: str = "grey pictures"
    """What `data.bad_files=blank` puts in a file's place."""
    decoded: bool = False
    """Whether every file was read to its end."""
    bad_files: str = "error"
    """`data.bad_files` as it is set."""
    silent_files: str = "keep"
    """`data.silent_files` as it is set."""

    @property
    def unusable(self) -> int:
        """Samples that need `data.bad_files`."""
        return sum(part.unusable for part in self.parts.values())

    @property
    def sound(self) -> bool:
        """There are train and test lists and every file of theirs can be used."""
        return not self.unusable and not any(part.lack for part in self.parts.values())

    @property
    def clean(self) -> bool:
        """It is sound and nothing departs from the data set as published."""
        return self.sound and not self.departures

    def unfit(self, bad_share: float) -> str | None:
        """Why a search under this `data.bad_share` refuses the folder, else None."""
        for name, part in self.parts.items():
            if name == "test" or not part.samples or part.bad / part.samples <= bad_share:
                continue
            gone = [absent(folder / "file", self.root) for folder in part.folders.values()]
            lacking = [f"no {folder}/" for folder in dict.fromkeys(gone) if folder]
            why = f", as there is {' and '.join(lacking)} here" if lacking else ""
            return f"{part.bad:,} of {part.samples:,} {name} samples have a bad file{why}"
        return None

    def lines(self, every: bool = False) -> list[str]:
        """The report for a person.

        Args:
            every: a line a remark, where else many of one kind and folder are summed.
        """
        how = "every file decoded" if self.decoded else "by headers and lengths; --decode reads every file to its end"
        out = [f"{self.dataset} in {self.root}, {how}"]
        for name, part in self.parts.items():
            if part.lack is not None:
                out.append(f"  {name:5s} no list that can be read")
                continue
            of = f" of {part.expected} published" if part.expected is not None else ""
            counts = ", ".join(f"{label} {count}" for label, count in part.classes.items() if count)
            out.append(f"  {name:5s} {part.samples}{of}; {counts}" if part.samples else f"  {name:5s} no list")
        out += [f"  {note}" for note in self.notes]
        for name, part in self.parts.items():
            out += told(name, part.remarks, part.folders, self.root, every)
        for group in self.duplicates if every else self.duplicates[:SHOWN]:
            told_of = group if every else group[:SHOWN]
            more = f" and {len(group) - len(told_of):,} more" if len(group) > len(told_of) else ""
            out.append(f"{'duplicate':10s} {'; '.join(f'{each.sample}  {each.text}' for each in told_of)}{more}")
        if len(self.duplicates) > SHOWN and not every:
            out.append(f"{'duplicate':10s} and {len(self.duplicates) - SHOWN:,} more groups of equal files")
        counted = by_kind(remark for part in self.parts.values() for remark in part.remarks)
        if self.duplicates:
            counted["duplicate"] = len(self.duplicates)
        if counted:
            out.append("found " + ", ".join(f"{count} {kind}" for kind, count in counted.items()))
        out += self._advice(counted)
        lacks = [f"{name}: {part.lack}" for name, part in self.parts.items() if part.lack]
        out += [f"amiss: {line}" for line in (*lacks, *self.departures)]
        if not counted and self.clean:
            out.append("found nothing amiss")
        return out

    def _advice(self, counted: dict[str, int]) -> list[str]:
        """What becomes of samples that cannot be used, under the policies that are set, and what else can be done."""
        out = []
        if self.unusable:
            samples = f"{self.unusable} sample{'s' * (self.unusable > 1)}"
            becomes = (BECOMES if self.blank else LEFT_OUT)[self.bad_files].format(blank=self.blank)
            out.append(f"{samples} cannot be used; with data.bad_files={self.bad_files} {becomes}")
        if counted.get("silent"):
            what = "left out" if self.silent_files == "skip" else "used as they are"
            out.append(f"silent sounds are {what} (data.silent_files={self.silent_files})")
        if counted.get("no words"):
            out.append("texts without a word are used as they are")
        return out

    def as_dict(self) -> dict[str, Any]:
        """The same as plain data."""
        return {
            "dataset": self.dataset,
            "root": str(self.root),
            "sound": self.sound,
            "decoded": self.decoded,
            "unusable": self.unusable,
            "parts": {
                name: {
                    "samples": part.samples,
                    "expected": part.expected,
                    "classes": part.classes,
                    "lack": part.lack,
                    "remarks": [vars(remark) for remark in part.remarks],
                }
                for name, part in self.parts.items()
            },
            "duplicates": [[vars(remark) for remark in group] for group in self.duplicates],
            "notes": list(self.notes),
            "departures": list(self.departures),
        }


def check(
    dataset: DataSet,
    root: Path,
    decode: bool = False,
    jobs: int | None = None,
    bad_files: str = "error",
    silent_files: str = "keep",
) -> Report:
    """Look at every file of every part, the test part's too: this is no search.

    Args:
        decode: read every file to its end; else headers and lengths, and only files that these do not vouch for.
        bad_files, silent_files: the policies of `DataConfig`, which the advice at the end fits.

    Raises:
        DataError: the train list is missing or malformed.
    """
    jobs = jobs or min(16, len(os.sched_getaffinity(0)))
    parts: dict[Part, PartReport] = {}
    owners: dict[Path, tuple[Part, Sample, str]] = {}
    listed: dict[Part, list[str]] = {}
    for part in PARTS:
        try:
            samples = dataset.index(root, part)
        except DataError as error:
            if part == "train":
                raise
            parts[part] = PartReport(0, dataset.expected.get(part), lack=str(error).removeprefix(f"{root}: "))
            continue
        remarks: list[Remark] = []
        with ThreadPoolExecutor(jobs) as pool, ProgressLine(len(samples), f"{part} samples checked") as progress:
            try:
                for found in pool.map(lambda sample: dataset.inspect(sample, decode), samples):
                    remarks += found
                    progress.advance()
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise
        counts = [sum(sample.label == label for sample in samples) for label in range(len(dataset.classes))]
        parts[part] = PartReport(
            len(samples),
            dataset.expected.get(part),
            dict(zip(dataset.classes, counts, strict=True)),
            frozenset(sample.group for sample in samples if sample.group is not None),
            remarks=tuple(remarks),
            folders=folders_of(samples, root),
        )
        listed[part] = [sample.id for sample in samples]
        for sample in samples:
            for name, path in sample.files.items():
                for file in path.iterdir() if path.is_dir() else [path]:
                    owners.setdefault(file, (part, sample, name))
    return Report(
        dataset.name,
        root,
        parts,
        tuple(_duplicates(owners)),
        tuple(_overlap(parts, dataset.grouping) + _validation(dataset, root, parts["val"]) + dataset.notes(root)),
        tuple(departures(dataset, root, listed)),
        " and ".join(
            sorted({BLANKS[each.kind] for name, each in dataset.modalities.items() if dataset.blank(name) is not None})
        ),
        decode,
        bad_files,
        silent_files,
    )


def _duplicates(owners: dict[Path, tuple[Part, Sample, str]]) -> list[tuple[Remark, ...]]:
    """Files with equal bytes in different samples, once for the same samples; frames that repeat in a clip are no news."""
    found: dict[frozenset[tuple[Part, str]], tuple[Remark, ...]] = {}
    for group in duplicates(owners):
        remarks: dict[tuple[Part, str], Remark] = {}
        for path in group:
            part, sample, name = owners[path]
            remarks.setdefault((part, sample.id), Remark("duplicate", sample.id, name, f"({part}) {path}"))
        if len(remarks) > 1:
            found.setdefault(frozenset(remarks), tuple(remarks.values()))
    return list(found.values())


def _validation(dataset: DataSet, root: Path, val: PartReport) -> list[str]:
    if val.lack is not None:
        return []
    return [f"validation: {dataset.validation(root) if val.samples else 'no list, carved from train'}"]


def _overlap(parts: dict[Part, PartReport], grouping: str) -> list[str]:
    notes = []
    train = parts["train"].groups
    for name in ("val", "test"):
        part = parts.get(name)  # type: ignore[call-overload]
        shared = part.groups & train if part is not None else frozenset()
        if part is not None and shared:
            notes.append(
                f"{len(shared)} of the {len(part.groups)} groups ({grouping}) in {name} are in train too: {name} measures "
                f"known ones"
            )
    return notes
