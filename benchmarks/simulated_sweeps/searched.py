"""A simulated response as something to be searched, for `benchmarks.tabulated.judged --on`."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.simulated_sweeps.design import NOISE, RESPONSES, SPACE, Validation
from igmsweep.spaces.space import SearchSpace


class Response:
    """One of `RESPONSES`; its default configuration stands in the middle of every range."""

    def __init__(self, name: str) -> None:
        self.space = SearchSpace.from_dict({"params": SPACE})
        self.answer = RESPONSES[name]

    def default(self) -> dict[str, Any]:
        """The middle of every range, the second of the choices."""
        return self.space.at([0.5] * len(self.space.params))

    def drawn(self, size: int, reshuffled: bool, generator: np.random.Generator) -> Simulation:
        """Validation samples and the trainings' noise."""
        return Simulation(self, size, reshuffled, generator)


class Simulation:
    """Trainings of a response, scored on one set of samples or, `reshuffled`, each on one of its own."""

    def __init__(self, response: Response, size: int, reshuffled: bool, generator: np.random.Generator) -> None:
        self.best = max(response.answer(response.space.at(point)) for point in generator.random((4096, len(SPACE))))
        self._answer, self._size, self._reshuffled, self._generator = response.answer, size, reshuffled, generator
        self._validation, self._trained = Validation(size, generator), 0

    def train(self, params: dict[str, Any]) -> tuple[list[float], float]:
        """The validation accuracy of a new training, and the configuration's true accuracy."""
        if self._reshuffled:
            self._validation = Validation(self._size, self._generator)
        self._trained += 1
        truth = self._answer(params)
        right = self._validation.right(truth + NOISE * float(self._generator.standard_normal()), self._trained)
        return [float(right.mean())], truth
