"""A minute of the fuzzer, and everything that it has ever found."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from fuzz import ground
from fuzz.fuzzer import KINDS, Kept, Tally, drawn, fuzz, kept, prepared
from fuzz.harness import judged

pytestmark = pytest.mark.slow

COUNTS = {"yaml": 1000, "configurations": 1500, "spaces": 500, "commands": 150, "folders": 60, "csv": 60}
"""Cases of each kind: about a minute on one core."""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    return prepared(tmp_path_factory.mktemp("ground") / "fuzz")


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_drawn_has_no_fault_that_is_not_known(kind: str, place: Path) -> None:
    tally, known = Tally(), {each.fault for each in kept() if each.open}
    fuzz(kind, 0, 0, COUNTS[kind], place, tally)
    assert tally.cases == COUNTS[kind]
    new = {fault: found[0] for fault, found in tally.faults.items() if fault not in known}
    told = [f"{fault}\n  {outcome.text}\n  {json.dumps(given)[:500]}" for fault, (given, outcome) in new.items()]
    again = f"python -m tests.fuzz --kind {kind} --seed 0 --seconds 60 --keep makes them small and keeps them"
    assert not new, "\n".join([f"{len(new)} new faults; {again}", *told])


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(
            each, marks=[pytest.mark.xfail(reason=each.fault)] if each.open else [], id=f"{each.kind}-{number}"
        )
        for number, each in enumerate(kept())
    ],
)
def test_what_was_found_is_mended(case: Kept, place: Path) -> None:
    ((_, outcome),) = judged(KINDS[case.kind], [case.given], place, ground.begin)
    assert not outcome.fault, f"{outcome.fault}: {outcome.text}\n{json.dumps(case.given)[:2000]}"


def test_what_is_drawn_is_the_same_every_time(place: Path) -> None:
    for kind in KINDS:
        once, again = (list(drawn(kind, 3, 10, 5)) for _ in range(2))
        assert once == again
        assert json.loads(json.dumps(once)) == once  # a case can be kept as a line
