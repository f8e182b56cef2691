"""Which parameters matter: PED-ANOVA and fANOVA side by side, each parameter judged on the trials in which it acts.

Conditional ones (tau without GM, rho without SAM) are neither dropped nor filled in: each is judged among the trials in
which it acts, together with the parameters that all of these have. Shuffled scores say what the numbers look like when
nothing matters, bootstrapped trials how far to trust them.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd

from igmsweep.analysis.names import label, value_text
from igmsweep.analysis.ped_anova import on_grid, ped_anova
from igmsweep.analysis.sensitivity import is_number
from igmsweep.frame import Sweep

MINIMUM = 10
SHUFFLES = 400
BOOTSTRAPS = 100
MOST_SHUFFLED = 2000
TREES = 16
MOST_FANOVA = 128
"""fANOVA walks over trees in Python: beyond this many trials, a random part of them."""
INTERVAL = (0.05, 0.95)
COLUMNS = ["param", "ped", "ped_low", "ped_high", "noise", "fanova", "fanova_low", "fanova_high", "n", "told"]


Code = tuple[np.ndarray, np.ndarray, int, bool]
"""Of a parameter: where it acts (n,), its values as cells (n,) (0 where it does not), how many cells, categorical or not."""


def importance_data(sweep: Sweep, seed: int = 0) -> pd.DataFrame:
    """One row a searched parameter, most important first: `param`; `ped`, PED-ANOVA as a share of the parameters' sum,
    with a 90 % bootstrap interval `ped_low`, `ped_high`; `noise`, what shuffled scores reach in one sweep of twenty
    (same unit; shared by all parameters); `told`, whether it is above; `fanova`, the share of the variance (of the
    trials in which it acts) with an interval over bootstrapped trees; `n`, those trials. Empty below 10 trials."""
    frame = sweep.completed()
    sign = -1.0 if sweep.maximise else 1.0
    searched = [path for path in sweep.space if f"params.{path}" in frame.columns]
    coded = {
        path: code for path in searched if (code := _coded(sweep.space[path], frame[f"params.{path}"])) is not None
    }
    coded = {path: code for path, code in coded.items() if code[0].sum() >= MINIMUM}
    if len(frame) < MINIMUM or not coded:
        return pd.DataFrame(columns=COLUMNS)
    y = sign * frame[f"metrics.{sweep.metric}"].to_numpy()
    generator = np.random.default_rng(seed)
    raw = {path: _ped(code, y, np.arange(len(y))) for path, code in coded.items()}
    total = sum(raw.values()) or 1.0
    redrawn = pd.DataFrame(_redrawn(coded, y, generator))
    redrawn = redrawn.div(redrawn.sum(axis=1).replace(0, 1), axis=0)
    rows = []
    for path, code in coded.items():
        own = code[0].nonzero()[0]
        some = generator.choice(own, min(len(own), MOST_SHUFFLED), replace=False)  # enough to see the level of noise
        shuffled = [_ped(code, y, some, generator.permutation(some)) for _ in range(SHUFFLES)]
        noise = float(np.quantile(shuffled, 1 - 0.05 / len(coded)))
        share = raw[path] / total
        low, high = redrawn[path].quantile(list(INTERVAL))
        # the share that it would have with this raw value and everything else as it is
        rows.append([path, share, min(low, share), max(high, share), noise / (noise + total - raw[path]), len(own)])
    out = pd.DataFrame(rows, columns=["param", "ped", "ped_low", "ped_high", "noise", "n"])
    out["told"] = out["ped"] > out["noise"]
    shares = _fanova(coded, y, seed)
    for name, values in zip(("fanova", "fanova_low", "fanova_high"), zip(*shares.values(), strict=True), strict=True):
        out[name] = list(values)
    return out[COLUMNS].sort_values("ped", ascending=False, ignore_index=True)


def importance_words(data: pd.DataFrame) -> str:
    """What the table says, in one sentence."""
    if data.empty:
        return f"Fewer than {MINIMUM} completed trials: importances would be chance."
    told = [label(path) for path in data.loc[data["told"], "param"]]
    rest = [label(path) for path in data.loc[~data["told"], "param"]]
    if not told:
        return "PED-ANOVA finds nothing that the best trials have in common beyond what shuffled scores reach."
    said = f"What sets the best trials apart (PED-ANOVA): {', '.join(told)}."
    return said + (f" Not told apart from chance: {', '.join(rest)}." if rest else "")


def _coded(entry: dict[str, Any], values: pd.Series) -> Code | None:
    acts = values.notna().to_numpy()
    given = values[acts].tolist()
    if len({value_text(value) for value in given}) < 2:
        return None
    cells = np.zeros(len(acts), dtype=int)
    if entry.get("type") != "categorical" and all(is_number(value) for value in given):
        bounds: list[float] = [entry[key] for key in ("low", "high") if is_number(entry.get(key))]
        low, high = min([*bounds, *given]), max([*bounds, *given])
        found, size = on_grid(given, low, high, bool(entry.get("log")) and low > 0)
        cells[acts] = found
        return acts, cells, size, False
    named = entry.get("choices") if isinstance(entry.get("choices"), list) else []
    choices = list(dict.fromkeys(value_text(value) for value in [*(named or []), *given]))
    cells[acts] = [choices.index(value_text(value)) for value in given]
    return acts, cells, len(choices), True


def _ped(code: Code, losses: np.ndarray, rows: np.ndarray, scored: np.ndarray | None = None) -> float:
    """PED-ANOVA of one parameter among `rows` (where it acts), with the losses of `scored` instead of their own."""
    acts, cells, size, categorical = code
    rows = rows[acts[rows]]
    if len(rows) < 2:
        return 0.0
    quantile = 0.1 if len(rows) >= 100 else 0.25  # of few trials, a tenth is too few to see a density
    return ped_anova(cells[rows], size, losses[rows if scored is None else scored], quantile, categorical)


def _redrawn(coded: dict[str, Code], losses: np.ndarray, generator: np.random.Generator) -> list[dict[str, float]]:
    """The raw values of bootstrapped sweeps."""
    picks = (generator.integers(0, len(losses), len(losses)) for _ in range(BOOTSTRAPS))
    return [{path: _ped(code, losses, pick) for path, code in coded.items()} for pick in picks]


def _fanova(coded: dict[str, Code], losses: np.ndarray, seed: int) -> dict[str, tuple[float, float, float]]:
    """Path -> mean and interval of the share of variance over trees, each grown on its own bootstrap sample."""
    nothing = dict.fromkeys(coded, (np.nan, np.nan, np.nan))
    try:
        import optuna
    except ImportError:
        return nothing
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    out: dict[str, tuple[float, float, float]] = {}
    for path, (acts, *_) in coded.items():
        if path in out:
            continue
        together = [name for name, code in coded.items() if code[0][acts].all()]
        asked = [name for name in together if (coded[name][0] == acts).all()]  # these share their trials, and the trees
        rows = np.flatnonzero(acts)
        if len(rows) > MOST_FANOVA:
            rows = np.random.default_rng(seed).choice(rows, MOST_FANOVA, replace=False)
        found = _trees(optuna, _study(optuna, coded, together, rows, losses), together, seed)
        for name in asked:
            values = [tree.get(name, 0.0) for tree in found]
            low, high = np.quantile(values, INTERVAL) if values else (np.nan, np.nan)
            out[name] = (float(np.mean(values)) if values else np.nan, float(low), float(high))
    return {path: out.get(path, nothing[path]) for path in coded}


def _study(optuna: Any, coded: dict[str, Code], names: Iterable[str], rows: np.ndarray, losses: np.ndarray) -> Any:
    """The trials `rows` as an Optuna study over cell numbers (already on the scale of the space)."""
    distributions, columns = {}, {}
    for name in names:
        _, columns[name], size, categorical = coded[name]
        if categorical:
            distributions[name] = optuna.distributions.CategoricalDistribution(list(range(size)))
        else:
            distributions[name] = optuna.distributions.FloatDistribution(0.0, size - 1.0)
    study = optuna.create_study()
    study.add_trials(
        [
            optuna.trial.create_trial(
                params={name: columns[name][row].item() for name in columns},
                distributions=distributions,
                value=float(losses[row]),
            )
            for row in rows
        ]
    )
    return study


def _trees(optuna: Any, study: Any, names: list[str], seed: int) -> list[dict[str, float]]:
    found = []
    for tree in range(TREES):
        evaluator = optuna.importance.FanovaImportanceEvaluator(n_trees=1, max_depth=16, seed=seed + tree)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                got = optuna.importance.get_param_importances(study, evaluator=evaluator, params=names, normalize=False)
            except (ValueError, RuntimeError):  # equal scores have no variance to share out
                continue
        found.append({name: float(value) for name, value in got.items()})
    return found
