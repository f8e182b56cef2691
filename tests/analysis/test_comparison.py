"""Methods side by side: at equal budget, on the same data, or not at all."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
from fake_sweep import write_sweep

from igmsweep.analysis import compare, compare_sweeps, read_sweep
from igmsweep.analysis.comparison import shown, to_latex
from igmsweep.analysis.style import lines
from igmsweep.errors import UserError


@pytest.mark.slow
def test_methods_at_equal_budget_in_one_table(tmp_path: Path) -> None:
    folders = [write_sweep(tmp_path, "a", n=30), write_sweep(tmp_path, "b", n=30, method="joint", seed=1, gain=-0.2)]
    said: list[str] = []
    page = compare(folders, say=said.append)
    assert page == tmp_path / "comparison" / "compare.html"
    table = pd.read_csv(page.with_name("compare.csv"))
    assert list(table["method"]) == ["igm", "joint"] and set(table["trials"]) == {30}
    assert table["val/acc"].iloc[0] == pytest.approx(read_sweep(folders[0]).completed()["metrics.val/acc"].max())
    assert table["val/acc.se"].notna().all() and not table["tie"].any()
    assert not any("warning" in line for line in said)
    latex = page.with_name("compare.tex").read_text()
    assert r"\multicolumn{2}{c}{avdigits}" in latex and latex.count(r"\textbf") == 2 and "joint & " in latex


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
    for folder in folders:
        text = (folder / "sweep.yaml").read_text()
        (folder / "sweep.yaml").write_text(text.replace("  name: avdigits\n", f"  name: {folder.name[-1]}\n"))
    latex = to_latex(compare_sweeps([read_sweep(folder) for folder in folders]))
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
    assert "after training on train." in to_latex(found)


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


def test_lines_of_a_dozen_methods_are_told_apart() -> None:
    assert len({(look["color"], look["dash"]) for look in lines(15)}) == 15


def test_one_sweep_is_no_comparison(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="found 1 sweep, expected at least two"):
        compare([write_sweep(tmp_path, n=4)], say=lambda _: None)
