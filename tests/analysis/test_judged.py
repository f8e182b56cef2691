"""The sentences of confidence that a report says of one sweep, on simulated sweeps whose truth is known.

A small part of benchmarks/simulated_sweeps/judged.py, with bounds that chance does not cross.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from benchmarks.simulated_sweeps.design import simulate
from benchmarks.simulated_sweeps.judged import of_effects, of_winner, table

pytestmark = pytest.mark.slow


def mean(outcomes: Sequence[dict[str, float]], name: str) -> float:
    return float(np.mean([each[name] for each in outcomes if name in each]))


@pytest.mark.parametrize(("response", "size"), [("one", (0.15, 0.75)), ("flat", (0.9, 1.0))])
def test_the_winner_is_told_without_the_luck_of_the_choice_and_the_best_is_in_the_set(
    response: str, size: tuple[float, float]
) -> None:
    outcomes = [of_winner(simulate(response, "random", 64, 180, seed)) for seed in range(12)]
    assert mean(outcomes, "excess of the shown score") > 2
    assert abs(mean(outcomes, "excess of the expected score")) < 1.2
    assert mean(outcomes, "interval covers") >= 0.75 > mean(outcomes, "before: shown ± 1.96 s.e. covers")
    assert mean(outcomes, "best is in the set") >= 0.8
    assert size[0] <= mean(outcomes, "size of the set") <= size[1]


def test_with_several_seeds_the_best_few_are_told_no_better_than_they_are() -> None:
    outcomes = [of_winner(simulate("flat", "random", 64, 744, seed, repeats=5)) for seed in range(8)]
    assert mean(outcomes, "excess of the shown score") > 0.3
    assert abs(mean(outcomes, "excess of the expected score")) < 0.6


@pytest.mark.parametrize("sampler", ["random", "tpe"])
def test_nothing_is_claimed_of_parameters_that_do_nothing_whatever_the_sampler(sampler: str) -> None:
    outcomes = [of_effects(simulate("one", sampler, 64, 360, seed), "one", seed) for seed in range(6)]
    assert mean(outcomes, "a false effect is told") <= 1 / 6
    assert mean(outcomes, "optim.lr.image is told") >= 5 / 6
    assert mean(outcomes, "flat range holds: optim.lr.image") >= 5 / 6
    assert mean(outcomes, "recall of the flat part: optim.lr.image") > 0.4
    assert mean(outcomes, "top is right: igmsweep") >= 5 / 6
    assert "- a false effect is told: 0" in table({"effects/one": outcomes})
