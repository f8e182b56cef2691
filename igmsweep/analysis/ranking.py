"""By how much more than chance the best configuration is best: errors, and a set that holds the best, beside `igmsweep.record.ranking`.

A configuration that was repeated with other seeds, or scored on folds, counts by its mean.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
import pandas as pd
from scipy.special import ndtr

from igmsweep.analysis.contradictions import contradictions
from igmsweep.analysis.noise import sample_error, training_noise
from igmsweep.analysis.surrogate import Surrogate, surrogate, trainings
from igmsweep.errors import NothingCompleted
from igmsweep.frame import Sweep
from igmsweep.record.ranking import among_equals, ordered

LEVEL = 0.05
UNLIKELY = 0.02
"""A configuration whose chance of being as good as the likeliest best is below this is not counted among the best. So chosen, the truly best
one is in the set in 93 % or more of simulated sweeps."""
CONTENDERS = 600
"""So many of the best are asked; the work grows with their number."""
COLUMNS = ["rank", "trial", "mean", "se", "basis", "n", "chance", "tie"]


def ranked(sweep: Sweep, metric: str | None = None, top: int | None = None) -> pd.DataFrame:
    """One row a completed configuration (the `top` of them), best first by the sweep's own metric: `rank`, `trial`, `mean` and standard
    error `se` of `metric`, `basis` of the error (`training and 540 samples`, `5 folds`), `n` trainings behind the mean; `chance` that it is as
    good as the likeliest best one, or better, by the sweep's own metric; `tie`: within noise of the best (the first itself is no tie).

    The error is of the mean as an estimate of what new trainings score on new samples: the training's noise over the root of `n`, and the
    samples' error, which no repetition makes smaller. Ties are the set that holds the truly best configuration in nine sweeps of ten
    or more: from ten completed trials on by the process of `Surrogate`, below by tests that share 5 %.
    """
    metric = metric or sweep.metric
    done = sweep.completed()
    column = f"metrics.{metric}"
    if done.empty or column not in done.columns:
        return pd.DataFrame(columns=COLUMNS)
    order = _order(sweep)[: top or len(done)]
    rows = done.set_index("trial").loc[order]
    found = trainings(sweep, column)
    scores = [found.get(trial, [float(own)]) for trial, own in zip(order, rows[column], strict=True)]
    folds = rows["folds"].fillna(1).astype(int) if "folds" in rows else pd.Series(1, index=rows.index)
    out = pd.DataFrame({"rank": range(1, len(order) + 1), "trial": order})
    out["mean"] = [float(np.mean(each)) for each in scores]
    count = np.array([len(each) for each in scores])
    errors, basis = _errors(sweep, metric, count)
    over = rows.get(f"stderr.{metric}")
    if over is not None:
        for place in np.flatnonzero((folds > 1) & over.notna() & (count == 1)):
            errors[place], basis[place] = float(over.iloc[place]), f"{folds.iloc[place]} folds"
    out["se"], out["basis"] = errors, basis
    out["n"] = count * folds.to_numpy()
    chances = _chances(sweep)
    out["chance"] = [chances.get(trial, math.nan) for trial in order]
    limit = UNLIKELY if surrogate(sweep, sweep.metric) is not None else LEVEL / max(1, len(done) - 1)
    out["tie"] = (out["chance"] >= limit) & (out["rank"] > 1)
    return out


def winner(sweep: Sweep) -> int:
    """The best configuration's trial.

    Raises:
        NothingCompleted: no trial of the sweep has completed.
    """
    if sweep.completed().empty:
        raise NothingCompleted(f"{sweep.dir}: no trial has completed, so there is no best configuration")
    return _order(sweep)[0]


def basis_words(table: pd.DataFrame) -> str:
    """What the standard errors of a ranking are over, as a clause."""
    kinds = dict.fromkeys(kind for kind in table["basis"] if kind)
    return "over " + "; ".join(kinds) if kinds else "not known"


@lru_cache(maxsize=32)
def _order(sweep: Sweep) -> list[int]:
    """The trials of completed configurations, best first."""
    own = f"metrics.{sweep.metric}"
    done = sweep.completed()
    others = {trial: scores[1:] for trial, scores in trainings(sweep, own).items()}
    metrics = done[[name for name in ("metrics.val/loss", "metrics.val/map") if name in done.columns]]
    names = [name.removeprefix("metrics.") for name in metrics.columns]
    equals = {
        int(trial): among_equals(dict(zip(names, map(float, row), strict=True)))
        for trial, row in zip(done["trial"], metrics.to_numpy(), strict=True)
    }
    scores = {int(trial): float(score) for trial, score in zip(done["trial"], done[own], strict=True)}
    return [place.trial for place in ordered(scores, others, sweep.maximise, equals)]


def _errors(sweep: Sweep, metric: str, count: np.ndarray) -> tuple[np.ndarray, list[str]]:
    """Standard error of each mean of `count` trainings, and what it is over."""
    noise, samples = training_noise(sweep, metric), sample_error(sweep, metric)
    parts = np.array([np.nan_to_num(noise) ** 2 / count, np.full(len(count), np.nan_to_num(samples) ** 2)])
    error = np.sqrt(parts.sum(axis=0))
    error[error == 0] = np.nan
    shown = f"{sweep.data.get('val')} samples"
    words = []
    for n in count:
        seeds = ("training" if n == 1 else f"{n} seeds") if math.isfinite(noise) else ""
        words.append(" and ".join(part for part in (seeds, shown if math.isfinite(samples) else "") if part))
    return error, words


@lru_cache(maxsize=32)
def _chances(sweep: Sweep) -> dict[int, float]:
    """Trial -> chance that its configuration is as good as the best, or better; trials that were not asked have none."""
    found, order = surrogate(sweep, sweep.metric), _order(sweep)
    if found is not None:
        return _by_process(found, order[:CONTENDERS], contradictions(sweep, sweep.metric))
    return _by_tests(sweep, order)


def _by_process(found: Surrogate, order: list[int], own: dict[int, tuple[float, float]]) -> dict[int, float]:
    """Against the configuration of which the most is expected, averaged over the process's settings, on the process's scale.

    Args:
        own: of configurations whose repeats contradict the process, what they say: mean and standard error.
    """
    place = {int(trial): i for i, trial in enumerate(found.trials)}
    means, covariances = found.process.posterior(found.x[[place[trial] for trial in order]])
    scale = found.process.scale
    for trial, (mean, error) in own.items():
        if trial in order:
            i = order.index(trial)
            means[:, i] = scale.there(np.array(found.sign * mean))
            covariances[:, i], covariances[:, :, i] = 0.0, 0.0
            covariances[:, i, i] = (error * scale.slope(np.array(found.sign * mean))) ** 2
    best = int(means.mean(axis=0).argmax())
    variance = np.diagonal(covariances, axis1=1, axis2=2)
    apart = variance + variance[:, [best]] - 2 * covariances[:, best]
    ahead = (means - means[:, [best]]) / np.sqrt(np.maximum(apart, 1e-18))
    chance = ndtr(ahead).mean(axis=0)
    chance[best] = 1.0
    return dict(zip(order, chance.tolist(), strict=True))


def _by_tests(sweep: Sweep, order: list[int]) -> dict[int, float]:
    """p of no difference to the first: Welch's over seeds, corrected over folds, else normal on the scores' errors."""
    values = _Values(sweep, order)
    return {trial: values.p(order[0], trial) for trial in order}


class _Values:
    """The scores behind each configuration's mean."""

    def __init__(self, sweep: Sweep, order: list[int]) -> None:
        column = f"metrics.{sweep.metric}"
        again = trainings(sweep, column)
        done = sweep.completed()
        own = dict(zip(done["trial"].tolist(), done[column].tolist(), strict=True))
        self.scores = {trial: np.array(again.get(trial, [own[trial]])) for trial in order}
        noise, samples = training_noise(sweep, sweep.metric), sample_error(sweep, sweep.metric)
        known = [each for each in (noise, samples) if math.isfinite(each) and each > 0]
        self.error = max(known, default=math.nan)
        self.folds: dict[int, np.ndarray] = {}
        if sweep.metric in sweep.folds.columns:
            for trial, part in sweep.folds.sort_values("fold").groupby("trial"):
                if part[sweep.metric].notna().all() and len(part) > 1:
                    self.folds[int(str(trial))] = part[sweep.metric].to_numpy()

    def p(self, first: int, second: int) -> float:
        """Two-sided; NaN where nothing is known of the noise."""
        from scipy import stats

        one, two = self.scores[first], self.scores[second]
        if first == second:
            return 1.0
        # scores move in steps of a sample, so equal ones are no certainty
        if min(len(one), len(two)) > 1 and min(one.std(ddof=1), two.std(ddof=1)) > 1e-9:
            return float(stats.ttest_ind(one, two, equal_var=False).pvalue)
        if first in self.folds and second in self.folds and len(self.folds[first]) == len(self.folds[second]):
            return paired_folds(self.folds[first], self.folds[second])
        if not math.isfinite(self.error):
            return math.nan
        error = self.error * math.sqrt(1 / len(one) + 1 / len(two))
        return float(2 * ndtr(-abs(one.mean() - two.mean()) / error))


def paired_folds(one: np.ndarray, two: np.ndarray) -> float:
    """p of the corrected resampled t-test (Nadeau and Bengio 2003) over k folds: training sets overlap."""
    from scipy import stats

    difference, k = one - two, len(one)
    variance = difference.var(ddof=1)
    if variance == 0:
        return float(difference.mean() == 0)
    t = difference.mean() / math.sqrt(variance * (1 / k + 1 / (k - 1)))
    return float(2 * stats.t.sf(abs(t), k - 1))
