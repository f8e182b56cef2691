"""Flat gradient modification (Sec. 3.2): covariance of layer inputs, the matrix T, and T on gradients.

T damps the directions in which the previous modality's features vary most. With the covariance Y = V L V' (Eq. 2),

    T = V S V',   S = exp(-tau (L - l_min) / (l_max - l_min))   (Eq. 4),   spectrum in [e^-tau, 1].

What to expect of it: with `batch_mean` one eigenvalue dwarfs the rest, so T is close to I - (1 - e^-tau) v v' for the
mean feature's direction v. `gm/damped` (mean of 1 - s) and the spectra that a training saves say how much it did.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from igmsweep.late import F, nn, torch

if TYPE_CHECKING:
    from torch import Tensor

Covariance = Literal["batch_mean", "samples", "centered"]
Scope = float | Literal["none", "head"]

SMALL = 768
"""Up to this size T comes from a full `eigh` in float64; above it the leading eigenpairs are tried first."""

ROWS_AT_ONCE = 2**24
"""Numbers in the largest piece of a convolution's patches that is laid out at a time (I3D's first layer has 400,000
patches of 1,029 numbers in one clip)."""


@dataclass(frozen=True)
class FlatMatrix:
    """T = floor I + V diag(sigma - floor) V', held by its r kept eigenvectors and applied in O(d r).

    Attributes:
        vectors: (d, r) orthonormal columns.
        sigma: (r,) eigenvalues of T that belong to them.
        floor: T's eigenvalue on every other direction.
        size: d.
    """

    vectors: Tensor
    sigma: Tensor
    floor: float
    size: int

    @property
    def is_identity(self) -> bool:
        """Whether T changes nothing."""
        return self.vectors.shape[1] == 0 and self.floor == 1.0

    def dense(self) -> Tensor:
        """T as a (d, d) matrix."""
        eye = torch.eye(self.size, dtype=self.vectors.dtype, device=self.vectors.device)
        return self.floor * eye + (self.vectors * (self.sigma - self.floor)) @ self.vectors.T

    def apply(self, rows: Tensor) -> Tensor:
        """`rows @ T` for (n, d) rows, such as a Linear layer's weight gradient (Eq. 5)."""
        if self.is_identity:
            return rows
        kept: Tensor = ((rows @ self.vectors) * (self.sigma - self.floor)) @ self.vectors.T
        return torch.add(kept, rows, alpha=self.floor) if self.floor != 0.0 else kept

    def spectrum(self, most: int = 64) -> list[float]:
        """The smallest eigenvalues of T, ascending, at most `most` of them."""
        values = self.sigma.double().sort().values[:most].tolist()
        return [float(value) for value in values]

    def damped(self) -> float:
        """Mean of 1 - s over all d eigenvalues: 0 for T = I, towards 1 - e^-tau when every direction is damped."""
        kept = float((1.0 - self.sigma.double()).sum())
        return (kept + (1.0 - self.floor) * (self.size - self.sigma.numel())) / self.size

    def state(self) -> dict[str, Any]:
        """Plain tensors and numbers for a checkpoint."""
        return {"vectors": self.vectors, "sigma": self.sigma, "floor": self.floor, "size": self.size}


def identity(size: int, like: Tensor | None = None) -> FlatMatrix:
    """T = I."""
    like = torch.empty(0) if like is None else like
    empty = torch.empty(size, 0, dtype=torch.float32, device=like.device)
    return FlatMatrix(empty, empty[0], 1.0, size)


def flat_matrix_reference(covariance: Tensor, tau: float) -> Tensor:
    """Eq. 4 word for word in float64: the (d, d) matrix T. The twin that `flat_matrix` is tested against."""
    values, vectors = torch.linalg.eigh(covariance.double())
    spread = values[-1] - values[0]
    if spread <= 1e-12 * values[-1].abs() or spread == 0:
        return torch.eye(len(values), dtype=torch.float64, device=covariance.device)
    sigma = torch.exp(-tau * (values - values[0]) / spread)
    flat: Tensor = (vectors * sigma) @ vectors.T
    return flat


def flat_matrix(covariance: Tensor, tau: float, tolerance: float = 2e-6) -> FlatMatrix:
    """T of Eq. 4 in float32.

    Large matrices first try the leading eigenpairs only. With R the part of the covariance left out, PSD exponentials
    give ||T - T'|| <= 2 tau ||R|| / (l_max - l_min) in the spectral norm (Duhamel's formula, and l_min <= ||R||), and
    ||R|| is estimated from random probes; when the bound stays above `tolerance`, the full `eigh` is taken.

    Args:
        covariance: (d, d), symmetric positive semi-definite.
        tau: scaling factor, above 0.
        tolerance: wanted bound on the error in spectral norm.

    Raises:
        ValueError: tau is not above 0, or the covariance is not finite.
    """
    if not tau > 0:
        raise ValueError(f"tau: expected a value greater than 0, found {tau}")
    if not bool(torch.isfinite(covariance).all()):
        raise ValueError("covariance: holds values that are not finite")
    size = covariance.shape[0]
    if size > SMALL:
        truncated = _truncated(covariance, tau, tolerance)
        if truncated is not None:
            return truncated
    # float32 errs by a few eps ||Y||, which tau multiplies: within the tolerance for a small tau, and twice as fast
    precise = size <= SMALL or tau > 0.5
    values, vectors = torch.linalg.eigh(covariance.double() if precise else covariance.float())
    values = values.double()
    top, low = float(values[-1]), float(values[0])
    if top - low <= 1e-7 * abs(top) or top <= 0:
        return identity(size, covariance)
    sigma = torch.exp(-tau * (values - low) / (top - low))
    keep = sigma < 1.0 - tolerance * 1e-2  # the rest is one to within far less than the tolerance
    return FlatMatrix(vectors[:, keep].float().contiguous(), sigma[keep].float(), 1.0, size)


def _truncated(covariance: Tensor, tau: float, tolerance: float) -> FlatMatrix | None:
    """The leading eigenpairs by subspace iteration (Halko et al. 2011), or None when they are not enough."""
    rough = covariance.float()  # good enough to find the subspace; the values in it and the residual need float64
    y = covariance.double()
    size = y.shape[0]
    generator = torch.Generator(device=y.device).manual_seed(0)
    basis = rough.new_empty(size, 0)
    for rank in (32, 128, 512):
        if rank > size // 6:
            break
        fresh = torch.randn(size, rank - basis.shape[1], generator=generator, device=y.device)
        basis = torch.cat([basis, fresh], dim=1)
        basis = torch.linalg.qr(rough @ basis).Q
        exact = torch.linalg.qr(y @ basis.double()).Q
        image = y @ exact
        values, rotation = torch.linalg.eigh(exact.T @ image)
        top = float(values[-1])
        if top <= 0:
            return identity(size, covariance)
        vectors = exact @ rotation
        probes = torch.randn(size, 6, generator=generator, device=y.device, dtype=y.dtype)
        rest = y @ probes - (vectors * values) @ (vectors.T @ probes)
        # Halko et al. 2011, Eq. 4.3: holds with probability 1 - 10^-6 for six Gaussian probes
        bound = 10.0 * math.sqrt(2.0 / math.pi) * float(rest.norm(dim=0).max())
        if 2.0 * tau * bound / top <= tolerance:
            sigma = torch.exp(-tau * values.clamp(min=0.0) / top)
            keep = sigma < 1.0 - tolerance * 1e-2
            return FlatMatrix(vectors[:, keep].float().contiguous(), sigma[keep].float(), 1.0, size)
        basis = (image / top).float()  # one more power for the next, larger attempt
    return None


def input_size(layer: nn.Module) -> int:
    """d of a layer's input covariance: inputs of a Linear, C_in k_h k_w of a convolution."""
    assert isinstance(layer.weight, torch.Tensor)
    return int(layer.weight[0].numel())


def modifiable(layer: nn.Module) -> bool:
    """Whether T can be built for a layer: Linear, or an ungrouped, undilated convolution."""
    if isinstance(layer, nn.Linear):
        return True
    return (
        isinstance(layer, nn.Conv1d | nn.Conv2d | nn.Conv3d)
        and layer.groups == 1
        and all(step == 1 for step in layer.dilation)
        and layer.padding_mode == "zeros"
    )


def input_rows(layer: nn.Module, x: Tensor) -> Tensor:
    """The rows that a layer's weight matrix is multiplied with: (n, d).

    A Linear layer's rows are its inputs over all leading dimensions (samples, tokens); a convolution's are its patches,
    one a position (the construction of Adam-NSCL, Wang et al. 2021), so that d = C_in k_h k_w in the weight's own order.
    """
    return torch.cat(list(input_row_pieces(layer, x, most=None)))


def input_row_pieces(layer: nn.Module, x: Tensor, most: int | None = ROWS_AT_ONCE) -> Iterator[Tensor]:
    """The same rows in pieces of at most about `most` numbers each, so that large clips need no large copy."""
    if isinstance(layer, nn.Linear):
        yield x.reshape(-1, x.shape[-1])
        return
    assert isinstance(layer, nn.Conv1d | nn.Conv2d | nn.Conv3d)
    padding = layer.padding
    if padding == "valid":
        pads = [0] * len(layer.kernel_size)
    elif padding == "same":
        raise ValueError("padding='same' is not supported by the gradient modification")
    else:
        pads = [int(pad) for pad in padding]
    x = F.pad(x, [pad for size in reversed(pads) for pad in (size, size)])
    spatial = len(layer.kernel_size)
    for axis, (kernel, stride) in enumerate(zip(layer.kernel_size, layer.stride, strict=True)):
        x = x.unfold(2 + axis, kernel, stride)
    # now a view (n, C, positions..., kernel...): positions become rows, (C, kernel...) one row
    order = [0, *range(2, 2 + spatial), 1, *range(2 + spatial, 2 + 2 * spatial)]
    patches = x.permute(order)
    size = input_size(layer)
    if most is None or patches.numel() <= most:
        yield patches.reshape(-1, size)
        return
    slab = math.prod(patches.shape[2:])  # one sample, one position of the first axis
    step = max(1, most // slab)
    for sample in patches:
        for start in range(0, sample.shape[0], step):
            yield sample[start : start + step].reshape(-1, size)


class InputCovariance:
    """Accumulates Y = sum_t z_t z_t' of layer inputs over a pass (Eq. 2).

    `batch_mean` takes the batch's mean input (the paper); where a layer sees many positions of a sample, these stay rows
    of their own: the patches of the batch-mean picture or clip for a convolution, its tokens for a Linear layer inside a
    text encoder. `samples` takes every row, `centered` every row with the mean removed.
    """

    def __init__(self, layers: Mapping[str, nn.Module], kind: Covariance = "batch_mean") -> None:
        self.layers = dict(layers)
        self.kind = kind
        self._sums: dict[str, Tensor] = {}
        self._means: dict[str, Tensor] = {}
        self._rows: dict[str, int] = {}

    def update(self, name: str, x: Tensor) -> None:
        """Add one batch of inputs of the layer called `name`."""
        layer = self.layers[name]
        x = x.detach()
        if self.kind == "batch_mean":
            x = x.float().mean(dim=0, keepdim=True)
        if name not in self._sums:
            size = input_size(layer)
            double = size <= SMALL and x.device.type == "cpu"
            self._sums[name] = x.new_zeros(size, size, dtype=torch.float64 if double else torch.float32)
            self._means[name] = self._sums[name].new_zeros(size)
            self._rows[name] = 0
        for piece in input_row_pieces(layer, x):
            rows = piece.to(self._sums[name].dtype)
            self._sums[name].addmm_(rows.T, rows)
            self._rows[name] += rows.shape[0]
            if self.kind == "centered":
                self._means[name] += rows.sum(dim=0)

    def matrix(self, name: str) -> Tensor:
        """The accumulated (d, d) matrix of a layer; zeros before any batch."""
        if name not in self._sums:
            size = input_size(self.layers[name])
            return torch.zeros(size, size)
        if self.kind == "centered":
            mean = self._means[name]
            return self._sums[name] - torch.outer(mean, mean) / self._rows[name]
        return self._sums[name]

    def mean(self, name: str) -> float:
        """The mean eigenvalue of a layer's matrix over its rows, the paper's "average singular value" (Fig. 5a)."""
        matrix = self.matrix(name)
        return float(matrix.diagonal().double().mean()) / self.rows(name)

    def participation(self, name: str) -> float:
        """The participation ratio of its eigenvalues, (sum l)^2 / sum l^2, in [1, d]: how many directions its inputs
        fill, without a decomposition; 0 for zeros."""
        matrix = self.matrix(name).double()
        squares = float(matrix.square().sum())
        return float(matrix.trace()) ** 2 / squares if squares > 0 else 0.0

    def rows(self, name: str) -> int:
        """How many rows a layer's matrix is a sum over, at least 1."""
        return max(1, self._rows.get(name, 0))

    @contextmanager
    def watch(self) -> Iterator[None]:
        """While open, every forward pass of the layers adds its inputs."""
        handles = [
            layer.register_forward_pre_hook(lambda _, inputs, name=name: self.update(name, inputs[0]))
            for name, layer in self.layers.items()
        ]
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()


def uncompiled(model: nn.Module) -> AbstractContextManager[Any]:
    """Inside, compiled modules run as if they were not: hooks on their layers are called."""
    if all(module._compiled_call_impl is None for module in model.modules()):
        return nullcontext()  # asking torch's compiler for anything costs seconds of imports
    stance: AbstractContextManager[Any] = torch.compiler.set_stance("force_eager")
    return stance


def scoped_layers(branch: nn.Module, scope: Scope) -> dict[str, nn.Module]:
    """The layers of a modality's branch that the modification reaches, deepest first (Table 4).

    `none`: no layer; `head`: the modifiable layers under `branch.head`; a share in [0, 1]: from the deepest layer up
    until these layers hold that share of the branch's parameters. Frozen parameters count for nothing.

    Raises:
        ValueError: a share outside [0, 1].
    """
    layers = {name: layer for name, layer in branch.named_modules() if modifiable(layer) and layer.weight.requires_grad}
    deepest_first = dict(reversed(layers.items()))
    if scope == "none":
        return {}
    if scope == "head":
        return {name: layer for name, layer in deepest_first.items() if name.split(".")[0] == "head"}
    share = float(scope)
    if not 0.0 <= share <= 1.0:
        raise ValueError(f"scope: expected a share in [0, 1], found {share}")
    total = sum(parameter.numel() for parameter in branch.parameters() if parameter.requires_grad)
    taken: dict[str, nn.Module] = {}
    held = 0
    for name, layer in deepest_first.items():
        if held >= share * total:
            break
        taken[name] = layer
        held += sum(parameter.numel() for parameter in layer.parameters(recurse=False))
    return taken


def unpaired(source: Mapping[str, nn.Module], target: Mapping[str, nn.Module]) -> list[str]:
    """Layers of `target` that have no twin in `source`: the same module path with inputs of the same size.

    Layers pair by position, never by shape: two layers of one shape must not receive each other's T.
    """
    return [
        name
        for name, layer in target.items()
        if name not in source or input_size(source[name]) != input_size(layer) or type(source[name]) is not type(layer)
    ]


def modify_gradients(layers: Mapping[str, nn.Module], matrices: Mapping[str, FlatMatrix]) -> Tensor | None:
    """Replace weight gradients in place by `grad @ T` (Eq. 5 and 9). Biases are untouched.

    Returns:
        The cosine between all modified gradients before and after, a 0-d tensor, or None when nothing was modified.
    """
    dot: Tensor | None = None
    before = after = torch.zeros(())
    for name, matrix in matrices.items():
        weight = layers[name].weight
        if not isinstance(weight, nn.Parameter) or weight.grad is None or matrix.is_identity:
            continue
        rows = weight.grad.reshape(weight.shape[0], -1)
        changed = matrix.apply(rows)
        if dot is None:
            dot = before = after = rows.new_zeros(())
        dot = dot + (rows * changed).sum()
        before = before + rows.square().sum()
        after = after + changed.square().sum()
        weight.grad.copy_(changed.view_as(weight))
    return None if dot is None else dot / (before * after).sqrt().clamp(min=1e-30)
