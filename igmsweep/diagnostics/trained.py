"""A training taken from the folder it left."""

from __future__ import annotations

from pathlib import Path

from igmsweep.config import TrainConfig
from igmsweep.data.base import SearchData
from igmsweep.errors import UserError
from igmsweep.gate.yaml_text import Written, read_yaml
from igmsweep.plugin import Trust
from igmsweep.record.paths import CHECKPOINT, CONFIG
from igmsweep.train import Training


def read_training(
    folder: Path | str,
    data: SearchData | None = None,
    checkpoint: str = CHECKPOINT,
    trust: Trust | None = None,
    device: str | None = None,
) -> Training:
    """The model, the method's state and the data of a training, as its checkpoint has them.

    Args:
        folder: of a trial, or of `igmsweep train --out`: with `config.yaml` and a checkpoint.
        data: the same data, where it has been read before.
        checkpoint: the file's name.
        trust: which Python files the configuration may name; None: none.
        device: where to put it; None: as its configuration says.

    Raises:
        UserError: no configuration or checkpoint there, one that does not fit, or a Python file that is not trusted.
    """
    place = Path(folder)
    for name in (CONFIG, checkpoint):
        if not (place / name).is_file():
            raise UserError(f"{place}: found no {name}; expected the folder of a training that kept its checkpoint")
    written = read_yaml(place / CONFIG, Written)
    config = TrainConfig.of_folder(written, place / CONFIG, trust or Trust())
    if device is not None:
        config = config.override({"device": device})
    return Training(config, data, place / checkpoint)
