"""What the machine holds, how many trials fit on it, and requests that can never be granted, refused at once."""

from __future__ import annotations

import json
import logging
import math
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from igmsweep.errors import ResourceError, UserError

if TYPE_CHECKING:
    from igmsweep.config import TrainConfig

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Machine:
    """Usable CPU cores and GPUs, of this machine or of a cluster."""

    cpus: int
    gpus: int
    gpu_names: tuple[str, ...] = ()
    gpu_memory: tuple[int, ...] = ()
    """Bytes of each GPU."""
    largest_cpus: int | None = None
    """Cores of the largest node, where there are several: a trial does not span nodes."""
    largest_gpus: int | None = None


@dataclass(frozen=True)
class Allotment:
    """What each trial gets and how many run at a time."""

    cpus: float
    gpus: float
    concurrent: int

    def alone(self) -> Allotment:
        """For a trial that ran out of memory beside others: a whole GPU; that none runs beside it, the driver sees to."""
        return Allotment(self.cpus, math.ceil(self.gpus) if self.gpus else 0.0, 1)

    @property
    def threads(self) -> int:
        """CPU threads of one trial."""
        return max(1, int(self.cpus))


def amount(cpus: float, gpus: float) -> str:
    """What a trial is given, in words.

    >>> amount(1, 0), amount(4, 0.25)
    ('1 CPU', '4 CPUs and 0.25 GPU')
    """
    parts = [f"{count:g} {kind}{'s' if count > 1 else ''}" for count, kind in ((cpus, "CPU"), (gpus, "GPU")) if count]
    return " and ".join(parts)


def this_machine() -> Machine:
    """Cores that this process may use, a container's quota counted in, and visible CUDA devices."""
    import torch

    cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1)
    cpus = min(cpus, _quota())
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    names = tuple(torch.cuda.get_device_name(index) for index in range(count))
    memory = tuple(int(torch.cuda.get_device_properties(index).total_memory) for index in range(count))
    return Machine(cpus, count, names, memory)


LEAST = 1e-4
"""Of a core or a GPU: what Ray counts in."""


def allot(machine: Machine, cpus: float, gpus: float | None, concurrent: int | None) -> Allotment:
    """Check a request against a machine.

    Raises:
        UserError: an amount that means nothing, such as zero CPUs or 1.5 GPUs.
        ResourceError: more than the machine has; Ray would wait for it for ever.
    """
    if not LEAST <= cpus < math.inf:
        raise UserError(f"--cpus-per-trial: found {cpus:g}, expected a value greater than 0, of at least {LEAST:g}")
    share = (1.0 if machine.gpus else 0.0) if gpus is None else gpus
    if not (share == 0 or LEAST <= share < math.inf):
        raise UserError(f"--gpus-per-trial: found {share:g}, expected 0, or a value of at least {LEAST:g}")
    if share > 1 and share != int(share):
        raise UserError(f"--gpus-per-trial: found {share:g}, expected a fraction up to 1 or a whole number")
    most_cpus = machine.cpus if machine.largest_cpus is None else machine.largest_cpus
    most_gpus = machine.gpus if machine.largest_gpus is None else machine.largest_gpus
    place = "this machine" if machine.largest_cpus is None else "the largest node"
    if cpus > most_cpus:
        raise ResourceError(f"--cpus-per-trial: {cpus:g} asked for, {place} has {most_cpus}")
    if share > most_gpus:
        raise ResourceError(f"--gpus-per-trial: {share:g} asked for, {place} has {most_gpus} usable GPUs")
    fits = int(machine.cpus / cpus)
    if share > 0:
        per_gpu = math.floor(1 / share + 1e-9) if share <= 1 else 0
        fits = min(fits, machine.gpus * per_gpu if share <= 1 else int(machine.gpus / share))
    if concurrent is not None and concurrent > fits:
        raise ResourceError(
            f"--max-concurrent: {concurrent} asked for, {fits} fit at {cpus:g} CPUs and {share:g} GPUs a trial"
        )
    return Allotment(cpus, share, concurrent or max(1, fits))


PROBE_SECONDS = 1800


def share_of_gpu(config: TrainConfig, machine: Machine) -> float:
    """`--gpus-per-trial auto`: measure a short training in a process of its own and choose the share.

    Raises:
        ResourceError: not even one trial fits, or the probe itself fails.
    """
    try:
        done = subprocess.run(
            [sys.executable, "-m", "igmsweep.sweep.probe"],
            input=json.dumps(config.to_dict()),
            capture_output=True,
            text=True,
            timeout=PROBE_SECONDS,
        )
    except subprocess.TimeoutExpired:
        raise ResourceError(f"--gpus-per-trial auto: the probe took over {PROBE_SECONDS // 60} minutes") from None
    try:
        measured = json.loads(done.stdout.strip().splitlines()[-1])
    except (ValueError, IndexError):
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise ResourceError(f"--gpus-per-trial auto: the probe failed: {last[:300]}") from None
    share = gpu_share(int(measured["peak"]), min(machine.gpu_memory))
    logger.info(
        "--gpus-per-trial auto: a trial peaks at %.2f GiB of %.0f GiB, so each gets %.3g",
        measured["peak"] / 2**30,
        min(machine.gpu_memory) / 2**30,
        share,
    )
    return share


CONTEXT = 700 * 2**20
"""Bytes of a GPU that each process takes beside what torch allocates: the CUDA context and its libraries."""


def gpu_share(peak: int, total: int) -> float:
    """The share of a GPU for trials that peak at `peak` bytes: 1/n with 25 % to spare.

    Raises:
        ResourceError: not even one trial fits.
    """
    needed = 1.25 * peak + CONTEXT
    fit = int(total // needed)
    if fit < 1:
        raise ResourceError(
            f"--gpus-per-trial auto: a trial needs {needed / 2**30:.1f} GiB, the GPU has {total / 2**30:.1f}; "
            "make optim.batch_size smaller"
        )
    return 1.0 / fit


def memory_fraction(share: float, total: int) -> float:
    """The fraction of a GPU of `total` bytes that torch may allocate in a process that was given `share` of it; what
    the CUDA context takes is kept back, so that processes whose shares add up to one GPU always fit."""
    if not 0 < share < 1:
        return 1.0
    return max(share - CONTEXT / total, share / 2)


def _quota(file: Path = Path("/sys/fs/cgroup/cpu.max")) -> int:
    """Whole cores that a container's CPU quota allows, at least 1; a very large number where there is none."""
    try:
        quota, period = file.read_text().split()
        return max(1, int(int(quota) / int(period)))
    except (OSError, ValueError):
        return 1 << 20
