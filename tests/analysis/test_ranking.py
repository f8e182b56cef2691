"""Who is best, and who is not told apart from it: over folds, over seeds, and of single trainings."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from fake_sweep import write_sweep

from igmsweep.analysis import best_table, ranked, read_sweep, winner
from igmsweep.analysis.ranking import paired_folds
from igmsweep.analysis.tables import cells, heads, to_latex, to_text


def test_single_trainings_carry_the_validation_samples_error(tmp_path: Path) -> None:
    sweep = read_sweep(write_sweep(tmp_path))
    table = ranked(sweep)
    best = table.iloc[0]
    assert best["trial"] == sweep.completed()["trial"].iloc[0] == winner(sweep)
    assert best["basis"] == "300 samples"
    assert best["se"] == pytest.approx(math.sqrt(best["mean"] * (1 - best["mean"]) / 300), rel=0.2)
    assert not table["tie"].iloc[0] and table["tie"].iloc[1] and not table["tie"].iloc[-1]


def test_a_perfect_score_still_has_an_error(tmp_path: Path) -> None:
    sweep = read_sweep(write_sweep(tmp_path, n=8, failed=0, gain=1.0))
    sweep.trials["metrics.val/acc"] = 1.0
    assert ranked(sweep)["se"].gt(0).all()


def test_folds_give_mean_standard_error_and_a_paired_test(tmp_path: Path) -> None:
    sweep = read_sweep(write_sweep(tmp_path, n=30, failed=0, folds=5))
    row = ranked(sweep).iloc[0]
    own = sweep.folds[sweep.folds["trial"] == row["trial"]]["val/acc"]
    assert row["basis"] == "5 folds" and row["n"] == 5
    assert row["mean"] == pytest.approx(own.mean())
    assert row["se"] == pytest.approx(own.std(ddof=1) / math.sqrt(5))
    assert sweep.trials["folds"].eq(5).all() and f"{100 * row['se']:.2f}" in cells(best_table(sweep, 1), sweep)[0][2]


def test_the_test_over_folds_is_the_corrected_one() -> None:
    one, two = np.array([0.80, 0.82, 0.79, 0.83, 0.81]), np.array([0.78, 0.81, 0.775, 0.80, 0.80])
    difference = one - two
    t = difference.mean() / math.sqrt(difference.var(ddof=1) * (1 / 5 + 1 / 4))
    from scipy import stats

    assert paired_folds(one, two) == pytest.approx(2 * stats.t.sf(t, 4))
    assert paired_folds(one, two) > stats.ttest_rel(one, two).pvalue  # the plain test believes too much
    assert paired_folds(one, one) == 1.0


def test_repeated_configurations_rank_first_by_their_mean(tmp_path: Path) -> None:
    sweep = read_sweep(write_sweep(tmp_path, n=40, failed=0, repeats=4))
    table = ranked(sweep)
    top = table.head(3)
    assert (top["basis"] == "5 seeds").all() and (top["n"] == 5).all()
    assert top["mean"].is_monotonic_decreasing
    trial = int(top["trial"].iloc[0])
    assert top["mean"].iloc[0] == pytest.approx(sweep.repeats(trial)["metrics.val/acc"].mean())
    assert len(sweep.completed()) == 40  # a repeat is no new configuration
    assert sweep.trials["repeat_of"].notna().sum() == 12


def test_every_form_of_the_table_says_what_is_within_noise(tmp_path: Path) -> None:
    sweep = read_sweep(write_sweep(tmp_path, n=40))
    table = best_table(sweep, 5)
    assert "≈" in heads(table, sweep) and table["tie"].iloc[1:].any()
    text, latex = to_text(table, sweep), to_latex(table, sweep)
    assert " ± " in text and "≈" in text
    assert r" $\pm$ " in latex and r"$\approx$" in latex and "±" not in latex and "≈" not in latex
