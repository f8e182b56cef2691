"""Sharpness-aware minimisation (Foret et al. 2021; Sec. 3.3), with the weights restored bit for bit.

What to expect of rho: in float32, w + e = w wherever |e| is under about |w| 2^-25, so at the paper's rho of 1e-10 and
1e-15 next to no weight moves and the second pass repeats the first. `perturbed` says whether any moved at all, so that a
pass that could only give the same bits is left out, and the share of weights that did; trainings log it as `sam/moved`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from igmsweep.late import nn, torch

if TYPE_CHECKING:
    from torch import Tensor


def ascent(gradients: Sequence[Tensor], rho: float, norm: str = "global") -> list[Tensor]:
    """e = rho g / ||g|| (Eq. 7); zeros for a zero gradient.

    Args:
        gradients: one tensor a parameter.
        rho: radius, at least 0.
        norm: `global`, over all tensors together (the paper), or `tensor`, each by its own (the released code).
    """
    if not gradients:
        return []
    norms = torch.stack(torch._foreach_norm(list(gradients)))
    if norm == "global":
        norms = norms.norm().expand(len(norms))
    # 0 where the gradient is zero; the division itself never sees a zero
    scales = torch.where(norms > 0, rho / norms.clamp(min=torch.finfo(norms.dtype).tiny), torch.zeros_like(norms))
    return list(torch._foreach_mul(list(gradients), list(scales.unbind())))


@dataclass(frozen=True)
class Perturbation:
    """What a perturbation did to the weights.

    Attributes:
        moved: share of weights whose value changed, a 0-d tensor in [0, 1]; None where nobody asked.
        inert: no weight changed at all, so a second pass would give the first pass's gradient bit for bit.
    """

    moved: Tensor | None
    inert: bool


@contextmanager
def perturbed(parameters: Sequence[nn.Parameter], rho: float, count: bool = False) -> Iterator[Perturbation]:
    """Inside, the weights stand at theta + e (Eq. 7); after it they are restored from a copy, bit for bit.

    The perturbation is made from the gradients at hand, which are cleared: the pass inside leaves the gradient at
    theta + e (Eq. 8). Where the perturbation is inert they stay, as the pass would only give them again: leave it out.

    Args:
        count: whether the share of weights that moved is wanted.
    """
    moving: list[Tensor] = [parameter for parameter in parameters if parameter.grad is not None]
    with torch.no_grad():
        saved = [parameter.detach().clone() for parameter in moving]
        if moving:
            add_each(moving, ascent([_gradient(parameter) for parameter in moving], rho))
        changed = [(now != old).any() for now, old in zip(moving, saved, strict=True)]
        inert = not changed or not bool(torch.stack(changed).any())  # one wait for the device, against a whole pass
        moved = share_moved(moving, saved) if count and moving else None
    if not inert:
        for parameter in moving:
            parameter.grad = None
    try:
        yield Perturbation(moved, inert)
    finally:
        with torch.no_grad():
            if moving:
                torch._foreach_copy_(moving, saved)


def add_each(tensors: Sequence[Tensor], steps: Sequence[Tensor]) -> None:
    """Add a step to each tensor in place."""
    torch._foreach_add_(list(tensors), list(steps))


def share_moved(parameters: Sequence[Tensor], before: Sequence[Tensor]) -> Tensor:
    """Share of all weights whose value differs from before, a 0-d tensor in [0, 1]."""
    changed = torch.stack([(now != old).sum() for now, old in zip(parameters, before, strict=True)]).sum()
    return changed / max(1, sum(tensor.numel() for tensor in before))


@contextmanager
def second_pass(modules: Sequence[nn.Module]) -> Iterator[None]:
    """A repeated forward pass of one step: batch-norm statistics rest, and dropout draws the first pass's masks again
    when the caller has noted the generator's state with `dropout_state` before the first pass."""
    norms = [
        module
        for parent in modules
        for module in parent.modules()
        if isinstance(module, nn.modules.batchnorm._BatchNorm) and module.track_running_stats
    ]
    for norm in norms:
        norm.track_running_stats = False  # training mode then uses batch statistics and updates nothing
    try:
        yield
    finally:
        for norm in norms:
            norm.track_running_stats = True


def dropout_state(modules: Sequence[nn.Module], device: torch.device) -> Callable[[], None] | None:
    """A function that sets the random generator back to now, or None when no module draws dropout masks."""
    drops = any(
        isinstance(module, nn.modules.dropout._DropoutNd) and module.p > 0 and module.training
        for parent in modules
        for module in parent.modules()
    )
    if not drops:
        return None
    if device.type == "cuda":
        state = torch.cuda.get_rng_state(device)
        return lambda: torch.cuda.set_rng_state(state, device)
    state = torch.get_rng_state()
    return lambda: torch.set_rng_state(state)


def _gradient(parameter: Tensor) -> Tensor:
    assert parameter.grad is not None
    return parameter.grad
