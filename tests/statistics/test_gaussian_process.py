"""The process against direct formulas, its properties, and that it knows how much it does not know."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import check_grad

from igmsweep.statistics import gaussian_process as gp
from igmsweep.statistics import scale

CATEGORICAL = np.array([False, False, True])


def data(n: int, seed: int = 0, noise: float = 0.01) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Configurations, their expected scores, and scores: a parabola in the first parameter, a step in the choice."""
    generator = np.random.default_rng(seed)
    x = np.column_stack([generator.random((n, 2)), generator.integers(0, 3, n)])
    truth = 0.9 - 0.3 * (x[:, 0] - 0.6) ** 2 - 0.03 * (x[:, 2] == 1)
    return x, truth, truth + noise * generator.standard_normal(n)


def test_the_gradient_is_that_of_the_loss() -> None:
    x, _, y = data(25)
    z, apart, counts = (y - y.mean()) / y.std(), gp.squared(x, x, CATEGORICAL), np.ones(25)
    for theta in np.random.default_rng(1).normal(0, 0.5, (3, 5)):
        error = check_grad(
            lambda t: gp._loss(t, apart, z, counts)[0], lambda t: gp._loss(t, apart, z, counts)[1], theta
        )
        assert error < 1e-3


def test_the_posterior_is_the_textbooks_formula() -> None:
    x, _, y = data(20)
    found = gp.fit(x, y, CATEGORICAL, weigh=False)
    theta, at = found.theta[0], data(4, seed=5)[0]

    def kernel(one: np.ndarray, other: np.ndarray) -> float:
        lengths = np.exp(theta[:3])
        apart = np.where(CATEGORICAL, one != other, one - other) / lengths
        r = np.sqrt(5 * (apart**2).sum())
        return np.exp(2 * theta[3]) * (1 + r + r**2 / 3) * np.exp(-r) + gp.LEVEL**2

    inner = np.array([[kernel(a, b) for b in x] for a in x]) + (np.exp(2 * theta[4]) + gp.JITTER) * np.eye(20)
    across = np.array([[kernel(a, b) for b in at] for a in x])
    outer = np.array([[kernel(a, b) for b in at] for a in at])
    z = (y - y.mean()) / y.std()
    mean, covariance = found.posterior(at)
    assert mean[0] == pytest.approx(y.mean() + y.std() * across.T @ np.linalg.solve(inner, z), abs=1e-6)
    expected = y.var() * (outer - across.T @ np.linalg.solve(inner, across))
    np.testing.assert_allclose(covariance[0], expected, atol=1e-7)


def test_left_out_is_what_the_others_say() -> None:
    x, _, y = data(15)
    found = gp.fit(x, y, CATEGORICAL, weigh=False)
    only = gp.GaussianProcess(x, found.z, found.counts, CATEGORICAL, found.theta[:1], found.centre, found.spread)
    rest = gp.GaussianProcess(
        x[1:], found.z[1:], found.counts[1:], CATEGORICAL, found.theta[:1], found.centre, found.spread
    )
    mean, covariance = rest.posterior(x[:1])
    expected, square = only.left_out()
    assert expected[0] == pytest.approx(mean[0, 0])
    variance = covariance[0, 0, 0] + rest.noise**2
    assert square[0] == pytest.approx((y[0] - mean[0, 0]) ** 2 / variance, rel=1e-3)


@pytest.mark.parametrize("even", ["plain", "log odds"])
def test_the_scale_is_the_one_on_which_noise_is_even(even: scale.Kind) -> None:
    generator = np.random.default_rng(3)
    kinds = (scale.PLAIN, scale.Scale("log odds", 0.001))
    x = generator.random((60, 2))
    true = 0.95 - 0.9 * (x[:, 0] - 0.5) ** 2 - 0.6 * (x[:, 1] > 0.6)
    kind = kinds[even == "log odds"]
    noise = 0.03 if even == "plain" else 0.3
    y = np.clip(kind.back(kind.there(true) + noise * generator.standard_normal(60)), 0, 1)
    found = gp.fit(x, y, np.array([False, False]), scales=kinds)
    assert found.scale.kind == even
    assert found.scores == pytest.approx(y)
    assert found.noise == pytest.approx(noise / float(kind.slope(np.quantile(y, 0.9))), rel=0.5)
    assert (found.draws(x, 2, generator) <= 1).all() or even == "plain"


@given(
    st.sampled_from([scale.PLAIN, scale.Scale("log odds", 0.01), scale.Scale("log")]),
    st.floats(0.001, 0.999),
    st.floats(0.001, 0.999),
)
def test_a_scale_keeps_the_order_and_leads_back(kind: scale.Scale, one: float, other: float) -> None:
    turn = -1 if kind.kind == "log" else 1
    scores = turn * np.array([one, other])
    there = kind.there(scores)
    assert kind.back(there) == pytest.approx(scores, abs=1e-9)
    assert (there[0] < there[1]) == (scores[0] < scores[1]) or abs(one - other) < 1e-9
    near = kind.there(scores + 1e-7)
    assert (near - there) / 1e-7 == pytest.approx(kind.slope(scores), rel=1e-3)


def test_odds_and_logarithms_are_asked_only_where_scores_have_them() -> None:
    shares, losses = np.array([0.0, 0.5, 1.0]), np.array([-2.0, -0.1])
    assert [each.kind for each in scale.scales_of(shares, True, False, 100)] == ["plain", "log odds"]
    assert np.isfinite(scale.scales_of(shares, True, False, 100)[1].there(shares)).all()
    assert [each.kind for each in scale.scales_of(losses, False, True, 100)] == ["plain", "log"]
    assert scale.scales_of(shares * 2, True, False, 100) == scale.scales_of(-losses, False, True, 100) == (scale.PLAIN,)


def test_its_doubts_are_right() -> None:
    inside, wrong = [], []
    for seed in range(12):
        x, _, y = data(50, seed)
        at, truth, _ = data(60, seed + 100)
        found = gp.fit(x, y, CATEGORICAL)
        draws = found.draws(at, 20, np.random.default_rng(0))
        low, high = np.quantile(draws, [0.05, 0.95], axis=0)
        inside.append(np.mean((low <= truth) & (truth <= high)))
        wrong.append(np.abs(draws.mean(axis=0) - truth).mean())
        assert found.noise == pytest.approx(0.01, rel=0.5)
    assert 0.82 < np.mean(inside) < 0.98  # 0.90 is meant
    assert np.mean(wrong) < 0.005


@settings(max_examples=8, deadline=None)
@given(st.floats(-100, 100), st.floats(0.01, 100), st.integers(0, 100))
def test_it_does_not_matter_in_which_unit_scores_are(shift: float, factor: float, seed: int) -> None:
    x, _, y = data(15, seed)
    at = data(3, seed + 1)[0]
    one, other = gp.fit(x, y, CATEGORICAL), gp.fit(x, shift + factor * y, CATEGORICAL)
    assert other.posterior(at)[0].mean(axis=0) == pytest.approx(
        shift + factor * one.posterior(at)[0].mean(axis=0), rel=0.02, abs=0.02 * factor
    )


def test_means_of_several_trainings_weigh_more() -> None:
    x, _, y = data(30)
    counts = np.ones(30)
    counts[0] = 50
    plain, weighed = (gp.fit(x, y, CATEGORICAL, each, weigh=False) for each in (None, counts))
    assert abs(weighed.posterior(x[:1])[0].mean() - y[0]) < abs(plain.posterior(x[:1])[0].mean() - y[0]) + 1e-6
    assert weighed.posterior(x[:1])[1].mean() < plain.posterior(x[:1])[1].mean()


def test_bad_configurations_that_scatter_more_count_less() -> None:
    generator = np.random.default_rng(3)
    x, truth, _ = data(150, seed=3)
    y = truth + np.where(truth < np.median(truth), 0.03, 0.004) * generator.standard_normal(150)
    counts = gp.fit(x, y, CATEGORICAL).counts
    assert np.median(counts[truth < np.median(truth)]) < 0.5 * np.median(counts[truth > np.median(truth)])
    even = gp.fit(x, truth + 0.01 * generator.standard_normal(150), CATEGORICAL).counts
    assert np.median(even) == pytest.approx(1, abs=0.25)


def test_a_training_that_failed_in_part_moves_its_neighbours_less() -> None:
    x, truth, y = data(60, seed=4)
    y[7] -= 0.15
    plain, weighed = (gp.fit(x, y, CATEGORICAL, weigh=each) for each in (False, True))
    assert weighed.counts[7] < 0.3 * np.median(weighed.counts)
    at = x[[7]]
    assert abs(weighed.posterior(at)[0].mean() - truth[7]) < abs(plain.posterior(at)[0].mean() - truth[7])


def test_means_of_many_points_are_those_of_the_posterior(monkeypatch: pytest.MonkeyPatch) -> None:
    x, _, y = data(20)
    found, at = gp.fit(x, y, CATEGORICAL), data(9, seed=5)[0]
    monkeypatch.setattr(gp, "PIECE", 4)
    np.testing.assert_allclose(found.mean(at), found.posterior(at)[0].mean(axis=0))
