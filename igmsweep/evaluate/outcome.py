"""What an evaluation has come to: means with intervals over seeds and samples, and the difference of the two configurations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np

from igmsweep.evaluate.training import finished
from igmsweep.statistics.crossed import SHARES, mean_of
from igmsweep.statistics.difference import Difference, unpaired
from igmsweep.statistics.influence import BySeed, scored
from igmsweep.statistics.looks import look_words, share


def summarise(
    chosen: Sequence[Mapping[str, Any]], tasks: Sequence[Mapping[str, Any]], metric: str, samples: int, look: int
) -> dict[str, Any]:
    """`candidates` with `seeds`, their `folders`, scores `per_seed`, `mean`, sample standard deviation `sd` and `interval` of each
    test metric, and the `comparison` of the two by the sweep's own metric. Intervals have the confidence 1 - `level`, which is the
    share that belongs to this look."""
    level, name = share(look), metric.rsplit("/", 1)[-1]
    out: list[dict[str, Any]] = []
    own: list[BySeed | None] = []
    for number, candidate in enumerate(chosen):
        done = {
            int(task["seed"]): (Path(task["folder"]), result["test"])
            for task in tasks
            if task["candidate"] == number and (result := finished(task)) is not None
        }
        folders = {seed: folder for seed, (folder, _) in done.items()}
        names = next(iter(done.values()))[1] if done else ()
        every = {
            each: BySeed({seed: scores[each] for seed, (_, scores) in done.items()}, each, folders, samples)
            for each in names
        }
        columns = {each: np.array(list(scores.values())) for each, scores in every.items()}
        intervals = {each: mean_of(scored(scores), level) for each, scores in every.items()}
        out.append(
            {
                "name": candidate["name"],
                "trial": candidate["trial"],
                "promised": candidate["promised"],
                "config_hash": candidate["config"].hash(),
                "seeds": list(done),
                "folders": [folder.name for folder in folders.values()],
                "per_seed": {each: scores.tolist() for each, scores in columns.items()},
                "mean": {each: float(scores.mean()) for each, scores in columns.items()},
                "sd": {each: float(scores.std(ddof=1)) if len(done) > 1 else None for each, scores in columns.items()},
                "interval": {each: found and [found.low, found.high] for each, found in intervals.items()},
            }
        )
        own.append(every.get(name))
    return {"level": level, "candidates": out, "comparison": compared(out, own, name, look)}


def compared(
    candidates: Sequence[Mapping[str, Any]], own: Sequence[Mapping[int, float] | None], name: str, look: int
) -> dict[str, Any] | None:
    """Best minus paper's default by one metric."""
    if len(candidates) < 2:
        return {"words": "The best trial is the paper's default itself, or there is none: nothing to compare it with."}
    (best, paper), other = own[:2], candidates[1]["name"]
    if not best or not paper:
        return None
    unit = f"points of test {name}" if name in SHARES else f"of test {name}"
    found = unpaired("Best trial", best, other, paper, unit, share(look))
    if found is None:
        gap = Difference("", "", fmean(best.values()) - fmean(paper.values()), 0, 0, 1, unit).numbers.split(" ")[0]
        return {"metric": name, "words": f"Best trial − {other}: {gap} {unit}; one seed says nothing about chance."}
    return {
        "metric": name,
        "n": found.n,
        "samples": found.samples,
        "mean": found.mean,
        "interval": [found.low, found.high],
        "level": found.level,
        "words": " ".join([f"{found.words}.", look_words(look)]).strip(),
    }
