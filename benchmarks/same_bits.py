"""Whether two versions of igmsweep train the same bits and say the same about a sweep.

    python benchmarks/same_bits.py record FILE [--seeds 3] [--as-before NAME ...]   # with the one version
    python benchmarks/same_bits.py compare FILE OTHER                               # a line for each run

A record holds every epoch's metrics of every method on avdigits as hexadecimal floats, and hashes of the tables and
figures' data of `results/avdigits-igm`. It goes on where it was stopped. Run with one thread: sums depend on their order.
Names of metrics that only one version has are counted, not compared.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import tempfile
from pathlib import Path
from typing import Any

RUNS: dict[str, tuple[str, dict[str, Any]]] = {
    "igm": ("igm", {}),
    "igm, rho 0.05": ("igm", {"method.rho": 0.05}),
    "igm, w/o SAM": ("igm", {"method.sam": False}),
    "igm, scope 1": ("igm", {"method.scope": 1.0, "method.sam": False}),
    "igm, released": ("igm", {"method.preset": "released"}),
    "mla": ("mla", {}),
    "mla, released": ("mla", {"method.preset": "released"}),
    "joint": ("joint", {}),
    "joint, concat": ("joint", {"method.fusion": "concat"}),
    "joint, separate": ("joint", {"method.fusion": "separate"}),
    "unimodal, audio": ("unimodal", {"method.modality": "audio"}),
    "unimodal, image": ("unimodal", {"method.modality": "image"}),
}
TIMES = ("seconds", "lr/")

AS_BEFORE = {
    "covariance": "covariances over the training set in file order, not shuffled",
    "fusion": "entropy weights on probabilities, not on logits",
    "released": "the released preset with its hand-over and its schedule as version 0.1.0 had them",
}
"""What version 0.1.0 did otherwise, and what `--as-before` undoes: nothing else may change a bit."""


def undone(method: str, changes: dict[str, Any], undo: list[str]) -> dict[str, Any]:
    """Changes of a configuration that bring version 0.1.0's ways back."""
    released = changes.get("method.preset") == "released"
    more: dict[str, Any] = {}
    if "covariance" in undo:
        from igmsweep.methods.run import Run

        Run.clean = lambda self, share=1.0, shuffle=False: self.train.clean(share, seed=self.seed)  # type: ignore[method-assign]
    if method == "igm" and "fusion" in undo and not released:
        more["method.fusion"] = "entropy_probabilities"
    if released and method == "igm" and "released" in undo:
        more |= {"stages.handover": "best_val", "stages.handover_by": "acc", "optim.schedule": "step"}
    return changes | more


def trained(method: str, changes: dict[str, Any], seed: int) -> list[dict[str, str]]:
    """Every epoch's numbers, exactly."""
    import torch

    from igmsweep.train import TrainConfig, train

    torch.set_num_threads(1)
    config = TrainConfig(data="avdigits", method=method).override({**changes, "seed": seed, "device": "cpu"})
    result = train(config)
    return [
        {name: float(value).hex() for name, value in row.items() if isinstance(value, float) and name not in TIMES}
        for row in [*result.history, result.metrics]
    ]


def reported() -> dict[str, str]:
    """Hashes of the committed sweep's tables and of its figures' data."""
    from igmsweep.analysis import analyze, read_sweep
    from igmsweep.analysis.importance import importance_data
    from igmsweep.analysis.panels import panels

    folder = Path(__file__).resolve().parent.parent / "results" / "avdigits-igm"
    sweep = read_sweep(folder)
    found = {f"figure {panel.id}": panel.figure.to_json() for panel in panels(sweep, importance_data(sweep))}
    with tempfile.TemporaryDirectory() as out:
        analyze(folder, out=out, formats=("csv", "tex", "md"), say=lambda line: None)
        for path in sorted(Path(out).rglob("*.*")):
            found[f"table {path.name}"] = path.read_text("utf-8")
    return {name: hashlib.sha256(text.encode()).hexdigest()[:16] for name, text in found.items()}


def record(file: Path, seeds: int, undo: list[str]) -> None:
    """Train and write down, going on where an earlier call was stopped."""
    kept: dict[str, Any] = json.loads(file.read_text()) if file.exists() else {}
    kept["report"] = reported()
    for seed in range(seeds):
        for name, (method, changes) in RUNS.items():
            key = f"{name}, seed {seed}"
            if key not in kept:
                kept[key] = trained(method, undone(method, changes, undo) if undo else changes, seed)
                file.write_text(json.dumps(kept, indent=1))
                print(f"{key}: {len(kept[key]) - 1} epochs", flush=True)
    file.write_text(json.dumps(kept, indent=1))


def compare(one: Path, other: Path) -> int:
    """A line a run: identical, or where the first difference is. Returns how many runs differ."""
    first, second = json.loads(one.read_text()), json.loads(other.read_text())
    different = 0
    for key in first.keys() & second.keys() - {"report"}:
        rows = list(zip(first[key], second[key], strict=False))
        odd = [
            (number, name)
            for number, (before, after) in enumerate(rows, start=1)
            for name in before.keys() & after.keys()
            if before[name] != after[name]
        ]
        numbers = sum(len(before.keys() & after.keys()) for before, after in rows)
        lost = sorted({name for before, after in rows for name in before.keys() ^ after.keys()})
        same = not odd and len(first[key]) == len(second[key])
        different += not same
        where = f"{numbers} numbers identical" if same else f"differs, first in epoch {min(odd, default=(0, ''))}"
        print(f"{key}: {where}" + (f"; in one version alone: {', '.join(lost)}" if lost else ""))
    before, after = first["report"], second["report"]
    odd_names = sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))
    print(f"report: {len(before)} tables and figures, different: {', '.join(odd_names) or 'none'}")
    return different + len(odd_names)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("command", choices=["record", "compare"])
    parser.add_argument("file", type=Path)
    parser.add_argument("other", type=Path, nargs="?")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--as-before", nargs="*", default=[], choices=[*AS_BEFORE, []], help=str(AS_BEFORE))
    given = parser.parse_args()
    if given.command == "record":
        record(given.file, given.seeds, given.as_before)
    else:
        raise SystemExit(min(1, compare(given.file, given.other)))
