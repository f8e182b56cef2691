"""ASHA against its definition, score by score."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from igmsweep.record.stopping import Asha

REPORTS = st.lists(st.tuples(st.integers(0, 6), st.sampled_from([0.1, 0.2, 0.2, 0.5, 0.9])), max_size=30)


@given(REPORTS, st.integers(2, 4))
@settings(deadline=None)
def test_a_trial_goes_on_when_it_is_among_the_best_share_of_its_rung(
    reports: list[tuple[int, float]], reduction: int
) -> None:
    rule, seen = Asha(cycles=2, reduction=reduction), {}
    for trial, score in reports:  # a trial may be heard of again
        seen[trial] = score
        place = max(1, len(seen) // reduction)
        assert rule.report(trial, 1, score) == (score < sorted(seen.values(), reverse=True)[place - 1])
