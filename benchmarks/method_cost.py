"""What each method's training costs, as a ratio to joint training with as many epochs of each modality, side by side.

Default configurations on avdigits, one thread; each training stands beside one of joint training, and the ratio is of their
processor seconds, so that another program's load does not count. Medians over rounds, with the least and the largest. What a
method does besides its steps counts too: copies that are trained, prototypes, valuations. These are the numbers that
`igmsweep methods` shows.

    python benchmarks/method_cost.py --json docs/method-cost.json
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from pathlib import Path

import torch

from igmsweep import methods
from igmsweep.config import TrainConfig
from igmsweep.data import load_search
from igmsweep.schema.sections import DataConfig
from igmsweep.train import train


def main() -> None:
    """Time, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--cycles", type=int, default=1)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    torch.set_num_threads(1)
    data = load_search(DataConfig(name="avdigits"))

    def spent(name: str) -> float:
        config = TrainConfig(data="avdigits", method=name, device="cpu").override({"stages.cycles": given.cycles})
        before = time.process_time()
        train(config, data=data)
        return time.process_time() - before

    spent("joint")  # to warm up
    ratios: dict[str, list[float]] = {name: [] for name in methods.names()}
    for _ in range(given.rounds):
        for name, found in ratios.items():
            found.append(spent(name) / spent("joint"))
    rows = {
        name: {"ratio": round(statistics.median(found), 2), "least": round(min(found), 2), "most": round(max(found), 2)}
        for name, found in sorted(ratios.items(), key=lambda item: statistics.median(item[1]))
    }
    for name, row in rows.items():
        print(f"{name:<12}{row['ratio']:6.2f}  {row['least']:.2f} to {row['most']:.2f}")
    if given.json is not None:
        given.json.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
