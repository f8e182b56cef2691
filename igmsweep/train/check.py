"""Whether trainings can begin, found out before any sample is decoded: seconds, where decoding may take an hour."""

from __future__ import annotations

from functools import cached_property

import torch

from igmsweep import data as datasets
from igmsweep.config import TrainConfig
from igmsweep.data.base import Partition
from igmsweep.models.encoders import encoder
from igmsweep.models.setup import check_batch, check_size, check_tokens
from igmsweep.models.weights import NONE
from igmsweep.schema.sections import DataConfig
from igmsweep.train.loop import pick_device, plan


class TrainingCheck:
    """Checks trainings on one data set, what many of them share only once.

    Args:
        data: which data set, and where.

    Raises:
        UserError, DataError: as `igmsweep.data.listed`.
    """

    def __init__(self, data: DataConfig) -> None:
        self.lists = datasets.listed(data)
        self._sizes: dict[str, int] = {}
        self._built: dict[tuple[object, ...], torch.nn.Module] = {}

    def __call__(self, config: TrainConfig) -> None:
        """Raise where a training could not begin.

        Encoders that start at random are built without memory for their parameters; weights are read as the training would.

        Raises:
            UserError: a device or weights that are not there, an encoder that is unknown or does not fit the samples, a batch
                that is larger than the training part, texts from another encoder's tokenizer, a method without stages.
            DataError: as `Lists.cut`.
        """
        pick_device(config.device)
        plan(config)
        cut = config.data.model_dump_json()
        if cut not in self._sizes:
            self._sizes[cut] = len(self.lists.cut(config.data)[0])
        check_size(config.optim.batch_size, self._sizes[cut])
        for name in config.model.encoder:
            module = self._encoder(name, config)
            if not config.model.frozen[name]:
                check_batch(module, config.optim.batch_size)
            check_tokens({name: module}, self._texts)

    @cached_property
    def _texts(self) -> Partition:
        return self.lists.texts()

    def _encoder(self, name: str, config: TrainConfig) -> torch.nn.Module:
        """An encoder on the meta device, which knows shapes alone."""
        kind, weights = config.model.encoder[name], config.model.weights[name]
        shape, width = self.lists.dataset.modalities[name].shape, config.model.width
        key = (name, kind, weights, shape, width)
        if key not in self._built:
            with torch.device("meta" if weights == NONE else "cpu"):
                self._built[key] = encoder(kind, shape, width, weights, name).to("meta")
        return self._built[key]
