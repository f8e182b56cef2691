"""How much GPU memory a training takes: one short round of it, in a process of its own so that nothing is left behind.

Reads a configuration as JSON from stdin and writes `{"peak": bytes}`: what torch held at most, reserved blocks counted
in, over a few steps of every modality of two rounds (T acts from the second on) and the validation passes.
"""

from __future__ import annotations

import json
import sys
from dataclasses import replace

STEPS = 4


def main() -> None:
    """Measure and print."""
    import numpy as np
    import torch

    from igmsweep.config import TrainConfig
    from igmsweep.data import load_search
    from igmsweep.train import fit

    config = TrainConfig(**json.load(sys.stdin)).override({"stages.rounds": 2, "stages.epochs": 1})
    data = load_search(config.data)
    few = np.arange(min(len(data.train), STEPS * config.optim.batch_size))
    for _ in fit(config, replace(data, train=data.train.take(few))):
        pass
    peak = torch.cuda.max_memory_reserved() if torch.cuda.is_available() else 0
    print(json.dumps({"peak": int(peak)}))


if __name__ == "__main__":
    main()
