"""What this machine offers a sweep, and what a request would do here."""

from __future__ import annotations

import os
import platform
import shutil
from importlib import metadata
from pathlib import Path
from typing import Any

from igmsweep import __version__
from igmsweep.data.places import home
from igmsweep.errors import UserError
from igmsweep.gate.paths import full
from igmsweep.sweep.resources import Machine, allot, amount, this_machine

PACKAGES = ("torch", "torchvision", "ray", "optuna", "plotly", "pandas", "transformers")


def examine(
    cpus: float = 1.0,
    gpus: float | None = None,
    concurrent: int | None = None,
    out: Path = Path("results"),
    machine: Machine | None = None,
) -> dict[str, Any]:
    """Plain data: versions, cores, GPUs, CUDA MPS, shared memory, disks, and the outcome of the request."""
    machine = this_machine() if machine is None else machine
    found: dict[str, Any] = {
        "igmsweep": __version__,
        "python": platform.python_version(),
        "packages": {name: _version(name) for name in PACKAGES},
        "cpus": machine.cpus,
        "gpus": [
            {"name": name, "memory": memory}
            for name, memory in zip(machine.gpu_names, machine.gpu_memory, strict=False)
        ],
        "mps": mps_running(),
        "shared_memory": _free(Path("/dev/shm")),
        "disk": {"results": _free(out), "cache": _free(home())},
    }
    try:
        allotment = allot(machine, cpus, gpus, concurrent)
        found["request"] = {
            "concurrent": allotment.concurrent,
            "cpus": allotment.cpus,
            "gpus": allotment.gpus,
            "threads": allotment.threads,
        }
    except UserError as error:
        found["refused"] = str(error)
    return found


def lines(found: dict[str, Any]) -> list[str]:
    """The same for a person, with what it means."""
    versions = ", ".join(f"{name} {version or 'missing'}" for name, version in found["packages"].items())
    text = [f"igmsweep {found['igmsweep']}, Python {found['python']}, {versions}", f"CPU cores: {found['cpus']}"]
    for gpu in found["gpus"]:
        text.append(f"GPU: {gpu['name']}, {gpu['memory'] / 2**30:.0f} GiB")
    if not found["gpus"]:
        text.append("GPU: none that torch can use; trials train on the CPU")
    elif found["mps"]:
        text.append("CUDA MPS runs: trials that share a GPU compute at the same time")
    else:
        text.append(
            "CUDA MPS does not run: trials that share a GPU take turns on it. `nvidia-cuda-mps-control -d` starts it, "
            "see docs/cluster.md"
        )
    for name, free in (("shared memory", found["shared_memory"]), *found["disk"].items()):
        if free is not None:
            low = (name != "shared memory" and free < 5 * 2**30) or (name == "shared memory" and free < 200 * 2**20)
            text.append(f"free {name}: {free / 2**30:.1f} GiB" + (" (little)" if low else ""))
    if "refused" in found:
        text.append(f"this request would be refused: {found['refused']}")
    else:
        request = found["request"]
        text.append(
            f"a sweep would run {request['concurrent']} trials at a time, each with "
            f"{amount(request['cpus'], request['gpus'])} ({request['threads']} thread{'s' if request['threads'] > 1 else ''})"
        )
    return text


def mps_running(pipe: Path | None = None) -> bool:
    """Whether CUDA's Multi-Process Service takes work: its control pipe is there and its daemon runs."""
    pipe = Path(os.environ.get("CUDA_MPS_PIPE_DIRECTORY", "/tmp/nvidia-mps")) if pipe is None else pipe
    if not (pipe / "control").exists():
        return False
    for process in Path("/proc").glob("[0-9]*/comm"):
        try:
            if process.read_text().startswith("nvidia-cuda-mps"):
                return True
        except OSError:
            continue
    return False


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _free(path: Path) -> int | None:
    """Bytes free where `path` lies, or will lie."""
    path = full(path)
    while not path.exists() and path != path.parent:
        path = path.parent
    try:
        return shutil.disk_usage(path).free
    except OSError:
        return None
