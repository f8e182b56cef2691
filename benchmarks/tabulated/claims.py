"""What a report says of its winner, on sweeps of the table of real trainings: their truth is the accuracy on unseen samples.

    python -m benchmarks.tabulated.claims --sweeps 200 --out claims.json      # goes on where it stopped
    python -m benchmarks.tabulated.claims --out claims.json --show

A sweep tries 64 different configurations of the table, at random, each trained once; 180 or 540 samples validate. The truth of a
configuration is the mean of its seeds on all other samples, which is itself known to about a point.
"""

from __future__ import annotations

from itertools import product

import numpy as np

from benchmarks import outcomes
from benchmarks.simulated_sweeps.design import Simulated, as_sweep
from benchmarks.simulated_sweeps.judged import METRIC, of_winner, table
from benchmarks.tabulated.table import Table
from igmsweep.analysis.sensitivity import sensitivity_data

CELLS = [*product((64,), (180, 540))]


def drawn(of: Table, trials: int, samples: int, seed: int) -> Simulated:
    """One sweep of `trials` different configurations of the table, at random, scored on `samples` validation samples."""
    generator = np.random.default_rng([seed, trials, samples])
    order = generator.permutation(of.correct.shape[-1])
    numbers = generator.permutation(len(of))[:trials]
    rows, truth, correct = [], {}, {}
    for trial, number in enumerate(numbers.tolist()):
        last = of.correct[number, :, -1]
        right = last[generator.integers(len(last))][order[:samples]]
        rows.append((trial, of.params[number], float(right.mean()), "random"))
        truth[trial], correct[trial] = float(last[:, order[samples:]].mean()), right
    space = {param.path: param.described() for param in of.space.params}
    return as_sweep(rows, truth, correct, samples, "random", space)


def of_parameters(sweep: Simulated) -> dict[str, float]:
    """Which parameters are told to matter."""
    found = {path: sensitivity_data(sweep, path, METRIC).flat for path in sweep.space}
    return {f"{path} is told": float(flat.told) for path, flat in found.items() if flat is not None}


def main() -> None:
    """Judge what the file does not hold yet; print."""
    given = outcomes.arguments(__doc__, "sweeps", 200, "claims.json").parse_args()
    found = outcomes.read(given.out)
    of = Table.read()
    for seed, (trials, samples) in product(range(0 if given.show else given.sweeps), CELLS):
        done = found.setdefault(f"{trials} trials, {samples} samples", [])
        if len(done) <= seed:
            sweep = drawn(of, trials, samples, seed)
            done.append(of_winner(sweep) | of_parameters(sweep))
            outcomes.write(given.out, found)
    every = drawn(of, len(of), 540, 0)
    print(table(found))
    print(f"\n### All {len(of)} configurations, 540 samples\n")
    print("\n".join(f"- {name}: {value:.0f}" for name, value in of_parameters(every).items()))


if __name__ == "__main__":
    main()
