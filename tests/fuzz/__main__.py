"""`python -m tests.fuzz`: fuzz for as long as one likes, or try again what was found."""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"
sys.path.insert(0, str(Path(__file__).parent.parent))  # `fake_sweep`

from . import ground
from .fuzzer import KINDS, Kept, Tally, fuzz, keep, kept, prepared
from .harness import judged
from .shrink import shrunk

SLICE = 20.0
"""Seconds of one kind before the next has its turn."""
STEP = 200
"""Cases of one start of a process."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--kind", choices=KINDS, action="append", help="one or more; default: all")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--first", type=int, default=0, help="number of the first case")
    parser.add_argument(
        "--keep", action="store_true", help="add what is new to tests/fuzz/cases/, made as small as it goes"
    )
    parser.add_argument(
        "--replay", action="store_true", help="run tests/fuzz/cases/ alone; with --keep, mark what still fails"
    )
    given = parser.parse_args()
    sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    with tempfile.TemporaryDirectory() as place:
        folder = prepared(Path(place).resolve() / "fuzz")
        return replay(folder, given.keep, given.kind) if given.replay else search(given, folder)


def search(given: argparse.Namespace, place: Path) -> int:
    """Fuzz the kinds by turns."""
    kinds = given.kind or list(KINDS)
    tallies = {kind: Tally() for kind in kinds}
    end = time.monotonic() + given.seconds
    while time.monotonic() < end:
        for kind in kinds:
            tally, turn = tallies[kind], time.monotonic() + min(SLICE, given.seconds / len(kinds))
            while time.monotonic() < min(turn, end):
                fuzz(kind, given.seed, given.first + tally.cases, STEP, place, tally)
            print(f"{kind}: {tally.cases} cases, {len(tally.faults)} distinct faults", file=sys.stderr, flush=True)
    print(table(tallies))
    known = {(each.kind, each.fault) for each in kept()}
    for kind in kinds:
        for fault, ((case, outcome), *_) in sorted(tallies[kind].faults.items()):
            new = (kind, fault) not in known
            small = shrunk(KINDS[kind], case, fault, place) if new else case
            print(
                f"\n{kind}, {'new' if new else 'known'}: {fault}\n  {outcome.text}\n  {json.dumps(small)[:1000]}",
                flush=True,
            )
            if new and given.keep:
                keep([*kept(), Kept(kind, small, fault, True)])
    return int(any(tally.faults for tally in tallies.values()))


def replay(place: Path, mark: bool, only: list[str] | None) -> int:
    """Run what was ever found."""
    again, failing = [], 0
    for kind in KINDS:
        mine = [each for each in kept() if each.kind == kind]
        if only and kind not in only:
            again += mine
            continue
        found = judged(KINDS[kind], [each.given for each in mine], place, ground.begin)
        for each, (_, outcome) in zip(mine, found, strict=True):
            again.append(Kept(kind, each.given, each.fault, bool(outcome.fault)))
            failing += bool(outcome.fault)
            state = f"fails: {outcome.fault}" if outcome.fault else outcome.what
            print(f"{kind}: {each.fault}\n  {state}: {outcome.text}", flush=True)
    print(f"{len(again)} cases, {failing} fail")
    if mark:
        keep(again)
    return int(bool(failing))


def table(tallies: dict[str, Tally]) -> str:
    """Counts by kind."""
    from igmsweep.lines import aligned

    faults = sorted({what for tally in tallies.values() for what in tally.outcomes} - {"fine", "refused"})
    rows = [("kind", "cases", "a second", "fine", "refused", *faults, "distinct")]
    for kind, tally in tallies.items():
        counts = [str(tally.outcomes[what]) for what in ("fine", "refused", *faults)]
        rows.append(
            (kind, str(tally.cases), f"{tally.cases / (tally.seconds or 1):.0f}", *counts, str(len(tally.faults)))
        )
    rows.append(
        (
            "all",
            str(sum(tally.cases for tally in tallies.values())),
            "",
            *[""] * (2 + len(faults)),
            str(sum(len(tally.faults) for tally in tallies.values())),
        )
    )
    return "\n".join(aligned(rows))


if __name__ == "__main__":
    sys.exit(main())
