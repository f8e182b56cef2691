"""Which weights a stage hands to the next: its last epoch's, or those of the best epoch on validation."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from torch import nn

from igmsweep.schema.sections import StagesConfig


class HandOver:
    """Remembers the best epoch under the rule of `stages.handover`; nothing under `last`."""

    def __init__(self, config: StagesConfig) -> None:
        self.rule, self.metric = config.handover, config.handover_by
        self.best: dict[str, Any] | None = None
        """`score`, `epoch`, `model` (a state dict) and `val`, the epoch's validation metrics; part of every checkpoint."""

    def begin_stage(self) -> None:
        """Under `best_val` a stage is judged by itself; under `best_fused` it must beat all before it."""
        if self.rule == "best_val":
            self.best = None

    def look(self, row: Mapping[str, Any], active: tuple[str, ...], model: nn.Module) -> None:
        """An epoch has ended: keep its weights when they are the best so far; of equal ones the first."""
        if self.rule == "last":
            return
        alone = self.rule == "best_val" and len(active) == 1
        score = row[f"val/{active[0]}/{self.metric}" if alone else f"val/{self.metric}"]
        score = -score if self.metric == "loss" else score
        if self.best is None or score > self.best["score"]:
            self.best = {
                "score": score,
                "epoch": row["epoch"],
                "model": copy.deepcopy(model.state_dict()),
                "val": {name: value for name, value in row.items() if name.startswith("val/")},
            }

    def end_stage(self, model: nn.Module) -> dict[str, Any]:
        """Put the chosen weights into the model; what the stage's last row then says of them."""
        if self.best is None:
            return {}
        model.load_state_dict(self.best["model"])
        said: dict[str, Any] = self.best["val"] | {"handover_epoch": self.best["epoch"]}
        if self.rule == "best_val":
            self.best = None
        return said
