"""Contributions of samples: their mean is the metric, and they are its slope by the samples' weights."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from igmsweep.analysis.contributions import KNOWN, contributions
from igmsweep.metrics import classification_metrics
from igmsweep.record.predictions import Predictions


def predicted(seed: int, n: int, classes: int, digits: int = 3) -> Predictions:
    """Every class occurs; few digits make equal scores."""
    generator = np.random.default_rng(seed)
    labels = np.concatenate([np.arange(classes), generator.integers(0, classes, n - classes)])
    probabilities = generator.dirichlet(np.ones(classes), n) + 0.5 * np.eye(classes)[labels]
    return Predictions(np.round(probabilities / 1.5, digits).clip(1e-4), labels, "s")


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.integers(2, 6), st.integers(0, 40), st.sampled_from([1, 4]))
def test_their_mean_is_the_metric(seed: int, classes: int, more: int, digits: int) -> None:
    found = predicted(seed, 2 * classes + more, classes, digits)
    wanted = classification_metrics(found.probabilities, found.labels)
    for metric in KNOWN:
        assert contributions(found, f"val/{metric}").mean() == pytest.approx(wanted[metric])


@pytest.mark.parametrize("metric", KNOWN)
def test_they_are_the_metric_s_slope_by_a_sample_s_weight(metric: str) -> None:
    """A sample that stands there twice among many copies of all others has a slightly larger weight."""
    found, copies, n = predicted(1, 30, 4, 2), 400, 30
    parts = contributions(found, metric)
    base = classification_metrics(found.probabilities, found.labels)[metric]
    for sample in range(0, n, 4):
        order = np.concatenate([np.tile(np.arange(n), copies), [sample]])
        moved = classification_metrics(found.probabilities[order], found.labels[order])[metric]
        assert (moved - base) * (n * copies + 1) == pytest.approx(parts[sample] - base, abs=0.02)
