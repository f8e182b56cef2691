"""What a few measured steps say about a trial and a sweep, in figures and in words that tell measured from extrapolated."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from igmsweep.data.progress import clock

if TYPE_CHECKING:
    from igmsweep.data.few import Few
    from igmsweep.sweep.effort import Effort


@dataclass(frozen=True)
class StepEstimate:
    """What a few steps say about a whole trial. Times are seconds of wall clock on `device`, with nothing beside it.

    Attributes:
        step: seconds of a training step, by the modalities that it trains (`audio`, or `audio+video`).
        steps: training steps of the whole trial, likewise.
        input_share: share of a step that goes into making its batch, likewise; 0 to 1.
        evaluation: seconds of one validation, which follows every epoch.
        hand_over: seconds between two stages: covariances and their decompositions.
        trial: seconds of the whole trial, its start included.
        start: seconds of building the model, the data's cache being there.
        once: seconds of encoding all samples for frozen encoders, which the first trial alone spends; 0 without any.
        memory: peak bytes: allocated on a GPU, resident of this process on a CPU; of what was measured.
        device: `cuda` or `cpu`.
        batch: samples of a step.
        effort: the short training that was measured; None: forward passes alone.
        guessed: the steps that were not measured.
        few: the samples that were decoded for it; None: the data was given.
    """

    step: dict[str, float]
    steps: dict[str, int]
    input_share: dict[str, float]
    evaluation: float
    hand_over: float
    trial: float
    start: float
    once: float
    memory: int
    device: str
    batch: int
    effort: Effort | None = None
    guessed: tuple[str, ...] = ()
    few: Few | None = None

    def sweep(self, trials: int, concurrent: int) -> float:
        """Seconds of a sweep whose trials do not slow each other down, so the least that it takes."""
        return self.once + math.ceil(trials / max(1, concurrent)) * self.trial

    def lines(self, trials: int | None = None, concurrent: int = 1) -> list[str]:
        """For a person, what was measured before what follows from it: decoding, a step, a trial and, with `trials`, the sweep."""
        return [f"measured: {line}" for line in self._measured()] + [
            f"extrapolated: {line}" for line in self._extrapolated(trials, concurrent)
        ]

    def _measured(self) -> list[str]:
        lines = []
        if self.few is not None:
            bad = f"; {self.few.unusable} of them have files that cannot be used" if self.few.unusable else ""
            lines.append(f"{self.few.decoded} samples decoded, {_each(self.few.seconds)} each{bad}")
        told = [self._told(name) for name in self.step if name not in self.guessed]
        if told:
            small = self.effort is not None and self.effort.batch < self.batch
            scaled = f", by batches of {self.effort.batch}" if self.effort is not None and small else ""
            memory = f"at {'least' if small else 'most'} {self.memory / 2**20:.0f} MiB"
            lines.append(f"a step of {self.batch} samples{scaled}: {', '.join(told)}; {self.device}, {memory}")
        return lines

    def _extrapolated(self, trials: int | None, concurrent: int) -> list[str]:
        lines = []
        if self.guessed:
            told = ", ".join(f"{name} {_each(self.step[name])}" for name in self.guessed)
            lines.append(f"a step of {self.batch} samples, by forward passes alone: {told}; {self.device}")
        if self.few is not None:
            lines.append(
                f"decoding all {self.few.train + self.few.val:,} samples once, where the cache does not hold them: about "
                f"{clock(self.few.all_seconds())}, {_size(self.few.all_bytes())}"
            )
        lines.append(f"a trial: about {clock(self.trial)} ({sum(self.steps.values())} steps)")
        if trials is not None:
            lines.append(
                f"the sweep: at least {clock(self.sweep(trials, concurrent))} ({trials} trials, {concurrent} at a time)"
            )
        return lines

    def _told(self, name: str) -> str:
        return f"{name} {_each(self.step[name])} ({self.input_share[name]:.0%} of it input)"


def _each(seconds: float) -> str:
    return f"{seconds * 1000:.3g} ms" if seconds < 1 else f"{seconds:.3g} s"


def _size(count: int) -> str:
    return f"{count / 2**20:.0f} MiB" if count < 2**30 else f"{count / 2**30:.1f} GiB"
