"""The Hessian of a loss, without writing it down: its largest eigenvalue and its trace, by products with vectors.

The eigenvalue comes from Lanczos iterations (ARPACK through scipy), a power iteration that keeps all its vectors. The trace is
Hutchinson's mean of v' H v over random signs v, whose standard error comes with it. Both change when a layer is multiplied by
a and the next one by 1 / a; with `scales`, the norms of the filters (`filter_norms`), they are taken of D H D instead and
do not: this is the curvature along filter-normalised directions, which a landscape shows.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

Parts = Sequence[Callable[[], Tensor]]
"""Functions whose sum is the loss, one a batch, so that one graph at a time is held; `Objective.parts`."""


@dataclass(frozen=True)
class Trace:
    """A trace, and the standard error of its estimate (0 where it is exact)."""

    value: float
    error: float


def hessian_product(parts: Parts, parameters: Sequence[Tensor], vector: Tensor) -> Tensor:
    """H v, (n,), for the n weights in the order of `parameters`.

    Args:
        vector: (n,).
    """
    pieces = _split(vector, parameters)
    total = torch.zeros_like(vector)
    for part in parts:
        with sdpa_kernel(SDPBackend.MATH):  # the fused attention of BERT and CLIP has no second derivative
            gradients = torch.autograd.grad(part(), parameters, create_graph=True, materialize_grads=True)
            product = torch.stack([(g * v).sum() for g, v in zip(gradients, pieces, strict=True)]).sum()
            if not product.requires_grad:  # the loss is linear in the weights
                continue
            second = torch.autograd.grad(product, parameters, materialize_grads=True)
        total += torch.cat([each.reshape(-1) for each in second])
    return total.detach()


def largest_eigenvalue(
    parts: Parts,
    parameters: Sequence[Tensor],
    scales: Sequence[Tensor] | None = None,
    tolerance: float = 1e-3,
    most: int = 200,
    seed: int = 0,
) -> float:
    """The algebraically largest eigenvalue of H, or of D H D with `scales` on D's diagonal.

    Args:
        parts: of the loss.
        parameters: at least two weights in all.
        scales: a tensor of each parameter's shape.
        tolerance: wanted relative error.
        most: restarts of the iteration; NaN where it has not converged in so many.
        seed: of the vector it starts from.
    """
    from scipy.sparse.linalg import ArpackNoConvergence, LinearOperator, eigsh

    some = parameters[0]
    size = sum(each.numel() for each in parameters)
    weights = _flat_scales(parameters, scales)

    def product(vector: np.ndarray) -> np.ndarray:
        v = torch.as_tensor(vector.reshape(-1), dtype=some.dtype, device=some.device) * weights
        found: np.ndarray = (hessian_product(parts, parameters, v) * weights).double().cpu().numpy()
        return found

    start = np.random.default_rng(seed).standard_normal(size)
    if size <= 8:  # ARPACK wants more room than such a small matrix has
        columns = [product(unit) for unit in np.eye(size)]
        return float(np.linalg.eigvalsh(np.stack(columns))[-1])
    operator = LinearOperator((size, size), matvec=product, dtype=np.float64)
    try:
        values = eigsh(operator, k=1, which="LA", tol=tolerance, v0=start, maxiter=most, return_eigenvectors=False)
    except ArpackNoConvergence as error:
        values = error.eigenvalues
    return float(values[0]) if len(values) else math.nan


def trace(
    parts: Parts,
    parameters: Sequence[Tensor],
    scales: Sequence[Tensor] | None = None,
    probes: int = 32,
    seed: int = 0,
) -> Trace:
    """The trace of H, or of D H D: exact where there are no more weights than probes, else Hutchinson's estimate.

    Args:
        probes: random vectors, at least 2.

    Raises:
        ValueError: fewer than two probes.
    """
    if probes < 2:
        raise ValueError(f"probes: found {probes}, expected at least 2")
    size = sum(each.numel() for each in parameters)
    weights = _flat_scales(parameters, scales)
    if size <= probes:
        units = torch.eye(size, dtype=weights.dtype, device=weights.device)
        each = [float(unit @ (hessian_product(parts, parameters, unit * weights) * weights)) for unit in units]
        return Trace(math.fsum(each), 0.0)
    random = torch.Generator().manual_seed(seed)
    found = []
    for _ in range(probes):
        signs = torch.randint(0, 2, (size,), generator=random).to(weights) * 2 - 1
        v = signs * weights
        found.append(float(v.double() @ hessian_product(parts, parameters, v).double()))
    return Trace(float(np.mean(found)), float(np.std(found, ddof=1) / math.sqrt(probes)))


def _split(vector: Tensor, parameters: Sequence[Tensor]) -> list[Tensor]:
    pieces = vector.split([each.numel() for each in parameters])
    return [piece.reshape(each.shape) for piece, each in zip(pieces, parameters, strict=True)]


def _flat_scales(parameters: Sequence[Tensor], scales: Sequence[Tensor] | None) -> Tensor:
    if scales is None:
        return torch.ones(sum(each.numel() for each in parameters)).to(parameters[0])
    return torch.cat([each.reshape(-1) for each in scales])
