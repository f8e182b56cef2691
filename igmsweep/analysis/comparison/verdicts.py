"""Differences between the methods of one data set, each tuned with the same budget, with an interval and a verdict in words."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from igmsweep.analysis.comparison.chosen import Chosen
from igmsweep.analysis.names import unit

LEVEL = 0.05
"""Of all false claims of one data set and metric together."""
BEST, TIED, BEHIND, UNKNOWN = "best", "tied", "behind", "unknown"


@dataclass(frozen=True)
class Verdict:
    """`one` minus `other`, places of two sweeps in their group.

    Attributes:
        difference: of the two expected scores.
        low, high: its interval; together the intervals of a group hold the true differences with 95 % (Bonferroni). NaN: unknown.
        p: of no difference, adjusted likewise. NaN: unknown.
        paired: whether both were scored on the same samples, one by one.
    """

    one: int
    other: int
    difference: float
    low: float
    high: float
    p: float
    paired: bool

    @property
    def known(self) -> bool:
        return math.isfinite(self.p)

    @property
    def apart(self) -> bool:
        """Whether the two are told apart."""
        return self.known and self.p < LEVEL


def verdicts(group: Sequence[Chosen], level: float = LEVEL) -> list[Verdict]:
    """Every pair of a group, by t intervals with Welch and Satterthwaite's degrees of freedom."""
    pairs = list(itertools.combinations(range(len(group)), 2))
    return [_verdict(group, one, other, level, len(pairs)) for one, other in pairs]


def _verdict(group: Sequence[Chosen], one: int, other: int, level: float, pairs: int) -> Verdict:
    ours, theirs = group[one], group[other]
    parts = [(ours.search, ours.freedom), (theirs.search, theirs.freedom)]
    paired = ours.samples == theirs.samples and ours.parts is not None and theirs.parts is not None
    if ours.parts is not None and theirs.parts is not None and paired:
        gap = ours.parts - theirs.parts
        parts.append((float(gap.var(ddof=1)) / len(gap), len(gap) - 1.0))
    else:
        parts += [(each.error**2, math.inf) for each in (ours, theirs)]
    variance, difference = sum(part for part, _ in parts), ours.value - theirs.value
    if not (math.isfinite(variance) and variance > 0):
        return Verdict(one, other, difference, math.nan, math.nan, math.nan, paired)
    freedom = variance**2 / max(sum(part**2 / free for part, free in parts), 1e-300)
    error = math.sqrt(variance)
    half = float(stats.t.ppf(1 - level / pairs / 2, freedom)) * error
    p = min(1.0, 2 * pairs * float(stats.t.sf(abs(difference) / error, freedom)))
    return Verdict(one, other, difference, difference - half, difference + half, p, paired)


def standings(group: Sequence[Chosen], found: Sequence[Verdict], maximise: bool) -> list[str]:
    """Of each sweep: `best`, `tied` (not told apart from the best), `behind`, or `unknown`; the best is the one with the best expected
    score. Where nothing is known of any difference from it, it is unknown too."""
    values = np.array([each.value for each in group])
    if not np.isfinite(values).all():
        return [UNKNOWN] * len(group)
    top = int(values.argmax() if maximise else values.argmin())
    out = [BEST] * len(group)
    for each in found:
        if top in (each.one, each.other):
            rest = each.other if each.one == top else each.one
            out[rest] = UNKNOWN if not each.known else BEHIND if each.apart else TIED
    if len(group) > 1 and all(each == UNKNOWN for place, each in enumerate(out) if place != top):
        out[top] = UNKNOWN
    return out


def words(each: Verdict, names: Sequence[str], metric: str) -> str:
    """`MLA − IGM: +1.2 points [−0.4, +2.9], not told apart`."""
    scale, suffix = unit(metric)
    pair = f"{names[each.one]} − {names[each.other]}"
    gap = _signed(scale * each.difference, suffix) + (" points" if suffix else "")
    if not each.known:
        return f"{pair}: {gap}, unknown whether that is more than luck"
    interval = f"[{_signed(scale * each.low, suffix)}, {_signed(scale * each.high, suffix)}]"
    return f"{pair}: {gap} {interval}, {'told apart' if each.apart else 'not told apart'}"


def pair_table(found: Sequence[Verdict], names: Sequence[str], data: str, metric: str) -> pd.DataFrame:
    """A row a pair: `data`, `metric`, `one`, `other`, `difference`, `low`, `high`, `p`, `paired`, `told_apart` (empty: unknown)."""
    rows = [
        {
            "data": data, "metric": metric, "one": names[each.one], "other": names[each.other],
            "difference": each.difference, "low": each.low, "high": each.high, "p": each.p, "paired": each.paired,
            "told_apart": each.apart if each.known else None,
        }
        for each in found
    ]  # fmt: skip
    return pd.DataFrame(rows)


def _signed(value: float, share: str) -> str:
    text = f"{value:+.1f}" if share else f"{value:+.3g}"
    return text.replace("-", "−")
