"""Starting a search from what earlier sweeps found out."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from igmsweep.errors import UserError
from igmsweep.record.ledger import Ledger
from igmsweep.spaces.space import SearchSpace

logger = logging.getLogger(__name__)

FILE = "warm_start.jsonl"


def take_over(folders: Sequence[Path], space: SearchSpace, spec: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Complete trials of earlier sweeps that fit the space, as `params`, `value` and `source`.

    Raises:
        UserError: a folder that is no sweep, or one whose scores cannot be compared: other data, split or metric.
    """
    taken = []
    for folder in folders:
        path = folder / "sweep.yaml"
        try:
            theirs = yaml.safe_load(path.read_text(encoding="utf-8"))
            compared = {"metric": theirs["metric"], "method": theirs["method"]}
            compared |= {f"data.{key}": theirs["data"][key] for key in ("name", "data_hash", "split_hash")}
        except (OSError, yaml.YAMLError, KeyError, TypeError):
            raise UserError(f"--warm-start: {folder} is no sweep; expected a folder with sweep.yaml") from None
        ours = {"metric": spec["metric"], "method": spec["method"]}
        ours |= {f"data.{key}": spec["data"][key] for key in ("name", "data_hash", "split_hash")}
        for key, value in compared.items():
            if value != ours[key]:
                raise UserError(f"--warm-start: {folder} has {key} {value}, this sweep {ours[key]}: not comparable")
        left = 0
        for number, row in sorted(Ledger(folder / "trials.jsonl").rows().items()):
            value = (row.get("metrics") or {}).get(space.metric)
            if row.get("state") != "complete" or row.get("duplicate_of") is not None or value is None:
                continue
            if str(row.get("source", "")).startswith("repeat:"):
                continue
            try:
                params = space.admit(row["params"], str(folder))
            except UserError:
                left += 1
                continue
            if space.forbidden(params) or set(params) != set(row["params"]):
                left += 1
                continue
            taken.append({"params": params, "value": float(value), "source": f"warm:{folder.name}#{number}"})
        if left:
            logger.warning("--warm-start: %d trials of %s lie outside this space and are left out", left, folder)
    return taken


def read_warm(folder: Path) -> list[dict[str, Any]]:
    """What `take_over` found when the sweep was started."""
    path = folder / FILE
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
