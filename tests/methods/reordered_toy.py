"""The toy data of three modalities, which stand in another order: the same samples and the same augmentation."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))
from toy import TOY3, Toy


class Reordered(Toy):
    def __init__(self, order: tuple[str, ...]) -> None:
        super().__init__(3)
        self.name = "toy3_" + "".join(order)
        self.modalities = {name: TOY3.modalities[name] for name in order}

    def ensure(self, root: Path) -> None:
        TOY3.ensure(root)

    def transform(self, inputs: dict[str, Any], training: bool, generator: Any) -> dict[str, Any]:
        changed = super().transform({name: inputs[name] for name in sorted(inputs)}, training, generator)
        return {name: changed[name] for name in inputs}


M2_M0_M1 = Reordered(("m2", "m0", "m1"))
