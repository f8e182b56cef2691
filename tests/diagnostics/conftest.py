"""A trained toy model, made once."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest

from igmsweep.train import Training


@pytest.fixture(scope="session")
def _trained() -> Training:
    from igmsweep.config import TrainConfig

    toy = Path(__file__).parents[1] / "toy.py"
    config = TrainConfig(data=f"{toy}:TOY2", method="igm", device="cpu")
    training = Training(config.override({"stages.cycles": 1, "stages.epochs": 1}))
    list(training.epochs())
    return training


@pytest.fixture
def toy_training(_trained: Training) -> Training:
    """A copy for this test alone."""
    return copy.deepcopy(_trained)
