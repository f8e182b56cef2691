"""What the machine holds, how many trials fit on it, and requests that can never be granted, refused at once."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from pathlib import Path

from igmsweep.errors import ResourceError, UserError


@dataclass(frozen=True)
class Machine:
    """Usable CPU cores and GPUs, of this machine or of a cluster."""

    cpus: int
    gpus: int
    gpu_names: tuple[str, ...] = ()


@dataclass(frozen=True)
class Allotment:
    """What each trial gets and how many run at a time."""

    cpus: float
    gpus: float
    concurrent: int

    @property
    def threads(self) -> int:
        """CPU threads of one trial."""
        return max(1, int(self.cpus))


def this_machine() -> Machine:
    """Cores that this process may use, a container's quota counted in, and visible CUDA devices."""
    import torch

    cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1)
    cpus = min(cpus, _quota())
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    return Machine(cpus, count, tuple(torch.cuda.get_device_name(index) for index in range(count)))


def allot(machine: Machine, cpus: float, gpus: float | None, concurrent: int | None) -> Allotment:
    """Check a request against a machine.

    Raises:
        UserError: an amount that means nothing, such as zero CPUs or 1.5 GPUs.
        ResourceError: more than the machine has; Ray would wait for it for ever.
    """
    if not cpus > 0 or not math.isfinite(cpus):
        raise UserError(f"--cpus-per-trial: found {cpus:g}, expected a value greater than 0")
    share = (1.0 if machine.gpus else 0.0) if gpus is None else gpus
    if share < 0 or not math.isfinite(share):
        raise UserError(f"--gpus-per-trial: found {share:g}, expected a value of at least 0")
    if share > 1 and share != int(share):
        raise UserError(f"--gpus-per-trial: found {share:g}, expected a fraction up to 1 or a whole number")
    if cpus > machine.cpus:
        raise ResourceError(f"--cpus-per-trial: {cpus:g} asked for, this machine has {machine.cpus}")
    if share > machine.gpus:
        raise ResourceError(f"--gpus-per-trial: {share:g} asked for, this machine has {machine.gpus} usable GPUs")
    fits = int(machine.cpus / cpus)
    if share > 0:
        per_gpu = math.floor(1 / share + 1e-9) if share <= 1 else 0
        fits = min(fits, machine.gpus * per_gpu if share <= 1 else int(machine.gpus / share))
    if concurrent is not None and concurrent > fits:
        raise ResourceError(
            f"--max-concurrent: {concurrent} asked for, {fits} fit at {cpus:g} CPUs and {share:g} GPUs a trial"
        )
    return Allotment(cpus, share, concurrent or max(1, fits))


def _quota(file: Path = Path("/sys/fs/cgroup/cpu.max")) -> int:
    """Whole cores that a container's CPU quota allows, at least 1; a very large number where there is none."""
    try:
        quota, period = file.read_text().split()
        return max(1, int(int(quota) / int(period)))
    except (OSError, ValueError):
        return 1 << 20
