"""Drawing cases, counting what becomes of them, and keeping what was found."""

from __future__ import annotations

import json
import multiprocessing
import random
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from . import command_lines, configurations, csv_files, folders, ground, spaces, yaml_files
from .harness import Kind, Outcome, judged

KINDS: dict[str, Kind] = {
    "yaml": cast(Kind, yaml_files),
    "configurations": cast(Kind, configurations),
    "spaces": cast(Kind, spaces),
    "commands": cast(Kind, command_lines),
    "folders": cast(Kind, folders),
    "csv": cast(Kind, csv_files),
}
CASES = Path(__file__).parent / "cases"


@dataclass
class Tally:
    """Of one kind."""

    cases: int = 0
    seconds: float = 0.0
    outcomes: Counter[str] = field(default_factory=Counter)
    faults: dict[str, list[tuple[Any, Outcome]]] = field(default_factory=dict)
    """Inputs by distinct fault, the shortest first."""

    def add(self, given: Any, outcome: Outcome) -> None:
        self.cases += 1
        self.outcomes[outcome.what] += 1
        if outcome.fault:
            held = self.faults.setdefault(outcome.fault, [])
            held.append((given, outcome))
            held.sort(key=lambda each: len(json.dumps(each[0])))
            del held[3:]


@dataclass(frozen=True)
class Kept:
    """An input that had a fault once.

    Attributes:
        fault: the fault that it had.
        open: it still has it; whoever mends it takes the mark away.
    """

    kind: str
    given: Any
    fault: str
    open: bool


def prepared(place: Path) -> Path:
    """The ground of all cases, made in `place`; imports what they need into this process."""
    ground.imports()
    maker = multiprocessing.get_context("fork").Process(target=_build, args=(place,))
    maker.start()
    maker.join()
    if maker.exitcode:
        raise RuntimeError("the fuzzer's own folders could not be made")
    for kind in KINDS.values():
        kind.load(place)
    return place


def _build(place: Path) -> None:
    ground.build(place)
    ground.move_to(place)
    folders.build(place)


def drawn(kind: str, seed: int, first: int, count: int) -> Iterator[Any]:
    """Inputs number `first` and following of a seed; the same ones every time."""
    for number in range(first, first + count):
        yield KINDS[kind].make(random.Random(f"{kind} {seed} {number}"))


def fuzz(kind: str, seed: int, first: int, count: int, place: Path, tally: Tally) -> None:
    """Run so many cases."""
    began = time.monotonic()
    for given, outcome in judged(KINDS[kind], drawn(kind, seed, first, count), place, ground.begin):
        tally.add(given, outcome)
    tally.seconds += time.monotonic() - began


def kept() -> list[Kept]:
    """Everything that was ever found, a line of `cases/KIND.jsonl` each."""
    return [
        Kept(path.stem, line["given"], line["fault"], line.get("open", False))
        for path in sorted(CASES.glob("*.jsonl"))
        for line in map(json.loads, path.read_text(encoding="utf-8").splitlines())
    ]


def keep(cases: list[Kept]) -> None:
    """Write all cases down, a file a kind."""
    for kind in KINDS:
        mine = [each for each in cases if each.kind == kind]
        lines = [
            json.dumps({**({"open": True} if each.open else {}), "fault": each.fault, "given": each.given})
            for each in mine
        ]
        (CASES / f"{kind}.jsonl").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
