"""A method of your own: late fusion with a temperature that sharpens the slower modality's loss.

igmsweep train avdigits --method docs/examples/my_method.py:Tempered --set method.temperature=2
"""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional as F

from igmsweep.data.loader import Batch
from igmsweep.methods.base import Method, MethodParams, Run


class TemperedParams(MethodParams):
    """Typed parameters with defaults: they are legal keys of a search space at once, as `method.temperature`."""

    name: str = "tempered"
    temperature: float = Field(1.5, gt=0)


class Tempered(Method):
    """Each modality's own loss; the one that lags behind gets logits multiplied by the temperature."""

    Params = TemperedParams
    params: TemperedParams

    def step(self, run: Run, batch: Batch) -> dict[str, Tensor]:
        output = run.model(batch.inputs)
        losses = torch.stack([F.cross_entropy(logits, batch.labels) for logits in output.logits.values()])
        slowest = losses.argmax()
        scales = torch.ones_like(losses)
        scales[slowest] = self.params.temperature
        loss = (losses * scales).sum()
        loss.backward()
        run.update()
        return {"loss": loss.detach()}
