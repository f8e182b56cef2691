"""The shares of several looks at one test set."""

from __future__ import annotations

import itertools

import pytest

from igmsweep.statistics.crossed import LEVEL
from igmsweep.statistics.looks import FIRST, LATER, look_words, share


def test_the_first_look_has_nearly_all_and_all_together_no_more_than_five_per_cent() -> None:
    shares = [share(look) for look in range(1, 40)]
    assert shares[:4] == pytest.approx([0.04, 0.005, 0.0025, 0.00125])
    assert all(total <= 0.05 + 1e-12 for total in itertools.accumulate(shares))
    assert pytest.approx(LEVEL) == FIRST + LATER
    assert shares == sorted(shares, reverse=True)


def test_later_looks_are_said() -> None:
    assert look_words(1) == ""
    assert look_words(3) == "Look 3 at the test set: the 5 % is shared, this look has 0.25 %."
