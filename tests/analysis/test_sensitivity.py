"""On a response whose optimum is known, the figures' data must show it; on noise, nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
from fake_sweep import write_sweep

from igmsweep.analysis import read_sweep
from igmsweep.analysis.curves import curves_data
from igmsweep.analysis.importance import importance_data
from igmsweep.analysis.panels import panels
from igmsweep.analysis.plots import history_data
from igmsweep.analysis.sensitivity import sensitivity_data
from igmsweep.analysis.sensitivity_plot import sensitivity_figure
from igmsweep.analysis.together import heatmap_data


def test_the_best_bin_of_tau_holds_the_optimum(tmp_path: Path) -> None:
    data = sensitivity_data(read_sweep(write_sweep(tmp_path, n=200, sampler="random")), "method.tau", "val/acc")
    assert data.log and data.numeric and data.paper == 0.4
    best = data.bins.loc[data.bins["median"].idxmax()]
    assert best["low"] / 3 <= 0.4 <= best["high"] * 3
    assert data.bins["n"].sum() == len(data.points)
    assert (data.bins["q25"] <= data.bins["median"]).all()


def test_only_trials_in_which_the_parameter_acts_are_drawn(tmp_path: Path) -> None:
    sweep = read_sweep(write_sweep(tmp_path))
    done = sweep.completed()
    data = sensitivity_data(sweep, "method.tau", "val/map")
    assert len(data.points) == (done["params.method.scope"] != "none").sum() < len(done)
    assert sensitivity_figure(data).layout.annotations[0].text == f"n = {len(data.points)}"


def test_choices_of_mixed_types_keep_the_order_of_the_space(tmp_path: Path) -> None:
    data = sensitivity_data(read_sweep(write_sweep(tmp_path)), "method.scope", "val/acc")
    assert list(data.bins["choice"]) == ["none", "head", "0.3", "0.5", "1"]
    assert data.bins["median"].idxmin() == 0


def test_the_axis_is_logarithmic_where_the_space_is_and_the_paper_is_marked(tmp_path: Path) -> None:
    sweep = read_sweep(write_sweep(tmp_path))
    fig = sensitivity_figure(sensitivity_data(sweep, "method.rho.audio", "val/acc"))
    assert fig.layout.xaxis.type == "log"
    assert fig.layout.shapes[0].x0 == 1e-10
    assert any(trace.yaxis == "y2" for trace in fig.data)  # the share of weights moved
    assert "validation accuracy (%)" in fig.layout.yaxis.title.text


def test_the_heat_map_is_binned(tmp_path: Path) -> None:
    sweep = read_sweep(write_sweep(tmp_path, n=300, sampler="random"))
    cells = heatmap_data(sweep, "method.tau", "method.rho.audio", "val/acc")
    assert cells["x"].nunique() <= 40 and cells["y"].nunique() <= 40
    both = sweep.completed()[["params.method.tau", "params.method.rho.audio"]].dropna()
    assert cells["n"].sum() == len(both)


def test_best_so_far_never_falls(tmp_path: Path) -> None:
    data = history_data(read_sweep(write_sweep(tmp_path)))
    assert data["best"].dropna().is_monotonic_increasing
    assert data.loc[data["state"] == "failed", "score"].isna().all()


def test_curves_are_fused_and_per_modality(tmp_path: Path) -> None:
    data = curves_data(read_sweep(write_sweep(tmp_path, n=3)), 0)
    assert list(data["series"].unique()) == ["fused", "audio", "image"]
    assert len(data) == 3 * 18


def test_importance_finds_what_matters(tmp_path: Path) -> None:
    pytest.importorskip("optuna")
    data = importance_data(read_sweep(write_sweep(tmp_path, n=200, sampler="random"))).set_index("param")
    assert list(data.index[:2]) == ["method.tau", "optim.lr.audio"]
    assert (data["importance"] > data["noise"])[:2].all()
    assert data.loc["method.rho.image", "importance"] < data.loc["method.rho.image", "noise"]
    assert data["importance"].sum() == pytest.approx(1)


def test_no_importance_from_nine_trials(tmp_path: Path) -> None:
    assert importance_data(read_sweep(write_sweep(tmp_path, n=9, failed=0))).empty


def test_each_searched_parameter_has_a_figure_for_each_metric(tmp_path: Path) -> None:
    sweep = read_sweep(write_sweep(tmp_path))
    drawn = [panel for panel in panels(sweep, importance_data(sweep)) if panel.group == "sensitivity"]
    assert len(drawn) == 7 * 2
    assert all("TPE" in panel.caption for panel in drawn)
    assert len({panel.id for panel in drawn}) == len(drawn)
