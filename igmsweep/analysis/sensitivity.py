"""How a validation metric answers to one searched parameter: points, bins, the flat range, and what may be said of it.

Bins hold equal numbers of trials (or one value each, on a grid), so that every median is about as certain as the next,
also where a sampler has crowded its points. Samples of different samplers are never binned together.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd

from igmsweep.analysis.names import label, metric_label, points_text, value_text
from igmsweep.frame import DESIGNED, Sweep

FEWEST = 3
"""A bin of fewer trials has no median worth drawing."""
ENOUGH = 10
SMOOTHED = 5
"""From so many bins on, medians for the flat range are taken over a bin and its two neighbours."""
LEVEL = 0.05
RESAMPLES = 400
MOST_REDRAWN = 100


@dataclass(frozen=True)
class Flat:
    """Where a parameter's value does not matter. `told`: whether the metric answers to the parameter at all, by a
    Kruskal-Wallis test over the bins at `level` (5 % shared by all searched parameters); if not, all of it is flat.
    `low`, `high`: the widest run of bins whose median (taken with the neighbouring bins) stays within one standard
    error, of the difference, of the `best` bin's, which has the standard error `se`. `choices`: the same, of a
    categorical parameter."""

    told: bool
    p: float
    level: float
    best: float
    se: float
    low: float = math.nan
    high: float = math.nan
    choices: tuple[str, ...] = ()


@dataclass(frozen=True)
class Sensitivity:
    """`points`: `trial`, `value`, `x` (position on the axis), `score`, `sampler`, `moved`; `stopped`: the same of
    trials stopped early. `bins`: `x`, `low`, `high`, `n`, `median`, `q25`, `q75`; one row a bin or, for a categorical
    parameter, a choice (also `choice`). `binned`: the sampler whose points are in the bins."""

    param: str
    metric: str
    points: pd.DataFrame
    bins: pd.DataFrame
    numeric: bool
    log: bool
    binned: str = ""
    paper: Any = None
    flat: Flat | None = None
    """None: too few trials to say."""
    stopped: pd.DataFrame | None = None
    maximise: bool = True

    def words(self) -> str:
        """The finding as one or two sentences."""
        name, flat = label(self.param), self.flat
        n = int(self.bins["n"].sum()) if len(self.bins) else 0
        if flat is None:
            return f"Too few trials to tell whether {name} matters (n = {n})."
        test = f"Kruskal-Wallis p {_p_text(flat.p)}, n = {n}"
        if not flat.told:
            return (
                f"No effect of {name} on {metric_label(self.metric)} is told apart from chance ({test}): "
                "no value searched is better than another."
            )
        se = points_text(flat.se, self.metric)
        if self.numeric:
            whole = flat.low <= self.bins["low"].min() and flat.high >= self.bins["high"].max()
            if whole:
                return (
                    f"Scores differ along {name} ({test}), but no bin's median is more than one standard error from the "
                    f"best bin's ({se}): flat over all that was searched."
                )
            span = f"Flat from {value_text(flat.low)} to {value_text(flat.high)}"
            text = f"{span}: there the median stays within one standard error ({se}) of the best bin's ({test})."
            if is_number(self.paper):
                inside = flat.low <= self.paper <= flat.high
                text += f" The paper's {value_text(self.paper)} lies {'inside' if inside else 'outside'}."
            return text
        if len(flat.choices) == 1:
            return f"Best: {flat.choices[0]}; no other choice comes within one standard error ({se}) of it ({test})."
        rest = [choice for choice in self.bins["choice"] if choice not in flat.choices]
        return (
            f"Within one standard error ({se}) of the best choice: {', '.join(flat.choices)}"
            f"{'; not: ' + ', '.join(rest) if rest else ''} ({test})."
        )


@lru_cache(maxsize=32)  # the figures and the sentences ask for the same
def sensitivity_data(sweep: Sweep, param: str, metric: str) -> Sensitivity:
    """Points, binned quartiles and flat range of `metric` over the completed trials in which `param` acts."""
    entry = sweep.space.get(param, {})
    points = _points(sweep, sweep.completed(), param, metric)
    stopped = _points(sweep, sweep.pruned(), param, metric)
    every = pd.concat([points["value"], stopped["value"]])
    numeric = entry.get("type") != "categorical" and all(is_number(value) for value in every)
    positive = len(every) == 0 or (numeric and min(every) > 0)
    log = numeric and positive and bool(entry.get("log"))
    binned = _sampler_to_bin(points)
    chosen = points["sampler"] == binned
    if numeric:
        for part in (points, stopped):
            part["x"] = part["value"].astype(float)
        bins, groups = _bins(points[chosen], log)
    else:
        choices = list(_choices(entry, every))
        for part in (points, stopped):
            part["x"] = [float(choices.index(value_text(value))) for value in part["value"]]
        groups = [points.loc[chosen & (points["x"] == i), "score"] for i in range(len(choices))]
        bins = pd.DataFrame(
            [
                {"choice": choice, "x": float(i), **_summary(group)}
                for i, (choice, group) in enumerate(zip(choices, groups, strict=True))
            ]
        )
    higher = _higher_is_better(sweep, metric)
    flat = _flat(groups, bins, numeric, log, higher, LEVEL / max(1, len(sweep.space)))
    paper = sweep.paper.get(param)
    return Sensitivity(param, metric, points, bins, numeric, log, binned, paper, flat, stopped, higher)


def flat_ranges(sweep: Sweep, metric: str | None = None) -> pd.DataFrame:
    """One row a searched parameter: `param`, `told` (does the metric answer to it?), `p`, `low`, `high` or `choices`
    (where it is flat), `best` and `se` (of the best bin's median), `n`, `words`."""
    metric = metric or sweep.metric
    rows = []
    for path in sweep.space:
        data = sensitivity_data(sweep, path, metric)
        flat = data.flat
        rows.append(
            {
                "param": path,
                "told": bool(flat and flat.told),
                "p": flat.p if flat else math.nan,
                "low": flat.low if flat else math.nan,
                "high": flat.high if flat else math.nan,
                "choices": ", ".join(flat.choices) if flat else "",
                "best": flat.best if flat else math.nan,
                "se": flat.se if flat else math.nan,
                "n": int(data.bins["n"].sum()) if len(data.bins) else 0,
                "words": data.words(),
            }
        )
    columns = ["param", "told", "p", "low", "high", "choices", "best", "se", "n", "words"]
    return pd.DataFrame(rows, columns=columns)


def sampler_of(source: Any) -> str:
    """`tpe`, `random`, `grid`, ...: who chose a trial's configuration; `given` for one that a person asked for."""
    word = str(source).partition(":")[0]
    return "given" if word in ("enqueue", "given", "") else word


def is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _points(sweep: Sweep, frame: pd.DataFrame, param: str, metric: str) -> pd.DataFrame:
    column, scores = f"params.{param}", f"metrics.{metric}"
    if column not in frame.columns or scores not in frame.columns:
        return pd.DataFrame(columns=["trial", "value", "score", "sampler", "moved", "x"])
    frame = frame[frame[column].notna() & frame[scores].notna()]
    return pd.DataFrame(
        {
            "trial": frame["trial"],
            "value": frame[column].astype(object),
            "score": frame[scores],
            "sampler": [sampler_of(source) for source in frame["source"]],
            "moved": _moved_share(frame, param),
        }
    ).reset_index(drop=True)


def _moved_share(frame: pd.DataFrame, param: str) -> pd.Series | float:
    """The share of weights that SAM moved: the modality's own where `param` is its rho and it was recorded."""
    for column in (f"metrics.sam/moved/{param.rsplit('.', 1)[-1]}", "metrics.sam/moved"):
        if column in frame.columns:
            return frame[column]
    return float("nan")


def _sampler_to_bin(points: pd.DataFrame) -> str:
    """A grid or random samples where there are enough, for their median is not drawn to the optimum; else the most."""
    counts = points["sampler"].value_counts()
    designed = [name for name in counts.index if name in DESIGNED and counts[name] >= ENOUGH]
    chosen = designed or [name for name in counts.index if name != "given"] or list(counts.index)
    return str(chosen[0]) if chosen else ""


def _bins(points: pd.DataFrame, log: bool) -> tuple[pd.DataFrame, list[pd.Series]]:
    """The bins, and the scores in each."""
    columns = ["low", "high", "x", "n", "median", "q25", "q75"]
    if points.empty:
        return pd.DataFrame(columns=columns), []
    points = points.sort_values("x", kind="stable")
    values = points["x"].to_numpy(dtype=float)
    unique = np.unique(values)
    if len(unique) <= 12 and len(values) >= FEWEST * len(unique):  # a grid: one bin a value
        place, low, high = np.searchsorted(unique, values), unique, unique
    else:
        count = int(np.clip(round(math.sqrt(len(values)) / 1.3), 3, 16))
        place = np.arange(len(values)) * count // len(values)
        first = np.searchsorted(place, np.arange(1, count))
        inner = [(_middle(values[i - 1], values[i], log) if 0 < i < len(values) else values[-1]) for i in first]
        edges = np.array([values[0], *inner, values[-1]])
        low, high = edges[:-1], edges[1:]
    rows, groups = [], []
    for i in sorted(set(place.tolist())):
        group = points[place == i]
        rows.append({"low": low[i], "high": high[i], "x": float(group["x"].median()), **_summary(group["score"])})
        groups.append(group["score"])
    return pd.DataFrame(rows, columns=columns), groups


def _flat(
    groups: list[pd.Series], bins: pd.DataFrame, numeric: bool, log: bool, higher: bool, level: float
) -> Flat | None:
    solid = bins[bins["n"] >= FEWEST] if len(bins) else bins
    if len(solid) < 2 or solid["n"].sum() < ENOUGH:
        return None
    groups = [groups[i] for i in solid.index]
    p = _kruskal(groups)
    near = _pooled(groups, solid.index.to_numpy()) if numeric and len(groups) >= SMOOTHED else groups
    medians = np.array([float(group.median()) for group in near])
    at = int(medians.argmax() if higher else medians.argmin())
    errors = np.array([_median_error(group.to_numpy()) for group in groups])
    told, best, se = p < level, float(medians[at]), float(errors[at])
    # of the difference: the best of many bins is best by luck too
    inside = np.abs(medians - best) <= np.hypot(se, errors) if told else np.ones(len(medians), bool)
    if not numeric:
        return Flat(told, p, level, best, se, choices=tuple(solid["choice"][inside]))
    widest, low, high = -1.0, math.nan, math.nan
    for start in range(len(solid)):
        for stop in range(start, len(solid)):
            if not inside[start : stop + 1].all() or (np.diff(solid.index[start : stop + 1]) > 1).any():
                break  # a bin outside, or one too thin to say
            a, b = float(solid["low"].iloc[start]), float(solid["high"].iloc[stop])
            width = math.log(b / a) if log else b - a
            if width > widest:
                widest, low, high = width, a, b
    return Flat(told, p, level, best, se, low, high)


def _pooled(groups: list[pd.Series], places: np.ndarray) -> list[pd.Series]:
    """Each bin together with its neighbours, so that one lucky bin does not set the standard for all."""
    return [
        pd.concat([groups[j] for j in range(max(0, i - 1), min(len(groups), i + 2)) if abs(places[j] - places[i]) <= 1])
        for i in range(len(groups))
    ]


def _median_error(scores: np.ndarray) -> float:
    """Standard error of a median, by the bootstrap."""
    drawn = np.random.default_rng(0).choice(scores, (RESAMPLES, min(len(scores), MOST_REDRAWN)))
    return float(np.median(drawn, axis=1).std(ddof=1) * math.sqrt(drawn.shape[1] / len(scores)))


def _kruskal(groups: list[pd.Series]) -> float:
    from scipy.stats import kruskal

    if len({float(score) for group in groups for score in group}) < 2:
        return 1.0
    return float(kruskal(*[group.to_numpy() for group in groups]).pvalue)


def _higher_is_better(sweep: Sweep, metric: str) -> bool:
    return sweep.maximise if metric == sweep.metric else metric.rsplit("/", 1)[-1] != "loss"


def _p_text(p: float) -> str:
    return "< 0.001" if p < 0.001 else f"= {p:.2g}"


def _summary(scores: pd.Series) -> dict[str, float]:
    low, median, high = scores.quantile([0.25, 0.5, 0.75]) if len(scores) else (math.nan,) * 3
    return {"n": len(scores), "median": float(median), "q25": float(low), "q75": float(high)}


def _middle(low: float, high: float, log: bool) -> float:
    return math.sqrt(low * high) if log else (low + high) / 2


def _choices(entry: dict[str, Any], values: pd.Series) -> dict[str, None]:
    given = entry.get("choices")
    named = given if isinstance(given, (list, tuple)) else []
    return dict.fromkeys(value_text(value) for value in [*named, *sorted(values.unique(), key=str)])
