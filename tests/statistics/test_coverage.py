"""What intervals of the test set say is true, on simulated trainings whose truth is known: a few cells of
benchmarks/simulated_sweeps/evaluation.py, with bounds that chance does not cross."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[2]))

from benchmarks.simulated_sweeps.evaluation import (
    claims,
    coverage,
    covered_means,
    crossed,
    crossed_by_seed,
    over_seeds,
    paired_by_seed,
    without_predictions,
)


@pytest.mark.parametrize(("trainings", "noise", "difference"), [(3, 0.015, 0.0), (5, 0.005, 0.02), (10, 0.0, 0.0)])
def test_an_interval_over_seeds_and_samples_covers_the_difference(
    trainings: int, noise: float, difference: float
) -> None:
    generator = np.random.default_rng(trainings)
    methods = {"shown": crossed, "unknown samples": without_predictions}
    found = coverage(360, trainings, (noise, noise), difference, 300, generator, methods)
    assert 0.92 <= found["shown"][0] <= 0.995
    assert found["unknown samples"][0] >= 0.98  # wide, and said to be over as many samples
    assert found["unknown samples"][1] > found["shown"][1]


def test_variants_of_one_method_are_told_apart_better_by_seed() -> None:
    methods = {"by seed": crossed_by_seed, "crossed": crossed}
    found = coverage(360, 5, (0.003, 0.003), 0.0, 300, np.random.default_rng(1), methods, shared=0.015)
    assert 0.92 <= found["by seed"][0] <= 0.995 and found["by seed"][1] < 0.8 * found["crossed"][1]


def test_seeds_alone_do_not_and_more_samples_make_it_narrower() -> None:
    """What is guarded against, so that the simulation itself is known to tell good intervals from bad ones."""
    generator = np.random.default_rng(0)
    few = coverage(360, 10, (0.0, 0.0), 0.0, 300, generator, {"t": paired_by_seed, "w": over_seeds, "c": crossed})
    assert few["t"][0] < 0.88 and few["w"][0] < 0.88
    many = coverage(1000, 10, (0.0, 0.0), 0.0, 100, generator, {"c": crossed})
    assert many["c"][1] < 0.75 * few["c"][1]


def test_an_interval_of_one_configuration_covers_its_accuracy() -> None:
    assert 0.92 <= covered_means(360, 5, 0.005, 300, np.random.default_rng(0)) <= 0.985


def test_five_looks_claim_a_difference_that_is_not_there_in_no_more_than_five_per_cent() -> None:
    found = claims(360, (5, 10, 15, 20, 25), 0.01, 0.0, 100, np.random.default_rng(0))
    assert found["crossed (shown)", "4 %, then half of what is left (shown)"][-1] <= 0.07
    assert found["paired t (before)", "5 % each (before)"][-1] > 0.2
