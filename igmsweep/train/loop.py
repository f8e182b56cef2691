"""The training loop: one for every method, every data set and every driver.

`fit` yields epochs; whoever consumes it (the command line, a Ray trial, a notebook, a test) decides what to do between
them. `train` drains it. Neither knows Ray, Optuna or the command line.

Every epoch seeds its own randomness from (seed, epoch), so a training that is stopped after any epoch and continued
from its checkpoint gives the same bits as one that ran through.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from igmsweep import data as datasets
from igmsweep import methods
from igmsweep.config import TrainConfig
from igmsweep.data.base import DataSet, SearchData
from igmsweep.data.loader import Loader
from igmsweep.disk import replacing
from igmsweep.errors import Diverged, OldCheckpoint, UserError
from igmsweep.methods.base import Method, Run, Stage
from igmsweep.methods.run import GOES_ON
from igmsweep.models.features import with_features
from igmsweep.models.multimodal import MultimodalModel, build_model
from igmsweep.models.setup import (
    check_batch,
    check_size,
    check_tokens,
    compile_encoders,
    evaluation_batch,
    use_channels_last,
)
from igmsweep.schema.paths import leaves
from igmsweep.schema.sections import SHARED
from igmsweep.seeds import derived_seed
from igmsweep.train.handover import HandOver
from igmsweep.train.optimisers import Schedule, new_optimizer
from igmsweep.train.result import Epoch, Report, TrainResult, predicted
from igmsweep.train.scores import Scores, score

logger = logging.getLogger(__name__)

CHECKPOINT_FORMAT = 2


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


def new_model(config: TrainConfig, dataset: DataSet) -> MultimodalModel:
    """The model that a configuration's method trains, freshly initialised. Raises UserError, as `build_model` does."""
    layout = methods.get(config.method.name).layout(config.method)
    own = None if layout.own_hidden is None else {"heads": layout.own_hidden}
    return build_model(config.model, dataset, layout.fusion, layout.heads, layout.hidden, own)


def new_method(config: TrainConfig) -> Method:
    """The method of a configuration, without any state."""
    return methods.get(config.method.name)(config.method, config.modalities)


def plan(config: TrainConfig, method: Method | None = None) -> list[Stage]:
    """The stages of a training, as its method wants them.

    Raises:
        UserError: a method that has no stage, or one of less than one epoch.
    """
    method = new_method(config) if method is None else method
    stages = method.stages(config.stages.cycles, config.stages.epochs)
    if not stages or any(stage.epochs < 1 or not stage.active for stage in stages):
        raise UserError(f"method.name: {config.method.name} has no stages, or one without an epoch or a modality")
    return stages


class Training:
    """The state of one training between epochs."""

    def __init__(self, config: TrainConfig, data: SearchData | None = None, resume: Path | None = None) -> None:
        self.config = config
        self.device = pick_device(config.device)
        self.method = new_method(config)
        self.stages = plan(config, self.method)
        # what can be refused without decoding a sample is refused before the data is read
        if data is None:
            lists = datasets.listed(config.data)
            dataset, samples, texts = lists.dataset, len(lists.cut(config.data)[0]), lists.texts()
        else:
            dataset, samples, texts = data.dataset, len(data.train), data.train
        check_size(config.optim.batch_size, samples)
        torch.backends.cudnn.benchmark = False  # it picks kernels by timing, so equal seeds would differ
        torch.manual_seed(derived_seed(config.seed, "init"))
        self.model = new_model(config, dataset)
        self.model.extra.update(self.method.modules(self.model))
        self.model = self.model.to(self.device)
        self.method.own = self.model.extra
        check_batch(self.model, config.optim.batch_size)
        check_tokens(self.model.encoders, texts)
        if data is None:
            data = datasets.load_search(config.data)
            for line in data.warnings:
                logger.warning(line)
            check_tokens(self.model.encoders, data.train)
        self.data = data
        shapes = [modality.shape for modality in dataset.modalities.values()]
        held = evaluation_batch(shapes, config.optim.batch_size)
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
            make_optimizer=partial(new_optimizer, config.optim),
            precision=config.precision,
            epochs=sum(stage.epochs for stage in self.stages),
        )
        self.history: list[dict[str, Any]] = []
        self.seconds = 0.0
        self._schedule: Schedule | None = None
        self._handover = HandOver(config.stages)
        self._scored: Scores | None = None
        """Of the validation data, by the weights as they are."""
        self._position = (0, 0)  # the stage and the epoch in it that come next
        if resume is not None:
            self._load(Path(resume))

    def epochs(self) -> Iterator[Epoch]:
        """Train what is left, an epoch at a time."""
        run = self.run
        while self._position[0] < len(self.stages):
            index, stage_epoch = self._position
            stage = self.stages[index]
            run.stage, run.stage_index, run.stage_epoch, run.epoch = stage, index, stage_epoch, len(self.history)
            started = time.perf_counter()
            run.ending = GOES_ON
            if stage_epoch == 0:
                self._new_optimizer()
                self._handover.begin_stage()
            self._prepare_epoch()
            if stage_epoch == 0:
                self.method.begin_stage(run)
            row = self._train_epoch()
            self._handover.look(row, run.active, self.model)
            stage_ends = stage_epoch == stage.epochs - 1 or run.ending != GOES_ON
            over = run.ending == "training" or (stage_ends and index == len(self.stages) - 1)
            if stage_ends:
                put_back = self._handover.end_stage(self.model)
                if put_back:
                    self._scored = None  # other weights than those that were scored
                row |= put_back
                if not over:
                    row |= self.method.end_stage(run)
                    over = run.ending == "training"
            row["stage_end"] = stage_ends
            row["cycle_end"] = stage_ends and (stage.last_of_cycle or over)
            self._position = (
                (len(self.stages), 0) if over else (index + 1, 0) if stage_ends else (index, stage_epoch + 1)
            )
            row["seconds"] = time.perf_counter() - started
            self.seconds += row["seconds"]
            self.history.append(row)
            yield Epoch(len(self.history), row, self.save)

    def begin(self, index: int) -> None:
        """Stand at the first batch of a stage, with the weights and the method's state as they are: for looking at steps
        outside `epochs`."""
        run = self.run
        run.stage, run.stage_index, run.stage_epoch = self.stages[index], index, 0
        run.epoch = sum(stage.epochs for stage in self.stages[:index])
        self._new_optimizer()
        self._prepare_epoch()
        self.method.begin_stage(run)

    def result(self) -> TrainResult:
        """The outcome so far: metrics are those of the weights the model now has."""
        final = {
            name: value
            for name, value in self.history[-1].items()
            if isinstance(value, float) and name.startswith("val/")
        }
        for name in self.method.summary:  # a mean over the epochs that report it
            values = [row[name] for row in self.history if name in row]
            if values:
                final[name] = float(np.mean(values))
            for modality in self.config.modalities:  # and over those that trained one modality alone
                own = [row[name] for row in self.history if name in row and row["active"] == modality]
                if own:
                    final[f"{name}/{modality}"] = float(np.mean(own))
        if self._scored is None:
            self._validate()
        assert self._scored is not None
        return TrainResult(
            self.config,
            final,
            self.history,
            self.seconds,
            self.model,
            self.method,
            self.run.notes,
            self.method.diagnostics(),
            predicted(self._scored, self.data.val),
        )

    def _new_optimizer(self) -> None:
        """A stage begins: the optimiser and its schedule start anew, every modality but the active ones rests."""
        run = self.run
        assert run.stage is not None
        groups = {name: self.model.part(name) for name in run.active}
        if self.model.shared():
            groups[SHARED] = self.model.shared()
        run.optimizer = run.new_optimizer(groups, run.stage.rate)
        self._schedule = Schedule(self.config.optim, run.optimizer)

    def _prepare_epoch(self) -> None:
        """Seeds, what batches carry, and modes: all that an epoch stands on, the same after a resume as without one."""
        run = self.run
        torch.manual_seed(derived_seed(self.config.seed, "epoch", run.epoch))  # dropout, and whatever a method draws
        run.generator = torch.Generator(device=self.device)
        run.generator.manual_seed(derived_seed(self.config.seed, "method", run.epoch))
        run.train.epoch = run.epoch
        run.train.modalities = run.active if self.method.sees == "active" else self.config.modalities
        self.model.eval()
        for name in run.awake:
            self.model.branch(name).train()
        if run.scales.get(SHARED) != 0:
            if self.model.joint is not None:
                self.model.joint.train()
            self.model.extra.train()
        run.epoch_step = 0

    def _train_epoch(self) -> dict[str, Any]:
        run = self.run
        assert run.stage is not None and run.optimizer is not None and self._schedule is not None
        totals: dict[str, Tensor] = {}
        counts: dict[str, int] = {}
        for number, batch in enumerate(self.method.begin_epoch(run)):
            run.epoch_step = number
            for name, value in self.method.step(run, batch).items():
                totals[name] = totals[name] + value if name in totals else value
                counts[name] = counts.get(name, 0) + 1
        row: dict[str, Any] = {
            "epoch": run.epoch + 1,
            "stage": run.stage_index,
            "stage_name": run.stage.name,
            "cycle": run.stage.cycle,
            "active": "+".join(run.active),
        }
        if "loss" not in totals:
            found = ", ".join(totals) or "nothing"
            raise UserError(f"method {self.config.method.name}: its step returned {found}, expected 'loss' among it")
        for name, total in totals.items():
            row[name if "/" in name else f"train/{name}"] = float(total) / counts[name]
        if not math.isfinite(row["train/loss"]):
            raise Diverged(f"the training loss of {row['active']} became {row['train/loss']} in epoch {row['epoch']}")
        for group in run.optimizer.param_groups:
            row[f"lr/{group['name']}"] = float(group["lr"]) * run.scales.get(group["name"], 1.0)
        row |= self._validate()
        self._schedule.step(row.get("train/plain", row["train/loss"]))
        run.rescore = False
        self.method.end_epoch(run, row)
        if run.rescore:  # the row is to say how good the weights are that the model now has
            row |= self._validate()
        return row

    def _validate(self) -> dict[str, float]:
        self._scored = score(self.model, self.method, self.run.val)
        return {f"val/{name}": value for name, value in self._scored.metrics.items()}

    def save(self, path: Path) -> None:
        """Write a checkpoint atomically: a reader sees the old file or the whole new one."""
        run = self.run
        assert run.optimizer is not None and self._schedule is not None
        state = {
            "format": CHECKPOINT_FORMAT,
            "config": self.config.to_dict(),
            "config_hash": self.config.hash(),
            "split_hash": self.data.split_hash,
            "position": list(self._position),
            "model": self.model.state_dict(),
            "optimizer": run.optimizer.state_dict(),
            "schedule": self._schedule.state_dict(),
            "method": self.method.state,
            "best": self._handover.best,
            "history": self.history,
            "seconds": self.seconds,
            "notes": run.notes,
            "scales": run.scales,
        }
        with replacing(Path(path)) as partial_file:
            torch.save(state, partial_file)

    def _load(self, path: Path) -> None:
        """Take up a checkpoint; whatever the method derives from its state it builds anew at the next epoch."""
        try:
            state = torch.load(path, map_location=self.device, weights_only=True)
        except FileNotFoundError:
            raise UserError(f"checkpoint: no such file {path}") from None
        except Exception as error:
            raise UserError(f"checkpoint: {path} cannot be read ({type(error).__name__})") from None
        if not isinstance(state, dict) or state.get("format") != CHECKPOINT_FORMAT:
            found = state.get("format", 1) if isinstance(state, dict) else "no checkpoint"
            raise OldCheckpoint(
                f"checkpoint: {path} was written by another version (format {found}, expected {CHECKPOINT_FORMAT})"
            )
        try:
            self._take_up(path, state)
        except UserError:
            raise
        except Exception as error:  # tensors and plain data, but of whatever names and shapes
            raise UserError(f"checkpoint: {path} is not one of this training ({type(error).__name__})") from None

    def _take_up(self, path: Path, state: dict[str, Any]) -> None:
        if state["config_hash"] != self.config.hash():
            theirs = dict(leaves(state["config"], ""))  # plain data: to resolve it would run a file that it names
            changed = [name for name, value in self.config.paths().items() if theirs.get(name) != value]
            raise UserError(f"checkpoint: {path} belongs to another configuration (differs in {', '.join(changed)})")
        if state["split_hash"] != self.data.split_hash:
            raise UserError(f"checkpoint: {path} was trained on another split of the data")
        run = self.run
        self.history, self.seconds = list(state["history"]), float(state["seconds"])
        run.notes, run.scales = [str(note) for note in state["notes"]], dict(state["scales"])
        self._position = self._place(*state["position"])
        if not all(isinstance(row, dict) for row in self.history) or len(self.history) > run.epochs:
            raise ValueError("history")
        self.model.load_state_dict(state["model"])
        self.method.state = state["method"]
        self._handover.best = state["best"]
        if self._position[1] > 0:  # inside a stage
            run.stage_index = self._position[0]
            run.stage = self.stages[run.stage_index]
            self._new_optimizer()
            assert run.optimizer is not None and self._schedule is not None
            run.optimizer.load_state_dict(state["optimizer"])
            self._schedule.load_state_dict(state["schedule"])

    def _place(self, stage: int, epoch: int) -> tuple[int, int]:
        """A stage and the epoch in it that come next. Raises ValueError where the training has none such."""
        ends = [each.epochs for each in self.stages] + [1]
        if not (0 <= stage < len(ends) and 0 <= epoch < ends[stage]):
            raise ValueError("position")
        return int(stage), int(epoch)


def pick_device(name: str) -> torch.device:
    """`auto` is the GPU where there is one. Raises UserError for a GPU that is not there."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    device = torch.device(name)
    if device.type == "cuda" and (not torch.cuda.is_available() or (device.index or 0) >= torch.cuda.device_count()):
        raise UserError(f"device: found {name}, but this machine has {torch.cuda.device_count()} usable GPUs")
    return device
