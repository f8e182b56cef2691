"""The learning curves of the best trials, cut into equal pieces that may be compared."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pandas as pd

from igmsweep.frame import Sweep

TRIALS = 10
FEWEST = 3
"""With fewer curves nothing is said about what they share."""
FEWEST_COMPLETED = 10
"""The best of fewer trials are hardly the best."""
FEWEST_EPOCHS = 9
"""A training without cycles is cut into thirds of at least three epochs."""


@dataclass(frozen=True, eq=False)
class Curves:
    """Curves of equally trained trials, best first.

    trials: their numbers. score: (trials, epochs) validation scores, signed such that more is better. val_loss, train_loss:
    the same shape, or None. piece: (epochs,) which equal piece an epoch belongs to, from 0; -1 where none. A piece is a cycle,
    so that each holds the same stages; without cycles a third of the training. stage: (epochs,) numbers.
    """

    trials: list[int]
    score: np.ndarray
    val_loss: np.ndarray | None
    train_loss: np.ndarray | None
    piece: np.ndarray
    stage: np.ndarray
    cycles: bool

    @property
    def pieces(self) -> int:
        return int(self.piece.max()) + 1

    def means(self, values: np.ndarray) -> np.ndarray:
        """(trials, pieces): the mean of each piece."""
        return np.stack([values[:, self.piece == number].mean(axis=1) for number in range(self.pieces)], axis=1)

    @property
    def word(self) -> str:
        """What a piece is called."""
        return "cycle" if self.cycles else "third of the training"


@lru_cache(maxsize=8)  # several rules ask for the same
def curves(sweep: Sweep) -> Curves | None:
    """Of the best ten trials, those trained through the same stages as the best; None with folds (their epochs share a
    file), of fewer than ten trials, with fewer than three such ones, or where no equal pieces are."""
    done = sweep.completed()
    if sweep.spec.get("folds") or len(done) < FEWEST_COMPLETED:
        return None
    found = {int(trial): sweep.history(int(trial)) for trial in done["trial"].head(TRIALS)}
    needed = {"stage", "cycle", "active", sweep.metric}
    usable = {trial: rows for trial, rows in found.items() if len(rows) and needed <= set(rows.columns)}
    if not usable:
        return None
    shape = _plan(next(iter(usable.values())))
    alike = {trial: rows for trial, rows in usable.items() if _plan(rows) == shape}
    piece, cycles = _pieces(next(iter(alike.values())))
    sign = 1.0 if sweep.maximise else -1.0
    score = _stack(alike, sweep.metric)
    if len(alike) < FEWEST or piece.max() < 1 or score is None:
        return None
    stage = next(iter(alike.values()))["stage"].to_numpy()
    return Curves(
        list(alike), sign * score, _stack(alike, "val/loss"), _stack(alike, "train/loss"), piece, stage, cycles
    )


def _plan(rows: pd.DataFrame) -> list[tuple[object, object]]:
    return list(zip(rows["cycle"], rows["active"], strict=True))


def _pieces(rows: pd.DataFrame) -> tuple[np.ndarray, bool]:
    cycle = rows["cycle"].to_numpy()
    parts = [rows["active"][cycle == number].tolist() for number in np.unique(cycle)]
    if len(parts) > 1:
        # cycles of other stages than the last one's, such as a pre-training, cannot be compared with it
        alike = [number for number, part in zip(np.unique(cycle), parts, strict=True) if part == parts[-1]]
        return np.array([alike.index(number) if number in alike else -1 for number in cycle]), True
    third = len(rows) // 3
    if rows["active"].nunique() > 1 or len(rows) < FEWEST_EPOCHS:
        return np.full(len(rows), -1), False
    return np.maximum(-1, (np.arange(len(rows)) - len(rows) % 3) // third), False


def _stack(found: dict[int, pd.DataFrame], column: str) -> np.ndarray | None:
    if any(column not in rows.columns for rows in found.values()):
        return None
    values = np.array([pd.to_numeric(rows[column], errors="coerce").to_numpy(dtype=float) for rows in found.values()])
    return values if np.isfinite(values).all() else None
