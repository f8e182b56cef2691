"""Importances: equal to Optuna's where Optuna has them, right on a known response, silent on noise."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import optuna
import pytest
from fake_sweep import noise_only, write_sweep

from igmsweep.analysis import read_sweep
from igmsweep.analysis.importance import importance_data, importance_words
from igmsweep.analysis.ped_anova import on_grid, ped_anova
from igmsweep.analysis.plots import importance_figure


@pytest.mark.parametrize("log", [True, False])
@pytest.mark.parametrize("n", [12, 150])
def test_ped_anova_gives_optunas_numbers(log: bool, n: int) -> None:
    generator = np.random.default_rng(n)
    values = 10 ** generator.uniform(-4, -1, n) if log else generator.uniform(1e-4, 0.1, n)
    choices = generator.integers(0, 3, n)
    losses = (np.log(values) + 4) ** 2 + choices + generator.normal(0, 0.3, n)
    distributions = {
        "x": optuna.distributions.FloatDistribution(1e-4, 0.1, log=log),
        "c": optuna.distributions.CategoricalDistribution([0, 1, 2]),
    }
    study = optuna.create_study()
    for x, c, loss in zip(values, choices, losses, strict=True):
        params = {"x": float(x), "c": int(c)}
        study.add_trial(optuna.trial.create_trial(params=params, distributions=distributions, value=float(loss)))
    evaluator = optuna.importance.PedAnovaImportanceEvaluator(target_quantile=0.25)
    theirs = evaluator.evaluate(study)
    cells, size = on_grid(list(values), 1e-4, 0.1, log)
    assert ped_anova(cells, size, losses, 0.25, False) == pytest.approx(theirs["x"], rel=1e-9)
    assert ped_anova(choices, 3, losses, 0.25, True) == pytest.approx(theirs["c"], rel=1e-9)


@pytest.mark.slow
def test_importance_finds_what_matters_in_its_order(tmp_path: Path) -> None:
    data = importance_data(read_sweep(write_sweep(tmp_path, n=200, sampler="random"))).set_index("param")
    assert list(data.index[:2]) == ["method.tau", "optim.lr.audio"]
    assert data["told"][:2].all() and not data.loc["method.rho.image", "told"]
    assert data["ped"].sum() == pytest.approx(1)
    assert (data["ped_low"] <= data["ped"]).all() and (data["ped"] <= data["ped_high"]).all()
    assert data["ped_high"].max() <= 1 and (data["fanova"] <= data["fanova_high"]).all()
    # scope decides between good and hopeless ("none"), which fANOVA sees and a look at the best tenth does not
    assert data["fanova"].nlargest(3).index.isin(["method.tau", "method.scope", "optim.lr.audio"]).all()


@pytest.mark.slow
def test_conditional_parameters_are_judged_where_they_act(tmp_path: Path) -> None:
    sweep = read_sweep(write_sweep(tmp_path, n=120, failed=0, sampler="random"))
    data, done = importance_data(sweep).set_index("param"), sweep.completed()
    assert data.loc["method.tau", "n"] == (done["params.method.scope"] != "none").sum()
    assert data.loc["method.rho.audio", "n"] == done["params.method.sam"].sum() < data.loc["method.sam", "n"]
    assert data.loc["method.rho.audio", "fanova"] >= 0  # Optuna's own leaves it out


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_of_noise_it_says_that_nothing_matters(tmp_path: Path, seed: int) -> None:
    sweep = read_sweep(write_sweep(tmp_path, n=120, failed=0, sampler="random", seed=seed, response=noise_only))
    data = importance_data(sweep)
    assert not data["told"].any()
    assert importance_words(data).startswith("PED-ANOVA finds nothing")


def test_no_importance_from_nine_trials(tmp_path: Path) -> None:
    assert importance_data(read_sweep(write_sweep(tmp_path, n=9, failed=0))).empty


@pytest.mark.slow
def test_the_figure_shows_both_with_n(tmp_path: Path) -> None:
    data = importance_data(read_sweep(write_sweep(tmp_path, n=40)))
    fig = importance_figure(data)
    assert [trace.name.split(",")[0] for trace in fig.data[:2]] == ["PED-ANOVA", "fANOVA"]
    assert all("(n = " in tick for tick in fig.layout.yaxis.ticktext)
