"""Who is best, and who is not told apart from it: over folds, over seeds, and of single trainings."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from fake_sweep import noise_only, write_sweep
from scipy import stats

from benchmarks.simulated_sweeps.samples import correctness, predictions
from igmsweep.analysis import best_table, ranked, read_sweep, winner
from igmsweep.analysis.expectation import expectation
from igmsweep.analysis.noise import sample_error, training_noise
from igmsweep.analysis.ranking import paired_folds
from igmsweep.analysis.surrogate import surrogate
from igmsweep.analysis.tables import cells, heads, to_latex, to_text
from igmsweep.record.predictions import Predictions, write_predictions


def test_single_trainings_carry_the_error_of_the_training_and_of_the_samples(tmp_path: Path) -> None:
    sweep = read_sweep(write_sweep(tmp_path, noise=0.03))
    table = ranked(sweep)
    best = table.iloc[0]
    assert best["trial"] == sweep.completed()["trial"].iloc[0] == winner(sweep)
    assert best["basis"] == "training and 300 samples"
    noise = training_noise(sweep, "val/acc")
    assert noise == pytest.approx(0.03, rel=0.4)  # what the response was given
    assert best["se"] == pytest.approx(math.hypot(noise, math.sqrt(best["mean"] * (1 - best["mean"]) / 300)), rel=0.1)
    assert not table["tie"].iloc[0] and table["tie"].iloc[1] and not table["tie"].iloc[-1]
    assert table["chance"].between(0, 1).all() and table["chance"].max() == 1


def test_repeats_make_the_trainings_part_smaller_and_the_samples_part_not(tmp_path: Path) -> None:
    sweep = read_sweep(write_sweep(tmp_path, n=40, failed=0, repeats=4))
    table = ranked(sweep)
    five, single = table["se"].iloc[0], table["se"].iloc[-1]
    samples, noise = sample_error(sweep, "val/acc"), training_noise(sweep, "val/acc")
    assert five == pytest.approx(math.sqrt(noise**2 / 5 + samples**2))
    assert samples < five < single


def test_kept_predictions_tell_the_samples_error_of_every_metric(tmp_path: Path) -> None:
    folder = write_sweep(tmp_path, n=12, failed=0)
    generator = np.random.default_rng(0)
    right = correctness(np.full(12, 0.9), np.arange(12), 300, generator)
    for trial, each in enumerate(predictions(right, 10, generator)):
        write_predictions(folder / "trials" / f"{trial:05d}", each)
    sweep = read_sweep(folder)
    binomial = math.sqrt(0.9 * 0.1 / 300)
    assert 0.5 * binomial < sample_error(sweep, "val/acc") < binomial  # what trainings have in common alone
    assert 0 < sample_error(sweep, "val/f1") < 0.05 and 0 < sample_error(sweep, "val/map") < 0.05
    assert math.isnan(sample_error(read_sweep(write_sweep(tmp_path, "without", n=12)), "val/f1"))


def test_folds_tell_the_samples_error_together(tmp_path: Path) -> None:
    folder = write_sweep(tmp_path, n=12, failed=0, folds=2)
    generator = np.random.default_rng(0)
    right = correctness(np.full(12, 0.9), np.arange(12), 400, generator)
    for trial, each in enumerate(predictions(right, 10, generator)):
        for fold, part in enumerate((slice(0, 200), slice(200, 400))):
            half = Predictions(each.probabilities[part], each.labels[part], f"half {fold}")
            write_predictions(folder / "trials" / f"{trial:05d}", half, fold)
    sweep = read_sweep(folder)
    whole = sweep.predictions(3)
    assert whole is not None and len(whole) == 400 and whole.samples == "half 0 half 1"
    assert 0.5 * math.sqrt(0.09 / 400) < sample_error(sweep, "val/acc") < math.sqrt(0.09 / 400)
    (folder / "trials/00003/fold1-predictions.npz").unlink()
    assert read_sweep(folder).predictions(3) is None


def test_below_ten_trials_ties_are_tests_that_share_five_per_cent(tmp_path: Path) -> None:
    sweep = read_sweep(write_sweep(tmp_path, n=8, failed=0, noise=0.02))
    table = ranked(sweep)
    assert surrogate(sweep, "val/acc") is None and (table["basis"] == "300 samples").all()
    one, two = table["mean"].iloc[0], table["mean"].iloc[-1]
    error = sample_error(sweep, "val/acc") * math.sqrt(2)
    assert table["chance"].iloc[-1] == pytest.approx(2 * stats.norm.sf((one - two) / error))
    assert (table["tie"] == ((table["chance"] >= 0.05 / 7) & (table["rank"] > 1))).all()


def test_the_winner_is_expected_to_fall_back_and_the_middle_one_is_not(tmp_path: Path) -> None:
    sweep = read_sweep(write_sweep(tmp_path, n=100, failed=0, sampler="random", noise=0.01, response=noise_only))
    first, middle = (expectation(sweep, int(ranked(sweep)["trial"].iloc[place]), "val/acc") for place in (0, 50))
    assert first is not None and middle is not None
    assert first.shown > first.high > first.expected > first.low  # 0.8 in truth, for every one of them
    assert first.expected == pytest.approx(0.8, abs=0.02) and middle.expected == pytest.approx(0.8, abs=0.02)
    assert "on the samples that chose it" in first.words() and f"{100 * first.expected:.1f}" in first.words()
    assert expectation(read_sweep(write_sweep(tmp_path, "few", n=8)), 0, "val/acc") is None


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
    assert (top["basis"] == "5 seeds and 300 samples").all() and (top["n"] == 5).all()
    assert top["mean"].is_monotonic_decreasing
    trial = int(top["trial"].iloc[0])
    assert top["mean"].iloc[0] == pytest.approx(sweep.repeats(trial)["metrics.val/acc"].mean())
    assert len(sweep.completed()) == 40  # a repeat is no new configuration
    assert sweep.trials["repeat_of"].notna().sum() == 12


def test_every_form_of_the_table_says_what_is_within_noise(tmp_path: Path) -> None:
    sweep = read_sweep(write_sweep(tmp_path, n=40, noise=0.03))
    table = best_table(sweep, 5)
    assert "≈" in heads(table, sweep) and table["tie"].iloc[1:].any()
    text, latex = to_text(table, sweep), to_latex(table, sweep)
    assert " ± " in text and "≈" in text
    assert r" $\pm$ " in latex and r"$\approx$" in latex and "±" not in latex and "≈" not in latex
