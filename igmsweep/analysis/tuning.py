"""What tuning each parameter brings, and what a bad value costs: three games whose players are the parameters, shared out by Shapley values.

The games are those of HyperSHAP (Wever et al. 2025). A coalition's parameters leave the default, the others stay there; its value is what
the sweep's model then expects. *Ablation*: they take the winner's values. *Tunability*: the best of a fixed set of values.
*Mistunability*: the worst. The values are exact, over all coalitions.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from igmsweep.analysis.contradictions import contradictions
from igmsweep.analysis.hybrids import Hybrids, default_values
from igmsweep.analysis.importance import importance_data
from igmsweep.analysis.ranking import winner
from igmsweep.analysis.surrogate import FEWEST, Surrogate, surrogate
from igmsweep.frame import Sweep
from igmsweep.statistics.gaussian_process import EACH
from igmsweep.statistics.shapley import coalitions, weights

MOST = 8
"""Players. Where there are more parameters, the most important seven play alone, and all others as one."""
ROWS = 8192
"""Configurations among which the best and the worst are sought, all coalitions together."""
POINTS = 512
"""Of them in each coalition, at most."""
ROUNDING = 1e-12
"""What is below is nothing."""
INTERVAL = (0.025, 0.975)
GAMES = ("ablation", "tunability", "mistunability")
SIGNS = (1, 1, -1)
ALL = "all"
"""In a parameter's place: all of them together."""
COLUMNS = [
    "param",
    "default",
    "winner",
    *(f"{game}{part}" for game in GAMES for part in ("", ".low", ".high", ".told")),
]


def tuning_data(sweep: Sweep, importance: pd.DataFrame | None = None) -> pd.DataFrame:
    """One row a parameter, in the space's order, and one for `ALL` of them: `param`; its value in the `default` and in the `winner`, None
    where it does not act; what it has a share of, with a 95 % interval `.low` and `.high`: `ablation`, the winner's lead over the
    default; `tunability`, the best score's over the default's; `mistunability`, the default's over the worst. Above 0 is better, for
    `mistunability` what can be lost. `.told`: the interval does not hold 0. Empty where `untold` says why.

    Args:
        importance: `importance_data`, where it is known; of more than `MOST` parameters it says which play alone.
    """
    found = None if untold(sweep) else surrogate(sweep, sweep.metric)
    if found is None:
        return pd.DataFrame(columns=COLUMNS)
    best, hybrids = start(sweep, found)
    players = _players(sweep, found, importance)
    draws = games(found, hybrids, players, best)
    if contradicted(sweep):
        draws[:, 0] = np.nan
    first, last = default_values(sweep), sweep.completed().set_index("trial").loc[winner(sweep)]
    acts = hybrids.acting(hybrids.default)
    rows: list[dict[str, Any]] = []
    for player, columns in enumerate(players):
        paths = [found.axes[column].path for column in columns]
        row: dict[str, Any] = {"param": ", ".join(paths), "default": None, "winner": None}
        if len(paths) == 1:
            row["default"] = first.get(paths[0]) if acts[columns[0]] else None
            row["winner"] = None if np.isnan(best[columns[0]]) else last[f"params.{paths[0]}"]
        rows.append(row | _summary(draws[:, :, player]))
    rows.append({"param": ALL, "default": None, "winner": None} | _summary(draws.sum(axis=2)))
    return pd.DataFrame(rows, columns=COLUMNS)


def untold(sweep: Sweep) -> str:
    """Why nothing is said of a sweep, in a sentence; empty where something is."""
    if not default_values(sweep):
        return "What tuning brings is not told: the sweep has no paper's values, so there is no default to begin at."
    if surrogate(sweep, sweep.metric) is None:
        return f"What tuning brings is not told: fewer than {FEWEST} completed trials, or nothing varies among them."
    return ""


def contradicted(sweep: Sweep) -> bool:
    """Whether the winner's repeats contradict the model, so that it cannot tell what led there."""
    return winner(sweep) in contradictions(sweep, sweep.metric)


def start(sweep: Sweep, found: Surrogate) -> tuple[np.ndarray, Hybrids]:
    """(d,) coordinates of the winner, NaN where a parameter does not act; and the mixtures of the default with others."""
    at = int(np.flatnonzero(found.trials == winner(sweep))[0])
    best = np.where(found.active[at], found.x[at], np.nan)
    return best, Hybrids(sweep, found, best)


def games(
    found: Surrogate, hybrids: Hybrids, players: Sequence[tuple[int, ...]], best: np.ndarray, points: int = 0
) -> np.ndarray:
    """Shapley values of the three games.

    The best and the worst configuration of a coalition are chosen by the process's mean, and valued by its draws. The best of each draw would
    take every doubt for something that tuning brings.

    Args:
        players: columns of the process that leave the default together.
        best: (d,) coordinates of the winner, NaN where a parameter does not act.
        points: configurations of each coalition; 0: as many as `ROWS` and `POINTS` allow.

    Returns:
        (draws, 3, players) of `GAMES`, in the scores' unit: what is gained, and of the last what is lost.
    """
    count = len(players)
    unique, place, forbidden = mixtures(found, hybrids, players, best, points or min(POINTS, ROWS // 2**count))
    mean = found.process.mean(unique)[place]
    chosen = [place[:, 0], *(_chosen(np.where(forbidden, -np.inf, sign * mean), place) for sign in (1, -1))]
    asked, at = np.unique(np.concatenate(chosen), return_inverse=True)
    draws = found.process.draws(unique[asked], EACH, np.random.default_rng(0))
    values = draws[:, at.reshape(len(GAMES), 2**count)] * np.array(SIGNS)[:, None]
    shares = values @ weights(count).T
    return np.where(np.abs(shares) < ROUNDING, 0.0, shares)


def mixtures(
    found: Surrogate, hybrids: Hybrids, players: Sequence[tuple[int, ...]], best: np.ndarray, points: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The configurations that coalitions may choose from: `points` even ones of the whole space and the winner, where they leave the default.

    Returns:
        (k, d) the different ones; (2^players, 1 + points) which of them is each coalition's, the winner's first; and, in the same shape, whether
        the space forbids it. The winner's mixtures are let pass.
    """
    inside = np.zeros((2 ** len(players), len(found.axes)), dtype=bool)
    for player, columns in enumerate(players):
        inside[:, columns] = coalitions(len(players))[:, [player]]
    rows, forbidden = hybrids.mixed(inside[:, None], np.vstack([best, _even(found, points)])[None])
    forbidden[:, 0] = False
    unique, place = np.unique(rows.reshape(-1, rows.shape[-1]), axis=0, return_inverse=True)
    return unique, place.reshape(forbidden.shape), forbidden


def _chosen(score: np.ndarray, place: np.ndarray) -> np.ndarray:
    """(coalitions,) the place of the best configuration of each coalition or of a smaller one within it; of equal ones of the smallest.

    Args:
        score: (coalitions, points).
        place: (coalitions, points) where each configuration is.
    """
    first = score.argmax(axis=1)
    own = np.arange(len(score))
    value, found = score[own, first], place[own, first]
    for player in range(len(score).bit_length() - 1):
        within = own[own & (1 << player) > 0]
        less = within ^ (1 << player)
        better = value[less] >= value[within]
        value[within] = np.where(better, value[less], value[within])
        found[within] = np.where(better, found[less], found[within])
    return found


def _even(found: Surrogate, points: int) -> np.ndarray:
    """(points, d) configurations spread evenly over the space, every parameter with a value; of choices those that were tried."""
    from scipy.stats.qmc import Sobol

    out = Sobol(len(found.axes), rng=np.random.default_rng(0)).random(points)
    for column, axis in enumerate(found.axes):
        if axis.categorical:
            values = found.values(axis.path)
            out[:, column] = values[(out[:, column] * len(values)).astype(int)]
    return out


def _players(sweep: Sweep, found: Surrogate, importance: pd.DataFrame | None) -> list[tuple[int, ...]]:
    """The columns of each player."""
    every = range(len(found.axes))
    if len(found.axes) <= MOST:
        return [(column,) for column in every]
    shares = (importance_data(sweep) if importance is None else importance).sort_values("share", ascending=False)
    alone = [found.axis(path) for path in shares["param"].head(MOST - 1)]
    return [*((column,) for column in every if column in alone), tuple(each for each in every if each not in alone)]


def _summary(draws: np.ndarray) -> dict[str, Any]:
    """A row's numbers from draws (draws, games)."""
    low, high = np.quantile(draws, INTERVAL, axis=0)
    out: dict[str, Any] = {}
    for game, name in enumerate(GAMES):
        told = bool(low[game] > 0 or high[game] < 0)
        out |= {name: float(draws[:, game].mean()), f"{name}.low": float(low[game]), f"{name}.high": float(high[game]), f"{name}.told": told}  # fmt: skip
    return out
