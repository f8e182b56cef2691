"""torch, imported when it is first used.

Methods and their mathematics are imported wherever a configuration is checked: by `igmsweep status`, by a search space, by
a driver that trains nothing itself. Torch takes seconds to import, so these files take it from here. A type checker and a
reader see torch itself. Whoever defines an `nn.Module` imports torch as usual.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch
    from torch import nn
    from torch.nn import functional as F

else:

    class _Late:
        """A module that is imported when an attribute of it is first asked for."""

        def __init__(self, name: str) -> None:
            self._name = name

        def __getattr__(self, attribute: str) -> Any:
            found = getattr(importlib.import_module(self._name), attribute)
            setattr(self, attribute, found)  # from now on as fast as the module itself
            return found

    torch, nn, F = _Late("torch"), _Late("torch.nn"), _Late("torch.nn.functional")

__all__ = ["F", "nn", "torch"]
