"""Which parameter separates good trials from the rest: PED-ANOVA (Watanabe et al. 2023), by Optuna.

Every parameter is judged on the trials in which it acts, so conditional ones (tau without GM, rho without SAM) are
neither dropped nor filled in. A permutation level says what the same numbers look like when nothing matters.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd

from igmsweep.analysis.frame import Sweep

MINIMUM = 10
SHUFFLES = 30


def importance_data(sweep: Sweep, seed: int = 0) -> pd.DataFrame:
    """One row a searched parameter: `param`, `importance` (shares that sum to 1), `noise` (95 % level under shuffled
    scores, same unit), `n` (completed trials in which it acts). Empty below 10 completed trials or without Optuna."""
    empty = pd.DataFrame(columns=["param", "importance", "noise", "n"])
    frame = sweep.completed()
    try:
        import optuna
    except ImportError:
        return empty
    if len(frame) < MINIMUM:
        return empty
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    generator = np.random.default_rng(seed)
    scores = frame[f"metrics.{sweep.metric}"]
    rows = []
    for path, entry in sweep.space.items():
        if f"params.{path}" not in frame.columns:
            continue
        values = frame[f"params.{path}"].dropna()
        distribution = _distribution(optuna, entry, list(values))
        if distribution is None or len(values) < MINIMUM:
            continue
        y = scores[values.index].to_numpy()
        got = _score(optuna, path, distribution, list(values), y, sweep.maximise)
        shuffled = [
            _score(optuna, path, distribution, list(values), generator.permutation(y), sweep.maximise)
            for _ in range(SHUFFLES if len(values) <= 1000 else 0)
        ]
        rows.append((path, got, float(np.quantile(shuffled, 0.95)) if shuffled else np.nan, len(values)))
    total = sum(row[1] for row in rows)
    if not rows or total <= 0:
        return empty
    out = pd.DataFrame(rows, columns=["param", "importance", "noise", "n"])
    out[["importance", "noise"]] /= total
    return out.sort_values("importance", ascending=False, ignore_index=True)


def _score(optuna: Any, path: str, distribution: Any, values: list[Any], y: np.ndarray, maximise: bool) -> float:
    study = optuna.create_study(direction="maximize" if maximise else "minimize")
    study.add_trials(
        [
            optuna.trial.create_trial(params={path: value}, distributions={path: distribution}, value=float(score))
            for value, score in zip(values, y, strict=True)
        ]
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        quantile = 0.1 if len(values) >= 100 else 0.25  # of few trials, a tenth is too few to see a density
        evaluator = optuna.importance.PedAnovaImportanceEvaluator(target_quantile=quantile)
        try:
            got = optuna.importance.get_param_importances(study, evaluator=evaluator, params=[path], normalize=False)
        except (ValueError, RuntimeError):
            return 0.0
    return max(0.0, float(got.get(path, 0.0)))


def _distribution(optuna: Any, entry: dict[str, Any], values: list[Any]) -> Any:
    """The parameter's Optuna distribution, widened to cover explicit configurations outside the range."""
    if len({str(value) for value in values}) < 2:
        return None
    if entry.get("type") in ("float", "int") and all(isinstance(value, (int, float)) for value in values):
        low, high = min([float(entry["low"]), *values]), max([float(entry["high"]), *values])
        return optuna.distributions.FloatDistribution(low, high, log=bool(entry.get("log")) and low > 0)
    choices = list(dict.fromkeys([*entry.get("choices", []), *values]))
    return optuna.distributions.CategoricalDistribution(choices)
