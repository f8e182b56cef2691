"""Which look at the test set an opening is."""

from __future__ import annotations

from typing import Any

from igmsweep.record.openings import look_of, plan_of


def told(*plans: str | None, count: int | None = None) -> dict[str, Any]:
    openings = [{} if plan is None else {"plan": plan} for plan in plans]
    return {"count": len(plans) if count is None else count, "openings": openings}


def test_another_plan_is_another_look_and_a_repetition_is_none() -> None:
    assert look_of(told()) == 0
    assert look_of(told("a"), "a") == 1
    assert look_of(told("a", "a", "b"), "b") == 2
    assert look_of(told("a", "b", "a"), "a") == 1
    assert look_of(told("a", "b", "a")) == 2


def test_openings_of_which_no_plan_is_known_count_each() -> None:
    assert look_of(told(None, None, "a"), "a") == 3
    assert look_of(told("a", count=4), "a") == 4  # counted, but not listed


def test_a_plan_is_the_same_in_any_order() -> None:
    assert plan_of(["x", "y"]) == plan_of(["y", "x"]) != plan_of(["x"])
