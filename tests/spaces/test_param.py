"""A share of a parameter's axis and its value."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from igmsweep.spaces.param import Param, read_param

SHARES = st.floats(0, 1, exclude_max=True)
BOUNDS = st.tuples(st.floats(1e-12, 1e3), st.floats(1.1, 1e6)).map(lambda pair: (pair[0], pair[0] * pair[1]))


@st.composite
def params(draw: Any) -> Param:
    kind = draw(st.sampled_from(["float", "log", "step", "int", "int-log", "int-step", "choice"]))
    if kind == "choice":
        return Param("a", "categorical", choices=tuple(range(draw(st.integers(1, 9)))))
    if kind.startswith("int"):
        low = draw(st.integers(1, 50))
        high = low + draw(st.integers(1, 200))
        return Param("a", "int", low, high, kind == "int-log", draw(st.integers(1, 9)) if kind == "int-step" else None)
    if kind == "step":  # tenths, as people write them
        low, width = draw(st.integers(-20, 20)), draw(st.integers(1, 50))
        return Param("a", "float", low / 10, (low + width) / 10, False, draw(st.integers(1, 9)) / 10)
    low, high = draw(BOUNDS)
    return Param("a", "float", low, high, kind == "log")


@settings(deadline=None, max_examples=300)
@given(params(), SHARES, SHARES)
@pytest.mark.filterwarnings("ignore:.*not divisible by `step`")
def test_every_share_is_a_legal_value_and_a_larger_share_no_smaller_one(param, one, other):
    low, high = sorted((one, other))
    values = [param.at(low), param.at(high)]
    assert values[0] <= values[1]
    for value in values:
        assert param.contains(value)
        assert param.distribution()._contains(
            param.distribution().to_internal_repr(value)
        )  # else it cannot be restored
        assert isinstance(value, float) == (param.type == "float")


@given(SHARES, BOUNDS)
def test_a_share_is_one_of_the_axis_or_of_the_logarithms(share, bounds):
    low, high = bounds
    assert Param("a", "float", low, high).at(share) == pytest.approx(low + share * (high - low))
    inside = math.log(Param("a", "float", low, high, True).at(share) / low) / math.log(high / low)
    assert inside == pytest.approx(share, abs=1e-9)


@pytest.mark.parametrize(
    ("plain", "wanted"),
    [
        ({"type": "categorical", "choices": ["none", "head", 0.3]}, ["none", "head", 0.3]),
        ({"type": "categorical", "choices": [True, False]}, [True, False]),
        ({"type": "int", "low": 2, "high": 7}, [2, 3, 4, 5, 6, 7]),
        ({"type": "int", "low": 4, "high": 13, "step": 4}, [4, 8, 12]),
        ({"type": "float", "low": 0.1, "high": 0.35, "step": 0.1}, [0.1, 0.2, 0.3]),
        ({"type": "float", "low": -1, "high": 1, "step": 0.5}, [-1.0, -0.5, 0.0, 0.5, 1.0]),
    ],
)
def test_choices_whole_numbers_and_steps_have_equal_slices(plain, wanted):
    param = read_param("space", "a", plain)
    found = Counter(param.at((index + 0.5) / 600) for index in range(600))
    assert list(found) == wanted  # exactly: 0.3, not 0.30000000000000004
    assert set(found.values()) == {600 // len(wanted)}


def test_whole_numbers_on_a_logarithmic_axis_have_slices_of_equal_logarithms():
    param = Param("a", "int", 1, 100, True)
    shares = [(index + 0.5) / 10_000 for index in range(10_000)]
    for value in (1, 2, 10, 100):
        slice_ = sum(param.at(share) == value for share in shares) / 10_000
        assert slice_ == pytest.approx(math.log((value + 0.5) / (value - 0.5)) / math.log(100.5 / 0.5), abs=2e-4)


def test_a_grids_steps_are_values_that_a_study_takes_back():
    param = Param("a", "float", 0.1, 0.35, False, 0.1)
    with pytest.warns(UserWarning, match="not divisible"):
        assert all(param.distribution()._contains(value) for value in param.grid(6))
