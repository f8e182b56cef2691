"""Throw-away methods that need of the contract what the hardest methods of Table 1 need. None is a faithful port.

`Boosting` needs what ReconBoost needs: a learnable rate of its own, stages of three kinds with their own epochs and rates,
modalities at rest that are seen. `Valuing` needs what SMV needs: samples drawn again, each with modalities of its own.
`Blending` needs what OGR-GB needs: copies of the model trained on a cut of the training set, losses over a loader, heads
of another kind beside the fused one. `Stopping` needs what MSES and MSLR need: modalities that rest or change their pace
by what validation says, and a training that ends when nobody is left.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from igmsweep.data.loader import Batch
from igmsweep.methods.base import Layout, Method, MethodParams, Run, Stage, cycles
from igmsweep.models.multimodal import MultimodalModel, Output


class Boosting(Method):
    """Each modality fits what the others leave over; then all are rectified together with a learnable rate."""

    class Params(MethodParams):
        name: str = "boosting"
        rectify: int = 1
        rectify_rate: float = 0.5
        pretrain: int = 1

    params: Params
    sees = "all"

    @classmethod
    def layout(cls, params: MethodParams) -> Layout:
        return Layout("shared", hidden=(8,))

    def modules(self, model: MultimodalModel) -> Mapping[str, nn.Module]:
        return {"boost": nn.ParameterDict({"rate": nn.Parameter(torch.ones(()))})}

    def stages(self, count: int, epochs: Mapping[str, int]) -> list[Stage]:
        rectify = Stage(self.modalities, self.params.rectify, "rectify", self.params.rectify_rate)
        turns = [stage for name in self.modalities for stage in (Stage((name,), epochs[name]), rectify)]
        return [Stage(self.modalities, self.params.pretrain, "pretrain"), *cycles(count, turns)]

    def begin_stage(self, run: Run) -> None:
        """Draws, and looks at data in evaluation mode: a resumed training must begin its stages like any other."""
        with torch.no_grad(), run.evaluating():
            seen = sum(float(run.model(batch.inputs).logits[self.modalities[0]].mean()) for batch in run.clean(0.2))
        self.state["pace"] = 1.0 + 0.1 * float(torch.rand(())) + 1e-3 * seen

    def step(self, run: Run, batch: Batch) -> dict[str, Tensor]:
        output = run.model(batch.inputs)
        assert run.stage is not None
        if run.stage.name == "pretrain":
            loss = torch.stack([F.cross_entropy(z, batch.labels) for z in output.logits.values()]).sum()
        elif run.stage.name == "rectify":
            loss = F.cross_entropy(self._sum(output), batch.labels)
        else:
            (own,) = run.active
            rest = Output({}, {name: z.detach() for name, z in output.logits.items() if name != own})
            q = torch.softmax(self._sum(rest), dim=-1).gather(1, batch.labels[:, None])[:, 0].detach()
            loss = ((2 - q) * F.cross_entropy(output.logits[own], batch.labels, reduction="none")).mean()
        loss = self.state["pace"] * loss
        loss.backward()
        run.update()
        return {"loss": loss.detach()}

    def fuse(self, output: Output) -> Tensor:
        return torch.softmax(self._sum(output), dim=-1)

    def _sum(self, output: Output) -> Tensor:
        return self.own["boost"]["rate"] * torch.stack(list(output.logits.values())).sum(0)


class Valuing(Method):
    """Samples that a modality alone gets wrong are drawn again, in whole batches, with that modality alone."""

    class Params(MethodParams):
        name: str = "valuing"
        warmup: int = 1

    params: Params
    sees = "all"

    @classmethod
    def layout(cls, params: MethodParams) -> Layout:
        return Layout("concat", hidden=())

    def begin_epoch(self, run: Run) -> Iterable[Batch]:
        yield from run.train
        kept: dict[str, list[int]] = self.state.get("again", {})
        rows = np.array([row for part in kept.values() for row in part], dtype=np.int64)
        present = {
            name: np.array([name == owner for owner, part in kept.items() for _ in part]) for name in self.modalities
        }
        generator = torch.Generator(device=run.device).manual_seed(run.epoch)
        for start in range(0, len(rows) - 1, 16):
            chosen = slice(start, start + 16)
            yield run.train.batch(
                rows[chosen], generator, present={name: mask[chosen] for name, mask in present.items()}
            )

    def end_epoch(self, run: Run, metrics: Mapping[str, float]) -> None:
        if run.epoch + 1 < self.params.warmup:
            return
        wrong: dict[str, list[int]] = {name: [] for name in self.modalities}
        with torch.no_grad(), run.evaluating():
            for batch in run.clean():
                features = run.model(batch.inputs).features
                for name in self.modalities:
                    alone = run.model.classify({name: features[name]})
                    assert alone.fused is not None
                    wrong[name] += batch.index[alone.fused.argmax(1) != batch.labels].tolist()
        self.state["again"] = wrong

    def step(self, run: Run, batch: Batch) -> dict[str, Tensor]:
        fused = run.model(batch.inputs, batch.mask).fused
        assert fused is not None
        loss = F.cross_entropy(fused, batch.labels)
        loss.backward()
        run.update()
        return {"loss": loss.detach()}


class Blending(Method):
    """Losses weighted by how much copies of the model, each trained on one of them, generalise."""

    class Params(MethodParams):
        name: str = "blending"
        every: int = 2

    params: Params

    @classmethod
    def layout(cls, params: MethodParams) -> Layout:
        return Layout("concat", heads=True, own_hidden=())

    def begin_epoch(self, run: Run) -> Iterable[Batch]:
        if run.epoch % self.params.every == 0:
            self.state["weights"] = self._weights(run)
        return run.train

    def step(self, run: Run, batch: Batch) -> dict[str, Tensor]:
        losses = self._losses(run.model(batch.inputs), batch.labels)
        weights: dict[str, float] = self.state["weights"]
        loss = torch.stack([weights[name] * loss for name, loss in losses.items()]).sum()
        loss.backward()
        run.update()
        return {"loss": loss.detach()}

    def _losses(self, output: Output, labels: Tensor) -> dict[str, Tensor]:
        assert output.fused is not None
        return {"fused": F.cross_entropy(output.fused, labels)} | {
            name: F.cross_entropy(z, labels) for name, z in output.logits.items()
        }

    def _weights(self, run: Run) -> dict[str, float]:
        train, held = run.holdout(0.2)
        before = run.mean_losses(held, self._losses)
        gains = {}
        for name in before:
            probe = copy.deepcopy(run.model)
            groups = {modality: probe.part(modality) for modality in self.modalities} | {"shared": probe.shared()}
            optimizer = run.new_optimizer(groups, rate=0.5)
            probe.train()
            for batch in train:
                optimizer.zero_grad()
                self._losses(probe(batch.inputs), batch.labels)[name].backward()
                optimizer.step()
            gains[name] = max(before[name] - run.mean_losses(held, self._losses, probe)[name], 1e-4)
        return {name: gain / sum(gains.values()) for name, gain in gains.items()}


class Stopping(Method):
    """A modality whose own validation loss has stopped falling goes back to its best weights and rests."""

    class Params(MethodParams):
        name: str = "stopping"
        patience: int = 1
        pace: float = 0.5

    params: Params

    def step(self, run: Run, batch: Batch) -> dict[str, Tensor]:
        output = run.model(batch.inputs)
        loss = torch.stack([F.cross_entropy(z, batch.labels) for z in output.logits.values()]).sum()
        loss.backward()
        run.update()
        return {"loss": loss.detach()}

    def end_epoch(self, run: Run, metrics: Mapping[str, float]) -> None:
        for name in run.awake:
            best = self.state.setdefault(name, {"loss": float("inf"), "epoch": 0})
            if metrics[f"val/{name}/loss"] < best["loss"]:
                best |= {"loss": metrics[f"val/{name}/loss"], "epoch": run.epoch}
                best["weights"] = {key: x.clone() for key, x in run.model.branch(name).state_dict().items()}
            elif run.epoch - best["epoch"] > self.params.patience:
                run.model.branch(name).load_state_dict(best["weights"])
                run.changed_weights()
                run.scale(name, 0.0)
            else:
                run.scale(name, self.params.pace)
        if not run.awake:
            run.end_training()
