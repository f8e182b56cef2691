"""How many trials failed or diverged, and whether one end of one range holds them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from igmsweep.analysis.checkup.advice import Advice, proposed, resume_command, section, tune_command
from igmsweep.analysis.checkup.modalities import ends_at_chance
from igmsweep.analysis.names import label, value_text
from igmsweep.frame import Sweep
from igmsweep.record.failures import UNKNOWN, FailureClass, meaning
from igmsweep.record.states import State

MOST = 0.1
"""Share of failed and diverged trials above which they are named wherever they lie."""
FEWEST = 4
"""Fewer failures lie together by luck too easily, and cost little."""
HELD = 0.75
"""Share of the failures that a region must hold to be called theirs."""
LEVEL = 0.01
"""Of the test for a region, shared among all regions that are looked at."""
BORDERS = np.arange(0.1, 1.0, 0.1)
"""Quantiles of a parameter at which a region may begin."""
OWN = (FailureClass.NAN, FailureClass.OOM, FailureClass.TIMEOUT, FailureClass.BUG, UNKNOWN)
"""Failures that a configuration can be the cause of; a lost worker or a full disk is not its fault."""
DO: Mapping[str, str] = {
    FailureClass.OOM: "Give each trial more memory, or lower the batch size:",
    FailureClass.TIMEOUT: "Allow more time with --trial-timeout, or search what is cheaper to train.",
    FailureClass.NAN: "Search smaller learning rates.",
    FailureClass.DATA: "Look for the files at fault:",
    FailureClass.DISK: "Free space where the results folder lies, then go on:",
}


@dataclass(frozen=True)
class Region:
    """Where failures lie: `held` of them among the `trials` for which `words` holds; `p` by chance; `do` leaves it out."""

    p: float
    words: str
    do: str
    held: int
    trials: int


def failed_trials(sweep: Sweep) -> Advice | None:
    """Failed and diverged trials where they are many, or where one end of one range (or one choice) holds most of them. A trial that
    was trained to its end and is no better than chance has diverged without a number that is not finite."""
    frame = sweep.trials[sweep.trials["repeat_of"].isna() & sweep.trials["duplicate_of"].isna()]
    frame = frame[frame["state"].isin([State.COMPLETE, State.FAILED, State.PRUNED])]
    failed = frame["state"] == State.FAILED
    chance = ends_at_chance(sweep, frame) & ~failed
    lost = failed | chance
    count = int(lost.sum())
    if count < FEWEST:
        return None
    kinds = frame["error.class"].fillna(UNKNOWN)[failed]
    region = _region(sweep, frame, (failed & frame["error.class"].fillna(UNKNOWN).isin(OWN)) | chance)
    if region is None and count < MOST * len(frame):
        return None
    classes = [f"{n} {kind} ({meaning(str(kind))})" for kind, n in kinds.value_counts().items()]
    classes += [f"{int(chance.sum())} trained to the end but no better than chance"] if chance.any() else []
    seen = f"{count} of {len(frame)} trials failed or diverged: {', '.join(classes)}"
    if region is not None:
        seen += f"; {region.held} of them have {region.words}, where {region.trials} of the trials lie."
        command = tune_command(sweep, ("--space", "narrower.yaml"), ("--warm-start", str(sweep.dir)))
        return Advice("failures", seen, region.do, command)
    most = str(kinds.value_counts().index[0]) if len(kinds) else FailureClass.NAN
    first = int(frame.loc[lost, "trial"].iloc[0])
    do = DO.get(most, f"Read error.txt and stdout.log in trials/{first:05d}.")
    commands: Mapping[str, str] = {
        FailureClass.OOM: tune_command(sweep, ("--set", f"optim.batch_size={_half_batch(sweep)}")),
        FailureClass.DATA: f"igmsweep data check {sweep.data.get('name', 'DATASET')}",
        FailureClass.DISK: resume_command(sweep, "--trials", proposed(sweep)),
    }
    return Advice("failures", seen + "; no part of the space holds most of them.", do, commands.get(most, ""))


def _half_batch(sweep: Sweep) -> int:
    size = section(sweep, "optim").get("batch_size")
    return max(1, size // 2) if isinstance(size, int) else 16


def _region(sweep: Sweep, frame: pd.DataFrame, lost: pd.Series) -> Region | None:
    """The likeliest region of one parameter that holds most failures by more than chance (hypergeometric, Bonferroni)."""
    if lost.sum() < FEWEST:
        return None
    looked_at = list(_candidates(sweep, frame))
    best = None
    for words, do, inside in looked_at:
        held, trials = int((inside & lost).sum()), int(inside.sum())
        if held < HELD * lost.sum() or trials > len(frame) / 2:
            continue
        p = float(stats.hypergeom.sf(held - 1, len(frame), int(lost.sum()), trials)) * len(looked_at)
        if p < LEVEL and (best is None or p < best.p):
            best = Region(p, words, do, held, trials)
    return best


def _candidates(sweep: Sweep, frame: pd.DataFrame) -> Iterator[tuple[str, str, pd.Series]]:
    """Words, what to do, and which trials lie there."""
    for path in sweep.space:
        column = f"params.{path}"
        if column not in frame.columns:
            continue
        values = frame[column]
        if pd.api.types.is_numeric_dtype(values) and values.nunique() > 2:
            for border in dict.fromkeys(float(f"{x:.2g}") for x in values.quantile(BORDERS)):
                shown = value_text(border)
                yield (
                    f"{label(path)} above {shown}", f"Narrow {label(path)} to high: {shown} in a space of your own:",
                    values > border,
                )  # fmt: skip
                yield (
                    f"{label(path)} below {shown}", f"Narrow {label(path)} to low: {shown} in a space of your own:",
                    values < border,
                )  # fmt: skip
        else:
            for choice in values.dropna().unique():
                shown = value_text(choice)
                yield (
                    f"{label(path)} = {shown}", f"Leave {shown} out of {label(path)} in a space of your own:",
                    values == choice,
                )  # fmt: skip
