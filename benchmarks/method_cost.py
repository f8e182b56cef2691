"""What each method's training costs, as a ratio to joint training with as many epochs of each modality, side by side.

Default configurations on avdigits, one thread, three rounds in turn; medians of the ratios within a round. What a method does
besides its steps counts too: copies that are trained, prototypes, valuations. These are the numbers that `igmsweep methods`
shows.

    python benchmarks/method_cost.py --json docs/method-cost.json
"""

from __future__ import annotations

import argparse
import json
import statistics
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
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--cycles", type=int, default=1)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    torch.set_num_threads(1)
    data = load_search(DataConfig(name="avdigits"))
    seconds: dict[str, list[float]] = {name: [] for name in methods.names()}
    for number in range(-1, given.rounds):  # one round to warm up
        for name in methods.names():
            config = TrainConfig(data="avdigits", method=name, device="cpu").override({"stages.cycles": given.cycles})
            if number < 0:
                config = config.override({"stages.epochs": 1})
            spent = train(config, data=data).seconds
            if number >= 0:
                seconds[name].append(spent)
    ratios = {
        name: round(statistics.median(one / joint for one, joint in zip(spent, seconds["joint"], strict=True)), 2)
        for name, spent in seconds.items()
    }
    for name, ratio in sorted(ratios.items(), key=lambda item: item[1]):
        print(f"{name:<12}{ratio:6.2f}")
    if given.json is not None:
        given.json.write_text(json.dumps(ratios, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
