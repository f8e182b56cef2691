"""Pretrained weights from the user's own disk: found, read without running code, and laid into an encoder.

Nothing here downloads. `model.weights.<modality>` is `none` (random initialisation), `pretrained` (the encoder's usual
weights, from where torchvision or transformers keep theirs), or a path.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from igmsweep.errors import UserError, nearest
from igmsweep.gate.files import regular
from igmsweep.gate.paths import full

NONE, PRETRAINED = "none", "pretrained"


@dataclass(frozen=True)
class Wanted:
    """What a configuration asks of one modality's encoder.

    Attributes:
        modality: its name, for messages.
        shape: of one transformed sample.
        width: channels of the small encoders.
        variant: what follows the colon of `model.encoder`, such as a path in `bert:PATH`; None where nothing does.
        weights: `none`, `pretrained`, a path, or a name that transformers knows.
    """

    modality: str
    shape: tuple[int, ...]
    width: int = 16
    variant: str | None = None
    weights: str = NONE

    @property
    def key(self) -> str:
        """The configuration key that messages about weights begin with."""
        return f"model.weights.{self.modality}"

    @property
    def encoder_key(self) -> str:
        """The configuration key that messages about the encoder begin with."""
        return f"model.encoder.{self.modality}"

    def refuse_variant(self, name: str) -> None:
        """Raise UserError for `name:something` where the encoder comes in one form only."""
        if self.variant is not None:
            raise UserError(f"{self.encoder_key}: found '{name}:{self.variant}', but {name} has no variants")


def weight_file(wanted: Wanted, usual: str | None) -> Path:
    """The state-dict file that `wanted.weights` means; `usual` is the file name of `pretrained`.

    Raises:
        UserError: there is no such file; the message says where it is looked for.
    """
    if wanted.weights == PRETRAINED:
        if usual is None:
            raise UserError(f"{wanted.key}: found 'pretrained', but this encoder has no usual weights; give a path")
        path = Path(torch.hub.get_dir()) / "checkpoints" / usual
        if not regular(path):
            raise UserError(
                f"{wanted.key}: found 'pretrained', but {path} does not exist; put {usual} there, give its path "
                "instead, or 'none' to train from scratch (nothing is downloaded)"
            )
        return path
    path = full(wanted.weights, wanted.key)
    if not regular(path):
        raise UserError(f"{wanted.key}: no such file {path}; expected a path, 'pretrained' or 'none'")
    return path


def read_state(path: Path, key: str) -> dict[str, Tensor]:
    """The state dict of a `.pt`, `.pth`, `.bin` or `.safetensors` file, without `module.` and outer wrappings.

    Raises:
        UserError: the file is no state dict, or loading it would run code (`weights_only`).
    """
    found: Any
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            found = load_file(path)
        else:
            found = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        with path.open("rb") as file:
            start = file.read(40)
        if start.startswith(b"version https://git-lfs"):
            raise UserError(f"{key}: {path} is a Git-LFS pointer; fetch the file with `git lfs pull`") from None
        raise UserError(f"{key}: {path} cannot be read as a state dict ({type(error).__name__})") from None
    for wrapping in ("state_dict", "model"):
        if isinstance(found, Mapping) and isinstance(found.get(wrapping), Mapping):
            found = found[wrapping]
    if not isinstance(found, Mapping) or not all(isinstance(value, Tensor) for value in found.values()):
        raise UserError(f"{key}: {path} holds no state dict, expected names of parameters and their tensors")
    return {str(name).removeprefix("module."): value for name, value in found.items()}


def load_into(
    module: nn.Module, state: Mapping[str, Tensor], path: Path, key: str, classifier: Sequence[str] = ()
) -> None:
    """Copy a state dict into a module; every parameter must be there, in its shape.

    Args:
        classifier: prefixes of the pretraining's own classifier, which is left out.

    Raises:
        UserError: a name is missing, unknown or of another shape; the first such name and the nearest one are given.
    """
    own = module.state_dict()
    given = {name: value for name, value in state.items() if not name.startswith(tuple(classifier) or ("\0",))}
    for name, value in own.items():
        if name.endswith("num_batches_tracked"):  # absent from files older than the counter; nothing reads it
            given.setdefault(name, value)
        if name not in given:
            raise UserError(f"{key}: {path} has no '{name}'{nearest(name, given.keys() - own.keys())}")
        if given[name].shape != value.shape:
            raise UserError(
                f"{key}: {path}: '{name}' has shape {tuple(given[name].shape)}, expected {tuple(value.shape)}"
            )
    for name in given:
        if name not in own:
            raise UserError(f"{key}: {path}: unknown '{name}'")
    module.load_state_dict(given)


def fit_channels(weight: Tensor, channels: int) -> Tensor:
    """A first convolution's (out, 3, ...) weight for grey input: summed over colours, so that it answers to a grey
    picture as the original does to the same picture in three equal channels. Other counts are left as they are."""
    return weight.sum(dim=1, keepdim=True) if channels == 1 and weight.shape[1] == 3 else weight


def weights_hash(module: nn.Module) -> str:
    """16 hexadecimal digits of a module's parameters and buffers, names and values."""
    digest = hashlib.sha256()
    for name, tensor in sorted(module.state_dict().items()):
        flat = tensor.detach().cpu().contiguous()
        digest.update(f"{name} {flat.dtype} {tuple(flat.shape)}\n".encode())
        digest.update(flat.reshape(-1).view(torch.uint8).numpy().data if flat.numel() else b"")
    return digest.hexdigest()[:16]
