"""Every test: one thread, its own cache and data folders, and small data in memory for what trains."""

from __future__ import annotations

import os

os.environ["OMP_NUM_THREADS"] = "1"
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("RAY_worker_niceness", "0")  # Ray's 15 would let workers starve beside the other tests

import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

if (
    signal.getsignal(signal.SIGINT) is signal.SIG_IGN
):  # a shell's background job; the processes of tests would inherit it
    signal.signal(signal.SIGINT, signal.default_int_handler)

TOY = Path(__file__).parent / "toy.py"
sys.path.insert(0, str(Path(__file__).parent))  # what several folders of tests share: `fake_sweep`


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


@pytest.fixture(scope="session")
def _made_avdigits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from igmsweep.data.avdigits import make

    folder = tmp_path_factory.mktemp("made") / "avdigits"
    make(folder, counts=(60, 30, 30))
    return folder


@pytest.fixture
def small_avdigits(_made_avdigits: Path, tmp_path: Path) -> Path:
    """avdigits with 60, 30 and 30 clips, a copy for this test alone."""
    shutil.copytree(_made_avdigits, tmp_path / "avdigits")
    return tmp_path / "avdigits"


@pytest.fixture
def undecoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """`undecoded(name)`: from now on no sample of this data set may be read, and nothing is written into the cache."""
    from igmsweep import data

    read: list[str] = []
    cache = tmp_path / "no-cache"

    def refused(*arguments: Any) -> None:
        read.append(str(arguments[1:]))
        raise AssertionError("a sample was read")

    def watch(name: str) -> None:
        monkeypatch.setenv("IGMSWEEP_CACHE", str(cache))
        for function in ("read", "read_modality"):
            monkeypatch.setattr(type(data.get(name)), function, refused)

    yield watch
    assert not read
    assert not cache.exists()
