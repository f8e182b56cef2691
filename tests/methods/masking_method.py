"""A throw-away method for the contract's proof: it masks modalities and redraws samples by how they are classified.

It needs what AGM and SMV need of the contract: forward passes with modalities left out, a pass over the training set
without augmentation at the start of an epoch, state that survives a resume, and an epoch that draws other samples,
each with other modalities, than the loader would.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from igmsweep.data.loader import Batch
from igmsweep.methods.base import Layout, Method, MethodParams, Run


class MaskingParams(MethodParams):
    """How many epochs pass before samples are redrawn."""

    name: str = "masking"
    warmup: int = 1


class Masking(Method):
    """Joint concat training; samples that a modality alone gets wrong are drawn again with only that modality."""

    Params = MaskingParams
    sees = "all"
    params: MaskingParams

    @classmethod
    def layout(cls, params: MethodParams) -> Layout:
        return Layout("concat")

    def begin_epoch(self, run: Run) -> Iterable[Batch]:
        yield from run.train
        if run.epoch < self.params.warmup:
            return
        wrong: dict[str, list[Tensor]] = {name: [] for name in self.modalities}
        with torch.no_grad(), run.evaluating():
            for batch in run.clean():
                for name in self.modalities:
                    output = run.model(batch.only([name]).inputs)  # every other modality masked
                    assert output.fused is not None
                    wrong[name].append(batch.index[output.fused.argmax(1) != batch.labels])
        generator = torch.Generator(device=run.device).manual_seed(run.epoch)
        for name, parts in wrong.items():
            rows = torch.cat(parts).cpu().numpy()
            self.state[f"redrawn/{name}"] = self.state.get(f"redrawn/{name}", 0) + len(rows)
            for start in range(0, len(rows) - 1, 16):
                yield run.train.batch(np.asarray(rows[start : start + 16]), generator).only([name])

    def step(self, run: Run, batch: Batch) -> dict[str, Tensor]:
        output = run.model(batch.inputs)
        assert output.fused is not None
        loss = F.cross_entropy(output.fused, batch.labels)
        loss.backward()
        run.update()
        return {"loss": loss.detach()}
