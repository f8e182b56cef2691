"""What a sweep could have chosen, read from its folder: scores, and what each trial predicts of each validation sample."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from igmsweep.analysis.comparison.chosen import Candidates
from igmsweep.analysis.comparison.footing import ended
from igmsweep.analysis.sensitivity import sampler_of
from igmsweep.frame import Sweep
from igmsweep.record.states import State
from igmsweep.statistics.crossed import binomial_error
from igmsweep.statistics.influence import METRICS, values

MOST = 200
"""Trials whose predictions are read, the best by score: no other is ever the best of a drawing."""


def candidates(sweep: Sweep, metrics: Sequence[str]) -> dict[str, Candidates]:
    """By metric, the trials of a sweep (cut to its budget) that can be chosen by its objective.

    A configuration that was repeated counts by the mean of its trainings, and stands before all that were not. Folds count as one
    validation set, in which each sample is predicted by the fold that held it out.
    """
    done = sweep.completed()
    frame = sweep.trials[sweep.trials["state"] == State.COMPLETE]
    repeated = set(frame["repeat_of"].dropna().astype(int)) & set(done["trial"])
    kept = [trial for place, trial in enumerate(done["trial"].tolist()) if place < MOST or trial in repeated]
    rows = [sweep.repeats(trial) if trial in repeated else done[done["trial"] == trial] for trial in kept]
    first = np.array([trial in repeated for trial in kept])
    asked = (ended(sweep)["source"].map(sampler_of) == "given").sum()
    given = np.array([sampler_of(each["source"].iloc[0]) == "given" for each in rows])
    samples, parts = _parts(sweep, rows, {sweep.metric, *metrics})
    sign = 1.0 if sweep.maximise else -1.0
    scores = sign * _means(rows, sweep.metric)
    best = rows[int(np.lexsort((-scores, ~first))[0])]
    choice = parts.get(sweep.metric)
    return {
        metric: Candidates(
            scores,
            _means(rows, metric),
            len(ended(sweep)) - int(asked),
            given,
            first,
            sign * choice if choice is not None and metric in parts else None,
            parts.get(metric),
            _error(sweep, metric, best),
            samples,
            _noise([each for each, several in zip(rows, first, strict=True) if several], metric),
        )
        for metric in metrics
    }


def _means(rows: Sequence[pd.DataFrame], metric: str) -> np.ndarray:
    """(configurations,) over trainings."""
    return np.array([float(each[f"metrics.{metric}"].mean()) for each in rows])


def _parts(sweep: Sweep, rows: Sequence[pd.DataFrame], metrics: Iterable[str]) -> tuple[str, dict[str, np.ndarray]]:
    """The samples' hash, and by metric (configurations, samples) float32 of what each sample adds; nothing where a training's predictions are
    not there, or are of other samples. Metrics that predictions of the fused output do not give are left out."""
    known = [name for name in metrics if name.count("/") == 1 and name.rsplit("/", 1)[-1] in METRICS]
    samples = ""
    found: dict[str, list[np.ndarray]] = {name: [] for name in known}
    for each in rows:
        trained = [sweep.predictions(int(trial)) for trial in each["trial"]]
        if any(one is None or one.samples != (samples or one.samples) for one in trained):
            return "", {}
        for one in trained:
            samples = one.samples if one is not None else samples
        for name, parts in found.items():
            leaf = name.rsplit("/", 1)[-1]
            parts.append(np.mean([values(one, leaf) for one in trained if one is not None], axis=0))
    return samples, {name: np.array(parts, dtype=np.float32) for name, parts in found.items()}


def _noise(repeated: Sequence[pd.DataFrame], metric: str) -> float:
    """The variance of a repeated configuration's mean by its seeds, pooled over configurations."""
    parts = [each[f"metrics.{metric}"].to_numpy(dtype=float) for each in repeated]
    if not parts:
        return math.nan
    pooled = sum(float(part.var(ddof=1)) * (len(part) - 1) for part in parts) / sum(len(part) - 1 for part in parts)
    return pooled / min(len(part) for part in parts)


def _error(sweep: Sweep, metric: str, best: pd.DataFrame) -> float:
    """The standard error over samples that scores alone tell of: over folds, else binomial for an accuracy, else NaN."""
    column = f"stderr.{metric}"
    if column in best.columns and best[column].notna().all():
        return float(best[column].mean())
    samples = sweep.data.get("val")
    if not metric.endswith("/acc") or not isinstance(samples, int) or samples < 1:
        return math.nan
    return binomial_error(float(best[f"metrics.{metric}"].mean()), samples)
