"""Is what a report says of tuning true? Shapley values of ablation, tunability and mistunability on sweeps whose response is known.

    python -m benchmarks.simulated_sweeps.tuning --sweeps 60 --out tuning.json      # goes on where it stopped
    python -m benchmarks.simulated_sweeps.tuning --out tuning.json --show

The truth is the same games on the true response, the best and the worst sought among many more points. Beside what is shown stands another
rule: the best and the worst of each draw, where the report values those of the mean.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.stats import spearmanr

from benchmarks import outcomes
from benchmarks.simulated_sweeps.design import MATTERS, Simulated, simulate
from benchmarks.simulated_sweeps.judged import METRIC, Truth, table
from igmsweep.analysis.hybrids import Hybrids
from igmsweep.analysis.surrogate import Surrogate, surrogate
from igmsweep.analysis.tuning import ALL, GAMES, INTERVAL, SIGNS, games, mixtures, start
from igmsweep.statistics.gaussian_process import EACH
from igmsweep.statistics.shapley import weights

PAPER = {
    "optim.lr.image": 1e-3, "optim.lr.audio": 1e-2, "method.scope": "none", "method.tau": 10.0, "method.sam": True,
    "method.rho": 0.05,
}  # fmt: skip
"""The default: two points below the best in `one`, three more in `mixed`, where another scope lets τ act."""
CELLS = [("flat", "random"), ("two", "random"), ("mixed", "random"), ("mixed", "tpe")]
POINTS, OWN = 512, 32
"""Points of the truth, and of the other rule."""
RULES = ("shown", "each draw's own")


def judge(sweep: Simulated, response: str) -> dict[str, float]:
    """What is said of every parameter, against the truth: in points where it is no share."""
    found = surrogate(sweep, METRIC)
    assert found is not None
    best, hybrids = start(sweep, found)
    players = [(column,) for column in range(len(found.axes))]
    truly = replace(found, process=Truth(found, response))  # type: ignore[arg-type]
    truth = games(truly, hybrids, players, best, POINTS)[0]
    draws = (games(found, hybrids, players, best), own(found, hybrids, best))
    out: dict[str, float] = {}
    false = dict.fromkeys(RULES, 0.0)
    names = [*(axis.path for axis in found.axes), ALL]
    for rule, said in zip(RULES, draws, strict=True):
        for game, name in enumerate(GAMES):
            if rule != RULES[0] and name == "ablation":  # which has no choice in it
                continue
            real = np.append(truth[game], truth[game].sum())
            each = np.column_stack([said[:, game], said[:, game].sum(axis=1)])
            low, high = np.quantile(each, INTERVAL, axis=0)
            told = (low > 0) | (high < 0)
            idle = [place for place, path in enumerate(names) if path not in (*MATTERS[response], ALL)]
            false[rule] = max(false[rule], float(told[idle].any()))
            for place, path in enumerate(names):
                if place in idle:
                    continue
                key = f"{name} of {path}, {rule}"
                out[f"{key}: covers"] = float(low[place] - 1e-9 <= real[place] <= high[place] + 1e-9)
                out[f"{key}: is at least the lower end"] = float(real[place] >= low[place] - 1e-9)
                out[f"{key}: told"] = float(told[place])
                out[f"{key}: truth"] = 100 * float(real[place])
                out[f"{key}: excess"] = 100 * float(each[:, place].mean() - real[place])
            inside = (low[idle] - 1e-9 <= real[idle]) & (real[idle] <= high[idle] + 1e-9)
            out[f"{name} of idle ones, {rule}: covers"] = float(inside.mean())
            if np.ptp(truth[game]) > 1e-3:
                agreement = spearmanr(each.mean(axis=0)[:-1], truth[game]).statistic
                out[f"{name}, {rule}: rank correlation"] = float(agreement)
                largest = np.abs(each.mean(axis=0)[:-1]).argmax() == np.abs(truth[game]).argmax()
                out[f"{name}, {rule}: largest is right"] = float(largest)
        out[f"an idle parameter is told, {rule}"] = false[rule]
    return out


def own(found: Surrogate, hybrids: Hybrids, best: np.ndarray) -> np.ndarray:
    """As `games`, each draw with its own best and worst configuration of every coalition."""
    count = len(found.axes)
    unique, place, _ = mixtures(found, hybrids, [(column,) for column in range(count)], best, OWN)
    few = replace(found.process, theta=found.process.theta[::3])  # a draw of so many points costs their cube
    draws = few.draws(unique, EACH, np.random.default_rng(0))
    values = [draws[:, place[:, 0]]]
    for sign in (1, -1):
        most = (sign * draws[:, place]).max(axis=2)
        for player in range(count):
            within = np.flatnonzero(np.arange(2**count) & (1 << player))
            most[:, within] = np.maximum(most[:, within], most[:, within ^ (1 << player)])
        values.append(sign * most)
    return np.stack([sign * value @ weights(count).T for sign, value in zip(SIGNS, values, strict=True)], axis=1)


def main() -> None:
    """Run what the file of outcomes does not hold yet, or show it."""
    given = outcomes.arguments(__doc__, "sweeps", 60, "tuning.json").parse_args()
    found = outcomes.read(given.out)
    for seed in range(0 if given.show else given.sweeps):
        for response, sampler in CELLS:
            done = found.setdefault(f"{response}/{sampler}/64/360", [])
            if seed >= len(done):
                done.append(judge(simulate(response, sampler, 64, 360, seed, keep=False, paper=PAPER), response))
        outcomes.write(given.out, found)
    print(table(found))


if __name__ == "__main__":
    main()
