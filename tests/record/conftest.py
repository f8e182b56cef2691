"""Results folders to read: with any lines in the ledger, and a small one as 0.1.0 wrote it."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # the tests share ledger_lines.py

from ledger_lines import LOST, STAMP, ended, params, reported, result, scored, started


@pytest.fixture
def write_folder(tmp_path: Path) -> Callable[..., Path]:
    """`write_folder(lines, **spec)`: a sweep's folder with these lines in its ledger, a second apart."""

    def write(lines: list[dict[str, Any]], name: str = "s", **spec: Any) -> Path:
        folder = tmp_path / name
        (folder / "trials").mkdir(parents=True)
        told = {"name": name, "metric": {"name": "val/acc", "mode": "max"}, "method": "igm", "trials": 8}
        told |= {"schema": 1, "seeds": 1, "repeat_top": 3, "sampler": "tpe", "data": {"name": "avdigits"}, **spec}
        (folder / "sweep.yaml").write_text(json.dumps(told))  # JSON is YAML
        text = [{"schema": 1, "time": STAMP.format(second), **line} for second, line in enumerate(lines)]
        (folder / "trials.jsonl").write_text("".join(json.dumps(line) + "\n" for line in text))
        return folder

    return write


@pytest.fixture
def old_folder(write_folder: Callable[..., Path]) -> Path:
    """As 0.1.0 left it: killed while trial 6 ran and 1 waited, in the middle of a line; 7 had just finished."""
    folder = write_folder(
        [
            started(0, 0.4, "enqueue:paper"),
            started(1, 2.0),
            reported(0, 1, 0.5),
            ended(0, 0.4, source="enqueue:paper", config_hash="0" * 12, **scored(0.7)),
            # failed, and to be trained again since a person asked for it
            ended(1, 2.0, "failed", seconds=12.0, epochs=3, error={"class": "bug", "message": "no such operator"}),
            {"trial": 1, "state": "waiting", "attempt": 1, "retried": 0},
            started(2, 3.0),
            reported(2, 1, 0.3),
            ended(2, 3.0, "pruned", metrics={"val/acc": 0.3}, rung=1),
            # its worker died, and it ran again
            started(3, 1.0),
            {"trial": 3, "state": "waiting", "attempt": 1, "alone": False, "retried": 1, "error": LOST},
            started(3, 1.0, attempt=1),
            ended(3, 1.0, config_hash="3" * 12, **scored(0.8)),
            # equal to the first, and answered from it
            ended(4, 0.4, config_hash="0" * 12, duplicate_of=0, **{**scored(0.7), "seconds": 0.0, "epochs": 0}),
            started(5, 1.0, "repeat:3", fixed_overrides={"seed": 1}),
            ended(5, 1.0, source="repeat:3", config_hash="5" * 12, **scored(0.6)),
            started(6, 5.0),
            started(7, 6.0),
        ],
        seeds=2,
        repeat_top=1,
    )
    with (folder / "trials.jsonl").open("a") as ledger:
        ledger.write('{"trial": 6, "state": "comp')
    # of the attempt that failed; 0.1.0 removed it when it started the next
    result(folder, 1, state="failed", attempt=0, params=params(2.0), error={"class": "bug", "message": "old"})
    result(folder, 3, state="complete", attempt=1, params=params(1.0), config={"seed": 0}, **scored(0.8))
    result(folder, 7, state="complete", attempt=0, params=params(6.0), config={"seed": 0}, **scored(0.65))
    sessions = [{"started": STAMP.format(0), "pid": 1, "trials": 8, "seeds": 2, "runner": "local"}]
    (folder / "meta.json").write_text(json.dumps({"schema": 1, "started": STAMP.format(0), "sessions": sessions}))
    return folder
