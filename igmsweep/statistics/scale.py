"""The scale on which scores are modelled: one on which noise is about the same at every level.

Two trainings of a configuration at 94 % often differ by a point or two, two at 60 % by ten: what is additive then is the logarithm of
the odds of a share (McCullagh and Nelder 1989, Sec. 4.3), and the logarithm of a loss. Which scale a sweep's scores ask for, the
likelihood says (as of Box and Cox 1964).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

Kind = Literal["plain", "log odds", "log"]
TINY = 1e-9
"""Of a loss: what is nearer to zero counts as this far from it."""


@dataclass(frozen=True)
class Scale:
    """`kind`: of scores as they are, of shares in [0, 1], or of losses with their sign turned, so that more is better in all three.
    `slack`: added to a share on both sides, so that 0 and 1 have odds."""

    kind: Kind = "plain"
    slack: float = 0.0

    def there(self, scores: np.ndarray) -> np.ndarray:
        """Scores on the scale; what is better is larger."""
        if self.kind == "log odds":
            return np.asarray(np.log((scores + self.slack) / (1 - scores + self.slack)))
        return np.asarray(-np.log(np.maximum(-scores, TINY)) if self.kind == "log" else scores)

    def back(self, values: np.ndarray) -> np.ndarray:
        """The scores at places of the scale; shares stay in [0, 1]."""
        if self.kind == "log odds":
            share = 1 / (1 + np.exp(-values))
            return np.asarray(np.clip(share * (1 + 2 * self.slack) - self.slack, 0, 1))
        return np.asarray(-np.exp(-values) if self.kind == "log" else values)

    def slope(self, scores: np.ndarray) -> np.ndarray:
        """How far the scale goes for a unit of score, at each score."""
        if self.kind == "log odds":
            return np.asarray(1 / (scores + self.slack) + 1 / (1 - scores + self.slack))
        return np.asarray(1 / np.maximum(-scores, TINY) if self.kind == "log" else np.ones_like(scores))


PLAIN = Scale()


def scales_of(scores: np.ndarray, shares: bool, losses: bool, samples: int) -> tuple[Scale, ...]:
    """The scales that a metric's scores, more is better, may be modelled on.

    Args:
        scores: (n,).
        shares: whether they are shares of something. One outside [0, 1] leaves the scores as they are.
        losses: whether they are losses with their sign turned; so does one that is not below 0.
        samples: that they are over: a share is known to half a sample.
    """
    if shares and scores.min() >= 0 and scores.max() <= 1:
        return PLAIN, Scale("log odds", 0.5 / samples)
    return (PLAIN, Scale("log")) if losses and scores.max() < 0 else (PLAIN,)
