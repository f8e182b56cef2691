"""Two methods whose truth is known, compared many times: how often the better one comes first, what is claimed, what intervals cover.

    python -m benchmarks.simulated_sweeps.comparing [--repetitions 200] [--json FILE]

A method is a response surface over three parameters. Each search tries random configurations, trains each once (training noise of one
point) and scores all on the same validation samples. The truth is the mean true accuracy of the configuration that such a search
chooses, over many searches on samples of their own. `before` is the rule that compared best scores by their binomial errors and took
the mean of seeds where there were several. A page can say `A is better than B`, and intervals of 95 and 90 %: their rates stand here.
"""

from __future__ import annotations

import argparse
import json
import math
import time
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from benchmarks.simulated_sweeps.samples import correctness
from igmsweep.analysis.comparison.chosen import Candidates, choose
from igmsweep.analysis.comparison.expected import expected_curve
from igmsweep.analysis.comparison.verdicts import verdicts

NOISE = 0.01
"""Standard deviation of the true accuracy of a configuration's trainings."""
TOP = 3
"""Configurations that are repeated where there are several seeds."""
Surface = Callable[[int, np.random.Generator], np.ndarray]


def broad(trials: int, generator: np.random.Generator) -> np.ndarray:
    """(trials,) true accuracies: a broad optimum of 90 %, and a fifth of the space that costs 20 points."""
    x = generator.uniform(-1, 1, (trials, 3))
    return np.asarray(0.90 - x**2 @ (0.15, 0.06, 0.02) - 0.2 * (generator.random(trials) < 0.2))


def narrow(trials: int, generator: np.random.Generator) -> np.ndarray:
    """(trials,) true accuracies: a sharp peak up to 90 % over a plain at 70 %, which few trials hit."""
    x = generator.uniform(-1, 1, (trials, 3))
    peak = np.exp(-4 * np.abs(x[:, 0] - 0.3) - x[:, 1] ** 2)
    return np.asarray(0.70 + 0.2 * peak - 0.02 * x[:, 2] ** 2)


def broad_by_tpe(trials: int, generator: np.random.Generator) -> np.ndarray:
    """`broad`, searched by TPE, which sees each accuracy with a noise of two points: trials that depend on each other."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)
    seed = int(generator.integers(2**31))
    sampler = optuna.samplers.TPESampler(multivariate=True, n_startup_trials=10, seed=seed)
    study = optuna.create_study(direction="maximize", sampler=sampler)
    true = []
    for _ in range(trials):
        trial = study.ask()
        x = np.array([trial.suggest_float(name, -1, 1) for name in "abc"])
        fifth = trial.suggest_categorical("d", [0, 1, 2, 3, 4])
        true.append(0.90 - x**2 @ (0.15, 0.06, 0.02) - 0.2 * (fifth == 0))
        study.tell(trial, true[-1] + generator.normal(0, 0.02))
    return np.array(true)


@dataclass(frozen=True)
class Cell:
    """A design: both methods have `surface`, the first one `gain` on top; `seeds` trainings of the best few on each side; with
    `default`, the first trial of each search is enqueued, with the true accuracy of 90 % and the gain."""

    surface: str
    trials: int
    samples: int
    gain: float
    seeds: tuple[int, int] = (1, 1)
    default: bool = False


@dataclass(frozen=True)
class Rates:
    """Shares of repetitions. `first`: the first method is placed first. `claimed`, `wrong`: it is told apart as better, as worse.
    `covered`: the interval holds the true difference. `width`: its mean width in points."""

    first: float
    claimed: float
    wrong: float
    covered: float
    width: float


@dataclass(frozen=True, eq=False)
class Search:
    """`true`: (trials,) accuracy of the configurations. `right`: (trials, samples) bool, of first trainings. `again`: (TOP, seeds,
    samples) of the best ones' trainings, the first among them; None for one seed."""

    true: np.ndarray
    right: np.ndarray
    again: np.ndarray | None
    default: bool

    @property
    def scores(self) -> np.ndarray:
        return np.asarray(self.right.mean(axis=1))

    @property
    def top(self) -> np.ndarray:
        return np.argsort(-self.scores, kind="stable")[:TOP]

    @property
    def chosen(self) -> float:
        """True accuracy of the configuration that the search chooses."""
        if self.again is None:
            return float(self.true[self.scores.argmax()])
        return float(self.true[self.top[self.again.mean(axis=(1, 2)).argmax()]])

    def candidates(self, repeats: bool, predictions: bool) -> Candidates:
        """What is known of the search: with or without its repeats, and what was predicted of each sample."""
        told, first = self.right.astype(np.float32), np.zeros(len(self.right), bool)
        if repeats and self.again is not None:
            told[self.top], first[self.top] = self.again.mean(axis=1), True
        scores = told.mean(axis=1, dtype=np.float64)
        best = scores[first].max() if first.any() else scores.max()
        parts = (told, told) if predictions else (None, None)
        given, error = np.arange(len(scores)) < self.default, binomial(best, told.shape[1])
        again = self.again if repeats else None
        noise = math.nan if again is None else again.mean(axis=2).var(axis=1, ddof=1).mean() / again.shape[1]
        return Candidates(scores, scores, int((~given).sum()), given, first, *parts, error, "shared", noise)


def searches(cell: Cell, generator: np.random.Generator) -> list[Search]:
    """One search of each method, scored on the same samples."""
    surface = SURFACES[cell.surface]
    true = [surface(cell.trials, generator) + gain for gain in (cell.gain, 0.0)]
    if cell.default:
        true[0][0], true[1][0] = 0.90 + cell.gain, 0.90
    extra = [seeds - 1 for seeds in cell.seeds]
    configurations = np.concatenate(true)
    # every configuration has all its trainings, of which a search looks at the first, and of its best few at the others
    count = 1 + max(extra)
    accuracies = np.repeat(configurations, count) + NOISE * generator.standard_normal(len(configurations) * count)
    names = np.repeat(np.arange(len(configurations)), count)
    right = correctness(accuracies, names, cell.samples, generator).reshape(2, cell.trials, count, cell.samples)
    found = []
    for side in range(2):
        search = Search(true[side], right[side, :, 0], None, cell.default)
        again = right[side][search.top][:, : cell.seeds[side]] if cell.seeds[side] > 1 else None
        found.append(replace(search, again=again))
    return found


def truth(cell: Cell, searched: int = 1000, seed: int = 1) -> float:
    """The true difference: of what many searches of each method choose."""
    if cell.gain == 0 and cell.seeds[0] == cell.seeds[1]:
        return 0.0
    generator = np.random.default_rng(seed)
    found = [searches(cell, generator) for _ in range(searched)]
    return float(np.mean([one.chosen - other.chosen for one, other in found]))


def simulate(cell: Cell, repetitions: int, seed: int = 0) -> dict[str, Rates]:
    """Rates `before`, `after`, and after without kept predictions (`scores`)."""
    generator = np.random.default_rng(seed)
    # what is compared after: first trainings alone where the seeds differ, so the truth is that of searches without repeats
    common = cell if cell.seeds[0] == cell.seeds[1] else replace(cell, seeds=(1, 1))
    true = truth(common)
    rows: dict[str, list[tuple[float, float, float]]] = {"before": [], "after": [], "scores": []}
    for _ in range(repetitions):
        pair = searches(cell, generator)
        rows["before"].append(by_scores(pair))
        for name, predictions in (("after", True), ("scores", False)):
            (found,) = verdicts(choose([each.candidates(common is cell, predictions) for each in pair]))
            rows[name].append((found.difference, found.low, found.high))
    return {name: rates(np.array(each), true) for name, each in rows.items()}


def by_scores(pair: list[Search]) -> tuple[float, float, float]:
    """Difference of the best scores with 1.96 standard errors: over seeds where there are several, else binomial."""
    values, errors = [], []
    for each in pair:
        if each.again is None:
            values.append(each.scores.max())
            errors.append(binomial(values[-1], each.right.shape[1]))
        else:
            means = each.again.mean(axis=2)
            best = means[means.mean(axis=1).argmax()]
            values.append(best.mean())
            errors.append(best.std(ddof=1) / math.sqrt(len(best)))
    gap, half = values[0] - values[1], 1.96 * math.hypot(*errors)
    return gap, gap - half, gap + half


def binomial(share: float, samples: int) -> float:
    """Standard error of a share (Agresti and Coull's)."""
    share = (share * samples + 2) / (samples + 4)
    return math.sqrt(share * (1 - share) / (samples + 4))


def rates(rows: np.ndarray, true: float) -> Rates:
    gap, low, high = rows.T
    return Rates(
        float(np.mean((gap > 0) + (gap == 0) / 2)),
        float(np.mean(low > 0)),
        float(np.mean(high < 0)),
        float(np.mean((low <= true) & (true <= high))),
        float(100 * np.mean(high - low)),
    )


def curve_coverage(
    surface: str, trials: int, samples: int, repetitions: int, pool: int = 1500, seed: int = 0
) -> np.ndarray:
    """(trials,) how often the 90 % interval of the expected best holds the truth for these samples, at each k; the truth is that of a
    pool of many more trials that were scored on the same samples."""
    generator = np.random.default_rng(seed)
    covered = np.zeros(trials)
    steps = (np.arange(pool + 1) / pool)[:, None] ** np.arange(1, trials + 1)[None, :]
    for _ in range(repetitions):
        true = SURFACES[surface](trials + pool, generator)
        noisy = true + NOISE * generator.standard_normal(len(true))
        scores = correctness(noisy, np.arange(len(true)), samples, generator).mean(axis=1)
        wanted = np.sort(scores[trials:]) @ np.diff(steps, axis=0)
        curve = expected_curve(scores[:trials])
        covered += (curve["low"] <= wanted) & (wanted <= curve["high"])
    return covered / repetitions


SURFACES: dict[str, Surface] = {"broad": broad, "narrow": narrow, "broad_by_tpe": broad_by_tpe}
SIZES = (180, 540, 744)
BUDGETS = (12, 16, 64)
CELLS = [
    *(Cell("broad", trials, n, gain) for gain in (0.0, 0.02) for trials in BUDGETS for n in SIZES),
    *(Cell("narrow", trials, n, 0.0) for trials in BUDGETS for n in (180, 744)),
    *(Cell("broad", trials, 180, gain, (5, 1)) for gain in (0.0, 0.02) for trials in (16, 64)),
    *(Cell("broad", 64, 744, gain, (5, 1)) for gain in (0.0, 0.02)),
    *(
        Cell(surface, trials, n, gain, default=True)
        for surface in ("broad", "narrow")
        for gain in (0.0, 0.02)
        for trials, n in ((16, 180), (16, 744), (64, 744))
    ),
    *(Cell("narrow", 16, 744, gain, (5, 5), default=True) for gain in (0.0, 0.02)),
    *(Cell("broad", trials, n, gain, (5, 5)) for gain in (0.0, 0.02) for trials, n in ((16, 180), (64, 744))),
    *(Cell("broad_by_tpe", 32, n, 0.0) for n in (180, 744)),
]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repetitions", type=int, default=200)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    start, out = time.perf_counter(), []
    print(
        "surface, trials, samples, gain, seeds: first / better / worse / covered / width, before | after | scores alone"
    )
    for cell in CELLS:
        found = simulate(cell, given.repetitions)
        out.append(asdict(cell) | {name: asdict(each) for name, each in found.items()})
        told = " | ".join(
            f"{each.first:.2f} {each.claimed:.2f} {each.wrong:.2f} {each.covered:.2f} {each.width:.1f}"
            for each in found.values()
        )
        print(
            f"{cell.surface} {cell.trials} {cell.samples} {cell.gain:g} {cell.seeds[0]}/{cell.seeds[1]}{' default' * cell.default}: {told}",
            flush=True,
        )
    for surface in ("broad", "narrow"):
        for trials, samples in ((12, 180), (16, 540), (64, 180), (64, 744)):
            covered = curve_coverage(surface, trials, samples, given.repetitions)
            out.append({"curve": surface, "trials": trials, "samples": samples, "covered": covered.tolist()})
            at = ", ".join(f"k = {k}: {covered[k - 1]:.2f}" for k in (1, trials // 4, trials // 2, trials))
            print(f"expected best, {surface} {trials} {samples}: mean {covered.mean():.2f}; {at}", flush=True)
    print(f"{time.perf_counter() - start:.0f} s")
    if given.json:
        given.json.write_text(json.dumps(out, indent=1))


if __name__ == "__main__":
    main()
