"""How evenly `--sampler sobol` covers a conditional space, against `--sampler random`. Prints Markdown tables.

The space is the method's own on avdigits, as `igmsweep tune avdigits` searches it. Coordinates are shares of the parameters' own
axes; those of conditional parameters are taken from the trials in which they act. The measure is scipy's centred discrepancy (a
square: of random points its mean is a constant over their number), so "as random of" is the number of random trials that would be as even.
"""

from __future__ import annotations

import argparse
import itertools
import math
from collections import Counter, defaultdict
from typing import Any

import numpy as np
import optuna
from scipy.stats import qmc

from igmsweep.spaces.design import sobol_design
from igmsweep.spaces.space import SearchSpace
from igmsweep.sweep.plan import make_plan
from igmsweep.sweep.request import SweepRequest
from igmsweep.sweep.search import make_sampler

SIZES = (16, 32, 64, 128)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=100)
    parser.add_argument("--method", default="igm")
    options = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    space = make_plan(SweepRequest("avdigits", method=options.method)).space
    found = {
        "random": [drawn(space, seed) for seed in range(options.seeds)],
        "sobol": [list(itertools.islice(sobol_design(space, seed), SIZES[-1])) for seed in range(options.seeds)],
    }
    print(f"1000 x centred discrepancy of {options.method} on avdigits, mean over {options.seeds} seeds [95 % of it]\n")
    print("| parameters | trials | random | sobol | ratio | as random of |\n|---|---|---|---|---|---|")
    for paths, trials in itertools.product(groups(space), SIZES):
        values = {
            name: [qmc.discrepancy(coordinates(space, run[:trials], paths)) for run in runs]
            for name, runs in found.items()
        }
        ratio = np.mean(values["sobol"]) / np.mean(values["random"])
        shown = " | ".join(interval(values[name]) for name in ("random", "sobol"))
        print(f"| {names(paths)} | {trials} | {shown} | {ratio:.2f} | {trials / ratio:.0f} |")
    print("\nTrials of 64 that a choice gets, fewest to most over all seeds\n")
    print("| choice | share of 64 | random | sobol |\n|---|---|---|---|")
    for param in space.params:
        for choice in param.choices:
            ends = {name: spread(runs, param.path, choice) for name, runs in found.items()}
            print(f"| {param.path} {choice} | {64 / len(param.choices):.1f} | {ends['random']} | {ends['sobol']} |")


def drawn(space: SearchSpace, seed: int) -> list[dict[str, Any]]:
    """What `--sampler random` proposes."""
    study = optuna.create_study(sampler=make_sampler("random", seed, 0))
    return [space(study.ask()) for _ in range(SIZES[-1])]


def groups(space: SearchSpace) -> list[list[str]]:
    """The numeric parameters by the rule under which they act, and all of them together."""
    numeric = [param for param in space.params if param.type != "categorical"]
    by_rule = defaultdict(list)
    for param in numeric:
        by_rule[str(param.when)].append(param.path)
    return [*by_rule.values(), [param.path for param in numeric]]


def names(paths: list[str]) -> str:
    return ", ".join(path.partition(".")[2] for path in paths)


def coordinates(space: SearchSpace, run: list[dict[str, Any]], paths: list[str]) -> np.ndarray:
    """(trials in which all of them act, paths) in [0, 1]."""
    params = [param for path in paths for param in space.params if param.path == path]
    return np.array(
        [[share(param, values[param.path]) for param in params] for values in run if set(paths) <= set(values)]
    )


def share(param: Any, value: float) -> float:
    """Where on its own axis a number lies, in [0, 1]."""
    if param.log:
        return math.log(value / param.low) / math.log(param.high / param.low)
    return (value - param.low) / (param.high - param.low)


def interval(values: list[float]) -> str:
    """Mean and its 95 % interval, in thousandths."""
    mean, error = np.mean(values), np.std(values, ddof=1) / math.sqrt(len(values))
    return f"{1000 * mean:.3g} [{1000 * (mean - 1.96 * error):.3g}, {1000 * (mean + 1.96 * error):.3g}]"


def spread(runs: list[list[dict[str, Any]]], path: str, choice: Any) -> str:
    counts = [Counter(str(values.get(path)) for values in run[:64])[str(choice)] for run in runs]
    return f"{min(counts)} to {max(counts)}"


if __name__ == "__main__":
    main()
