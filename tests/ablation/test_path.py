"""What moves together, what may come next, and which way is taken."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from igmsweep.ablation.changes import Change, Ends, changes
from igmsweep.ablation.path import configurations, walk
from igmsweep.config import TrainConfig
from igmsweep.spaces.space import SearchSpace
from igmsweep.statistics.difference import paired

TAU = {"type": "float", "low": 0.1, "high": 10.0, "log": True}
RHO = {"type": "float", "low": 1e-15, "high": 0.5, "log": True, "when": {"method.sam": True}}
RATE = {"type": "float", "low": 0.001, "high": 0.1}
FLAG = {"type": "categorical", "choices": [True, False]}
SCOPE = {"type": "categorical", "choices": ["none", "head", 1.0]}


def between(params: dict[str, Any], start: dict[str, Any], end: dict[str, Any], forbid: Any = ()) -> Ends:
    space = SearchSpace.from_dict({"version": 1, "params": params, "forbid": list(forbid)})
    base = TrainConfig(data="avdigits")
    first = base.override(start)
    return Ends(space, first, changes(space, first, base.override(end)))


def test_what_differs_is_changed_one_at_a_time_in_the_spaces_order() -> None:
    ends = between(
        {"optim.lr.image": RATE, "method.tau": TAU, "optim.lr.audio": RATE},
        {"method.tau": 0.4, "optim.lr.image": 0.01, "seed": 3, "device": "cpu"},
        {"method.tau": 4.0, "optim.lr.image": 0.05, "seed": 0},
    )
    assert [change.words for change in ends.changes] == ["optim.lr.image 0.01 → 0.05", "method.tau 0.4 → 4"]
    assert ends.values(frozenset({1})) == {"optim.lr.image": 0.01, "method.tau": 4.0}
    assert ends.config(ends.all).paths() == {**ends.start.paths(), "optim.lr.image": 0.05, "method.tau": 4.0}


def test_a_conditional_parameter_moves_with_what_wakes_it_and_stays_when_it_falls_asleep() -> None:
    params = {"method.sam": FLAG, "method.rho.image": RHO, "method.rho.audio": RHO, "optim.lr.image": RATE}
    off = {"method.sam": False, "method.rho.image": 1e-15, "method.rho.audio": 1e-10, "optim.lr.image": 0.01}
    on = {"method.sam": True, "method.rho.image": 0.02, "method.rho.audio": 1e-10, "optim.lr.image": 0.05}
    together, alone = between(params, off, on).changes
    assert together.words == "method.sam off → on, method.rho.image – → 0.02"
    assert alone.words == "optim.lr.image 0.01 → 0.05"
    back = between(params, on, off)  # without SAM rho means nothing, so it need not change
    assert [change.words for change in back.changes] == ["method.sam on → off", "optim.lr.image 0.05 → 0.01"]
    both = between(params, {**off, "method.sam": True}, on)  # it acts at both ends
    assert [change.words for change in both.changes] == ["method.rho.image 1e-15 → 0.02", "optim.lr.image 0.01 → 0.05"]
    asleep = between(params, off, {**on, "method.sam": False})
    assert [change.words for change in asleep.changes] == ["optim.lr.image 0.01 → 0.05"]


def test_conditions_of_conditions_are_followed() -> None:
    params = {
        "method.gm": FLAG,
        "method.scope": {**SCOPE, "when": {"method.gm": True}},
        "method.tau": {**TAU, "when": {"method.scope": {"not": "none"}}},
    }
    start = {"method.gm": False, "method.scope": "head", "method.tau": 0.4}
    (one,) = between(params, start, {"method.gm": True, "method.scope": "head", "method.tau": 4.0}).changes
    assert one.words == "method.gm off → on, method.tau – → 4"  # scope keeps its value, and wakes tau by acting
    (all_,) = between(params, start, {"method.gm": True, "method.scope": 1.0, "method.tau": 4.0}).changes
    assert all_.words == "method.gm off → on, method.scope – → 1, method.tau – → 4"


def test_what_the_space_does_not_search_is_the_last_change() -> None:
    ends = between(
        {"method.tau": TAU}, {"method.tau": 0.4}, {"optim.momentum": 0.5, "method.tau": 2.0, "optim.batch_size": 16}
    )
    assert [change.searched for change in ends.changes] == [True, False]
    assert set(ends.changes[1].values) == {"optim.momentum", "optim.batch_size"}


def test_forbidden_configurations_are_passed_by() -> None:
    rule = {"method.sam": False, "method.scope": "none"}
    ends = between(
        {"method.sam": FLAG, "method.scope": SCOPE, "optim.lr.image": RATE},
        {"method.sam": True, "method.scope": "none", "optim.lr.image": 0.01},
        {"method.sam": False, "method.scope": "head", "optim.lr.image": 0.05},
        [rule],
    )
    assert ends.options(frozenset()) == [{1}, {2}]  # without SAM and without scope is forbidden
    rules = [rule, {"method.sam": True, "method.scope": {"not": "none"}}]
    params = {"method.sam": FLAG, "method.scope": SCOPE}
    two = between(
        params,
        {"method.sam": True, "method.scope": "none"},
        {"method.sam": False, "method.scope": "head"},
        rules,
    )
    assert two.options(frozenset()) == [{0, 1}]  # neither alone is allowed, so both are one step
    assert two.between(frozenset(), two.all).words == "method.sam on → off, method.scope none → head"


class Ways(Ends):
    """Changes that no configuration stands behind."""

    def __init__(self, count: int) -> None:
        super().__init__(None, None, tuple(Change({str(place): (0, 1)}) for place in range(count)))  # type: ignore[arg-type]

    def options(self, made: frozenset[int]) -> list[frozenset[int]]:
        return [made | {place} for place in sorted(self.all - made)]


@given(st.lists(st.integers(-50, 50), min_size=1, max_size=6))
def test_where_effects_add_up_the_path_is_their_order(gains: list[int]) -> None:
    seen = set()

    def rank(made: frozenset[int]) -> tuple[float, ...]:
        seen.add(made)
        return (float(sum(gains[place] for place in made)),)

    path, waiting = walk(Ways(len(gains)), rank)
    order = [next(iter(after - before)) for before, after in itertools.pairwise(path)]
    assert order == sorted(range(len(gains)), key=lambda place: (-gains[place], place)) and not waiting
    assert len({*seen, frozenset(), path[-1]}) <= configurations(len(gains), "greedy")


@given(st.integers(2, 5), st.randoms(use_true_random=False))
def test_every_step_is_the_best_one_whatever_depends_on_what(count: int, random: Any) -> None:
    known = {
        frozenset(made): random.random()
        for size in range(count + 1)
        for made in itertools.combinations(range(count), size)
    }
    path, _ = walk(Ways(count), lambda made: (known[made],))
    for before, after in itertools.pairwise(path):
        assert known[after] == max(known[before | {place}] for place in set(range(count)) - before)


def test_a_path_waits_for_all_that_its_next_step_is_chosen_from() -> None:
    known = {frozenset({0}): (1.0,), frozenset({1}): (2.0,), frozenset({2}): (0.0,)}
    path, waiting = walk(Ways(3), known.get)
    assert path == [frozenset(), {1}] and waiting == [{0, 1}, {1, 2}]
    assert walk(Ways(1), lambda made: None) == ([frozenset(), frozenset({0})], [])  # there is one way only


@pytest.mark.parametrize("seeds", [3, 5])
def test_intervals_of_greedily_chosen_steps_cover_as_they_say(seeds: int) -> None:
    """Four steps that do nothing: 95 % of intervals hold 0, and one path in seven has one that does not, as the page says."""
    rng, paths = np.random.default_rng(0), 800
    missed = np.zeros((paths, 4), dtype=bool)
    for number in range(paths):
        known: dict[frozenset[int], np.ndarray] = {}

        def scores(made: frozenset[int], known: dict[frozenset[int], np.ndarray] = known) -> dict[int, float]:
            if made not in known:
                known[made] = np.round(540 * rng.normal(0.9, 0.008, seeds)) / 540
            return dict(enumerate(known[made].tolist()))

        path, _ = walk(Ways(4), lambda made, scores=scores: (float(np.mean(list(scores(made).values()))),))
        for step, (before, after) in enumerate(itertools.pairwise(path)):
            found = paired("after", scores(after), "before", scores(before))
            missed[number, step] = found is not None and found.sign != 0
    assert 0.02 < missed.mean() < 0.06
    assert 0.09 < missed.any(axis=1).mean() < 0.19
