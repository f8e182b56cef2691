"""The training loop: one for every method, every data set and every driver.

`fit` yields epochs; whoever consumes it (the command line, a Ray trial, a notebook, a test) decides what to do between
them. `train` drains it. Neither knows Ray, Optuna or the command line.

Every epoch seeds its own randomness from (seed, epoch), so a training that is stopped after any epoch and continued
from its checkpoint gives the same bits as one that ran through.
"""

from __future__ import annotations

import copy
import math
import os
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from igmsweep import data as datasets
from igmsweep import methods
from igmsweep.config import TrainConfig
from igmsweep.data.base import DataSet, Partition, SearchData
from igmsweep.data.loader import Loader
from igmsweep.errors import Diverged, UserError
from igmsweep.methods.base import Method, Run, Stage
from igmsweep.metrics import classification_metrics
from igmsweep.models.features import with_features
from igmsweep.models.multimodal import MultimodalModel, build_model
from igmsweep.models.setup import check_tokens, compile_encoders, evaluation_batch, use_channels_last
from igmsweep.schema.sections import SHARED
from igmsweep.seeds import derived_seed

__all__ = ["Epoch", "Report", "TrainConfig", "TrainResult", "evaluate", "fit", "train"]

Report = Callable[[int, dict[str, Any], Callable[[Path], None]], None]
"""`report(step, metrics, save_checkpoint)`, called after every epoch; steps count from 1."""


@dataclass
class Epoch:
    """One finished epoch. `metrics` is flat and plain; `save(path)` writes a checkpoint, valid until the next epoch."""

    number: int
    metrics: dict[str, Any]
    save: Callable[[Path], None]


@dataclass
class TrainResult:
    """What a training leaves behind: the final weights' validation metrics and everything that led there."""

    config: TrainConfig
    metrics: dict[str, float]
    """`val/acc`, `val/map`, `val/f1`, `val/loss`, and the same per modality as `val/<modality>/acc`."""
    history: list[dict[str, Any]]
    seconds: float
    model: MultimodalModel
    method: Method
    notes: list[str] = field(default_factory=list)
    spectra: dict[str, Any] = field(default_factory=dict)

    def evaluate(self, partition: Partition) -> dict[str, float]:
        """Metrics of the final weights on a partition, named `acc`, `map`, ... and `<modality>/acc`, ..."""
        device = next(self.model.parameters()).device
        dataset = datasets.of(self.config.data)
        shapes = [modality.shape for modality in dataset.modalities.values()]
        held = evaluation_batch(shapes, self.config.optim.batch_size)
        loader = Loader(dataset, partition, held, device, channels_last=self.config.channels_last)
        return evaluate(self.model, self.method, loader)


def train(
    config: TrainConfig,
    report: Report | None = None,
    *,
    data: SearchData | None = None,
    resume: Path | None = None,
) -> TrainResult:
    """Run one full training.

    Args:
        config: everything the training needs.
        report: called after every epoch; it may raise to stop the training.
        data: training and validation partitions; None loads them as `config.data` says.
        resume: a checkpoint that `Epoch.save` or `report`'s `save_checkpoint` wrote.

    Raises:
        Diverged: the loss became NaN or infinite.
        UserError: a checkpoint of another configuration, or data that cannot be used.
    """
    training = Training(config, data, resume)
    for epoch in training.epochs():
        if report is not None:
            report(epoch.number, epoch.metrics, epoch.save)
    return training.result()


def fit(config: TrainConfig, data: SearchData | None = None, resume: Path | None = None) -> Iterator[Epoch]:
    """The same training as a generator of epochs; stopping early is a `break`."""
    return Training(config, data, resume).epochs()


@torch.no_grad()
def evaluate(model: MultimodalModel, method: Method, loader: Loader) -> dict[str, float]:
    """`acc`, `map`, `f1`, `loss` of the fused prediction, and of each modality's as `<modality>/acc` and so on."""
    model.eval()
    fused: list[Tensor] = []
    single: dict[str, list[Tensor]] = {name: [] for name in method.modalities}
    labels: list[Tensor] = []
    for batch in loader.only(method.modalities):
        output = model(batch.inputs)
        fused.append(method.fuse(output))
        for name, collected in single.items():
            collected.append(torch.softmax(output.logits[name].float(), dim=-1))
        labels.append(batch.labels)
    truth = torch.cat(labels).cpu().numpy()
    metrics = _scores("", fused, truth)
    for name, collected in single.items():
        metrics |= _scores(f"{name}/", collected, truth)
    return metrics


def _scores(prefix: str, probabilities: list[Tensor], truth: np.ndarray) -> dict[str, float]:
    values = torch.cat(probabilities).float().cpu().numpy()
    if not np.isfinite(values).all():
        raise Diverged(f"the {prefix.rstrip('/') or 'fused'} predictions are not finite")
    return {f"{prefix}{name}": value for name, value in classification_metrics(values, truth).items()}


def new_model(config: TrainConfig, dataset: DataSet) -> MultimodalModel:
    """The model that a configuration's method trains, freshly initialised. Raises UserError, as `build_model` does."""
    fusion, extra_heads = methods.get(config.method.name).layout(config.method)
    return build_model(config.model, dataset, fusion, extra_heads)


def plan(config: TrainConfig, method: Method) -> list[Stage]:
    """The stages of a training: the method's passes, repeated for `stages.cycles` outer iterations.

    A pass of one modality takes that modality's epochs; a pass of several takes the largest of theirs, so that every
    encoder is updated as often under a joint method as under an alternating one.
    """
    passes = method.passes(config.modalities)
    return [
        Stage(
            active=active,
            epochs=max(config.stages.epochs[name] for name in active),
            cycle=number,
            last_of_cycle=position == len(passes) - 1,
        )
        for number in range(config.stages.cycles)
        for position, active in enumerate(passes)
    ]


class Training:
    """The state of one training between epochs."""

    def __init__(self, config: TrainConfig, data: SearchData | None = None, resume: Path | None = None) -> None:
        self.config = config
        self.data = datasets.load_search(config.data) if data is None else data
        self.device = pick_device(config.device)
        dataset = self.data.dataset
        self.method = methods.get(config.method.name)(config.method, config.modalities)
        torch.backends.cudnn.benchmark = False  # it picks kernels by timing, so equal seeds would differ
        torch.manual_seed(derived_seed(config.seed, "init"))
        self.model = new_model(config, dataset).to(self.device)
        shapes = [modality.shape for modality in dataset.modalities.values()]
        held = evaluation_batch(shapes, config.optim.batch_size)
        check_tokens(self.model, self.data.train)
        self.data = with_features(self.model, self.data, datasets.cache_of(config.data), self.device, held)
        dataset = self.data.dataset
        if config.channels_last:
            use_channels_last(self.model)
        if config.compile:
            compile_encoders(self.model)
        loader: dict[str, Any] = {"device": self.device, "seed": config.seed, "channels_last": config.channels_last}
        self.run = Run(
            model=self.model,
            train=Loader(dataset, self.data.train, config.optim.batch_size, training=True, **loader),
            val=Loader(dataset, self.data.val, held, **loader),
            device=self.device,
            seed=config.seed,
            precision=config.precision,
        )
        self.stages = plan(config, self.method)
        self.history: list[dict[str, Any]] = []
        self.seconds = 0.0
        self._scheduler: torch.optim.lr_scheduler.LRScheduler | None = None
        self._best: dict[str, Any] | None = None
        self._position = (0, 0)  # the stage and the epoch in it that come next
        self._resumed_inside = False
        if resume is not None:
            self._load(Path(resume))

    def epochs(self) -> Iterator[Epoch]:
        """Train what is left, an epoch at a time."""
        first_stage, first_epoch = self._position
        for index in range(first_stage, len(self.stages)):
            stage = self.stages[index]
            run = self.run
            run.stage, run.stage_index = stage, index
            if not self._resumed_inside:
                self._begin_stage()
            self._resumed_inside = False
            self.method.begin_stage(run)
            for stage_epoch in range(first_epoch, stage.epochs):
                started = time.perf_counter()
                run.stage_epoch, run.epoch = stage_epoch, len(self.history)
                row = self._train_epoch()
                self._keep_best(row)
                last = stage_epoch == stage.epochs - 1
                if last:
                    self._end_stage(row, final=index == len(self.stages) - 1)
                self._position = (index + 1, 0) if last else (index, stage_epoch + 1)
                row["seconds"] = time.perf_counter() - started
                self.seconds += row["seconds"]
                self.history.append(row)
                yield Epoch(len(self.history), row, self.save)
            first_epoch = 0

    def result(self) -> TrainResult:
        """The outcome so far: metrics are those of the weights the model now has."""
        final = {
            name: value
            for name, value in self.history[-1].items()
            if isinstance(value, float) and (name.startswith("val/") or name in ("sam/moved", "gm/damped", "gm/cosine"))
        }
        for name in ("sam/moved", "gm/damped", "gm/cosine"):  # a mean over the epochs that report it
            values = [row[name] for row in self.history if name in row]
            if values:
                final[name] = float(np.mean(values))
            for modality in self.config.modalities:  # and over those that trained one modality alone
                own = [row[name] for row in self.history if name in row and row["active"] == modality]
                if own:
                    final[f"{name}/{modality}"] = float(np.mean(own))
        return TrainResult(
            self.config, final, self.history, self.seconds, self.model, self.method, self.run.notes, self.run.spectra
        )

    def _begin_stage(self) -> None:
        """A new optimiser and schedule, and every modality but the active ones at rest."""
        stage, optim = self.run.stage, self.config.optim
        assert stage is not None
        rates = dict(optim.lr)
        shared = rates.pop(SHARED, float(np.mean(list(rates.values()))))
        groups: list[dict[str, Any]] = [
            {"name": name, "params": self.model.part(name), "lr": rates[name]} for name in stage.active
        ]
        if self.model.shared():
            groups.append({"name": SHARED, "params": self.model.shared(), "lr": shared})
        if optim.name == "sgd":
            self.run.optimizer = torch.optim.SGD(groups, momentum=optim.momentum, weight_decay=optim.weight_decay)
        else:
            self.run.optimizer = torch.optim.Adam(groups, betas=(0.9, optim.beta2), weight_decay=optim.weight_decay)
        self._scheduler = None
        if optim.schedule == "plateau":
            self._scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(
                self.run.optimizer, factor=optim.factor, patience=optim.patience
            )
        elif optim.schedule == "step":
            self._scheduler = torch.optim.lr_scheduler.StepLR(self.run.optimizer, optim.step_size, optim.factor)
        self._best = None

    def _train_epoch(self) -> dict[str, Any]:
        run = self.run
        assert run.stage is not None and run.optimizer is not None
        torch.manual_seed(derived_seed(self.config.seed, "epoch", run.epoch))  # dropout, and whatever a method draws
        run.generator = torch.Generator(device=self.device)
        run.generator.manual_seed(derived_seed(self.config.seed, "method", run.epoch))
        run.train.epoch = run.epoch
        run.train.modalities = run.active if self.method.sees == "active" else self.config.modalities
        self.model.eval()
        for name in run.active:
            self.model.branch(name).train()
        if self.model.joint is not None:
            self.model.joint.train()
        totals: dict[str, Tensor] = {}
        counts: dict[str, int] = {}
        for number, batch in enumerate(self.method.begin_epoch(run)):
            run.stage_step = number
            for name, value in self.method.step(run, batch).items():
                totals[name] = totals[name] + value if name in totals else value
                counts[name] = counts.get(name, 0) + 1
        row: dict[str, Any] = {
            "epoch": run.epoch + 1,
            "stage": run.stage_index,
            "cycle": run.stage.cycle,
            "active": "+".join(run.active),
            "stage_end": run.stage_epoch == run.stage.epochs - 1,
            "cycle_end": run.stage.last_of_cycle and run.stage_epoch == run.stage.epochs - 1,
        }
        for name, total in totals.items():
            row[name if "/" in name else f"train/{name}"] = float(total) / counts[name]
        if not math.isfinite(row["train/loss"]):
            raise Diverged(f"the training loss of {row['active']} became {row['train/loss']} in epoch {row['epoch']}")
        for group in run.optimizer.param_groups:
            row[f"lr/{group['name']}"] = float(group["lr"])
        row |= {f"val/{name}": value for name, value in evaluate(self.model, self.method, run.val).items()}
        if isinstance(self._scheduler, torch.optim.lr_scheduler.ReduceLROnPlateau):
            self._scheduler.step(row["train/loss"])
        elif self._scheduler is not None:
            self._scheduler.step()
        self.method.end_epoch(run, row)
        return row

    def _keep_best(self, row: Mapping[str, Any]) -> None:
        if self.config.stages.handover != "best_val":
            return
        active = self.run.active
        score = row[f"val/{active[0]}/acc"] if len(active) == 1 else row["val/acc"]
        if self._best is None or score > self._best["score"]:
            self._best = {
                "score": score,
                "epoch": row["epoch"],
                "model": copy.deepcopy(self.model.state_dict()),
                "val": {name: value for name, value in row.items() if name.startswith("val/")},
            }

    def _end_stage(self, row: dict[str, Any], final: bool) -> None:
        """Hand over: the chosen weights, then whatever the method makes of them for the next stage."""
        if self._best is not None:
            self.model.load_state_dict(self._best["model"])
            row |= self._best["val"] | {"handover_epoch": self._best["epoch"]}
            self._best = None
        if not final:
            row |= self.method.end_stage(self.run)

    def save(self, path: Path) -> None:
        """Write a checkpoint atomically: a reader sees the old file or the whole new one."""
        assert self.run.optimizer is not None
        state = {
            "config": self.config.to_dict(),
            "config_hash": self.config.hash(),
            "split_hash": self.data.split_hash,
            "position": list(self._position),
            "inside": self._position[1] > 0,
            "model": self.model.state_dict(),
            "optimizer": self.run.optimizer.state_dict(),
            "scheduler": None if self._scheduler is None else self._scheduler.state_dict(),
            "method": self.method.state_dict(),
            "best": self._best,
            "history": self.history,
            "seconds": self.seconds,
            "notes": self.run.notes,
            "spectra": self.run.spectra,
        }
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(path.name + ".partial")
        torch.save(state, partial)
        os.replace(partial, path)

    def _load(self, path: Path) -> None:
        try:
            state = torch.load(path, map_location=self.device, weights_only=True)
        except FileNotFoundError:
            raise UserError(f"checkpoint: no such file {path}") from None
        except Exception as error:
            raise UserError(f"checkpoint: {path} cannot be read ({type(error).__name__})") from None
        if state["config_hash"] != self.config.hash():
            theirs = dict(TrainConfig(**state["config"]).paths())
            changed = [name for name, value in self.config.paths().items() if theirs.get(name) != value]
            raise UserError(f"checkpoint: {path} belongs to another configuration (differs in {', '.join(changed)})")
        if state["split_hash"] != self.data.split_hash:
            raise UserError(f"checkpoint: {path} was trained on another split of the data")
        self.history, self.seconds = state["history"], state["seconds"]
        self.run.notes, self.run.spectra = state["notes"], state["spectra"]
        self._position = (state["position"][0], state["position"][1])
        self.model.load_state_dict(state["model"])
        self.method.load_state_dict(state["method"])
        if state["inside"]:
            self.run.stage_index = self._position[0]
            self.run.stage = self.stages[self.run.stage_index]
            self._begin_stage()
            assert self.run.optimizer is not None
            self.run.optimizer.load_state_dict(state["optimizer"])
            if self._scheduler is not None:
                self._scheduler.load_state_dict(state["scheduler"])
            self._best = state["best"]
            self._resumed_inside = True


def pick_device(name: str) -> torch.device:
    """`auto` is the GPU where there is one. Raises UserError for a GPU that is not there."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    device = torch.device(name)
    if device.type == "cuda" and (not torch.cuda.is_available() or (device.index or 0) >= torch.cuda.device_count()):
        raise UserError(f"device: found {name}, but this machine has {torch.cuda.device_count()} usable GPUs")
    return device
