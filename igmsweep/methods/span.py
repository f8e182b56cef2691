"""Parameters of methods that act in a part of the training."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pydantic import Field

from igmsweep.errors import UserError
from igmsweep.schema.sections import MethodParams

if TYPE_CHECKING:
    from igmsweep.methods.run import Run


class Spanned(MethodParams):
    """From which share of the training to which a method acts; outside, its training is the plain one."""

    start: float = Field(0.0, ge=0, le=1)
    """From which share of the training on it acts."""
    end: float = Field(1.0, ge=0, le=1)
    """Up to which share."""

    def check(self, modalities: Sequence[str]) -> None:
        if self.start > self.end:
            raise UserError(
                f"method.start: found {self.start} with method.end {self.end}; expected a start before the end"
            )

    def acts(self, progress: float) -> bool:
        """Whether it acts at this share of the training, in [0, 1]."""
        return self.start <= progress < self.end

    def warn(self, run: Run) -> None:
        """Note it where no epoch of this training begins in the span."""
        if not any(self.acts(epoch / run.epochs) for epoch in range(run.epochs)):
            run.note(
                f"{self.name}: none of {run.epochs} epochs begins between {self.start} and {self.end}: it never acts"
            )
