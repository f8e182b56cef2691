"""On a response whose optimum is known, the figures' data must show it; on noise, nothing."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest
from fake_sweep import noise_only, plateau, write_sweep

from igmsweep.analysis import analyze, flat_ranges, read_sweep
from igmsweep.analysis.curves import best_curves, curves_data, gap_data
from igmsweep.analysis.heatmap import heatmap_data, heatmap_figure
from igmsweep.analysis.hover import crop, trial_markers
from igmsweep.analysis.panels import panels
from igmsweep.analysis.paper import paper_figure
from igmsweep.analysis.parallel import parallel_data, parallel_figure
from igmsweep.analysis.plots import history_data, stopped_data
from igmsweep.analysis.sensitivity import sensitivity_data
from igmsweep.analysis.sensitivity_plot import sensitivity_figure
from igmsweep.analysis.tau_rho import has_both, tau_rho_data, tau_rho_figure
from igmsweep.errors import UserError


def test_the_best_bin_of_tau_holds_the_optimum(tmp_path: Path) -> None:
    data = sensitivity_data(read_sweep(write_sweep(tmp_path, n=200, sampler="random")), "method.tau", "val/acc")
    assert data.log and data.numeric and data.paper == 0.4
    best = data.bins.loc[data.bins["median"].idxmax()]
    assert best["low"] / 3 <= 0.4 <= best["high"] * 3
    assert data.bins["n"].sum() == (data.points["sampler"] == "random").sum() == len(data.points) - 1  # the paper's
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


def test_true_and_one_are_two_choices_where_the_space_is_lost(tmp_path: Path) -> None:
    sweep = read_sweep(write_sweep(tmp_path))
    mixed = [(True, 1, "both")[number % 3] for number in range(len(sweep.trials))]
    lost = replace(sweep, spec={}, trials=sweep.trials.assign(**{"params.method.sam": pd.Series(mixed, dtype=object)}))
    assert list(sensitivity_data(lost, "method.sam", "val/acc").bins["choice"]) == ["1", "both", "on"]


def test_the_axis_is_logarithmic_where_the_space_is_and_the_paper_is_marked(tmp_path: Path) -> None:
    sweep = read_sweep(write_sweep(tmp_path))
    fig = sensitivity_figure(sensitivity_data(sweep, "method.rho.audio", "val/acc"))
    assert fig.layout.xaxis.type == "log"
    assert fig.layout.shapes[0].x0 == 1e-10
    assert any(trace.yaxis == "y2" for trace in fig.data)  # the share of weights moved
    assert "validation accuracy (%)" in fig.layout.yaxis.title.text


@pytest.mark.parametrize("maximise", [True, False])
def test_a_hopeless_trial_does_not_press_the_others_against_the_edge(maximise: bool) -> None:
    sign = 1 if maximise else -1
    scores = pd.Series([90 + 0.5 * i for i in range(19)] + [10.0]) * sign
    fig = go.Figure()
    trial_markers(fig, pd.Series(range(20)), scores, pd.Series(range(20)), {19: "trial 19"}, "trial", {"color": "red"})
    edge = crop(fig, maximise)
    shown, cut = fig.data
    assert len(shown.y) == 19 and shown.customdata == tuple(range(19))
    assert (
        cut.customdata == (19,) and cut.ids == (f"{10 * sign:.2f}",) and "%{id}" in cut.hovertemplate
    )  # its true score
    low, high = fig.layout.yaxis.range
    assert low < edge < high and cut.y == (edge,)
    assert low <= min(shown.y) and max(shown.y) <= high and high - low < 20


def test_medians_and_quartiles_are_never_cut_off() -> None:
    fig = go.Figure()
    scores = pd.Series([90.0 + i for i in range(9)] + [0.0])
    trial_markers(fig, pd.Series(range(10)), scores, pd.Series(range(10)), None, "trial", {"color": "red"})
    fig.add_scatter(x=[0], y=[80.0], error_y={"type": "data", "arrayminus": [60.0], "array": [0.0]})
    crop(fig, True)
    assert fig.layout.yaxis.range is None  # the quartile reaches 20: zooming would not be worth it


def test_the_heat_map_is_binned(tmp_path: Path) -> None:
    sweep = read_sweep(write_sweep(tmp_path, n=300, sampler="random"))
    cells = heatmap_data(sweep, "method.tau", "method.rho.audio", "val/acc")
    assert cells["x"].nunique() <= 40 and cells["y"].nunique() <= 40
    both = sweep.completed()[["params.method.tau", "params.method.rho.audio"]].dropna()
    assert cells["n"].sum() == len(both) - 1  # the paper's setting was not sampled


def test_a_cell_is_the_paler_the_fewer_trials_it_holds_and_says_how_many(tmp_path: Path) -> None:
    sweep = read_sweep(write_sweep(tmp_path, n=60, sampler="random"))
    names = ("method.tau", "method.rho.audio", "val/acc")
    cells = heatmap_data(sweep, *names)
    assert len(cells) <= 9  # about five trials each
    drawn = heatmap_figure(cells, sweep, *names)
    maps = [trace for trace in drawn.data if trace.type == "heatmap"]
    assert [trace.opacity for trace in maps] == sorted(trace.opacity for trace in maps) and maps[-1].opacity == 1
    for trace in maps:
        for score, n in zip(np.ravel(trace.z), np.ravel(trace.customdata), strict=True):
            assert score is None or (int(n) >= 5) == (trace.opacity == 1)
            assert score is None or (int(n) == 1) == (trace.opacity == maps[0].opacity)
    assert len({(trace.zmin, trace.zmax) for trace in maps}) == 1  # one scale
    assert [trace.showscale for trace in maps] == [False, False, True]
    written = [note.text for note in drawn.layout.annotations if note.name != "note"]
    assert sorted(written) == sorted(str(n) for n in cells["n"])


def test_the_best_of_each_bin_stands_beside_its_median(tmp_path: Path) -> None:
    sweep = read_sweep(write_sweep(tmp_path, n=120, failed=0, sampler="random"))
    data = sensitivity_data(sweep, "optim.lr.audio", "val/acc")
    traces = {trace.name: trace for trace in sensitivity_figure(replace(data, effect=None)).data}
    inner = data.points[data.points["sampler"] == "random"]
    for low, high, shown in zip(data.bins["low"], data.bins["high"], traces["best"].y, strict=True):
        assert shown == pytest.approx(100 * inner.loc[inner["x"].between(low, high), "score"].max())
    assert all(best >= median for best, median in zip(traces["best"].y, traces["median"].y, strict=True))
    scope = sensitivity_data(sweep, "method.scope", "val/acc")
    marks = {trace.name: trace for trace in sensitivity_figure(scope).data}
    tops = scope.points[scope.points["sampler"] == "random"].groupby("x")["score"].max()
    assert marks["best"].y == pytest.approx(100 * tops.to_numpy())


def test_the_expected_score_takes_the_medians_place_from_ten_trials_on(tmp_path: Path) -> None:
    data = sensitivity_data(read_sweep(write_sweep(tmp_path, n=40, failed=0)), "optim.lr.audio", "val/acc")
    traces = {trace.name: trace for trace in sensitivity_figure(data).data}
    assert {"expected", "90 % band", "best"} <= set(traces) and "median" not in traces
    assert data.effect is not None and traces["expected"].y == pytest.approx(100 * data.effect["mean"].to_numpy())
    few = sensitivity_data(read_sweep(write_sweep(tmp_path, "few", n=9, failed=0)), "optim.lr.audio", "val/acc")
    assert "expected" not in {trace.name for trace in sensitivity_figure(few).data}


def test_no_line_runs_through_a_bin_of_few_trials(tmp_path: Path) -> None:
    sweep = read_sweep(write_sweep(tmp_path, n=120, failed=0, sampler="random"))
    data = sensitivity_data(sweep, "optim.lr.audio", "val/acc")
    bins = data.bins.assign(n=[4 if place == 2 else n for place, n in enumerate(data.bins["n"])])
    drawn = sensitivity_figure(replace(data, bins=bins, effect=None)).data
    (median,) = [trace for trace in drawn if trace.name == "median"]
    assert median.x[2] is None and median.y[2] is None and len([x for x in median.x if x is not None]) == len(bins) - 1
    assert len([trace for trace in drawn if trace.name == "quartiles"]) == 2  # the band is in two parts


@pytest.mark.slow
def test_accuracy_against_tau_and_rho_is_one_figure_of_designed_points(tmp_path: Path) -> None:
    sweep = read_sweep(write_sweep(tmp_path, "random", n=200, failed=0, sampler="random"))
    data = tau_rho_data(sweep, "val/acc")
    assert list(dict.fromkeys(data["param"])) == ["method.tau", "method.rho.audio", "method.rho.image"]
    assert (data["n"] >= 5).all() and has_both(data)
    points = sensitivity_data(sweep, "method.tau", "val/acc").points
    first = data[data["param"] == "method.tau"].iloc[0]
    lowest = points[points["sampler"] == "random"].nsmallest(int(first["n"]), "x")["score"]
    assert first["mean"] == pytest.approx(lowest.mean()) and first["se"] == pytest.approx(lowest.sem())
    drawn = tau_rho_figure(data, sweep, "val/acc")
    assert [trace.xaxis for trace in drawn.data] == ["x", "x2", "x2"]
    left, right = paper_figure(drawn).axes
    assert left.get_xlabel() == "τ" and right.get_xlabel() == "ρ" and left.get_xscale() == right.get_xscale() == "log"
    assert [len(ax.lines) > 0 for ax in (left, right)] == [True, True] and left.get_ylim() == right.get_ylim()
    assert {"tau-rho-val-acc", "tau-rho-val-map"} <= {panel.id for panel in panels(sweep)}
    adaptive = read_sweep(write_sweep(tmp_path, "tpe", n=60, failed=0, sampler="tpe"))
    assert tau_rho_data(adaptive, "val/acc").empty  # no design, no such figure


def test_best_so_far_never_falls(tmp_path: Path) -> None:
    data = history_data(read_sweep(write_sweep(tmp_path)))
    assert data["best"].dropna().is_monotonic_increasing
    assert data.loc[data["state"] == "failed", "score"].isna().all()


def test_curves_are_fused_and_per_modality(tmp_path: Path) -> None:
    data = curves_data(read_sweep(write_sweep(tmp_path, n=3)), 0)
    assert list(data["series"].unique()) == ["fused", "audio", "image"]
    assert len(data) == 3 * 18


@pytest.mark.slow
def test_each_searched_parameter_has_a_figure_for_each_metric(tmp_path: Path) -> None:
    sweep = read_sweep(write_sweep(tmp_path))
    drawn = [panel for panel in panels(sweep) if panel.group == "sensitivity"]
    assert len(drawn) == 7 * 2
    assert all("TPE" in panel.caption for panel in drawn)
    assert len({panel.id for panel in drawn}) == len(drawn)


def test_the_flat_range_is_the_plateau_of_a_known_response(tmp_path: Path) -> None:
    sweep = read_sweep(write_sweep(tmp_path, n=200, failed=0, sampler="random", response=plateau))
    sweep = replace(sweep, negligible=0.03)
    data = sensitivity_data(sweep, "method.tau", "val/acc")
    assert data.flat is not None and data.flat.told and data.flat.p < 1e-6
    assert 0.08 < data.flat.low < 1 < data.flat.high < 13  # 0.1 to 10 in truth, and nothing beyond it
    assert data.flat.high / data.flat.low > 4
    assert data.effect is not None and (data.effect["low"] < data.effect["mean"]).all()
    middle = data.effect[data.effect["x"].between(0.1, 10)]
    assert middle["mean"].between(0.88, 0.92).all()  # 0.9 in truth
    assert "Flat from" in data.words() and "The paper's 0.4 lies inside" in data.words()
    shapes = [shape for shape in sensitivity_figure(data).layout.shapes if shape.name == "flat"]
    assert [(shape.x0, shape.x1) for shape in shapes] == [(data.flat.low, data.flat.high)]
    others = flat_ranges(sweep).set_index("param").drop("method.tau")
    assert not others.loc[["method.rho.image", "optim.lr.image", "optim.lr.audio"], "told"].any()


@pytest.mark.slow
def test_a_reader_says_what_is_next_to_nothing(tmp_path: Path) -> None:
    sweep = read_sweep(write_sweep(tmp_path, n=80, failed=0, sampler="random"))
    widths = []
    for negligible in (0.005, 0.02, 0.08):
        flat = sensitivity_data(replace(sweep, negligible=negligible), "method.tau", "val/acc").flat
        assert flat is not None and flat.delta == negligible
        widths.append(0.0 if np.isnan(flat.low) else np.log(flat.high / flat.low))
    assert widths == sorted(widths) and widths[0] < widths[-1]
    analyze(sweep.dir, formats=["html"], negligible=2.0)
    assert "costs 2 points or more" in (sweep.dir / "analysis" / "report.html").read_text()
    with pytest.raises(UserError, match="--negligible: found 0, expected more than 0"):
        analyze(sweep.dir, negligible=0)


def test_a_known_optimum_lies_in_its_flat_range(tmp_path: Path) -> None:
    ranges = flat_ranges(read_sweep(write_sweep(tmp_path, n=300, failed=0, sampler="random"))).set_index("param")
    for path, best in (("method.tau", 0.4), ("optim.lr.audio", 1e-2)):
        assert ranges.loc[path, "told"]
        assert ranges.loc[path, "low"] < best * 1.5 and ranges.loc[path, "high"] > best / 1.5
    assert "none" not in ranges.loc["method.scope", "choices"].split(", ")


@pytest.mark.parametrize("seed", range(4))
def test_of_pure_noise_it_says_that_nothing_matters(tmp_path: Path, seed: int) -> None:
    sweep = read_sweep(write_sweep(tmp_path, n=120, failed=0, sampler="random", seed=seed, response=noise_only))
    ranges = flat_ranges(sweep)
    assert not ranges["told"].any()
    assert ranges["words"].str.contains("these trials cannot tell").all()
    data = sensitivity_data(sweep, "method.tau", "val/acc")
    assert data.flat is not None and data.flat.low < 0.01 and data.flat.high > 10  # all of it is flat
    assert not any(shape.name == "flat" for shape in sensitivity_figure(data).layout.shapes)


@pytest.mark.slow
@pytest.mark.parametrize("design", ["grid", "sobol"])
def test_designed_and_tpe_points_are_told_apart_and_not_averaged(tmp_path: Path, design: str) -> None:
    folder = write_sweep(tmp_path, n=60, failed=0, sampler="tpe")
    lines = [json.loads(line) for line in (folder / "trials.jsonl").read_text().splitlines()]
    for line in lines:
        if line["trial"] % 2 and line["trial"]:
            line["source"] = design
    (folder / "trials.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    sweep = read_sweep(folder)
    data = sensitivity_data(sweep, "optim.lr.audio", "val/acc")
    assert data.binned == design and data.bins["n"].sum() == 30
    names = {trace.name for trace in sensitivity_figure(data).data}
    assert {f"trial ({design})", "trial (tpe)", "enqueued"} <= names
    (panel,) = [panel for panel in panels(sweep) if panel.id == "sensitivity-optim-lr-audio-val-acc"]
    assert "Points of tpe are drawn as squares and are not in the dotted line" in panel.caption


def test_trials_stopped_early_are_drawn_apart_and_counted_in_no_median(tmp_path: Path) -> None:
    sweep = read_sweep(write_sweep(tmp_path, n=60, failed=0, pruned=8))
    data = sensitivity_data(sweep, "optim.lr.audio", "val/acc")
    assert data.stopped is not None and len(data.stopped) == 8
    assert data.bins["n"].sum() == 51
    assert sensitivity_figure(data).layout.annotations[0].text == "n = 52 + 8 stopped early"
    rungs = stopped_data(sweep).set_index("rung")
    assert rungs["stopped"].sum() == 8 and rungs.loc[-1, "reached"] == 52
    assert rungs.loc[1, "reached"] == 60 and rungs.loc[2, "reached"] == 60 - rungs.loc[1, "stopped"]
    assert history_data(sweep).loc[lambda frame: frame["state"] == "pruned", "score"].isna().all()


def test_too_few_trials_give_no_verdict(tmp_path: Path) -> None:
    data = sensitivity_data(read_sweep(write_sweep(tmp_path, n=6, failed=0)), "optim.lr.audio", "val/acc")
    assert data.flat is None and "Too few trials" in data.words()


def test_the_gap_between_modalities_is_that_of_their_own_scores(tmp_path: Path) -> None:
    sweep = read_sweep(write_sweep(tmp_path, n=8, failed=0))
    several = best_curves(sweep, top=3)
    gap = gap_data(several)
    part = several[several["trial"] == gap["trial"].iloc[0]].pivot(index="epoch", columns="series", values="score")
    assert gap["score"].iloc[0] == pytest.approx(part["audio"].iloc[0] - part["image"].iloc[0])


@pytest.mark.slow
def test_parallel_coordinates_give_inactive_values_a_place_of_their_own(tmp_path: Path) -> None:
    sweep = read_sweep(write_sweep(tmp_path, n=700, failed=0))
    data = parallel_data(sweep)
    assert len(data) == 500 and data["score"].max() == sweep.completed()["metrics.val/acc"].max()
    scopes = sweep.trials.set_index("trial")["params.method.scope"]
    assert data["method.tau"].isna().tolist() == [scopes[trial] == "none" for trial in data["trial"]]
    assert data[["optim.lr.audio", "method.scope"]].stack().between(0, 1).all()
    assert "does<br>not act" in parallel_figure(data, sweep).layout.yaxis.ticktext


@pytest.mark.slow
def test_cost_adds_up_over_every_trial(tmp_path: Path) -> None:
    folder = write_sweep(tmp_path, n=20, failed=2)
    text = (folder / "sweep.yaml").read_text()
    (folder / "sweep.yaml").write_text(text.replace("gpus_per_trial: 0", "gpus_per_trial: 0.25"))
    sweep = read_sweep(folder)
    data = history_data(sweep)
    assert data["hours"].iloc[-1] == pytest.approx(sweep.trials["seconds"].sum() / 3600)
    assert data["gpu_hours"].iloc[-1] == pytest.approx(0.25 * data["hours"].iloc[-1])
    assert any(panel.id == "history-gpu-hours" for panel in panels(sweep))
