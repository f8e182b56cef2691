"""Intervals over seeds and samples against direct formulas, and what any of them must do."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from igmsweep.statistics.crossed import Interval, Scored, difference_of, mean_of

ONE = np.array([[1, 1, 0, 1, 1, 0], [1, 0, 0, 1, 1, 1], [1, 1, 0, 1, 0, 1]], dtype=float)
OTHER = np.array([[0, 1, 0, 1, 1, 0], [1, 0, 0, 0, 1, 0]], dtype=float)


def of(values: np.ndarray, metric: str = "acc", drawn: str = "test") -> Scored:
    return Scored(metric, values.mean(axis=1), values, drawn, values.shape[1])


def difference(one: np.ndarray, other: np.ndarray, **options: object) -> Interval:
    found = difference_of(of(one), of(other), **options)  # type: ignore[arg-type]
    assert found is not None
    return found


def interaction(table: np.ndarray) -> float:
    """Mean square of what neither seed nor sample explains, term by term."""
    seeds, samples = table.shape
    total = 0.0
    for s in range(seeds):
        for i in range(samples):
            total += (table[s, i] - table[s].mean() - table[:, i].mean() + table.mean()) ** 2
    return total / ((seeds - 1) * (samples - 1))


def test_a_difference_by_the_formula_on_a_tiny_table() -> None:
    between = [table.mean(axis=1).var(ddof=1) / len(table) for table in (ONE, OTHER)]
    twice = [interaction(table) / table.size for table in (ONE, OTHER)]
    gaps = [*(ONE.mean(axis=0) - OTHER.mean(axis=0)), *([0.5] * 2), *([-0.5] * 2)]  # squares that add up to 1
    samples = sum(gap**2 for gap in gaps) / 8 - (sum(gaps) / 8) ** 2
    samples /= 8
    variance = max(sum(between) - sum(twice) + samples, samples)
    freedom = variance**2 / (between[0] ** 2 / 2 + between[1] ** 2 / 1 + samples**2 / 5)
    half = stats.t.ppf(0.975, max(freedom, 1)) * math.sqrt(variance)
    found = difference(ONE, OTHER)
    mean = ONE.mean() - OTHER.mean()
    assert found.mean == pytest.approx(mean, rel=1e-12) and found.error == pytest.approx(math.sqrt(variance), rel=1e-12)
    assert (found.low, found.high) == pytest.approx((mean - half, mean + half), rel=1e-12)
    assert (found.trainings, found.samples) == (2, 6)
    assert found.p == pytest.approx(2 * stats.t.sf(mean / math.sqrt(variance), max(freedom, 1)))


def test_of_scores_that_are_no_counts_nothing_is_added() -> None:
    gaps = ONE.mean(axis=0) - OTHER.mean(axis=0)
    found = difference_of(of(ONE[:1], "loss"), of(OTHER[:1], "loss"))
    assert found is not None and found.error == pytest.approx((ONE[0] - OTHER[0]).std() / math.sqrt(6), rel=1e-12)
    found = difference_of(of(ONE, "loss"), of(OTHER, "loss"))
    assert found is not None and found.error >= gaps.std() / math.sqrt(6)


def test_seeds_alone_are_welchs() -> None:
    one, other = np.array([0.91, 0.93, 0.90, 0.95]), np.array([0.88, 0.80, 0.86])
    found = difference_of(Scored("", one), Scored("", other))
    known = stats.ttest_ind(one, other, equal_var=False)
    assert found is not None and found.samples is None and found.p == pytest.approx(known.pvalue)
    interval = known.confidence_interval()
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high))
    assert difference_of(Scored("", one[:1]), Scored("", other)) is None


def test_without_predictions_an_accuracy_has_its_binomial_error_beside_that_of_seeds() -> None:
    one, other = np.array([0.9, 0.92, 0.94]), np.array([0.8, 0.82, 0.84])
    bare = difference_of(Scored("acc", one), Scored("acc", other))
    found = difference_of(Scored("acc", one, samples=98), Scored("acc", other, samples=98))
    assert bare is not None and found is not None
    shares = [(98 * scores.mean() + 1) / 100 for scores in (one, other)]
    binomial = sum(share * (1 - share) / 100 for share in shares)
    assert found.error == pytest.approx(math.sqrt(bare.error**2 + binomial)) and found.samples == 98


def test_trainings_on_other_samples_are_not_compared_sample_by_sample() -> None:
    here, there = of(ONE), of(OTHER, drawn="other")
    found = difference_of(here, there)
    alone = difference_of(Scored("acc", here.scores, samples=6), Scored("acc", there.scores, samples=6))
    assert found == alone


def test_paired_trainings_are_the_mean_of_their_differences() -> None:
    other = np.vstack([OTHER, OTHER[0]])
    found = difference(ONE, other, paired=True)
    gaps = ONE - other
    between, twice = gaps.mean(axis=1).var(ddof=1) / 3, interaction(gaps) / gaps.size
    samples = ((gaps.mean(axis=0) ** 2).sum() + 1) / 8 - (gaps.mean(axis=0).sum() / 8) ** 2
    assert found.error**2 == pytest.approx(max(between - twice + samples / 8, samples / 8), rel=1e-12)
    known = stats.ttest_rel(ONE.mean(axis=1), other.mean(axis=1))
    alone = difference_of(Scored("", ONE.mean(axis=1)), Scored("", other.mean(axis=1)), paired=True)
    assert alone is not None and alone.p == pytest.approx(known.pvalue)


def test_one_training_leaves_the_samples_alone() -> None:
    found = difference(ONE[:1], OTHER)
    assert (found.trainings, found.samples) == (1, 6)
    assert mean_of(Scored("loss", np.array([0.4]))) is None
    alone = mean_of(Scored("acc", np.array([0.9]), samples=100))
    assert alone is not None and alone.samples == 100 and alone.low < 0.9 < alone.high


def test_one_configuration_as_agresti_and_coull_where_there_is_one_training() -> None:
    right = np.array([[1.0] * 57 + [0.0] * 3])
    found = mean_of(of(right))
    share = 59 / 64
    half = stats.t.ppf(0.975, 59) * math.sqrt(share * (1 - share) / 64)
    assert found is not None and found.mean == 0.95
    assert (found.low, found.high) == pytest.approx((share - half, min(share + half, 1)))
    alone = mean_of(Scored("acc", np.array([0.95]), samples=60))
    assert alone is not None and (alone.low, alone.high) == pytest.approx((found.low, found.high))


def test_all_right_is_not_certainty() -> None:
    found = mean_of(of(np.ones((3, 100))))
    assert found is not None and found.mean == found.high == 1.0 and 0.94 < found.low < 0.98


tables = st.integers(0, 2**32 - 1).map(lambda seed: np.random.default_rng(seed))
counts = st.integers(1, 5)


@given(tables, counts, counts, st.integers(2, 40))
def test_swapping_two_configurations_flips_the_sign(
    generator: np.random.Generator, first: int, second: int, samples: int
) -> None:
    one, other = ((generator.random((count, samples)) < 0.8).astype(float) for count in (first, second))
    found, back = difference(one, other), difference(other, one)
    assert (found.mean, found.low, found.high) == pytest.approx((-back.mean, -back.high, -back.low), abs=1e-12)
    assert found.p == pytest.approx(back.p)
    assert -1 <= found.low <= found.mean <= found.high <= 1


@given(tables, counts, st.integers(2, 40))
def test_the_same_trainings_do_not_differ(generator: np.random.Generator, count: int, samples: int) -> None:
    one = (generator.random((count, samples)) < 0.8).astype(float)
    for paired in (False, True):
        found = difference(one, one, paired=paired)
        assert found.mean == 0 and found.low < 0 < found.high


@given(tables, st.integers(5, 40), st.integers(2, 6))
def test_more_samples_make_it_narrower(generator: np.random.Generator, samples: int, times: int) -> None:
    """The same samples again, so that nothing but their number changes; for several seeds see test_coverage."""
    one, other = ((generator.random((1, samples)) < 0.8).astype(float) for _ in range(2))
    few, many = difference(one, other), difference(np.tile(one, times), np.tile(other, times))
    assert many.mean == pytest.approx(few.mean) and many.error < few.error
    single, more = mean_of(of(one)), mean_of(of(np.tile(one, times)))
    assert single is not None and more is not None and more.error < single.error


@given(tables, st.floats(0.001, 0.04))
def test_a_smaller_share_makes_it_wider(generator: np.random.Generator, level: float) -> None:
    one, other = ((generator.random((3, 30)) < 0.8).astype(float) for _ in range(2))
    wide, narrow = difference(one, other, level=level), difference(one, other)
    assert wide.low <= narrow.low and wide.high >= narrow.high
    assert (narrow.low > 0 or narrow.high < 0) == (narrow.p < 0.05)
