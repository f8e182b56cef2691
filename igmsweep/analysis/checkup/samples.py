"""Whether the validation sample is large enough for the difference that the sweep is about."""

from __future__ import annotations

import math

import numpy as np

from igmsweep.analysis.checkup.advice import Advice, gain_words, resume_command
from igmsweep.analysis.checkup.modalities import samples
from igmsweep.analysis.ranking import ranked
from igmsweep.frame import Sweep

TOLD = 1.959964 + 0.841621
"""Standard errors of a difference that a two-sided test at 5 % finds in 80 % of cases: quantiles of the normal distribution."""
MOST_SEEDS = 10
"""With more, a larger validation sample is the better buy."""
MOST_SAMPLES = 50
"""Times the samples there are: beyond, the difference is too small for anyone to seek."""
FEWEST = 10
"""Completed trials: a sweep that has hardly begun seeks nothing yet."""


def small_validation(sweep: Sweep) -> Advice | None:
    """The winner's lead over the paper's setting (over the second, where that won or was not run) is smaller than what one
    training each on so many samples can tell at 80 % power. Paired where predictions are kept, else two binomial samples; the
    luck of training comes on top, so it is the least that can be told. Silent with folds, with
    repeats, and where the metric is not accuracy."""
    order, count = ranked(sweep), samples(sweep)
    if (
        len(order) < FEWEST
        or count is None
        or sweep.spec.get("folds")
        or sweep.metric != "val/acc"
        or order["n"].iloc[0] > 1
    ):
        return None
    given = sweep.trials.loc[sweep.trials["source"].astype(str) == "enqueue:paper", "trial"]
    paper = order[order["trial"].isin(given) & (order["rank"] > 1)]
    other, name = (paper.iloc[0], "the paper's setting") if len(paper) else (order.iloc[1], "the second best")
    first, second = (int(row["trial"]) for row in (order.iloc[0], other))
    lead = abs(float(order["mean"].iloc[0]) - float(other["mean"]))
    error, paired = _paired(sweep, first, second), True
    if error is None:
        error, paired = _binomial(float(order["mean"].iloc[0]), float(other["mean"]), count), False
    told = TOLD * error
    if lead <= 0 or lead >= told:
        return None
    way = "paired sample by sample" if paired else "without kept predictions"
    seen = (
        f"Trial {first} leads {name} by {gain_words(lead, sweep.metric)}; {count} validation samples and one training each tell "
        f"{gain_words(told, sweep.metric)} apart in four of five cases ({way}), not less."
    )
    factor = (told / lead) ** 2
    wanted = f"about {float(f'{factor * count:.2g}'):,.0f} validation samples would do"
    seeds = math.ceil(factor)
    if factor > MOST_SAMPLES:
        return Advice("validation size", seen, "Call them equal.")
    if seeds > MOST_SEEDS:
        return Advice("validation size", seen, f"Call them equal, or validate on more data: {wanted}.")
    return Advice(
        "validation size", seen, f"Call them equal, validate on more data ({wanted}), or train the best again with at least {seeds} seeds:",
        resume_command(sweep, "--seeds", seeds),
    )  # fmt: skip


def _paired(sweep: Sweep, one: int, two: int) -> float | None:
    """Standard error of the difference of two accuracies on the same samples; None without predictions of both."""
    first, second = (sweep.predictions(trial) for trial in (one, two))
    if first is None or second is None or first.samples != second.samples or len(first) != len(second):
        return None
    difference = first.correct.astype(float) - second.correct
    return float(difference.std(ddof=1) / math.sqrt(len(difference))) or None


def _binomial(one: float, two: float, count: int) -> float:
    shares = np.clip([one, two], 0, 1)
    shares = (shares * count + 1) / (count + 2)  # Agresti and Caffo's, for the difference of two
    return float(np.sqrt((shares * (1 - shares)).sum() / (count + 2)))
