"""What can be said of the differences between the sweeps of one data set, in a table and in words."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd
from scipy import stats

from igmsweep.analysis.comparison.candidates import candidates
from igmsweep.analysis.comparison.chosen import FEWEST, Candidates, Chosen, choose
from igmsweep.analysis.comparison.footing import ended, learners, shown_name
from igmsweep.analysis.comparison.verdicts import BEST, UNKNOWN, pair_table, standings, verdicts, words
from igmsweep.analysis.tables import is_share
from igmsweep.frame import Sweep

STANDING = ".standing"
"""Suffix of a metric's standing among the columns of a table."""
ALL_PAIRS = 3
"""Sweeps of a data set up to which every pair is told in words; of more, those with the best."""


@dataclass(frozen=True, eq=False)
class Judged:
    """Of one data set.

    Attributes:
        columns: a dict a sweep: `<metric>.standing` of each metric, and `held_out`, `.low`, `.high` where predictions were kept.
        differences: a row a pair and metric.
        lines: a difference of the objective each, in words.
        basis: what the differences are of, and which luck their intervals know.
    """

    data: str
    columns: tuple[dict[str, str | float], ...]
    differences: pd.DataFrame
    lines: tuple[str, ...]
    basis: str


def judge(data: str, group: Sequence[Sweep]) -> Judged:
    """Compare the sweeps of a data set, which stand on equal footing."""
    names = [shown_name(sweep, group) for sweep in group]
    columns: list[dict[str, str | float]] = [{} for _ in group]
    metrics = list(dict.fromkeys(metric for sweep in group for metric in sweep.shown_metrics))
    if len({(sweep.metric, sweep.maximise) for sweep in group}) > 1:
        for column in columns:
            column |= {metric + STANDING: UNKNOWN for metric in metrics}
        said = "The searches looked for different metrics, so nothing is said of their differences."
        return Judged(data, tuple(columns), pd.DataFrame(), (), said)
    objective = group[0].metric
    read = [candidates(sweep, [m for m in metrics if f"metrics.{m}" in sweep.trials.columns]) for sweep in group]
    tables, lines = [], []
    for metric in [objective, *(name for name in metrics if name != objective)]:
        if not all(metric in each for each in read):
            continue
        found = choose([each[metric] for each in read])
        pairs = verdicts(found)
        stand = standings(found, pairs, group[0].maximise if metric == objective else not metric.endswith("loss"))
        tables.append(pair_table(pairs, names, data, metric))
        if len(group) > 1:
            for column, each in zip(columns, stand, strict=True):
                column[metric + STANDING] = each
        if metric != objective:
            continue
        told = [each for each in pairs if len(group) <= ALL_PAIRS or BEST in (stand[each.one], stand[each.other])]
        lines = [words(each, names, metric) for each in told]
        for column, chosen in zip(columns, found, strict=True):
            column |= _held_out(chosen, objective)
    own = [each[objective] for each in read]
    basis = _basis(group, names, own) if len(group) > 1 else "One sweep alone: there is nothing to set it beside."
    return Judged(data, tuple(columns), pd.concat(tables, ignore_index=True), tuple(lines), basis)


def _held_out(chosen: Chosen, metric: str) -> dict[str, str | float]:
    """The chosen one's expected score with its 95 % interval; nothing where only scores that made the choice are known."""
    if chosen.parts is None:
        return {}
    variance = chosen.search + chosen.error**2
    half = math.nan
    if math.isfinite(variance) and variance > 0:
        doubt = chosen.search**2 / chosen.freedom + chosen.error**4 / max(len(chosen.parts) - 1, 1)
        half = float(stats.t.ppf(0.975, variance**2 / doubt)) * math.sqrt(variance)
    low, high = chosen.value - half, chosen.value + half
    if is_share(metric):
        low, high = max(low, 0.0), min(high, 1.0)
    return {"held_out": chosen.value, "held_out.low": low, "held_out.high": high}


def _basis(group: Sequence[Sweep], names: Sequence[str], own: Sequence[Candidates]) -> str:
    """What the differences are of, and what their intervals know."""
    trials = len(ended(group[0]))
    said = f"Of methods tuned with {trials} trials, not of two trained models"
    missing = [name for name, each in zip(names, own, strict=True) if each.choice is None]
    if missing:
        said += (
            f": differences of the best scores, with the luck of the choice on both sides. Predictions of {', '.join(missing)} were not "
            "kept, so samples cannot be paired, and the intervals are wider than need be."
        )
        if not all(math.isfinite(each.error) for each in own):
            said += " How far the samples' luck reaches is not known for this metric."
    else:
        said += ": differences of what a search chooses, on validation samples that had no part in the choice"
        sizes = {each.choice.shape[1] for each in own if each.choice is not None}
        said += f" (n = {', '.join(map(str, sorted(sizes)))})."
    if any(each.drawn < FEWEST for each in own):
        said += f" Fewer than {FEWEST} trials that a sampler chose tell nothing of the luck of a search."
    else:
        said += " The 95 % intervals, which hold together, know the luck of the samples and that of the search, with it that of seeds."
    once = [name for name, each in zip(names, own, strict=True) if each.asks_for_seeds]
    if once:
        said += (
            f" {', '.join(once)}: the best configuration was enqueued and trained once, which leaves its seeds' luck all but open: "
            "--seeds on all sides would narrow the intervals."
        )
    learn = [name for name, sweep in zip(names, group, strict=True) if learners(sweep)]
    if learn:
        said += f" {', '.join(learn)}: a sampler that learns makes trials depend on each other, so the luck of its search is known roughly."
    return said
