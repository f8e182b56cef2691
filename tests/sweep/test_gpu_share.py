"""Sharing a GPU, on a machine that only claims to have one: `auto` measures, chooses, caps and refuses."""

from __future__ import annotations

import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st

from igmsweep.config import TrainConfig
from igmsweep.errors import ResourceError
from igmsweep.sweep import resources
from igmsweep.sweep.doctor import examine, lines
from igmsweep.sweep.resources import CONTEXT, Machine, allot, gpu_share, memory_fraction, share_of_gpu
from igmsweep.sweep.trial import prepare_process

GIB = 2**30
FAKE = Machine(16, 1, ("Fake 80",), (80 * GIB,))
bytes_of = st.integers(1 * GIB, 200 * GIB)


@given(peak=st.integers(1, 100 * GIB), total=bytes_of)
def test_all_trials_that_auto_lets_in_fit_beside_each_other(peak: int, total: int) -> None:
    try:
        share = gpu_share(peak, total)
    except ResourceError:
        assert 1.25 * peak + CONTEXT > total
        return
    trials = round(1 / share)
    assert trials * (peak + CONTEXT) <= total
    assert memory_fraction(share, total) * total >= peak  # the cap leaves each what it was measured to need
    assert (trials + 1) * (1.25 * peak + CONTEXT) > total  # and one more would not have fitted


@given(share=st.floats(0.01, 0.99), total=bytes_of)
def test_caps_of_processes_that_share_a_gpu_and_their_contexts_never_exceed_it(share: float, total: int) -> None:
    assume(share * total > 2 * CONTEXT)
    together = int(1 / share + 1e-9)
    assert together * (memory_fraction(share, total) * total + CONTEXT) <= total * (1 + 1e-9)


def test_a_whole_gpu_is_not_capped() -> None:
    assert memory_fraction(1.0, 80 * GIB) == memory_fraction(2.0, 80 * GIB) == memory_fraction(0.0, 80 * GIB) == 1.0


@pytest.mark.slow
def test_a_real_probe_chooses_the_share(small_avdigits: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    config = TrainConfig(data={"name": "avdigits", "root": small_avdigits, "cache": tmp_path / "cache"})
    caplog.set_level("INFO", "igmsweep")
    share = share_of_gpu(config, FAKE)
    assert 0 < share < 0.5 and round(1 / share) == pytest.approx(1 / share)  # avdigits is tiny on 80 GiB
    assert allot(FAKE, 1.0, share, None).concurrent == min(16, round(1 / share))
    assert "a trial peaks at" in caplog.text


@pytest.mark.parametrize(
    ("output", "error", "words"),
    [
        ('{"peak": 85899345920}', "", "a trial needs 100.7 GiB, the GPU has 80.0; make optim.batch_size smaller"),
        ("", "Traceback\nCUDA error: out of memory", "the probe failed: CUDA error: out of memory"),
    ],
)
def test_a_probe_that_shows_no_way_is_one_line(
    output: str, error: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resources.subprocess, "run", lambda *_, **__: SimpleNamespace(stdout=output, stderr=error))
    with pytest.raises(ResourceError, match=words):
        share_of_gpu(TrainConfig(data={"name": "avdigits"}), FAKE)


def test_a_probe_that_never_ends_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def endless(*_: object, **__: object) -> None:
        raise subprocess.TimeoutExpired("probe", 1800)

    monkeypatch.setattr(resources.subprocess, "run", endless)
    with pytest.raises(ResourceError, match="took over 30 minutes"):
        share_of_gpu(TrainConfig(data={"name": "avdigits"}), FAKE)


def test_a_worker_caps_its_cuda_memory_to_its_share(monkeypatch: pytest.MonkeyPatch) -> None:
    capped: list[float] = []
    cuda = torch.cuda
    monkeypatch.setattr(cuda, "is_available", lambda: True)
    monkeypatch.setattr(cuda, "empty_cache", lambda: None)
    monkeypatch.setattr(cuda, "reset_peak_memory_stats", lambda: None)
    monkeypatch.setattr(cuda, "get_device_properties", lambda _: SimpleNamespace(total_memory=80 * GIB))
    monkeypatch.setattr(cuda, "set_per_process_memory_fraction", capped.append)
    prepare_process(1, 0.25)
    prepare_process(1, 1.0)
    assert capped == [0.25 - CONTEXT / (80 * GIB), 1.0]


def test_doctor_says_what_shares_would_do_and_how_to_compute_side_by_side(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("igmsweep.sweep.doctor.mps_running", lambda: False)
    found = examine(1.0, 0.25, None, machine=FAKE)
    assert found["request"]["concurrent"] == 4
    assert any("nvidia-cuda-mps-control" in line for line in lines(found))
    assert "8 fit" in examine(1.0, 0.125, 9, machine=FAKE)["refused"]
