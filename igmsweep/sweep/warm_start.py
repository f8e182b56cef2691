"""Starting a search from what earlier sweeps found out."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from igmsweep.errors import UserError
from igmsweep.gate.numbers import finite
from igmsweep.legible import quoted
from igmsweep.record.folder import SweepFolder
from igmsweep.record.json_files import read_lines
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
            if space.unfit(known) is not None or space.forbidden(known):
                left += 1
                continue
            taken.append({"params": dict(known), "value": value, "source": f"warm:{folder.name}#{number}"})
        if left:
            logger.warning("--warm-start: %d trials of %s lie outside this space and are left out", left, folder)
    return taken


def read_warm(folder: Path, space: SearchSpace) -> list[dict[str, Any]]:
    """What `take_over` found when the sweep was started."""

    def fault(row: Mapping[str, Any]) -> str | None:
        if not isinstance(row.get("params"), dict):
            return f"params: found {quoted(row.get('params'))}, expected paths and values"
        if finite(row.get("value")) is None:
            return f"value: found {quoted(row.get('value'))}, expected a number"
        return space.unfit(row["params"])

    rows, aside = read_lines(folder / WARM_START, fault)
    if aside is not None:
        logger.warning(aside.words())
    return [{"source": "warm", **row} for row in rows]
