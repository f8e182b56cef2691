"""`test_eval.json`: how often the test set was opened for a sweep, and what came out each time."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal

from igmsweep.disk import exclusive, write_atomically
from igmsweep.errors import UserError
from igmsweep.gate.files import read_text
from igmsweep.gate.json_text import NotJson, parse_json
from igmsweep.gate.numbers import whole
from igmsweep.record.json_files import OBJECT
from igmsweep.record.paths import SCHEMA, TEST_EVAL


def read_openings(sweep: Path) -> dict[str, Any]:
    """`count`, `openings` (an entry each) and `evaluations` (what came out). Raises UserError for a damaged file."""
    path = sweep / TEST_EVAL
    if not path.is_file():
        return {"schema": SCHEMA, "count": 0, "openings": [], "evaluations": []}
    try:
        value = parse_json(read_text(path, OBJECT))
        if whole(value["count"]) == value["count"] and all(
            isinstance(value.setdefault(key, []), list) for key in ("openings", "evaluations")
        ):
            return dict(value)
    except (UserError, NotJson, KeyError, TypeError, AttributeError):
        pass
    raise UserError(f"{path}: cannot be read; it counts how often the test set was opened, so mend it by hand first")


def finish_opening(sweep: Path) -> None:
    """Mark the last opening as gone through to its end, so that it need not be repeated."""
    with exclusive(sweep):
        value = read_openings(sweep)
        value["openings"][-1]["finished"] = True
        write_atomically(sweep / TEST_EVAL, json.dumps(value, indent=1))


def append_opening(sweep: Path, key: Literal["openings", "evaluations"], entry: dict[str, Any]) -> int:
    """Append an entry and return how many openings there are; safe against a second process."""
    with exclusive(sweep):  # the folder itself is the lock, so that no file is left behind
        value = read_openings(sweep)
        value[key].append(entry)
        value["count"] = max(value["count"] + (key == "openings"), len(value["openings"]))
        write_atomically(sweep / TEST_EVAL, json.dumps(value, indent=1))
    return int(value["count"])


def plan_of(parts: Iterable[str]) -> str:
    """What an opening is to score, as a hash: the same trainings give the same one, in whatever order they are named."""
    return hashlib.sha256("\n".join(sorted(parts)).encode()).hexdigest()[:12]


def look_of(told: Mapping[str, Any], plan: str | None = None) -> int:
    """Which look an opening with this plan is (None: the last there was, 0 where there was none). The first is 1; one with the plan
    of an earlier opening, which was interrupted or is shown again, is still that look. Every opening of which no plan is known
    counts as one."""
    before = int(told["count"]) - len(told["openings"])
    plans: list[str | None] = []
    for opening in told["openings"]:
        found = opening.get("plan")
        if found is None or found not in plans:
            plans.append(found)
        if plan is not None and found == plan:
            break
    return before + len(plans)
