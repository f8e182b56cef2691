"""Every method on avdigits over five seeds: test accuracies, mean and s.d., as a Markdown table and JSON.

The test partition is opened here and nowhere in a search. Two processes of one thread each share the work.

    python benchmarks/avdigits_table.py --out docs/avdigits-table.json
"""

from __future__ import annotations

import argparse
import json
import statistics
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

ROWS: dict[str, dict[str, object]] = {
    "audio alone": {"name": "unimodal", "modality": "audio"},
    "image alone": {"name": "unimodal", "modality": "image"},
    "joint, late fusion": {"name": "joint", "fusion": "sum"},
    "joint, concat": {"name": "joint", "fusion": "concat"},
    "MLA": {"name": "mla"},
    "IGM w/o SAM, w/o GM": {"name": "igm", "sam": False, "gm": False},
    "IGM w/o SAM": {"name": "igm", "sam": False},
    "IGM w/o GM": {"name": "igm", "gm": False},
    "IGM": {"name": "igm"},
    "IGM, rho 0.05": {"name": "igm", "rho": 0.05},
    "IGM, released code": {"name": "igm", "preset": "released"},
}


def one(task: tuple[str, int]) -> tuple[str, int, dict[str, float], float]:
    """One training and its test metrics."""
    import torch

    torch.set_num_threads(1)
    from igmsweep.config import TrainConfig
    from igmsweep.data import load_test
    from igmsweep.schema.sections import DataConfig
    from igmsweep.train import train

    row, seed = task
    result = train(TrainConfig(data="avdigits", method=ROWS[row], seed=seed, device="cpu"))
    return row, seed, result.evaluate(load_test(DataConfig(name="avdigits"))), result.seconds


def main() -> None:
    """Train, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    tasks = [(row, seed) for row in ROWS for seed in range(arguments.seeds)]
    found: dict[str, list[dict[str, float]]] = {row: [] for row in ROWS}
    with ProcessPoolExecutor(arguments.processes, mp_context=get_context("spawn")) as pool:
        for row, seed, metrics, seconds in pool.map(one, tasks):
            found[row].append({**metrics, "seed": seed, "seconds": seconds})
            print(f"{row} seed {seed}: {metrics['acc']:.4f} in {seconds:.0f} s", flush=True)
    if arguments.out is not None:
        arguments.out.write_text(json.dumps(found, indent=1), encoding="utf-8")
    print(table(found))


def table(found: dict[str, list[dict[str, float]]]) -> str:
    """Markdown: mean ± s.d. in per cent over the seeds."""
    lines = ["| method | accuracy | MAP | audio | image |", "|---|---|---|---|---|"]
    for row, runs in found.items():
        cells = []
        for key in ("acc", "map", "audio/acc", "image/acc"):
            values = [100 * run[key] for run in runs if key in run]
            cells.append(f"{statistics.mean(values):.1f} ± {statistics.stdev(values):.1f}" if len(values) > 1 else "–")
        lines.append(f"| {row} | {' | '.join(cells)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
