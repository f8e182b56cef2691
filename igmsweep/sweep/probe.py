"""How much GPU memory a training takes: a few real steps of it, in a process of its own so that nothing is left behind.

Reads a configuration as JSON from stdin and writes `{"peak": bytes}`.
"""

from __future__ import annotations

import json
import sys

from igmsweep.config import TrainConfig
from igmsweep.sweep.estimate import estimate


def main() -> None:
    """Measure and write."""
    sys.stdout.write(json.dumps({"peak": int(estimate(TrainConfig(**json.load(sys.stdin))).memory)}) + "\n")


if __name__ == "__main__":
    main()
