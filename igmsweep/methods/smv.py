"""SMV: sample-level modality valuation (Wei et al., CVPR 2024).

With v(S) = |S| where the prediction from the modalities S is right and 0 where it is not, phi_m is a sample's Shapley value
of modality m; 1 is its fair share. After a warm-up every epoch ends with a valuation of the training set. `level: sample`
draws each sample again, with that modality alone, once for phi_m in (0.4, 1), twice for (-0.1, 0.4], three times below;
`level: modality` estimates the gap of the mean phi_m over a part of the training set and draws that share of samples again
with the modality that contributes less. What is left out is zeros in the place of its features.

The released code does not run as it is (arguments that its data sets do not take) and values augmented pictures; the
valuation here sees them as evaluation does. An epoch may grow to 1 + 3 M times its length: `smv/samples` says how long it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import Field

from igmsweep.late import torch
from igmsweep.methods.base import About, Layout, Method, MethodParams, Run, cross_entropy, fused_logits, fused_loss
from igmsweep.methods.shapley import shapley, subsets
from igmsweep.seeds import derived_seed

if TYPE_CHECKING:
    from torch import Tensor

    from igmsweep.data.loader import Batch


class SMVParams(MethodParams):
    """Parameters of SMV."""

    presets = {"paper": {"model.head": []}}

    name: str = "smv"
    level: Literal["sample", "modality"] = "sample"
    """Whether each sample is drawn again by its own contributions, or a share of all by the mean ones."""
    warmup: float = Field(0.1, ge=0, le=1)
    """Share of the training before the first valuation (released: 5 of 60 epochs)."""
    copies: int = Field(3, ge=0, le=3)
    """`sample`: a sample is drawn again at most so often for a modality; 0 redraws nothing."""
    part: float = Field(0.2, gt=0, le=1)
    """`modality`: share of the training set that is valued."""
    alpha: float = Field(1.0, ge=0)
    """`modality`: factor on the share of samples that are drawn again; 0 redraws nothing."""


def copies_of(phi: np.ndarray, most: int = 3) -> np.ndarray:
    """How often a sample is drawn again for a contribution phi: 0 from 1 on, 1 above 0.4, 2 above -0.1, else 3.

    Of four modalities or more a sum of shares may miss 1 by round-off; no other contribution is as near to it.
    """
    copies: np.ndarray = np.minimum(np.select([phi > 1 - 1e-4, phi > 0.4, phi > -0.1], [0, 1, 2], 3), most)
    return copies


class SMV(Method):
    """Fused cross-entropy; samples whose modalities contribute little are drawn again with these alone."""

    Params = SMVParams
    about = About(
        "Enhancing multimodal cooperation via sample-level modality valuation",
        "Wei et al., CVPR",
        2024,
        "concat",
        cost=2.1,
    )
    params: SMVParams

    @classmethod
    def layout(cls, params: MethodParams) -> Layout:
        return Layout("concat")

    def begin_epoch(self, run: Run) -> Iterable[Batch]:
        rows, keeps = self._again(run)
        self._samples = torch.tensor(float(len(run.train.rows) + len(rows)), device=run.device)
        return self._mixed(run, rows, keeps) if len(rows) else run.train

    def step(self, run: Run, batch: Batch) -> dict[str, Tensor]:
        with run.autocast():
            output = run.model(batch.inputs, batch.mask)
        loss = fused_loss(output, batch.labels)
        loss.backward()
        run.update()
        log = {"loss": loss.detach(), "smv/samples": self._samples}
        whole = torch.ones_like(batch.labels, dtype=torch.bool)
        for present in (batch.mask or {}).values():
            whole = whole & present
        if bool(whole.any()):  # samples of one modality are harder, so that drawing some looks like a loss that stalls
            log["plain"] = cross_entropy(fused_logits(output)[whole], batch.labels[whole]).detach()
        return log

    def end_epoch(self, run: Run, metrics: Mapping[str, float]) -> None:
        if round(self.params.warmup * run.epochs) <= run.epoch + 1 < run.epochs:  # nothing follows the last epoch
            self._value(run)

    def _value(self, run: Run) -> None:
        """phi of every training sample that is valued, into the state: rows (n,) and contributions (n, M)."""
        loader = run.clean() if self.params.level == "sample" else run.clean(self.params.part)
        rows, found = [], []
        with torch.no_grad(), run.evaluating():
            for batch in loader:
                with run.autocast():
                    features = run.model.encode(batch.inputs)
                    values = {
                        subset: len(subset) * self._right(run, features, subset, batch.labels)
                        for subset in subsets(self.modalities)
                    }
                phi = shapley(values, self.modalities)
                rows.append(batch.index)
                found.append(torch.stack([phi[name] for name in self.modalities], dim=1))
        self.state["rows"], self.state["phi"] = torch.cat(rows), torch.cat(found)

    @staticmethod
    def _right(run: Run, features: Mapping[str, Tensor], subset: tuple[str, ...], labels: Tensor) -> Tensor:
        output = run.model.classify({name: features[name] for name in subset})
        return (fused_logits(output).argmax(1) == labels).float()

    def _again(self, run: Run) -> tuple[np.ndarray, np.ndarray]:
        """Rows that are drawn again in this epoch, and which modality (its number) each keeps."""
        if "phi" not in self.state:
            return np.zeros(0, int), np.zeros(0, int)
        rows, phi = self.state["rows"].cpu().numpy(), self.state["phi"].cpu().numpy()
        if self.params.level == "sample":
            counts = copies_of(phi, self.params.copies)
            kept = [np.full(counts[:, m].sum(), m) for m in range(phi.shape[1])]
            return np.concatenate([np.repeat(rows, counts[:, m]) for m in range(phi.shape[1])]), np.concatenate(kept)
        gaps = 1 - phi.mean(0)
        count = int(self.params.alpha * (gaps.max() - gaps.min()) * 2 / 3 * len(run.train.rows))
        chosen = np.random.default_rng(derived_seed(run.seed, "smv/again", run.epoch)).choice(run.train.rows, count)
        return chosen, np.full(count, gaps.argmax())

    def _mixed(self, run: Run, again: np.ndarray, keeps: np.ndarray) -> Iterator[Batch]:
        """All samples as they are and those drawn again, shuffled together."""
        rows = np.concatenate([run.train.rows, again])
        keeps = np.concatenate([np.full(len(run.train.rows), -1), keeps])
        order = np.random.default_rng(derived_seed(run.seed, "smv/order", run.epoch)).permutation(len(rows))
        generator = torch.Generator(device=run.device)
        generator.manual_seed(derived_seed(run.seed, "smv/augment", run.epoch))
        size = run.train.batch_size
        for start in range(0, len(rows), size):
            chosen = order[start : start + size]
            if len(chosen) == 1 and start > 0:  # batch normalisation cannot train on a batch of one sample
                return
            kept = keeps[chosen]
            present = {name: (kept == -1) | (kept == m) for m, name in enumerate(self.modalities)}
            yield run.train.batch(rows[chosen], generator, present=present)
