"""How often is what a report says of a single sweep true? Simulated sweeps with a known truth, cell by cell, beside what other rules would say.

    python -m benchmarks.simulated_sweeps.judged --sweeps 200 --out judged.json      # goes on where it stopped
    python -m benchmarks.simulated_sweeps.judged --out judged.json --show

A cell is a response, a sampler, a number of trials, of validation samples, and of trainings of the best three.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
from scipy.stats import kruskal, spearmanr

from benchmarks import outcomes
from benchmarks.simulated_sweeps.design import MATTERS, NOISE, RESPONSES, Simulated, simulate
from igmsweep.analysis.expectation import expectation
from igmsweep.analysis.importance import importance_data, total_effects
from igmsweep.analysis.ranking import ranked
from igmsweep.analysis.sensitivity import sensitivity_data
from igmsweep.analysis.surrogate import Surrogate, surrogate

METRIC = "val/acc"
WINNERS = [
    *product(("flat", "one", "mixed", "hopeless"), ("random", "tpe"), (64,), (180, 744), (1,)),
    *product(("flat", "one"), ("random",), (64,), (180, 744), (3, 5)),
]
EFFECTS = [
    *product(RESPONSES, ("random", "tpe"), (64,), (360,), (1,)),
    *product(("one", "mixed"), ("tpe",), (130,), (360,), (1,)),
]
KINDS = ("winner", "effects")
ROUND = 10
"""Sweeps of each cell before any has more."""
ALWAYS = ("optim.lr.image", "optim.lr.audio", "method.scope", "method.sam")
"""Parameters that act in every trial: Optuna's evaluators know no others."""


class Truth:
    """In a process's place: the true response, without doubt."""

    def __init__(self, found: Surrogate, response: str) -> None:
        self.axes, self.answer, self.floor = found.axes, RESPONSES[response], found.floor

    def draws(self, at: np.ndarray, each: int, generator: Any) -> np.ndarray:
        """(1, k), as `GaussianProcess.draws`."""
        return np.maximum([self.answer(self._params(row)) for row in at], self.floor)[None]

    def mean(self, at: np.ndarray) -> np.ndarray:
        """(k,), as `GaussianProcess.mean`."""
        return np.asarray(self.draws(at, 1, None)[0])

    def _params(self, row: np.ndarray) -> dict[str, Any]:
        found: dict[str, Any] = {
            axis.path: axis.choices[int(value)] if axis.categorical else axis.value(value)
            for axis, value in zip(self.axes, row, strict=True)
        }
        if found.get("method.scope", "none") == "none":
            found.pop("method.tau", None)
        return found


def of_winner(sweep: Simulated) -> dict[str, float]:
    """What is said of the best configuration, and of those within noise of it."""
    order = ranked(sweep)
    trial, n = int(order["trial"].iloc[0]), int(sweep.data["val"])
    truth, shown = sweep.truth[trial], float(order["mean"].iloc[0])
    said = expectation(sweep, trial, METRIC)
    assert said is not None
    own = np.array([sweep.truth[int(each)] for each in order["trial"]])
    kept = order["tie"].to_numpy() | (order["rank"] == 1).to_numpy()
    share = (shown * n + 2) / (n + 4)
    error = np.sqrt(share * (1 - share) / (n + 4))
    near = np.abs(order["mean"] - shown) < 1.96 * np.sqrt(2) * error
    best = own >= own.max() - 1e-12
    return {
        "excess of the shown score": 100 * (shown - truth),
        "excess of the expected score": 100 * (said.expected - truth),
        "interval covers": float(said.low <= truth <= said.high),
        "width": 100 * (said.high - said.low),
        "before: shown ± 1.96 s.e. covers": float(abs(shown - truth) < 1.96 * error),
        "best is in the set": float((best & kept).any()),
        "size of the set": float(kept.mean()),
        "before: best is in the set": float((best & near).any()),
    }


def of_effects(sweep: Simulated, response: str, sampler_seed: int) -> dict[str, float]:
    """What is said of the parameters."""
    found = surrogate(sweep, METRIC)
    assert found is not None
    truly = replace(found, process=Truth(found, response))  # type: ignore[arg-type]
    out: dict[str, float] = {}
    false, false_before = False, False
    for axis in found.axes:
        data = sensitivity_data(sweep, axis.path, METRIC)
        if data.flat is None:  # it acts in too few trials
            continue
        real = truly.effect(axis.path)[0]
        values = found.values(axis.path)
        before = _kruskal(found, axis.path) < 0.05 / len(found.axes)
        if axis.path not in MATTERS[response]:
            false, false_before = false or data.flat.told, false_before or before
        else:
            out[f"{axis.path} is told"] = float(data.flat.told)
            out[f"before: {axis.path} is told"] = float(before)
        out[f"most covers: {axis.path}"] = float(np.ptp(real) <= data.flat.most)
        if axis.categorical:
            inside = np.isin(values, data.flat.choices)
        else:
            at = np.array([axis.value(each) for each in values])
            inside = (at >= data.flat.low) & (at <= data.flat.high)
        if axis.path in MATTERS[response] and not axis.categorical:
            flat = real.max() - real <= data.flat.delta
            if inside.any():
                out[f"flat range holds: {axis.path}"] = float((real.max() - real[inside]).max() <= data.flat.delta)
            out[f"recall of the flat part: {axis.path}"] = float((inside & flat).sum() / flat.sum())
    out["a false effect is told"], out["before: a false effect is told"] = float(false), float(false_before)
    return out | _importance(sweep, found, truly, response, sampler_seed)


def _kruskal(found: Surrogate, path: str) -> float:
    """p of the test that stood here before: over six bins of equally many trials, or the choices."""
    column = found.axis(path)
    assert column is not None
    own = found.acts(column)
    x, y = found.x[own, column], found.score[own]
    if found.axes[column].categorical:
        groups = [y[x == value] for value in np.unique(x)]
    else:
        groups = np.array_split(y[np.argsort(x, kind="stable")], 6)
    groups = [group for group in groups if len(group) >= 3]
    return float(kruskal(*groups).pvalue) if len(groups) > 1 and np.ptp(y) > 0 else 1.0


def _importance(sweep: Simulated, found: Surrogate, truly: Surrogate, response: str, seed: int) -> dict[str, float]:
    """How importances agree with the truth, beside Optuna's evaluators on the parameters that those know."""
    if len(MATTERS[response]) < 1:
        return {}
    real = dict(zip((axis.path for axis in found.axes), np.nan_to_num(np.mean([total_effects(truly, each)[0] for each in range(6)], axis=0)), strict=True))  # fmt: skip
    said = importance_data(sweep).set_index("param")
    out = {
        f"share's interval covers: {path}": float(said.loc[path, "low"] <= real[path] <= said.loc[path, "high"])
        for path in MATTERS[response]
        if path in said.index
    }
    truth = [real.get(path, 0.0) for path in ALWAYS]
    ours = [float(said["share"].get(path, 0.0)) for path in ALWAYS]
    guesses = {"igmsweep": ours, **_optuna(sweep, seed)}
    for name, guess in guesses.items():
        out[f"top is right: {name}"] = float(int(np.argmax(guess)) == int(np.argmax(truth)))
        if np.ptp(guess) > 0 and response != "one":
            out[f"rank correlation: {name}"] = float(spearmanr(guess, truth).statistic)
    return out


def _optuna(sweep: Simulated, seed: int) -> dict[str, list[float]]:
    import optuna

    from benchmarks.simulated_sweeps.design import SPACE

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(direction="maximize")
    spaces = {
        path: optuna.distributions.CategoricalDistribution(SPACE[path]["choices"])
        if SPACE[path]["type"] == "categorical"
        else optuna.distributions.FloatDistribution(SPACE[path]["low"], SPACE[path]["high"], log=True)
        for path in ALWAYS
    }
    for row in sweep.completed().sort_values("trial").to_dict("records"):
        params = {path: row[f"params.{path}"] for path in ALWAYS}
        study.add_trial(optuna.trial.create_trial(params=params, distributions=spaces, value=row[f"metrics.{METRIC}"]))
    evaluators = {
        "Optuna's fANOVA": optuna.importance.FanovaImportanceEvaluator(n_trees=32, seed=seed),
        "Optuna's PED-ANOVA, global": optuna.importance.PedAnovaImportanceEvaluator(evaluate_on_local=False),
    }
    found = {}
    for name, evaluator in evaluators.items():
        said = evaluator.evaluate(study, params=list(ALWAYS))
        found[name] = [float(said.get(path, 0.0)) for path in ALWAYS]
    return found


def cells(
    sweeps: int, found: dict[str, list[dict[str, float]]], kinds: Sequence[str] = KINDS
) -> Iterator[tuple[str, list[dict[str, float]]]]:
    """Judge what is missing, all cells in turn; a cell's name and all its outcomes as it grows."""
    every = {"winner": WINNERS, "effects": EFFECTS}
    wanted = [(kind, *each) for kind in kinds for each in every[kind]]
    for upto in [*range(ROUND, sweeps, ROUND), sweeps]:
        for kind, response, sampler, trials, samples, repeats in wanted:
            name = f"{kind}/{response}/{sampler}/{trials}/{samples}/{repeats}"
            done = found.setdefault(name, [])
            for seed in range(len(done), upto):
                sweep = simulate(response, sampler, trials, samples, seed, repeats, noise=NOISE)
                done.append(of_winner(sweep) if kind == "winner" else of_effects(sweep, response, seed))
                yield name, done


def table(found: dict[str, list[dict[str, float]]]) -> str:
    """One Markdown list a cell: means over its sweeps."""
    lines = []
    for name, sweeps in found.items():
        if not sweeps:
            continue
        lines.append(f"\n### {name}, {len(sweeps)} sweeps")
        for key in dict.fromkeys(key for each in sweeps for key in each):
            values = [each[key] for each in sweeps if key in each]
            lines.append(f"- {key}: {np.mean(values):.3g}" + (f" (of {len(values)})" if len(values) < len(sweeps) else ""))  # fmt: skip
    return "\n".join(lines)


def main() -> None:
    """Run what the file of outcomes does not hold yet, or show it."""
    parser = outcomes.arguments(__doc__, "sweeps", 200, "judged.json")
    parser.add_argument("--kind", choices=KINDS, action="append", help="default: both")
    given = parser.parse_args()
    found = outcomes.read(given.out)
    started = saved = time.monotonic()
    for name, done in cells(given.sweeps, found, given.kind or KINDS) if not given.show else ():
        if time.monotonic() - saved > 20 or len(done) == given.sweeps:
            outcomes.write(given.out, found)
            saved = time.monotonic()
        if len(done) == given.sweeps:
            print(f"{name}: {len(done)} sweeps after {saved - started:.0f} s", flush=True)
    print(table(found))


if __name__ == "__main__":
    main()
