"""How a validation metric answers to one searched parameter: points, bins, the effect with its band, and what may be said of it.

Bins hold equal numbers of trials (or one value each, on a grid), so that every median is about as certain as the next,
also where a sampler has crowded its points. Samples of different samplers are never binned together. What is said in words comes from the
effect (`Surrogate.effect`), which knows the other parameters and so holds under every sampler.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd

from igmsweep.analysis.names import choice_texts, label, metric_label, points_text, value_text
from igmsweep.analysis.noise import training_noise
from igmsweep.analysis.surrogate import higher_is_better, is_number, surrogate
from igmsweep.frame import DESIGNED, Sweep
from igmsweep.statistics.flatness import CONFIDENCE, Flat, flatness

FEWEST = 3
"""A bin of fewer trials has no median worth drawing."""
ENOUGH = 10
BAND = (0.05, 0.95)


@dataclass(frozen=True)
class Sensitivity:
    """`points`: `trial`, `value`, `x` (position on the axis), `score`, `sampler`, `moved`; `stopped`: the same of
    trials stopped early. `bins`: `x`, `low`, `high`, `n`, `median`, `q25`, `q75`; one row a bin or, for a categorical
    parameter, a choice (also `choice`). `binned`: the sampler whose points are in the bins. `effect`: the expected score
    along the parameter, `x`, `mean`, and a band that holds it with 90 %, `low` to `high`; empty below ten trials."""

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
    effect: pd.DataFrame | None = None
    floor: float = math.nan
    """Worse scores than this, of which there are some, were taken as this for the effect; NaN: there are none."""

    def words(self) -> str:
        """The finding as one or two sentences."""
        name, flat, n = label(self.param), self.flat, len(self.points)
        if flat is None:
            return f"Too few trials to tell whether {name} matters, or it was not varied (n = {n})."
        test, less = f"p {_p_text(flat.p)}, n = {n}", points_text(flat.delta, self.metric)
        sure = f"with {100 * CONFIDENCE:.0f} % confidence"
        if not flat.told:
            said = f"Whether {name} matters to {metric_label(self.metric)}, these trials cannot tell ({test}): "
            if flat.whole:
                return f"{said}all that was searched costs less than {less}, {sure}."
            return f"{said}differences up to {points_text(flat.most, self.metric)} are possible."
        if flat.whole:
            return f"Scores differ along {name} ({test}), but no value searched costs {less} or more, {sure}."
        if not self.numeric:
            return self._choice_words(flat, less, sure, test)
        if not flat.found:
            return (
                f"{_start(name)} matters ({test}); no range whose values all cost less than {less} can be vouched for."
            )
        span = f"Flat from {value_text(flat.low)} to {value_text(flat.high)}"
        text = f"{span}: no value there costs {less} or more, {sure} ({test})."
        if is_number(self.paper):
            text += f" The paper's {value_text(self.paper)} {self._paper_words(flat)}."
        return text

    def _paper_words(self, flat: Flat) -> str:
        """Where the paper's value lies: by the nearest of the values at which the effect was looked at."""
        assert self.effect is not None
        x = self.effect["x"].to_numpy(dtype=float)
        if not x.min() <= self.paper <= x.max():
            return "was not searched"
        apart = np.log(x / self.paper) if x.min() > 0 else x - self.paper
        return "lies inside" if flat.low <= x[np.abs(apart).argmin()] <= flat.high else "lies outside"

    def _choice_words(self, flat: Flat, less: str, sure: str, test: str) -> str:
        tried = self.bins.loc[self.bins["n"] > 0, "choice"].tolist()
        rest = [name for name in tried if name not in flat.names]
        if not flat.names:
            return f"{_start(label(self.param))} matters ({test}); none of its values can be vouched for."
        others = f"; not so sure: {', '.join(rest)}" if rest else ""
        return f"No more than {less} worse than the best choice, {sure}: {', '.join(flat.names)}{others} ({test})."


@lru_cache(maxsize=256)  # the figures and the sentences ask for the same
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
        bins = _bins(points[chosen], log)
    else:
        choices = choice_texts(entry, every)
        for part in (points, stopped):
            part["x"] = [float(choices.index(value_text(value))) for value in part["value"]]
        groups = [points.loc[chosen & (points["x"] == i), "score"] for i in range(len(choices))]
        bins = pd.DataFrame(
            [
                {"choice": choice, "x": float(i), **_summary(group)}
                for i, (choice, group) in enumerate(zip(choices, groups, strict=True))
            ]
        )
    higher = higher_is_better(sweep, metric)
    flat, effect = _effect(sweep, param, metric)
    paper, found = sweep.paper.get(param), surrogate(sweep, metric)
    floor = math.nan if found is None else found.worst
    return Sensitivity(param, metric, points, bins, numeric, log, binned, paper, flat, stopped, higher, effect, floor)


def flat_ranges(sweep: Sweep, metric: str | None = None) -> pd.DataFrame:
    """One row a searched parameter: `param`, `told` (does the metric answer to it?), `p`, `low`, `high` or `choices`
    (where every value costs less than `delta`), `most` (no larger difference is likely), `n`, `words`."""
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
                "choices": ", ".join(flat.names) if flat else "",
                "delta": flat.delta if flat else math.nan,
                "most": flat.most if flat else math.nan,
                "n": len(data.points),
                "words": data.words(),
            }
        )
    columns = ["param", "told", "p", "low", "high", "choices", "delta", "most", "n", "words"]
    return pd.DataFrame(rows, columns=columns)


def sampler_of(source: Any) -> str:
    """`tpe`, `random`, `grid`, ...: who chose a trial's configuration; `given` for one that a person asked for."""
    word = str(source).partition(":")[0]
    return "given" if word in ("enqueue", "given", "") else word


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


def _bins(points: pd.DataFrame, log: bool) -> pd.DataFrame:
    columns = ["low", "high", "x", "n", "median", "q25", "q75"]
    if points.empty:
        return pd.DataFrame(columns=columns)
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
    rows = []
    for i in sorted(set(place.tolist())):
        group = points[place == i]
        rows.append({"low": low[i], "high": high[i], "x": float(group["x"].median()), **_summary(group["score"])})
    return pd.DataFrame(rows, columns=columns)


def _effect(sweep: Sweep, param: str, metric: str) -> tuple[Flat | None, pd.DataFrame]:
    """What is said of a parameter, and the effect that says it."""
    found, nothing = surrogate(sweep, metric), pd.DataFrame(columns=["x", "mean", "low", "high"])
    column = None if found is None else found.axis(param)
    if found is None or column is None or found.acts(column).sum() < ENOUGH:
        return None, nothing
    axis, coordinates = found.axes[column], found.values(param)
    draws = found.effect(param)
    x = coordinates if axis.categorical else np.array([axis.value(each) for each in coordinates])
    asked = sweep.negligible if metric == sweep.metric else None
    delta = asked if asked is not None else math.sqrt(2) * training_noise(sweep, metric)
    flat = flatness(draws, x, axis.categorical, delta, len(found.axes))
    if axis.categorical:
        flat = replace(flat, names=tuple(axis.choices[place] for place in flat.choices))
    low, high = np.sort(found.sign * np.quantile(draws, BAND, axis=0), axis=0)
    return flat, pd.DataFrame({"x": x, "mean": found.sign * draws.mean(axis=0), "low": low, "high": high})


def _start(text: str) -> str:
    """As a sentence begins."""
    return text[:1].upper() + text[1:] if text[:1].isascii() else text


def _p_text(p: float) -> str:
    return "< 0.001" if p < 0.001 else f"= {p:.2g}"


def _summary(scores: pd.Series) -> dict[str, float]:
    low, median, high = scores.quantile([0.25, 0.5, 0.75]) if len(scores) else (math.nan,) * 3
    return {"n": len(scores), "median": float(median), "q25": float(low), "q75": float(high)}


def _middle(low: float, high: float, log: bool) -> float:
    return math.sqrt(low * high) if log else (low + high) / 2
