"""Methods side by side: at equal budget, on the same data, or not at all."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from fake_sweep import write_sweep

from benchmarks.simulated_sweeps.samples import correctness, predictions
from igmsweep.analysis import compare, compare_sweeps, read_sweep
from igmsweep.analysis.comparison.drawn import ranks_figure
from igmsweep.analysis.comparison.tables import shown, to_latex
from igmsweep.analysis.paper import write_figures
from igmsweep.analysis.style import lines
from igmsweep.errors import UserError
from igmsweep.record.json_files import read_lines
from igmsweep.record.paths import trial_folder
from igmsweep.record.predictions import write_predictions


def keep_predictions(folders: list[Path], samples: int = 300) -> list[Path]:
    """The same folders, with predictions of shared samples beside each completed training, as accurate as its score says."""
    trials = [
        (folder, row["trial"], row["metrics"]["val/acc"])
        for folder in folders
        for row in read_lines(folder / "trials.jsonl")[0]
        if row["state"] == "complete"
    ]
    generator = np.random.default_rng(0)
    right = correctness(np.array([acc for *_, acc in trials]), np.arange(len(trials)), samples, generator)
    for (folder, trial, _), found in zip(trials, predictions(right, 10, generator), strict=True):
        write_predictions(trial_folder(folder, trial), found)
    return folders


def name_data(folder: Path, data: str) -> Path:
    """The folder, as a sweep on another data set."""
    text = (folder / "sweep.yaml").read_text()
    (folder / "sweep.yaml").write_text(text.replace("  name: avdigits\n", f"  name: {data}\n"))
    return folder


@pytest.mark.slow
def test_methods_at_equal_budget_in_one_table(tmp_path: Path) -> None:
    folders = [write_sweep(tmp_path, "a", n=30), write_sweep(tmp_path, "b", n=30, method="joint", seed=1, gain=-0.2)]
    said: list[str] = []
    page = compare(folders, say=said.append)
    assert page == tmp_path / "comparison" / "compare.html"
    table = pd.read_csv(page.with_name("compare.csv"))
    assert list(table["method"]) == ["igm", "joint"] and set(table["trials"]) == {30}
    assert table["val/acc"].iloc[0] == pytest.approx(read_sweep(folders[0]).completed()["metrics.val/acc"].max())
    assert table["val/acc.se"].notna().all() and list(table["val/acc.standing"]) == ["best", "behind"]
    assert not any("warning" in line for line in said)
    assert any(line.startswith("avdigits: igm − joint: +") and line.endswith("], told apart") for line in said)
    latex = page.with_name("compare.tex").read_text()
    assert r"\multicolumn{2}{c}{avdigits}" in latex and latex.count(r"\textbf") == 1 and "joint & " in latex
    assert "told apart" in page.read_text() and "told apart" in page.with_name("compare.md").read_text()
    curves = pd.read_csv(page.with_name("compare-expected.csv"))
    assert set(curves["sweep"]) == {"igm", "joint"} and curves.groupby("sweep")["trials"].max().eq(30).all()
    assert len(pd.read_csv(page.with_name("compare-differences.csv")).query("metric == 'val/acc'")) == 1


def test_a_longer_sweep_is_cut_to_the_shorter_one_and_that_is_said(tmp_path: Path) -> None:
    long, short = write_sweep(tmp_path, "long", n=60), write_sweep(tmp_path, "short", n=20, seed=1)
    found = compare_sweeps([read_sweep(long), read_sweep(short)])
    assert set(found.table["trials"]) == {20}
    assert found.sweeps[0].trials["trial"].max() < 20
    assert "only the first 20 of each are compared" in found.warnings[0]


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (
            "data_hash: 0123456789ab",
            "data_hash: eeeeeeeeeeee",
            "differ in data hash: found 0123456789ab and eeeeeeeeeeee",
        ),
        ("split_hash: ba9876543210", "split_hash: ffffffffffff", "differ in split"),
        ("folds: null", "folds: 5", "differ in folds: found none and 5"),
    ],
)
def test_other_data_splits_or_folds_are_refused(tmp_path: Path, old: str, new: str, words: str) -> None:
    first, second = write_sweep(tmp_path, "a", n=8), write_sweep(tmp_path, "b", n=8)
    text = (second / "sweep.yaml").read_text()
    assert old in text
    (second / "sweep.yaml").write_text(text.replace(old, new))
    with pytest.raises(UserError, match=words):
        compare([first, second], say=lambda _: None)
    assert not (tmp_path / "comparison").exists()
    assert words in compare_sweeps([read_sweep(first), read_sweep(second)], allow_different=True).warnings[0]


def test_data_sets_stand_beside_each_other(tmp_path: Path) -> None:
    folders = [
        write_sweep(tmp_path, f"{method}-{data}", n=8, method=method) for method in ("igm", "mla") for data in "xy"
    ]
    found = compare_sweeps([read_sweep(name_data(folder, folder.name[-1])) for folder in folders])
    assert found.ranks is not None and found.ranks.data == 2 and "not tested" in found.ranks.words
    latex = to_latex(found)
    body = latex.split(r"\midrule")[1].split(r"\bottomrule")[0].strip().splitlines()
    assert len(body) == 2 and all(line.count(" & ") == 4 for line in body)
    assert r"\multicolumn{2}{c}{x} & \multicolumn{2}{c}{y}" in latex


def test_test_scores_stand_beside_validation_where_a_sweep_was_evaluated(tmp_path: Path) -> None:
    folders = [write_sweep(tmp_path, name, n=8) for name in "ab"]
    candidate = {"name": "best trial, 3", "seeds": [1, 2], "mean": {"acc": 0.8125}, "sd": {"acc": 0.01}}
    (folders[0] / "test_eval.json").write_text(json.dumps({"count": 1, "evaluations": [{"candidates": [candidate]}]}))
    table = compare_sweeps([read_sweep(folder) for folder in folders]).table
    assert table["test/acc"].iloc[0] == 0.8125 and table["test/acc"].isna().iloc[1]


def evaluated(folder: Path, *trained_on: str) -> Path:
    """The folder, evaluated once after each kind of training; scores tell which."""
    scores = {"train": 0.7, "all": 0.9}
    entries = [
        {"train_on": kind, "candidates": [{"name": "best", "mean": {"acc": scores[kind]}, "sd": {"acc": 0.01}}]}
        for kind in trained_on
    ]
    (folder / "test_eval.json").write_text(json.dumps({"count": len(entries), "evaluations": entries}))
    return folder


def test_test_scores_are_of_models_trained_on_the_same_data(tmp_path: Path) -> None:
    """The latest evaluation of one saw train and validation, that of the other train alone: both have one on train."""
    folders = [write_sweep(tmp_path, name, n=8) for name in "ab"]
    sweeps = [read_sweep(evaluated(folders[0], "train", "all")), read_sweep(evaluated(folders[1], "train"))]
    found = compare_sweeps(sweeps)
    assert list(found.table["test/acc"]) == [0.7, 0.7]
    assert set(found.table["test_train_on"]) == {"train"} and not found.warnings
    assert shown(found.table)[0][-1] == "test: trained on" and shown(found.table)[1][0][-1] == "train"
    assert "after training on train;" in to_latex(found)


def test_test_scores_of_different_training_data_are_left_out_and_that_is_said(tmp_path: Path) -> None:
    folders = [write_sweep(tmp_path, name, n=8) for name in "ab"]
    sweeps = [read_sweep(evaluated(folders[0], "all")), read_sweep(evaluated(folders[1], "train"))]
    found = compare_sweeps(sweeps)
    assert "test/acc" not in found.table and "test" not in to_latex(found)
    (warning,) = found.warnings
    assert "(a all, b train)" in warning and "--train-on train" in warning
    all_the_same = compare_sweeps(sweeps, allow_different=True)
    assert list(all_the_same.table["test/acc"]) == [0.9, 0.7]
    assert "train + validation or train" in to_latex(all_the_same)


def test_repeats_of_one_side_alone_are_left_out_and_that_is_said(tmp_path: Path) -> None:
    """The mean of five trainings against the best of single ones compares seeds, not methods."""
    folders = [write_sweep(tmp_path, "a", n=20, repeats=4), write_sweep(tmp_path, "b", n=20)]
    found = compare_sweeps([read_sweep(folder) for folder in folders])
    assert list(found.table["val/acc"]) == [found.table["val/acc"].max()] * 2  # the same trials, so the same best one
    assert list(found.table["trainings"]) == [20, 20]
    (warning,) = found.warnings
    assert "repeats with other seeds (a 12, b 0)" in warning and "left out" in warning


def test_repeats_of_all_sides_alike_count_and_so_do_their_trainings(tmp_path: Path) -> None:
    folders = [write_sweep(tmp_path, name, n=20, repeats=2, seed=seed) for seed, name in enumerate("ab")]
    found = compare_sweeps([read_sweep(folder) for folder in folders])
    assert not found.warnings and list(found.table["trainings"]) == [26, 26]
    assert list(found.table["basis"]) == ["3 seeds and 300 samples"] * 2
    assert "trainings" in shown(found.table)[0]


def test_copies_cost_no_training_and_warm_starts_and_schedulers_are_told(tmp_path: Path) -> None:
    first, second = write_sweep(tmp_path, "a", n=20), write_sweep(tmp_path, "b", n=20, pruned=2)
    rows = read_lines(first / "trials.jsonl")[0]
    copy = next(row for row in rows if row["trial"] == 3 and row["state"] == "complete")
    (first / "trials.jsonl").write_text(
        "".join(json.dumps(row | ({"duplicate_of": 2} if row is copy else {})) + "\n" for row in rows)
    )
    (first / "warm_start.jsonl").write_text('{"params": {}, "value": 0.9, "source": "warm:c#1"}\n' * 7)
    found = compare_sweeps([read_sweep(first), read_sweep(second)])
    assert set(found.table["trials"]) == {19}
    told = "\n".join(found.warnings)
    assert "different numbers of trials (a 19, b 20)" in told
    assert "from trials of earlier sweeps (a 7)" in told and "different schedulers (a none, b asha)" in told


@pytest.mark.parametrize(("gain", "standing"), [(0.0, "tied"), (-0.4, "behind")])
def test_with_predictions_every_metric_has_a_verdict_on_samples_that_had_no_part_in_the_choice(
    tmp_path: Path, gain: float, standing: str
) -> None:
    folders = [
        write_sweep(tmp_path, "a", n=16, sampler="random"),
        write_sweep(tmp_path, "b", n=16, sampler="random", seed=1, gain=gain),
    ]
    found = compare_sweeps([read_sweep(folder) for folder in keep_predictions(folders)])
    for metric in ("val/acc", "val/map"):
        assert sorted(found.table[f"{metric}.standing"]) == sorted(["best", standing])
    assert found.differences["paired"].all() and found.differences["p"].notna().all()
    table = found.table
    assert (table["held_out.low"] < table["held_out"]).all() and (table["held_out"] < table["held_out.high"]).all()
    assert (table["expected"] < table["expected.high"]).all()  # random trials say what another search would find
    assert to_latex(found).count(r"\textbf") == (4 if standing == "tied" else 2)
    (line,) = found.judged[0].lines
    assert line.endswith("], not told apart" if standing == "tied" else "], told apart")
    assert "n = 300" in found.judged[0].basis


def test_what_is_not_known_is_not_told_apart_and_never_bold(tmp_path: Path) -> None:
    """Without predictions nothing is known of the noise of MAP: that is no claim in either direction."""
    folders = [write_sweep(tmp_path, "a", n=16), write_sweep(tmp_path, "b", n=16, seed=1, gain=-0.3)]
    for folder in folders:
        text = (folder / "sweep.yaml").read_text()
        (folder / "sweep.yaml").write_text(text.replace("name: val/acc", "name: val/map"))
    found = compare_sweeps([read_sweep(folder) for folder in folders])
    assert list(found.table["val/map.standing"]) == ["unknown", "unknown"]
    assert "unknown whether that is more than luck" in found.judged[0].lines[0]
    assert "is not known for this metric" in found.judged[0].basis
    assert "?" in shown(found.table)[1][0][4]
    body = to_latex(found).split(r"\midrule")[1]
    assert body.count(r"\textbf") == 1  # accuracy, which has a binomial error


def test_predictions_of_one_side_alone_are_of_no_use(tmp_path: Path) -> None:
    folders = [write_sweep(tmp_path, "a", n=12, method="igm"), write_sweep(tmp_path, "b", n=12, method="mla")]
    keep_predictions(folders[:1])
    found = compare_sweeps([read_sweep(folder) for folder in folders])
    assert "held_out" not in found.table and not found.differences["paired"].any()
    assert "Predictions of mla were not kept" in found.judged[0].basis


def test_a_learning_sampler_is_one_draw_and_its_curve_the_running_best(tmp_path: Path) -> None:
    folders = [write_sweep(tmp_path, "a", n=16, sampler="tpe"), write_sweep(tmp_path, "b", n=16, sampler="random")]
    found = compare_sweeps([read_sweep(folder) for folder in folders])
    tpe, random = (found.curves[found.curves["sweep"] == name] for name in "ab")
    assert tpe["one_draw"].all() and tpe["low"].isna().all() and not random["one_draw"].any()
    assert tpe["expected"].iloc[-1] == found.table["val/acc"].iloc[0]
    assert random["expected"].iloc[-1] == pytest.approx(found.table["val/acc"].iloc[1])
    assert "(one draw)" in " ".join(shown(found.table)[1][0]) and "a: a sampler that learns" in found.judged[0].basis


def test_sweeps_of_different_data_sets_are_not_set_against_each_other(tmp_path: Path) -> None:
    folders = [name_data(write_sweep(tmp_path, name, n=6), name) for name in "xy"]
    found = compare_sweeps([read_sweep(folder) for folder in folders])
    assert found.differences.empty and found.ranks is None
    assert not any(name.endswith(".standing") for name in found.table.columns)
    assert r"\textbf" not in to_latex(found)


def test_three_data_sets_have_ranks_with_a_diagram(tmp_path: Path) -> None:
    folders = [
        name_data(write_sweep(tmp_path, f"{method}-{data}", n=6, method=method, gain=-0.1 * place), data)
        for data in "xyz"
        for place, method in enumerate(("igm", "mla", "joint"))
    ]
    page = compare(folders, say=lambda _: None, formats=["html", "csv"])
    assert page is not None and "Friedman" in page.read_text() and "3 data sets are few" in page.read_text()
    assert list(pd.read_csv(page.with_name("compare-ranks.csv"))["method"]) == ["igm", "mla", "joint"]
    ranks = compare_sweeps([read_sweep(folder) for folder in folders]).ranks
    assert ranks is not None
    (picture,) = write_figures([("ranks", ranks_figure(ranks))], tmp_path, ["svg"])
    assert picture.stat().st_size > 1000


def test_lines_of_a_dozen_methods_are_told_apart() -> None:
    assert len({(look["color"], look["dash"]) for look in lines(15)}) == 15


def test_one_sweep_is_no_comparison(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="found 1 sweep, expected at least two"):
        compare([write_sweep(tmp_path, n=4)], say=lambda _: None)
