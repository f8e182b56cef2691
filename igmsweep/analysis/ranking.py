"""By how much more than chance the best configuration is best: errors and tests beside `igmsweep.record.ranking`.

A configuration that was repeated with other seeds, or scored on folds, counts by its mean.
"""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
from scipy.special import ndtr

from igmsweep.errors import NothingCompleted
from igmsweep.frame import Sweep
from igmsweep.record.ranking import ordered
from igmsweep.record.states import State

LEVEL = 0.05
COLUMNS = ["rank", "trial", "mean", "se", "basis", "n", "p", "tie"]


def ranked(sweep: Sweep, metric: str | None = None, top: int | None = None) -> pd.DataFrame:
    """One row a completed configuration (the `top` of them), best first by the sweep's own metric: `rank`, `trial`, `mean` and standard
    error `se` of `metric`, `basis` of the error (`3 seeds`, `5 folds`, `180 samples`), `n` trainings behind the mean,
    `p` of the difference to the best, `tie`: within noise of the best (p >= 5 %; the best itself is no tie).

    Tests: Welch over seeds; over folds paired, with Nadeau and Bengio's correction for overlapping training sets; of
    single trainings a normal test on the binomial error of the validation sample, which knows of no training noise.
    """
    metric = metric or sweep.metric
    done = sweep.completed()
    if done.empty or f"metrics.{metric}" not in done.columns:
        return pd.DataFrame(columns=COLUMNS)
    own = f"metrics.{sweep.metric}"
    repeats = sweep.trials[
        sweep.trials["repeat_of"].notna() & (sweep.trials["state"] == State.COMPLETE) & sweep.trials[own].notna()
    ]
    others: dict[int, list[float]] = {}
    for trial, score in zip(repeats["repeat_of"].tolist(), repeats[own].tolist(), strict=True):
        others.setdefault(int(trial), []).append(score)
    places = ordered(dict(zip(done["trial"].tolist(), done[own].tolist(), strict=True)), others, sweep.maximise)
    samples = _samples(sweep)
    order = [place.trial for place in places[: top or len(places)]]
    values = _Values(sweep, metric, done, {place.trial for place in places if place.repeated})
    out = pd.DataFrame({"rank": range(1, len(order) + 1), "trial": order})
    out = out.join(values.singles(out["trial"], samples))
    several = [place for place, trial in enumerate(out["trial"]) if trial in values.seeds or trial in values.folds]
    for place in several:
        found = values.summary(int(out["trial"].iloc[place]))
        if found is not None:
            for name, value in zip(("mean", "se", "basis", "n"), found, strict=True):
                out.at[place, name] = value  # type: ignore[assignment]
    out["p"] = values.singles_p(out["mean"], samples)
    for place in several:
        p = values.p(int(out["trial"].iloc[0]), int(out["trial"].iloc[place]))
        if p is not None:
            out.loc[place, "p"] = p
    out.loc[0, "p"] = 1.0
    out["tie"] = (out["p"] >= LEVEL) & (out["rank"] > 1)
    return out


def winner(sweep: Sweep) -> int:
    """The best configuration's trial.

    Raises:
        NothingCompleted: no trial of the sweep has completed.
    """
    table = ranked(sweep, top=1)
    if table.empty:
        raise NothingCompleted(f"{sweep.dir}: no trial has completed, so there is no best configuration")
    return int(table["trial"].iloc[0])


def basis_words(table: pd.DataFrame) -> str:
    """What the standard errors of a ranking are over, as a clause."""
    kinds = [kind for kind in dict.fromkeys(table["basis"]) if kind]
    shown = {
        kind: "the binomial error on the validation sample, without training noise"
        for kind in kinds
        if "samples" in kind
    }
    return "; ".join(dict.fromkeys(shown.get(kind, f"over {kind}") for kind in kinds)) or "not known"


class _Values:
    """The scores behind each configuration's mean."""

    def __init__(self, sweep: Sweep, metric: str, done: pd.DataFrame, repeated: set[int]) -> None:
        column = f"metrics.{metric}"
        self.metric = metric
        self.single = dict(zip(done["trial"], done[column], strict=True))
        errors = done.get(f"stderr.{metric}")
        self.errors = {} if errors is None else dict(zip(done["trial"], errors, strict=True))
        self.seeds = {trial: sweep.repeats(trial)[column].dropna().to_numpy() for trial in repeated}
        self.folds: dict[int, np.ndarray] = {}
        if metric in sweep.folds.columns:
            for trial, part in sweep.folds.sort_values("fold").groupby("trial"):
                if part[metric].notna().all() and len(part) > 1:
                    self.folds[int(str(trial))] = part[metric].to_numpy()

    def singles(self, trials: pd.Series, samples: int | None) -> pd.DataFrame:
        """`mean`, `se`, `basis` and `n` as if every configuration had been trained once."""
        scores = trials.map(self.single).to_numpy(dtype=float)
        out = pd.DataFrame({"mean": scores, "se": np.nan, "basis": "", "n": 1})
        if samples and self.metric.endswith("/acc"):
            share = (np.clip(scores, 0, 1) * samples + 2) / (samples + 4)  # Agresti and Coull's: 100 % has an error too
            out["se"], out["basis"] = np.sqrt(share * (1 - share) / (samples + 4)), f"{samples} samples"
        return out

    def summary(self, trial: int) -> tuple[float, float, str, int] | None:
        """The same over seeds or folds, where there are several."""
        seeds, folds = self.seeds.get(trial), self.folds.get(trial)
        if seeds is not None and len(seeds) > 1:
            count = len(seeds) * (len(folds) if folds is not None else 1)
            return float(seeds.mean()), _standard_error(seeds), f"{len(seeds)} seeds", count
        if folds is None:
            return None
        given = self.errors.get(trial, math.nan)
        error = given if math.isfinite(given) else _standard_error(folds)
        return float(self.single[trial]), error, f"{len(folds)} folds", len(folds)

    def singles_p(self, means: pd.Series, samples: int | None) -> np.ndarray:
        """Two-sided p-values of no difference to the first; NaN where nothing is known of the noise."""
        if not samples or not self.metric.endswith("/acc"):
            return np.full(len(means), np.nan)
        found = np.clip(means.to_numpy(dtype=float), 0, 1)
        share = (found * samples + 1) / (samples + 2)  # Agresti and Caffo's, for the difference of two
        spread = share * (1 - share) / (samples + 2)
        return np.asarray(2 * ndtr(-np.abs(found - found[0]) / np.sqrt(spread + spread[0])))

    def p(self, first: int, second: int) -> float | None:
        """The same from both configurations' seeds or folds; None where one has none."""
        from scipy import stats

        one, two = self.seeds.get(first), self.seeds.get(second)
        if one is not None and two is not None and min(len(one), len(two)) > 1:
            if one.std(ddof=1) + two.std(ddof=1) == 0:
                return float(one.mean() == two.mean())
            return float(stats.ttest_ind(one, two, equal_var=False).pvalue)
        one, two = self.folds.get(first), self.folds.get(second)
        if one is not None and two is not None and len(one) == len(two):
            return paired_folds(one, two)
        return None


def paired_folds(one: np.ndarray, two: np.ndarray) -> float:
    """p of the corrected resampled t-test (Nadeau and Bengio 2003) over k folds: training sets overlap."""
    from scipy import stats

    difference, k = one - two, len(one)
    variance = difference.var(ddof=1)
    if variance == 0:
        return float(difference.mean() == 0)
    t = difference.mean() / math.sqrt(variance * (1 / k + 1 / (k - 1)))
    return float(2 * stats.t.sf(abs(t), k - 1))


def _standard_error(values: np.ndarray) -> float:
    return float(values.std(ddof=1) / math.sqrt(len(values)))


def _samples(sweep: Sweep) -> int | None:
    count = sweep.data.get("val")
    return count if isinstance(count, int) and not isinstance(count, bool) and count > 0 else None
