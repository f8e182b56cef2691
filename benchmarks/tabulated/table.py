"""The table as a black box: a configuration is answered by the nearest one that was trained."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from igmsweep.config import TrainConfig
from igmsweep.spaces.choose import load_space
from igmsweep.spaces.param import Param
from igmsweep.spaces.space import SearchSpace

HERE = Path(__file__).parent
CYCLE = 6
"""Epochs of a cycle: three of each modality."""


def place(param: Param, value: float) -> float:
    """Where a number lies in its logarithmic range, from 0 to 1."""
    assert param.low is not None and param.high is not None
    return float(np.log(value / param.low) / np.log(param.high / param.low))


@dataclass(frozen=True, eq=False)
class Table:
    """`correct`: (configurations, seeds, epochs, samples) bool, of validation and test together. `params`: of each configuration."""

    space: SearchSpace
    params: tuple[dict[str, Any], ...]
    correct: np.ndarray

    @classmethod
    def read(cls, path: Path = HERE / "table.npz") -> Table:
        """The committed table. Raises OSError."""
        with np.load(path, allow_pickle=False) as file:
            samples = int(file["samples"])
            correct = np.unpackbits(file["correct"], axis=-1)[..., :samples].astype(bool)
            params = tuple(json.loads(text) for text in file["params"])
        base = TrainConfig(data="avdigits", method="igm", device="cpu")
        return cls(load_space(HERE / "space.yaml", base), params, correct)

    def __len__(self) -> int:
        return len(self.params)

    def unit(self, params: dict[str, Any]) -> np.ndarray:
        """(parameters,) where each value lies in its range; a choice by its number, NaN where a parameter does not act."""
        found = []
        for param in self.space.params:
            value = params.get(param.path)
            if value is None:
                found.append(np.nan)
            elif param.type == "categorical":
                found.append(float(param.choices.index(value)))
            else:
                found.append(place(param, value))
        return np.array(found)

    @cached_property
    def points(self) -> np.ndarray:
        """(configurations, parameters) of `unit`."""
        return np.array([self.unit(params) for params in self.params])

    def nearest(self, params: dict[str, Any]) -> int:
        """The trained configuration with the same choices that lies nearest, each range as long as any other."""
        point = self.unit(params)
        choices = np.array([param.type == "categorical" for param in self.space.params])
        gap = np.nan_to_num(self.points - point)
        gap[:, choices] = np.where(gap[:, choices] != 0, len(choices), 0)  # farther than any number can be
        return int((gap**2).sum(axis=1).argmin())

    def default(self) -> dict[str, Any]:
        """The method's defaults on the data set, moved into the space's ranges."""
        values = TrainConfig(data="avdigits", method="igm", device="cpu").paths()
        found = {}
        for param in self.space.params:
            value = values[param.path]
            found[param.path] = (
                value if param.low is None or param.high is None else min(max(value, param.low), param.high)
            )
        return self.space.active(found)

    def drawn(self, size: int, reshuffled: bool, generator: np.random.Generator) -> Splits:
        """One drawing of who validates and what is unseen."""
        return Splits(self, size, reshuffled, generator)


class Splits:
    """One drawing of samples: a half for development, of which `size` validate, and a half that nobody sees.

    Args:
        size: validation samples.
        reshuffled: whether every trial draws its own from the development half (Nagler et al. 2024); the training part stays,
            as a table cannot train anew.
    """

    def __init__(self, table: Table, size: int, reshuffled: bool, generator: np.random.Generator) -> None:
        self._development, unseen = np.split(generator.permutation(table.correct.shape[-1]), 2)
        self._table, self._size, self._reshuffled, self._generator = table, size, reshuffled, generator
        self._truth = table.correct[:, :, -1][..., unseen].mean(axis=(1, 2))
        """(configurations,) accuracy on what nobody sees, mean of the seeds."""
        self.best = float(self._truth.max())
        """The most accurate configuration's."""

    def train(self, params: dict[str, Any]) -> tuple[list[float], float]:
        """Validation accuracy at the end of each cycle of one training, the seed drawn, and the configuration's true accuracy."""
        row = self._table.nearest(params)
        own = self._generator.permutation(self._development) if self._reshuffled else self._development
        seed = self._generator.integers(self._table.correct.shape[1])
        scores = self._table.correct[row, seed, CYCLE - 1 :: CYCLE][:, own[: self._size]].mean(axis=1)
        return scores.tolist(), float(self._truth[row])
