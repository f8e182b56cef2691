"""Importances: right on a known response, judged where a parameter acts, silent on noise."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fake_sweep import noise_only, write_sweep

from igmsweep.analysis import read_sweep
from igmsweep.analysis.importance import importance_data, importance_words, total_effects
from igmsweep.analysis.plots import importance_figure
from igmsweep.analysis.surrogate import Surrogate, surrogate


class Known:
    """In a process's place: a function of the coordinates, without doubt."""

    def __init__(self, function) -> None:
        self.function = function

    def draws(self, at: np.ndarray, each: int, generator: np.random.Generator) -> np.ndarray:
        return self.function(at)[None]


def known(found: Surrogate, function) -> np.ndarray:
    """(d,) the mean of several estimates of the total effects of a function."""
    return np.nanmean([total_effects(replace(found, process=Known(function)), seed)[0] for seed in range(30)], axis=0)


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Surrogate:
    fitted = surrogate(read_sweep(write_sweep(tmp_path_factory.mktemp("known"), n=60, failed=0)), "val/acc")
    assert fitted is not None
    return fitted


def test_total_effects_are_those_that_can_be_worked_out_by_hand(found: Surrogate) -> None:
    one, two = (found.axis(f"optim.lr.{name}") for name in ("audio", "image"))
    assert one is not None and two is not None
    shares = known(found, lambda at: at[:, one] + 2 * at[:, two])  # variances 1 and 4 of 5
    assert shares[[one, two]] == pytest.approx([0.2, 0.8], abs=0.03)
    assert np.delete(shares, [one, two]).max() == 0
    product = known(found, lambda at: (at[:, one] - 0.5) * (at[:, two] - 0.5))  # all of it is interaction
    assert product[[one, two]] == pytest.approx([1.0, 1.0], abs=0.1)


def test_a_conditional_parameter_is_judged_where_it_acts_and_its_switch_by_all_that_it_switches(
    found: Surrogate,
) -> None:
    tau, scope = found.axis("method.tau"), found.axis("method.scope")
    assert tau is not None and scope is not None
    none = found.axes[scope].choices.index("none")
    shares = known(found, lambda at: np.where(at[:, scope] == none, 0.5, at[:, tau]))
    assert shares[tau] == pytest.approx(1, abs=0.05)  # among those with another scope it is all there is
    # a new tau comes along with a scope that was none, and with every other scope tau stays: one fifth against four
    assert 0.05 < shares[scope] < 0.5


@pytest.mark.slow
def test_importance_finds_what_matters_in_its_order(tmp_path: Path) -> None:
    data = importance_data(read_sweep(write_sweep(tmp_path, n=120, sampler="random"))).set_index("param")
    told = data.index[data["told"]]
    assert {"method.tau", "method.scope", "optim.lr.audio"} <= set(told)
    assert "method.rho.image" not in told and "optim.lr.image" not in told
    assert data["told"].is_monotonic_decreasing and data.loc[told, "share"].is_monotonic_decreasing
    assert (data["low"] <= data["share"]).all() and (data["share"] <= data["high"]).all()
    assert data["share"].between(0, 1).all()


@pytest.mark.slow
def test_n_is_the_trials_in_which_a_parameter_acts(tmp_path: Path) -> None:
    sweep = read_sweep(write_sweep(tmp_path, n=60, failed=0, sampler="random"))
    data, done = importance_data(sweep).set_index("param"), sweep.completed()
    assert data.loc["method.tau", "n"] == (done["params.method.scope"] != "none").sum()
    assert data.loc["method.rho.audio", "n"] == done["params.method.sam"].sum() < data.loc["method.sam", "n"]


@pytest.mark.slow
def test_of_noise_it_says_that_nothing_matters(tmp_path: Path) -> None:
    sweep = read_sweep(write_sweep(tmp_path, n=60, failed=0, sampler="random", response=noise_only))
    data = importance_data(sweep)
    assert not data["told"].any()
    assert importance_words(data).startswith("No parameter's share")


def test_no_importance_from_nine_trials(tmp_path: Path) -> None:
    assert importance_data(read_sweep(write_sweep(tmp_path, n=9, failed=0))).empty
    assert importance_words(importance_data(read_sweep(tmp_path / "avdigits-demo"))).startswith("Fewer than ten")


def test_the_figure_greys_what_is_not_told_and_gives_n(tmp_path: Path) -> None:
    data = importance_data(read_sweep(write_sweep(tmp_path, n=40)))
    told, rest = importance_figure(data).data
    assert len(told.x) == data["told"].sum() and len(rest.x) == (~data["told"]).sum()
    assert told.marker.color != rest.marker.color
    assert all("(n = " in tick for tick in importance_figure(data).layout.yaxis.ticktext)
