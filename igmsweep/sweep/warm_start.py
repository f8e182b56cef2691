"""Starting a search from what earlier sweeps found out."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from igmsweep.errors import UserError
from igmsweep.record.folder import SweepFolder
from igmsweep.record.paths import WARM_START
from igmsweep.record.ranking import scored
from igmsweep.spaces.space import SearchSpace

logger = logging.getLogger(__name__)


def take_over(folders: Sequence[Path], space: SearchSpace, spec: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Complete trials of earlier sweeps that fit the space, as `params`, `value` and `source`.

    Raises:
        UserError: a folder that is no sweep, or one whose scores cannot be compared: other data, split or metric.
    """
    taken = []
    for folder in folders:
        try:
            sweep = SweepFolder.read(folder)
            compared = {"metric": sweep.spec["metric"], "method": sweep.spec["method"]}
            compared |= {f"data.{key}": sweep.spec["data"][key] for key in ("name", "data_hash", "split_hash")}
        except (UserError, KeyError, TypeError):
            raise UserError(f"--warm-start: {folder} is no sweep; expected a folder with sweep.yaml") from None
        ours = {"metric": spec["metric"], "method": spec["method"]}
        ours |= {f"data.{key}": spec["data"][key] for key in ("name", "data_hash", "split_hash")}
        for key, value in compared.items():
            if value != ours[key]:
                raise UserError(f"--warm-start: {folder} has {key} {value}, this sweep {ours[key]}: not comparable")
        left = 0
        for number, value in scored(sweep.rows, space.metric).items():
            known = sweep.rows[number].params
            try:
                params = space.admit(known, str(folder))
            except UserError:
                left += 1
                continue
            if space.forbidden(params) or set(params) != set(known):
                left += 1
                continue
            taken.append({"params": params, "value": value, "source": f"warm:{folder.name}#{number}"})
        if left:
            logger.warning("--warm-start: %d trials of %s lie outside this space and are left out", left, folder)
    return taken


def read_warm(folder: Path) -> list[dict[str, Any]]:
    """What `take_over` found when the sweep was started."""
    path = folder / WARM_START
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
