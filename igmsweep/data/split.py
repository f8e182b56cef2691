"""Validation data: carved from train or folds of it, stratified by class and grouped where rows belong together."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from igmsweep.errors import DataError, UserError

if TYPE_CHECKING:
    from igmsweep.data.base import Partition
    from igmsweep.schema.sections import DataConfig

DEFAULT_FRACTION = 0.1
"""Share of train that is carved where a data set brings no validation list and none is asked for."""


def sides(
    train: Partition, val: Partition | None, config: DataConfig, described: str = "", classes: Sequence[str] = ()
) -> tuple[Partition, Partition, str]:
    """Train, validation and a description of how they were told apart.

    Args:
        train, val: the data set's own lists; None where it has none for validation. `data.folds` and `data.val_fraction`
            carve from both together.
        described: what the validation list is, as `DataSet.validation` says.
        classes: names for messages, by label.

    Raises:
        UserError, DataError: as `carve` and `own` say.
    """
    if val is not None and config.folds is None and config.val_fraction is None:
        return train, val, own(train, val, config, described)
    whole = train if val is None else train.joined(val)
    rows, held, described = carve(whole.labels, whole.groups, config, classes)
    return whole.take(rows), whole.take(held), described


def carve(
    labels: np.ndarray, groups: Sequence[str | None], config: DataConfig, classes: Sequence[str] = ()
) -> tuple[np.ndarray, np.ndarray, str]:
    """Rows of train and of validation, both ascending, and a description of the split.

    Raises:
        UserError: a fold without folds or out of range, or grouping where the data set has no groups.
        DataError: as `folds`.
    """
    if config.group != "none" and any(group is None for group in groups):
        raise UserError(
            f"data.group: found '{config.group}', but {config.name} does not say which {config.group} a sample is of"
        )
    grouped = list(groups) if config.group != "none" else None
    by = f", grouped by {config.group}" if grouped is not None else ""
    if config.folds is not None:
        fold = config.fold or 0
        if grouped is not None and len(set(grouped)) < config.folds:
            every = config.options.get("split") == "column"  # of a CSV file
            raise UserError(
                f"data.folds: found {config.folds}, but train and validation of {config.name} hold {len(set(grouped))} groups "
                f"({config.group}), expected no more folds than that"
                + ("; with data.options.split=none the rows of test are folded too" if every else "")
            )
        if fold >= config.folds:
            raise UserError(f"data.fold: found {fold}, expected a fold below data.folds = {config.folds}")
        sides = folds(labels, config.folds, config.split_seed, grouped, classes)
        return *sides[fold], f"fold {fold + 1} of {config.folds}{by}"
    if config.fold is not None:
        raise UserError(f"data.fold: found {config.fold}, expected data.folds beside it")
    held, count = _share(config.val_fraction or DEFAULT_FRACTION, labels, grouped)
    val = np.sort(np.concatenate([out for _, out in folds(labels, count, config.split_seed, grouped, classes)[:held]]))
    return np.setdiff1d(np.arange(len(labels)), val), val, f"carved {held}/{count}{by}"


def own(train: Partition, val: Partition, config: DataConfig, described: str) -> str:
    """The description of a data set's own split, which must keep the groups apart where that is asked for.

    Args:
        described: what its validation part is, as `DataSet.validation` says.

    Raises:
        UserError: a group stands on both sides.
    """
    if config.group == "none":
        return described
    if any(group is None for group in (*train.groups, *val.groups)):
        raise UserError(
            f"data.group: found '{config.group}', but {config.name} does not say which {config.group} a sample is of"
        )
    both = set(train.groups) & set(val.groups)
    if both:
        raise UserError(
            f"data.group: {len(both)} groups ({config.group} '{min(str(group) for group in both)}' for one) stand in both "
            f"train and validation of {config.name}'s own lists; add data.folds or data.val_fraction to cut anew"
        )
    return f"{described}, grouped by {config.group}"


def _share(fraction: float, labels: np.ndarray, groups: Sequence[str | None] | None) -> tuple[int, int]:
    """How many of how many folds come nearest to `fraction`, with no more folds than the rows can be cut into."""
    smallest = int(np.unique(labels, return_counts=True)[1].min()) if groups is None else len(set(groups))
    share = Fraction(fraction).limit_denominator(max(2, min(20, smallest)))
    if share.numerator == 0:
        return 1, min(round(1 / fraction), max(2, smallest))
    if share == 1:
        share = 1 - Fraction(1, max(2, min(20, smallest)))
    return max(1, share.numerator), share.denominator


def folds(
    labels: np.ndarray,
    count: int,
    seed: int,
    groups: Sequence[str | None] | None = None,
    classes: Sequence[str] = (),
) -> list[tuple[np.ndarray, np.ndarray]]:
    """`count` pairs of (train rows, held-out rows); every row is held out once, no group stands on both sides.

    Raises:
        DataError: a class has fewer samples, or there are fewer groups, than parts to cut.
    """
    from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

    present, counts = np.unique(labels, return_counts=True)
    if groups is None and counts.min() < count:
        label, smallest = int(present[counts.argmin()]), int(counts.min())
        raise DataError(
            f"split: class '{classes[label] if classes else label}' has {smallest} sample{'s' * (smallest > 1)}, fewer "
            f"than the {count} parts to cut (so have {(counts < count).sum()} of {len(counts)} classes)"
        )
    if groups is not None and len(set(groups)) < count:
        raise DataError(f"split: {len(set(groups))} groups cannot be cut into {count} parts")
    kind = StratifiedKFold if groups is None else StratifiedGroupKFold
    cutter = kind(n_splits=count, shuffle=True, random_state=seed)
    return [(np.sort(a), np.sort(b)) for a, b in cutter.split(np.zeros(len(labels)), labels, groups)]


def check(labels: np.ndarray, classes: Sequence[str], part: str, name: str) -> None:
    """Raise DataError when a class has no sample in a part."""
    present = set(np.unique(labels).tolist())
    missing = [classes[index] for index in range(len(classes)) if index not in present]
    if missing:
        raise DataError(f"{name}: no sample of class '{missing[0]}' in the {part} split ({len(missing)} classes empty)")


def split_hash(train: Sequence[str], val: Sequence[str]) -> str:
    """12 hexadecimal digits of which ids stand on which side, whatever their order."""
    text = "\n".join(["train", *sorted(train), "val", *sorted(val)])
    return hashlib.sha256(text.encode()).hexdigest()[:12]
