"""Equal footing: what all sweeps of one data set have in common, in data, trials and trainings, and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pandas as pd

from igmsweep.analysis.sensitivity import sampler_of
from igmsweep.errors import UserError
from igmsweep.frame import DESIGNED, Sweep
from igmsweep.record.json_files import read_lines
from igmsweep.record.paths import WARM_START
from igmsweep.record.states import FINISHED


def equal_footing(data: str, group: Sequence[Sweep], allow: bool, warnings: list[str]) -> list[Sweep]:
    """The sweeps of a data set, each cut to the same number of trials, and to the first training of each configuration unless all have
    repeated as many as often; `warnings` grows by a line for each thing that was left out, or that still differs.

    Failed and stopped trials are spent budget; copies of an earlier trial cost no training and are none.

    Raises:
        UserError: sweeps that differ in data, split, folds or metric, unless `allow`.
    """
    for sweep in group[1:]:
        _check(group[0], sweep, allow, warnings)
    warnings += dict.fromkeys(f"{data}: {note}" for sweep in group for note in sweep.data_notes)
    counts = {sweep.name: len(ended(sweep)) for sweep in group}
    budget = min(counts.values())
    if len(set(counts.values())) > 1:
        told = ", ".join(f"{name} {count}" for name, count in counts.items())
        warnings.append(f"{data}: different numbers of trials ({told}); only the first {budget} of each are compared")
    cut = _same_trainings(data, [_first(sweep, budget) for sweep in group], warnings)
    _tell_warm_starts(data, group, warnings)
    _tell_schedulers(data, group, warnings)
    return cut


def ended(sweep: Sweep) -> pd.DataFrame:
    """Trials that used up budget, in their order: a finished training each, without repeats with other seeds."""
    frame = sweep.trials
    own = frame["state"].isin(FINISHED) & frame["repeat_of"].isna() & frame["duplicate_of"].isna()
    return frame[own].sort_values("trial")


def trainings(sweep: Sweep) -> int:
    """Finished trainings of a sweep that was cut, repeats included."""
    return len(sweep.trials)


def learners(sweep: Sweep) -> list[str]:
    """Samplers of the trials that look at scores: those trials depend on each other."""
    found = dict.fromkeys(sampler_of(source) for source in ended(sweep)["source"])
    return [name for name in found if name not in (*DESIGNED, "given")]


def shown_name(sweep: Sweep, group: Sequence[Sweep]) -> str:
    """What a sweep is called beside the others: its method, where that tells them apart."""
    methods = [other.method for other in group]
    return sweep.method if sweep.method and len(set(methods)) == len(methods) else sweep.name


def _first(sweep: Sweep, budget: int) -> Sweep:
    """The first trials of a sweep with their finished repeats."""
    kept = set(ended(sweep)["trial"].head(budget))
    frame = sweep.trials
    again = frame["repeat_of"].isin(kept) & frame["state"].isin(FINISHED)
    return replace(sweep, trials=frame[frame["trial"].isin(kept) | again].reset_index(drop=True))


def _same_trainings(data: str, group: list[Sweep], warnings: list[str]) -> list[Sweep]:
    """Without repeats, unless every sweep has repeated as many configurations as often."""
    repeated = [sorted(sweep.trials["repeat_of"].dropna().value_counts().tolist()) for sweep in group]
    if all(each == repeated[0] for each in repeated):
        return group
    told = ", ".join(f"{sweep.name} {sum(each)}" for sweep, each in zip(group, repeated, strict=True))
    warnings.append(
        f"{data}: different numbers of repeats with other seeds ({told}); they are left out, and each configuration counts by its "
        "first training: the mean of several is not so lucky as the best of single ones"
    )
    return [
        replace(sweep, trials=sweep.trials[sweep.trials["repeat_of"].isna()].reset_index(drop=True)) for sweep in group
    ]


def _tell_warm_starts(data: str, group: Sequence[Sweep], warnings: list[str]) -> None:
    found = {sweep.name: len(read_lines(sweep.dir / WARM_START)[0]) for sweep in group}
    if any(found.values()):
        told = ", ".join(f"{name} {count}" for name, count in found.items() if count)
        warnings.append(
            f"{data}: searches that started from trials of earlier sweeps ({told}); those trials are not in the budget, which "
            "favours them"
        )


def _tell_schedulers(data: str, group: Sequence[Sweep], warnings: list[str]) -> None:
    found = {sweep.name: str(sweep.spec.get("scheduler") or "none") for sweep in group}
    if len(set(found.values())) > 1:
        told = ", ".join(f"{name} {scheduler}" for name, scheduler in found.items())
        warnings.append(
            f"{data}: different schedulers ({told}); a trial that was stopped early is spent budget like any other, but cost less"
        )


def _check(first: Sweep, other: Sweep, allow: bool, warnings: list[str]) -> None:
    for words, one, two in (
        ("data hash", first.data.get("data_hash"), other.data.get("data_hash")),
        ("split", first.data.get("split_hash"), other.data.get("split_hash")),
        ("folds", first.spec.get("folds"), other.spec.get("folds")),
        ("metric", first.metric, other.metric),
    ):
        if one == two:
            continue
        said = f"{first.name} and {other.name} differ in {words}: found {_known(one)} and {_known(two)}"
        if not allow:
            raise UserError(f"compare: {said}; expected the same (--allow-different compares them all the same)")
        warnings.append(said)


def _known(value: Any) -> str:
    return "none" if value is None else str(value)
