"""The table of real trainings: a report's sentences about its winner hold there, and searches are judged on it in seconds."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.simulated_sweeps.judged import of_winner
from benchmarks.tabulated.claims import drawn
from benchmarks.tabulated.judged import ARMS, at_budget, search, shown
from benchmarks.tabulated.table import Table

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def real() -> Table:
    return Table.read()


def test_a_trained_configuration_is_answered_by_itself(real: Table) -> None:
    assert [real.nearest(params) for params in real.params] == list(range(len(real)))
    whole = real.drawn(540, False, np.random.default_rng(0))
    scores, truth = whole.train(real.params[7])
    assert len(scores) == 3
    assert truth <= whole.best
    assert abs(scores[-1] - truth) < 0.1


def test_what_is_expected_of_a_winner_is_what_unseen_samples_say(real: Table) -> None:
    found = [of_winner(drawn(real, 64, 180, seed)) for seed in range(8)]
    mean = {name: float(np.mean([each[name] for each in found])) for name in found[0]}
    assert abs(mean["excess of the expected score"]) < 1.2
    assert mean["excess of the shown score"] > mean["excess of the expected score"]
    assert mean["interval covers"] >= 0.75
    assert mean["best is in the set"] >= 0.75
    assert mean["width"] < 16  # it was 19 where scores were modelled as they are


def test_a_search_ends_nearer_to_the_best_than_it_begins(real: Table) -> None:
    regret = {}
    for name in ("random", "tpe, default first", "random, ASHA"):
        runs = [search(real, ARMS[name], seed, 40) for seed in range(6)]
        regret[name] = [float(np.mean([at_budget(run, budget) for run in runs])) for budget in (10, 40)]
        assert 0 <= regret[name][1] <= regret[name][0]
        assert f"| {name} | 6 |" in shown({name: runs})
    assert regret["tpe, default first"][0] < regret["random"][0]
    assert search(real, ARMS["tpe"], 3, 12) == search(real, ARMS["tpe"], 3, 12)
