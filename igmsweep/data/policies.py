"""Samples with files that cannot be used: what `data.bad_files` and `data.silent_files` make of them, and how many may be bad."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from igmsweep.data.base import DataSet, Part, Partition, Remark, Sample
from igmsweep.data.cache_build import NO_BLANK, decode
from igmsweep.data.files import lacking
from igmsweep.errors import DataError
from igmsweep.record.bad_samples import BadSamples, kinds_text

if TYPE_CHECKING:
    from igmsweep.schema.sections import DataConfig


def under_policies(parts: Mapping[Part, Partition], config: DataConfig) -> dict[Part, Partition]:
    """Of each part the samples that the policies leave.

    Args:
        parts: with all their samples; `replaced` lists those with files that cannot be used.

    Raises:
        DataError: as `refuse`, or files cannot be used, the policy is `blank`, and nothing can stand for them.
    """
    refuse({part: (len(whole), whole.replaced) for part, whole in parts.items()}, config)
    return {part: _under_policy(whole, config) for part, whole in parts.items()}


def bad_samples(part: Part, found: Partition) -> BadSamples:
    """How many samples of a part its policies have left out or filled."""
    return BadSamples(part, len(found) + len(found.skipped), by_kind(found.skipped), by_kind(found.replaced))


def refuse(parts: Mapping[Part, tuple[int, Sequence[Remark]]], config: DataConfig) -> None:
    """See to it that no more samples are bad than the user has allowed.

    Args:
        parts: how many samples each has, and the remarks on their files.

    Raises:
        DataError: there is a file that cannot be used and the policy is `error`; or more than `data.bad_share` of a part's samples
            would be left out or filled, whatever the policy. One line with counts, the first example, and what to write.
    """
    bad = {part: (count, once(remarks)) for part, (count, remarks) in parts.items() if remarks}
    unusable = [remark for _, remarks in bad.values() for remark in remarks if remark.kind != "silent"]
    many = [(len(remarks), count) for count, remarks in bad.values() if len(remarks) / count > config.bad_share]
    strict = bool(unusable) and config.bad_files == "error"
    if not many and not strict:
        return
    told = "; ".join(
        f"{part}: {len(remarks):,} of {count:,} samples have a bad file ({kinds_text(by_kind(remarks))})"
        for part, (count, remarks) in bad.items()
    )
    first = unusable[0] if unusable else next(iter(bad.values()))[1][0]
    limit = f", more than data.bad_share = {config.bad_share:g} allows" if many else ""
    raise DataError(
        f"{config.name}: {told}{limit}; the first: {first.text} (sample {first.sample}); mend them (`igmsweep data check` "
        f"lists them), or {_way_out(many, strict)}"
    )


def refuse_missing(dataset: DataSet, parts: Mapping[Part, Sequence[Sample]], root: Path, config: DataConfig) -> None:
    """`refuse` for files that are not there, before any is decoded. Raises DataError."""
    gone = {part: [found for each in samples if (found := _missing(each))] for part, samples in parts.items()}
    first = next((each for some in gone.values() for each in some), None)
    if first is None or not decode(dataset, first[0]).remarks:  # a data set may read what is no path on disk
        return
    refuse(
        {
            part: (
                len(parts[part]),
                [Remark("missing", each.id, name, lacking(each.files[name], root)) for each, name in some],
            )
            for part, some in gone.items()
        },
        config,
    )


def _way_out(many: Sequence[tuple[int, int]], strict: bool) -> str:
    """What to write where files cannot be mended.

    Args:
        many: bad samples and all samples of the parts with too many.
        strict: the policy allows none.
    """
    if any(some == count for some, count in many):
        return "name the folder that has them (--root DIR, data.root)"
    write = ["data.bad_files=skip (leave them out) or blank (silence, grey)"] if strict else []
    if many:
        hundredths = max(-(-100 * some // count) for some, count in many)
        write.append(f"data.bad_share={hundredths / 100:g}")
    return f"write {' and '.join(f'--set {each}' for each in write)}"


def once(remarks: Sequence[Remark]) -> tuple[Remark, ...]:
    """The first remark on each sample: one file may be all its modalities."""
    return tuple({remark.sample: remark for remark in reversed(remarks)}.values())[::-1]


def by_kind(remarks: Iterable[Remark]) -> dict[str, int]:
    """How many remarks there are of each kind."""
    return dict(Counter(remark.kind for remark in remarks))


def _missing(sample: Sample) -> tuple[Sample, str] | None:
    """The sample and the first of its modalities whose file is not there."""
    return next(((sample, name) for name, path in sample.files.items() if not os.path.exists(path)), None)


def _under_policy(whole: Partition, config: DataConfig) -> Partition:
    silent = [remark for remark in whole.replaced if remark.kind == "silent"]
    bad = [remark for remark in whole.replaced if remark.kind != "silent"]
    hopeless = [remark for remark in bad if remark.text.endswith(NO_BLANK)]
    if hopeless and config.bad_files == "blank":
        raise DataError(f"{hopeless[0].text}; set data.bad_files to skip")
    drop = (bad if config.bad_files == "skip" else []) + (silent if config.silent_files == "skip" else [])
    dropped = {remark.sample for remark in drop}
    rows = np.array([row for row, name in enumerate(whole.ids) if name not in dropped], dtype=np.int64)
    return replace(
        whole.take(rows),
        skipped=once(drop),
        replaced=once([remark for remark in whole.replaced if remark.sample not in dropped]),
    )
