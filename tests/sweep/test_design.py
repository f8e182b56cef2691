"""`--sampler sobol` and `sobol+tpe`: a design over conditional spaces that a kill or an extension does not change."""

from __future__ import annotations

import itertools
import math
import warnings
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import qmc

from igmsweep.errors import UserError
from igmsweep.record.rows import TrialRow
from igmsweep.record.states import State
from igmsweep.spaces.design import sobol_design
from igmsweep.spaces.space import SearchSpace, canonical
from igmsweep.sweep import ResumeRequest, resume_sweep, run_sweep
from igmsweep.sweep.search import Enqueued, Proposer, startup_trials

PLAIN = """
params:
  method.scope: {type: categorical, choices: [none, head, 0.3, 0.5, 1.0]}
  method.tau: {type: float, low: 1.0e-3, high: 100, log: true, when: {method.scope: {not: none}}}
  method.sam: {type: categorical, choices: [true, false]}
  method.rho.audio: {type: float, low: 1.0e-15, high: 0.5, log: true, when: {method.sam: true}}
  method.rho.image: {type: float, low: 1.0e-15, high: 0.5, log: true, when: {method.sam: true}}
  optim.lr.audio: {type: float, low: 1.0e-4, high: 0.1, log: true}
  optim.momentum: {type: float, low: 0.0, high: 0.9, step: 0.3}
  model.width: {type: int, low: 4, high: 64, log: true}
"""
SPACE = SearchSpace.from_dict(yaml.safe_load(PLAIN))
ALWAYS, GM, SAM = ["optim.lr.audio"], ["method.tau"], ["method.rho.audio", "method.rho.image"]
FIRST = [Enqueued({"method.scope": "none", "method.sam": False, "optim.lr.audio": 0.01}, "enqueue:paper")]


def space_with(**changes) -> SearchSpace:
    return SearchSpace.from_dict({**yaml.safe_load(PLAIN), **changes})


def first(count: int, seed: int = 0, space: SearchSpace = SPACE) -> list[dict]:
    return list(itertools.islice(sobol_design(space, seed), count))


def score(params: dict) -> float:
    return 1 - abs(math.log10(params["optim.lr.audio"]) + 2) / 3


def proposer(folder: Path, sampler: str, limit: int, startup: int, rows: dict | None = None) -> tuple[Proposer, list]:
    """A search that begins, or is rebuilt from `rows`, and what it goes on with."""
    folder.mkdir(exist_ok=True)
    search = Proposer(SPACE, sampler, limit, 7, startup, folder / "journal", list(FIRST))
    return search, search.restore(rows or {})[0]


def finish(search: Proposer, proposal) -> TrialRow:
    metrics = {"val/acc": score(proposal.params)}
    row = TrialRow(proposal.number, State.COMPLETE, proposal.source, proposal.params, metrics=metrics)
    search.tell(row)
    return row


def searched(folder: Path, sampler: str, limit: int, startup: int) -> dict[int, TrialRow]:
    search, _ = proposer(folder, sampler, limit, startup)
    rows = {}
    while (proposal := search.ask()) is not None:
        rows[proposal.number] = finish(search, proposal)
    return rows


def shown(rows: dict[int, TrialRow]) -> list[tuple]:
    return [(number, rows[number].source, dict(rows[number].params)) for number in sorted(rows)]


@pytest.mark.parametrize("sampler", ["sobol", "sobol+tpe"])
def test_a_search_that_is_killed_and_extended_tries_what_the_longer_one_would_have_tried(tmp_path, sampler):
    whole = searched(tmp_path / "whole", sampler, 20, startup=9)
    assert len({canonical(row.params) for row in whole.values()}) == 20
    for at in (4, 9, 10):  # 0 is enqueued, 1 to 9 are designed
        kept = {number: whole[number] for number in range(at)}
        kept[at] = TrialRow(at, State.RUNNING, whole[at].source, whole[at].params)  # was under way
        search, unfinished = proposer(tmp_path / "rebuilt", sampler, 14, 9, kept)
        assert [proposal.number for proposal in unfinished] == [at]
        rows = {**kept, at: finish(search, unfinished[0])}
        while (proposal := search.ask()) is not None:
            rows[proposal.number] = finish(search, proposal)
        assert len(rows) == 14
        search, _ = proposer(tmp_path / "rebuilt", sampler, 20, 9, rows)  # `resume --trials 20`
        while (proposal := search.ask()) is not None:
            rows[proposal.number] = finish(search, proposal)
        assert shown(rows) == shown(whole), f"killed in trial {at}"


def test_the_order_in_which_trials_finish_does_not_change_the_design(tmp_path):
    search, _ = proposer(tmp_path / "a", "sobol", 12, 4)
    proposals = [search.ask() for _ in range(6)]
    for proposal in reversed(proposals[2:]):
        finish(search, proposal)
    proposals += [search.ask() for _ in range(6)]
    assert [p.params for p in proposals] == [
        dict(row.params) for row in searched(tmp_path / "b", "sobol", 12, 4).values()
    ]


def test_what_is_enqueued_takes_no_point_of_the_design(tmp_path):
    search, _ = proposer(tmp_path / "with", "sobol", 9, 4)
    found = [search.ask() for _ in range(9)]
    assert [proposal.source for proposal in found] == ["enqueue:paper"] + ["sobol"] * 8
    without = Proposer(SPACE, "sobol", 8, 7, 4, tmp_path / "journal", [])
    assert [proposal.params for proposal in found[1:]] == [without.ask().params for _ in range(8)]
    assert search.ask() is None


def test_a_design_differs_by_seed_alone_and_says_nothing(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for count in (1, 5, 63, 64, 100):  # powers of two or not
            assert first(count) == first(130)[:count]
    assert first(20, seed=1) != first(20, seed=2)


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 2**32 - 1))
def test_a_design_respects_ranges_conditions_and_types(seed):
    for values in first(16, seed):
        assert SPACE.admit(values, "design") == values  # every value legal, and none that does not act
        assert ("method.tau" in values) == (values["method.scope"] != "none")
        assert ("method.rho.audio" in values) == ("method.rho.image" in values) == values["method.sam"]
        assert {"optim.lr.audio", "optim.momentum", "model.width"} <= set(values)


@pytest.mark.parametrize("seed", range(5))
def test_each_choice_has_its_share_of_sixty_four_points_and_each_slice_of_a_range(seed):
    found = first(64, seed)
    assert set(Counter(values["method.sam"] for values in found).values()) == {32}
    assert all(abs(count - 64 / 5) <= 2 for count in Counter(values["method.scope"] for values in found).values())
    assert set(Counter(values["optim.momentum"] for values in found).values()) == {16}
    octaves = Counter(math.floor(shares([values], ALWAYS)[0, 0] * 16) for values in found)
    assert octaves == dict.fromkeys(range(16), 4)


def shares(found: list[dict], paths: list[str]) -> np.ndarray:
    """(trials in which they act, paths) of where on their logarithmic axes the values lie."""
    ranges = {param.path: (math.log(param.low), math.log(param.high)) for param in SPACE.params if param.log}
    rows = [values for values in found if paths[0] in values]
    return np.array(
        [[(math.log(row[p]) - ranges[p][0]) / (ranges[p][1] - ranges[p][0]) for p in paths] for row in rows]
    )


@pytest.mark.parametrize("paths", [ALWAYS, GM, SAM, [*SAM, *ALWAYS]], ids=["always", "gm", "sam", "sam-and-always"])
def test_a_design_is_more_even_than_random_points_also_where_a_parameter_acts_only_sometimes(paths):
    def mean(points) -> float:
        return float(np.mean([qmc.discrepancy(shares(points(seed), paths)) for seed in range(12)]))

    def drawn(seed: int) -> list[dict]:
        generator = np.random.default_rng(seed)
        return [SPACE.at(generator.random(len(SPACE.params)).tolist()) for _ in range(64)]

    assert mean(lambda seed: first(64, seed)) < 0.6 * mean(drawn)


def test_forbidden_points_are_skipped_and_the_others_keep_their_order():
    rules = [{"method.sam": False, "method.scope": "none"}, {"optim.momentum": {"gt": 0.5}}]
    space = space_with(forbid=rules)
    allowed = [values for values in first(200) if not space.forbidden(values)]
    assert 60 < len(allowed) < 200
    assert first(len(allowed), space=space) == allowed


def test_a_rule_that_forbids_next_to_everything_is_one_line():
    space = space_with(forbid=[{"optim.lr.audio": {"gt": 1.0000001e-4}}])
    with pytest.raises(UserError, match=r"^space: forbid: \d+ points of the Sobol design in a row were forbidden$"):
        first(1, space=space)


def test_half_of_the_trials_are_designed_before_tpe_takes_over():
    assert [startup_trials("sobol+tpe", trials) for trials in (2, 8, 16, 64, 200)] == [4, 4, 8, 32, 100]
    assert [startup_trials("tpe", trials) for trials in (2, 16, 64, 200)] == [4, 5, 10, 10]


def test_tpe_knows_what_the_design_found(tmp_path):
    rows = searched(tmp_path / "s", "sobol+tpe", 40, startup=20)
    scores = {
        source: [score(row.params) for row in rows.values() if row.source == source] for source in ("sobol", "tpe")
    }
    assert [len(part) for part in scores.values()] == [20, 19]
    assert np.median(scores["tpe"]) > np.median(scores["sobol"]) + 0.1


@pytest.fixture
def request_of(cycles_request):
    return lambda **changes: cycles_request(**{"local": True, "quiet": True, **changes})


def test_the_split_of_a_sweep_stays_when_it_is_extended(request_of):
    first_ = run_sweep(request_of(sampler="sobol+tpe", trials=10))
    words = [row.source for row in first_.rows.values()]
    assert words == ["sobol"] * 5 + ["tpe"] * 5
    assert yaml.safe_load((first_.dir / "sweep.yaml").read_text())["startup"] == 5
    longer = resume_sweep(ResumeRequest(first_.dir, trials=14, quiet=True))
    assert [row.source for row in longer.rows.values()] == ["sobol"] * 5 + ["tpe"] * 9
    assert len(longer.study.trials) == 14


def test_an_extended_sweep_is_the_longer_one(request_of):
    first_ = run_sweep(request_of(sampler="sobol", trials=3))
    longer = resume_sweep(ResumeRequest(first_.dir, trials=7, quiet=True))
    whole = run_sweep(request_of(sampler="sobol", trials=7, name="whole"))
    assert [row.params for row in longer.rows.values()] == [row.params for row in whole.rows.values()]
    assert {row.source for row in whole.rows.values()} == {"sobol"}
    assert all(trial.user_attrs["source"] == "sobol" for trial in whole.study.trials)
