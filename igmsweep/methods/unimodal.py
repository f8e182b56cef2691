"""One modality on its own: the reference that joint training is measured against."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from igmsweep.errors import UserError, nearest
from igmsweep.late import torch
from igmsweep.methods.base import About, Method, MethodParams, Run, cross_entropy, wide

if TYPE_CHECKING:
    from torch import Tensor

    from igmsweep.data.loader import Batch
    from igmsweep.models.multimodal import Output


class UnimodalParams(MethodParams):
    """Parameters of training one modality."""

    name: str = "unimodal"
    modality: str | None = None
    """Which one; None is the data set's first."""

    def check(self, modalities: Sequence[str]) -> None:
        if self.modality is not None and self.modality not in modalities:
            raise UserError(
                f"method.modality: unknown modality '{self.modality}', expected one of {', '.join(modalities)}"
                f"{nearest(self.modality, modalities)}"
            )


class Unimodal(Method):
    """Cross-entropy on one modality; the others are neither trained nor scored."""

    Params = UnimodalParams
    about = About("One modality alone", fusion="none", modalities=1, cost=0.6)

    def __init__(self, params: UnimodalParams, modalities: Sequence[str]) -> None:
        super().__init__(params, (params.modality or modalities[0],))

    def step(self, run: Run, batch: Batch) -> dict[str, Tensor]:
        (name,) = self.modalities
        with run.autocast():
            logits = run.model.one(name, batch.inputs[name])
        loss = cross_entropy(logits, batch.labels)
        loss.backward()
        run.update()
        return {"loss": loss.detach()}

    def fuse(self, output: Output) -> Tensor:
        return torch.softmax(wide(output.logits[self.modalities[0]]), dim=-1)
