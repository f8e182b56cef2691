"""Every test: one thread, its own cache and data folders, and small data in memory for what trains."""

from __future__ import annotations

import os

os.environ["OMP_NUM_THREADS"] = "1"
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

TOY = Path(__file__).parent / "toy.py"


@pytest.fixture(scope="session", autouse=True)
def _own_folders(tmp_path_factory: pytest.TempPathFactory) -> None:
    """No test reads or writes the user's data and cache."""
    os.environ["IGMSWEEP_DATA"] = str(tmp_path_factory.mktemp("data"))
    os.environ["XDG_CONFIG_HOME"] = str(tmp_path_factory.mktemp("config"))
    os.environ["IGMSWEEP_CACHE"] = str(tmp_path_factory.mktemp("cache"))


@pytest.fixture
def toy_config() -> Callable[..., Any]:
    """`toy_config(modalities=2, method=..., **overrides)`: a quick training on toy data."""
    from igmsweep.config import TrainConfig

    def make(modalities: int = 2, method: Any = "igm", **overrides: Any) -> TrainConfig:
        config = TrainConfig(data=f"{TOY}:TOY{modalities}", method=method, device="cpu")
        return config.override({key.replace("__", "."): value for key, value in overrides.items()})

    return make


@pytest.fixture
def small_avdigits(tmp_path: Path) -> Path:
    """avdigits with 60, 30 and 30 clips."""
    from igmsweep.data.avdigits import make

    make(tmp_path / "avdigits", counts=(60, 30, 30))
    return tmp_path / "avdigits"
