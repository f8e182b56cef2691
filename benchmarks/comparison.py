"""Every method on a data set under one budget, by igmsweep's own commands: tune on validation, retrain, open the test once.

Each row is a sweep of `--trials` trials (the paper's configuration first, then TPE), and its winner is trained again with five
fresh seeds on the training split alone, since two methods need validation data while they train. What is finished is
not run again: the same command goes on where it stopped.

    python benchmarks/comparison.py run avdigits --out results/comparison
    python benchmarks/comparison.py run path/to/avmnist/samples.csv --out results/comparison
    python benchmarks/comparison.py tables --out results/comparison --json docs/comparison.json
"""

from __future__ import annotations

import argparse
import json
import math
import os
import statistics
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from scipy import stats

HERE = Path(__file__).resolve().parent
ROWS: dict[str, tuple[str, str | None]] = {
    "audio alone": ("unimodal", "audio_alone"),
    "image alone": ("unimodal", "image_alone"),
    "joint": ("joint", None),
    "joint + unimodal": ("joint", "joint_unimodal"),
    "OGR-GB": ("ogr_gb", None),
    "OGM-GE": ("ogm", None),
    "DOMFN": ("domfn", None),
    "MSES": ("mses", None),
    "MSLR": ("mslr", None),
    "PMR": ("pmr", None),
    "AGM": ("agm", None),
    "MMPareto": ("mmpareto", None),
    "SMV": ("smv", None),
    "ReconBoost": ("reconboost", None),
    "MLA": ("mla", None),
    "IGM w/o SAM": ("igm", "igm_without_sam"),
    "IGM": ("igm", None),
}
"""By the row's name: the method, and the space where it is not the method's own."""
SMALL = {
    "data.options.frontend": "mel8k",
    "data.options.size": 28,
    "data.options.crop": 28,
    "data.options.flip": "false",
    "model.encoder": "resnet_mini",
    "optim.batch_size": 32,
    "optim.schedule": "step",
    "optim.step_size": 2,
    "stages.cycles": 3,
    "stages.epochs": 3,
    "channels_last": "true",
}
"""avdigits' encoders, optimiser and length, for spoken and written digits in a CSV file."""


def slug(row: str) -> str:
    """A folder's name."""
    return row.lower().replace("w/o ", "without-").replace(" ", "-")


def igmsweep(*arguments: object) -> None:
    """One command; what it says goes to the terminal."""
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "igmsweep", *map(str, arguments)], env=environment, capture_output=True, text=True
    )
    print("$ igmsweep", *arguments, flush=True)
    print(done.stderr.strip().splitlines()[-1] if done.stderr.strip() else "", flush=True)
    if done.returncode != 0:
        raise SystemExit(f"exit code {done.returncode}\n{done.stderr}")


def one_row(row: str, data: str, place: Path, trials: int, seeds: int) -> None:
    """Tune a method, retrain its winner, score it on the test split."""
    method, space = ROWS[row]
    folder = place / slug(row)
    if evaluations(folder):
        return
    chosen = [] if space is None else ["--space", HERE / "comparison" / f"{space}.yaml"]
    sets = [] if not data.endswith(".csv") else [word for k, v in SMALL.items() for word in ("--set", f"{k}={v}")]
    common = ["--method", method, *chosen, "--trials", trials, "--out", place, "--name", slug(row), "--resume"]
    igmsweep("tune", data, *common, "--keep-checkpoints", "none", "--local", "-q", *sets)
    igmsweep(
        *("evaluate", folder, "--confirm-test", "--seeds", seeds, "--train-on", "train", "--winner-only", "--local")
    )


def run(data: str, place: Path, trials: int, seeds: int, processes: int, rows: list[str]) -> None:
    """All rows, so many at a time."""
    place.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(processes) as pool:
        for done in [pool.submit(one_row, row, data, place, trials, seeds) for row in rows]:
            done.result()


def evaluations(folder: Path) -> list[dict[str, Any]]:
    """The finished evaluations of a sweep; an interrupted one is an opening without one."""
    file = folder / "test_eval.json"
    found: list[dict[str, Any]] = json.loads(file.read_text())["evaluations"] if file.exists() else []
    return found


def collected(place: Path) -> dict[str, Any]:
    """Raw numbers of every finished row: the winner, its validation score, and its test scores by seed."""
    found: dict[str, Any] = {}
    for row in ROWS:
        folder = place / slug(row)
        if not evaluations(folder):
            continue
        opened = json.loads((folder / "test_eval.json").read_text())
        evaluation = evaluations(folder)[-1]
        winner = evaluation["candidates"][0]
        lines = [json.loads(line) for line in (folder / "trials.jsonl").read_text().splitlines()]
        done = [line for line in lines if line.get("state") == "complete"]
        best = next(line for line in done if line["trial"] == winner["trial"])
        first = next((line for line in done if line.get("source") == "enqueue:paper"), None)
        found[row] = {
            "trials": len(done),
            "failed": sum(line.get("state") == "failed" for line in lines),
            "test_openings": opened["count"],
            "train_on": evaluation["train_on"],
            "winner": best["params"],
            "validation": {"winner": best["metrics"], "paper": None if first is None else first["metrics"]},
            "seeds": winner["seeds"],
            "test": winner["per_seed"],
            "seconds_of_search": round(sum(line.get("seconds") or 0.0 for line in done)),
        }
    return found


def table(found: dict[str, Any]) -> str:
    """Markdown: test scores in per cent, mean ± s.d. over seeds, and the difference from joint training."""
    base = found.get("joint", {}).get("test", {}).get("acc")
    costs = json.loads((HERE.parent / "docs" / "method-cost.json").read_text())
    head = "| method | accuracy | − joint [95 %] | MAP | audio head | image head | validation, winner (paper) | cost |"
    lines = [head, "|---|---|---|---|---|---|---|---|"]
    for row, each in found.items():
        cells = [cell(each["test"].get("acc")), difference(each["test"].get("acc"), base if row != "joint" else None)]
        cells += [cell(each["test"].get(name)) for name in ("map", "audio/acc", "image/acc")]
        paper = each["validation"]["paper"]
        known = "–" if paper is None else f"{100 * paper['val/acc']:.1f}"
        cells.append(f"{100 * each['validation']['winner']['val/acc']:.1f} ({known})")
        cells.append(f"{1.0 if ROWS[row][0] == 'joint' else costs[ROWS[row][0]]['ratio']:.1f}")
        lines.append(f"| {row} | {' | '.join(cells)} |")
    return "\n".join(lines)


def cell(values: list[float] | None) -> str:
    """Mean ± s.d. in per cent."""
    if not values:
        return "–"
    return f"{100 * statistics.mean(values):.1f} ± {100 * statistics.stdev(values):.1f}"


def difference(values: list[float] | None, base: list[float] | None) -> str:
    """Mean difference by seed with its 95 % t interval, in points."""
    if not values or not base or len(values) != len(base):
        return "–"
    gaps = [100 * (one - other) for one, other in zip(values, base, strict=True)]
    half = float(stats.t.ppf(0.975, len(gaps) - 1)) * statistics.stdev(gaps) / math.sqrt(len(gaps))
    middle = statistics.mean(gaps)
    return f"{middle:+.1f} [{middle - half:+.1f}, {middle + half:+.1f}]"


def main() -> None:
    """Run rows, or make the tables of what is finished."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["run", "tables"])
    parser.add_argument("data", nargs="?")
    parser.add_argument("--out", type=Path, default=Path("results/comparison"))
    parser.add_argument("--trials", type=int, default=8)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--rows", nargs="*", choices=list(ROWS), default=list(ROWS))
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    if given.what == "run":
        name = Path(given.data).parent.name if given.data.endswith(".csv") else given.data
        run(given.data, given.out / name, given.trials, given.seeds, given.processes, given.rows)
        return
    every = {place.name: collected(place) for place in sorted(given.out.iterdir()) if place.is_dir()}
    for name, found in every.items():
        print(f"## {name}\n\n{table(found)}\n")
    if given.json is not None:
        given.json.write_text(json.dumps(every, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
