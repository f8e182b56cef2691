"""T for a ResNet18 pair, as igmsweep computes it, against a full SVD of every layer's covariance.

The covariances are real: a ResNet18 with the paper's head sees batches of 12 random pictures with structure. Prints
ratios, and the error of each T against the direct float64 formula for layers up to --check inputs.
"""

from __future__ import annotations

import argparse
import time

import torch
from torch import nn

from igmsweep.flat import InputCovariance, flat_matrix, flat_matrix_reference, scoped_layers
from igmsweep.models.heads import head
from igmsweep.models.resnet import ResNet


def covariances(batches: int, size: int) -> tuple[nn.ModuleDict, dict[str, torch.Tensor]]:
    """A video branch of the paper's shape and the input covariance of each of its layers."""
    torch.manual_seed(0)
    encoder = ResNet("resnet18", (3, size, size))
    branch = nn.ModuleDict({"encoder": encoder, "head": head(512, (256, 64), 6)}).eval()
    collected = InputCovariance(scoped_layers(branch, 1.0))
    with torch.no_grad(), collected.watch():
        for _ in range(batches):
            coarse = torch.randn(12, 3, size // 16, size // 16)
            pictures = nn.functional.interpolate(coarse, size=size, mode="bilinear") + 0.3 * torch.randn(
                12, 3, size, size
            )
            branch["head"](encoder(pictures))
    return branch, {name: collected.matrix(name) for name in collected.layers}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batches", type=int, default=20)
    parser.add_argument("--size", type=int, default=112)
    parser.add_argument("--tau", type=float, default=0.4)
    parser.add_argument("--check", type=int, default=1200)
    arguments = parser.parse_args()
    branch, found = covariances(arguments.batches, arguments.size)
    heads = list(scoped_layers(branch, "head"))

    def clock(run: object, names: list[str]) -> float:
        started = time.perf_counter()
        for name in names:
            run(name)  # type: ignore[operator]
        return time.perf_counter() - started

    clock(lambda name: flat_matrix(found[name], arguments.tau), heads)  # warm up
    head_time = min(clock(lambda name: flat_matrix(found[name], arguments.tau), heads) for _ in range(5))
    all_time = clock(lambda name: flat_matrix(found[name], arguments.tau), list(found))
    svd_time = clock(lambda name: torch.linalg.svd(found[name].float()), list(found))
    worst = 0.0
    for y in found.values():
        if y.shape[0] <= arguments.check:
            reference = flat_matrix_reference(y, arguments.tau)
            error = (flat_matrix(y, arguments.tau).dense().double() - reference).norm() / reference.norm()
            worst = max(worst, float(error))
    kept = {name: flat_matrix(found[name], arguments.tau).sigma.numel() for name in ("encoder.body.layer4.1.conv2",)}
    print(
        f"layers: {len(found)}, inputs up to {max(len(y) for y in found.values())}, threads: {torch.get_num_threads()}"
    )
    print(f"full SVD of all layers / T of the head:      {svd_time / head_time:8.0f} x")
    print(f"full SVD of all layers / T of all layers:    {svd_time / all_time:8.1f} x")
    print(f"worst relative error of T (inputs <= {arguments.check}): {worst:.1e}")
    print(f"eigenvectors kept: {kept}")


if __name__ == "__main__":
    main()
