"""The statistics of a comparison: against direct formulas, and their error rates in simulated sweeps."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pandas import DataFrame

from benchmarks.simulated_sweeps.comparing import Cell, curve_coverage, simulate
from igmsweep.analysis.comparison.chosen import Candidates, choose, tails
from igmsweep.analysis.comparison.expected import expected_curve, subset_best
from igmsweep.analysis.comparison.ranks import mean_ranks
from igmsweep.analysis.comparison.verdicts import standings, verdicts, words


def test_a_drawing_misses_the_best_as_often_as_all_drawings_say() -> None:
    trials = 4
    twice, once, half = tails(trials)
    for missed, drawings in (
        (twice, list(itertools.product(range(trials), repeat=2 * trials))),
        (once, list(itertools.product(range(trials), repeat=trials))),
        (half, list(itertools.combinations(range(trials), trials // 2))),
    ):
        best = np.array([min(each) for each in drawings])
        np.testing.assert_allclose(missed, [(best >= rank).mean() for rank in range(trials + 1)], atol=1e-12)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.sampled_from([0.1, 0.5, 0.7, 0.71, math.nan]), min_size=1, max_size=7))
def test_the_expected_best_is_the_mean_over_all_sets_of_trials(scores: list[float]) -> None:
    values = np.array(scores)
    if not np.isfinite(values).any():
        return
    for k, found in zip(range(1, len(values) + 1), subset_best(values, np.arange(1, len(values) + 1)), strict=True):
        sets = [[v for v in each if not math.isnan(v)] for each in itertools.combinations(values, k)]
        assert found == pytest.approx(np.mean([max(each) for each in sets if each]))


def test_enqueued_trials_come_first_and_the_curve_rises_to_the_best() -> None:
    generator = np.random.default_rng(0)
    scores, given = generator.normal(0.8, 0.05, 30), np.array([0.78, math.nan])
    curve = expected_curve(scores, given)
    assert curve["trials"].tolist() == list(range(1, 33))
    assert curve["expected"].iloc[:2].tolist() == [0.78, 0.78] and curve["low"].iloc[:2].isna().all()
    assert curve["expected"].is_monotonic_increasing and curve["expected"].iloc[-1] == pytest.approx(scores.max())
    assert (curve["low"].iloc[2:] >= 0.78).all()
    assert len(expected_curve(generator.normal(0.8, 0.05, 5000))) <= 100


def sweep_of(right: np.ndarray, given: np.ndarray | None = None) -> Candidates:
    scores = right.mean(axis=1)
    none = np.zeros(len(right), bool)
    return Candidates(scores, scores, len(right), none if given is None else given, none, right, right, samples="s")


def test_the_luck_of_the_choice_is_not_in_the_held_out_score() -> None:
    """Sixty equal trials that guess: the best of them looks good, and is not."""
    guesses = (np.random.default_rng(0).random((60, 200)) < 0.5).astype(float)
    (found,) = choose([sweep_of(guesses)])
    assert guesses.mean(axis=1).max() > 0.57
    assert found.value == pytest.approx(0.5, abs=0.03)


def test_an_enqueued_trial_is_part_of_every_search() -> None:
    """The default is ten points better than anything that is drawn: no other search would have done without it."""
    generator = np.random.default_rng(0)
    right = (generator.random((21, 400)) < np.r_[0.9, generator.uniform(0.7, 0.8, 20)][:, None]).astype(float)
    asked, lucky = choose([sweep_of(right, np.arange(21) < 1), sweep_of(right)])
    assert asked.value == pytest.approx(right[0].mean(), abs=0.01)
    assert 0 < asked.search < lucky.search / 2


def test_samples_are_paired_and_several_sweeps_share_the_five_per_cent() -> None:
    generator = np.random.default_rng(0)
    hard = generator.random(400)
    sweeps = [sweep_of((hard < level + generator.normal(0, 0.01, (16, 1))).astype(float)) for level in (0.8, 0.8, 0.6)]
    chosen = choose(sweeps)
    two, three = verdicts(chosen[:2]), verdicts(chosen)
    assert [(each.one, each.other) for each in three] == [(0, 1), (0, 2), (1, 2)]
    assert three[0].high - three[0].low > two[0].high - two[0].low
    unpaired = verdicts([chosen[0], type(chosen[1])(**{**vars(chosen[1]), "samples": "others"})])
    assert two[0].paired and not unpaired[0].paired and unpaired[0].high - unpaired[0].low > two[0].high - two[0].low
    assert sorted(standings(chosen, three, True)) == ["behind", "best", "tied"]
    assert standings(chosen, three, False)[2] == "best"
    assert words(three[1], ["A", "B", "C"], "val/acc").startswith("A − C: +") and "points [+" in words(
        three[1], ["A", "B", "C"], "val/acc"
    )


def test_too_few_trials_leave_everything_unknown() -> None:
    right = (np.random.default_rng(0).random((3, 100)) < 0.8).astype(float)
    chosen = choose([sweep_of(right), sweep_of(right[::-1])])
    (found,) = verdicts(chosen)
    assert math.isnan(found.p) and not found.apart and standings(chosen, [found], True) == ["unknown", "unknown"]


def test_ranks_over_data_sets_are_demsar_s() -> None:
    """Demšar 2006: four classifiers on 14 data sets have a critical difference of 1.25 at 5 %."""
    generator = np.random.default_rng(0)
    scores = DataFrame(generator.normal(0, 0.1, (4, 14)) + np.array([[0.5], [0.5], [0.2], [0.0]]), index=list("abcd"))
    found = mean_ranks(scores)
    assert found is not None and found.critical == pytest.approx(1.25, abs=0.005) and found.p < 0.001
    assert found.table["rank"].sum() == pytest.approx(10)
    assert ["a", "b"] in [sorted(group) for group in found.groups]
    alike = mean_ranks(DataFrame(generator.normal(size=(4, 5)), index=list("abcd")))
    assert alike is not None and alike.p > 0.05 and len(alike.groups[0]) == 4 and "tells none apart" in alike.words
    missing = mean_ranks(scores.where(scores.index.to_series() != "d"))
    assert missing is not None and missing.left_out == ("d",)


def test_equal_methods_come_first_as_often_and_five_per_cent_of_claims_are_false() -> None:
    found = simulate(Cell("broad", 16, 180, 0.0), 100)["after"]
    assert 0.3 < found.first < 0.7 and found.claimed + found.wrong <= 0.11 and found.covered >= 0.88
    uneven = simulate(Cell("broad", 16, 180, 0.0, (5, 5)), 40)["after"]
    assert 0.25 < uneven.first < 0.75 and uneven.claimed + uneven.wrong <= 0.15


def test_the_expected_best_s_interval_covers() -> None:
    covered = curve_coverage("broad", 16, 180, 30, pool=400)
    assert covered.mean() > 0.75
