"""Which parameters matter: how much of the spread of scores over the searched space each one explains, interactions included.

The total-effect index of Sobol' (Homma and Saltelli 1996), by Jansen's estimator (1999) on draws of the sweep's process. Configurations are spread
evenly over the space, whichever the sampler has tried: an importance is of the space, not of the search, so that it does not
fade as a sampler settles. A conditional parameter is judged among the configurations in which it acts.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from igmsweep.analysis.names import label
from igmsweep.analysis.sensitivity import flat_ranges
from igmsweep.analysis.surrogate import Surrogate, surrogate
from igmsweep.frame import Sweep

POINTS = 128
"""Configurations from which one parameter at a time is changed."""
SETS = 3
"""Sets of such configurations, each for a part of the process's settings: the interval then knows that they were drawn."""
EACH = 8
"""Curves for each setting of the process."""
INTERVAL = (0.05, 0.95)
COLUMNS = ["param", "share", "low", "high", "p", "told", "n"]


def importance_data(sweep: Sweep) -> pd.DataFrame:
    """One row a searched parameter that was varied: those that are told apart from chance first, the most important on top: `param`;
    `share` of the variance of scores in which the parameter has a part, alone or together with others, in [0, 1] (they add up to more than 1 where
    parameters interact), with a 90 % interval `low`, `high`; `p` and `told` of `flat_ranges`; `n`, trials in which it acts. Empty below 10 trials."""
    found = surrogate(sweep, sweep.metric)
    if found is None:
        return pd.DataFrame(columns=COLUMNS)
    parts = [replace(found.process, theta=found.process.theta[place::SETS]) for place in range(SETS)]
    shares = np.concatenate([total_effects(replace(found, process=part), seed) for seed, part in enumerate(parts)])
    told = flat_ranges(sweep).set_index("param")
    rows = []
    for column, axis in enumerate(found.axes):
        low, high = np.nanquantile(shares[:, column], INTERVAL)
        p, matters = float(told["p"][axis.path]), bool(told["told"][axis.path])
        share = float(np.nanmedian(shares[:, column]))
        n = int(found.acts(column).sum())
        rows.append([axis.path, share, float(low), float(high), p, matters, n])
    out = pd.DataFrame(rows, columns=COLUMNS)
    return out.sort_values(["told", "share"], ascending=False, ignore_index=True)


def importance_words(data: pd.DataFrame) -> str:
    """What the table says, in one or two sentences."""
    if data.empty:
        return "Fewer than ten completed trials: importances would be chance."
    told, rest = data[data["told"]], [label(path) for path in data.loc[~data["told"], "param"]]
    if told.empty:
        return "No parameter's share of the spread of scores is told apart from chance."
    columns = [told["param"].tolist(), *((100 * told[name]).tolist() for name in ("share", "low", "high"))]
    parts = [
        f"{label(path)} {share:.0f} % [{low:.0f}, {high:.0f}]" for path, share, low, high in zip(*columns, strict=True)
    ]
    said = f"Of the spread of scores over the searched space, interactions included: {', '.join(parts)}."
    return said + (f" Not told apart from chance: {', '.join(rest)}." if rest else "")


def total_effects(found: Surrogate, seed: int = 0) -> np.ndarray:
    """(draws, d) the share of variance that each parameter explains, of the configurations in which it acts; NaN where none has any."""
    from scipy.stats.qmc import Sobol

    generator = np.random.default_rng(seed)
    space, size = _Patterns(found), len(found.axes)
    even = Sobol(2 * size, rng=generator).random(POINTS)  # random points would make half of the interval
    base, active = space.points(generator.integers(0, len(space.rows), POINTS), even[:, :size])
    changed = [space.changed(base, active, column, even[:, size + column], generator) for column in range(size)]
    scores = found.process.draws(np.concatenate([base, *changed]), EACH, generator)
    own = scores[:, :POINTS]
    out = np.full((len(scores), len(found.axes)), np.nan)
    for column in range(len(found.axes)):
        acts = active[:, column]
        if acts.sum() < 2:
            continue
        moved = scores[:, POINTS * (column + 1) : POINTS * (column + 2)]
        explained = ((own - moved)[:, acts] ** 2).mean(axis=1) / 2
        spread = (own[:, acts].var(axis=1) + moved[:, acts].var(axis=1)) / 2
        out[:, column] = np.minimum(1.0, explained / np.maximum(spread, 1e-18))
    return out


class _Patterns:
    """The combinations of choices that were tried, and which parameters act in each."""

    def __init__(self, found: Surrogate) -> None:
        self.found, self.axes = found, found.axes
        self.categorical = np.array([axis.categorical for axis in found.axes])
        coded = np.column_stack([np.where(self.categorical, found.x, 0.0), found.active])
        self.rows, first = np.unique(coded, axis=0, return_index=True)
        self.choices, self.active = np.where(self.categorical, found.x, 0.0)[first], found.active[first]

    def points(self, pattern: np.ndarray, even: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Configurations of these patterns with the numbers of `even` (k, d), and which parameters act in them."""
        active = self.active[pattern]
        numbers = np.where(active, even, [axis.missing for axis in self.axes])
        return np.where(self.categorical, self.choices[pattern], numbers), active

    def changed(
        self, base: np.ndarray, active: np.ndarray, column: int, even: np.ndarray, generator: np.random.Generator
    ) -> np.ndarray:
        """The same configurations with another value of one parameter where it acts, by `even` (k,) in [0, 1); it may be the same choice
        again."""
        acts = active[:, column]
        out = base.copy()
        if not self.categorical[column]:
            out[:, column] = np.where(acts, even, base[:, column])
            return out
        values = self.found.values(self.axes[column].path)
        new = values[(even * len(values)).astype(int)]
        for value in np.unique(new):
            rows = np.flatnonzero(acts & (new == value))
            out[rows] = self.found.with_value(base[rows], active[rows], column, value, generator)[0]
        return out
