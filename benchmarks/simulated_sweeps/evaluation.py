"""Do intervals on the test set cover the truth, and how often does looking again claim a difference that is not there?

    python -m benchmarks.simulated_sweeps.evaluation [--repetitions 1000]

Two configurations with known accuracies in the population of all samples are trained with some seeds and scored on one drawing of
test samples; `samples.correctness` says which they get right. An interval covers if it holds the difference in the population.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
from scipy import stats

from benchmarks.simulated_sweeps.samples import correctness, predictions
from igmsweep.metrics import classification_metrics
from igmsweep.statistics.crossed import LEVEL, Scored, difference_of, mean_of
from igmsweep.statistics.influence import values
from igmsweep.statistics.looks import share

BASE = 0.90
"""Accuracy of the second configuration in the population."""
DRAWS = 300
"""Of the bootstrap."""
Ends = tuple[float, float]


def trained(
    trainings: int,
    samples: int,
    noise: Sequence[float],
    difference: float,
    generator: np.random.Generator,
    shared: float = 0.0,
) -> tuple[np.ndarray, np.ndarray]:
    """(trainings, samples) correctness of each of the two configurations, whose accuracies vary by `noise` between seeds, and by
    `shared` in the same way for both."""
    luck = np.repeat(noise, trainings) * generator.standard_normal(2 * trainings)
    luck += shared * np.tile(generator.standard_normal(trainings), 2)
    accuracies = np.repeat([BASE + difference, BASE], trainings) + luck
    correct = correctness(accuracies, np.repeat([0, 1], trainings), samples, generator).astype(np.float64)
    return correct[:trainings], correct[trainings:]


def of(correct: np.ndarray, drawn: str = "test") -> Scored:
    return Scored("acc", correct.mean(axis=1), correct, drawn, correct.shape[1])


def bare(correct: np.ndarray, samples: int | None = None) -> Scored:
    """The same where predictions were not kept."""
    return Scored("acc" if samples else "", correct.mean(axis=1), samples=samples)


def paired_by_seed(one: np.ndarray, other: np.ndarray, level: float) -> Ends:
    """The t interval that reports had before."""
    gaps = one.mean(axis=1) - other.mean(axis=1)
    half = float(stats.t.ppf(1 - level / 2, len(gaps) - 1)) * gaps.std(ddof=1) / np.sqrt(len(gaps))
    return gaps.mean() - half, gaps.mean() + half


def over_seeds(one: np.ndarray, other: np.ndarray, level: float) -> Ends:
    """Welch's."""
    return ends(difference_of(bare(one), bare(other), level))


def without_predictions(one: np.ndarray, other: np.ndarray, level: float) -> Ends:
    """What is shown where predictions were not kept."""
    return ends(difference_of(bare(one, one.shape[1]), bare(other, other.shape[1]), level))


def crossed(one: np.ndarray, other: np.ndarray, level: float) -> Ends:
    """What is shown."""
    return ends(difference_of(of(one), of(other), level))


def crossed_by_seed(one: np.ndarray, other: np.ndarray, level: float) -> Ends:
    """What studies show of variants of one method."""
    return ends(difference_of(of(one), of(other), level, paired=True))


class TwoWayBootstrap:
    """Percentiles over drawings of seeds (of each configuration its own) and samples, the same weights for every repetition."""

    def __init__(self, trainings: int, samples: int, generator: np.random.Generator) -> None:
        self.weights = [generator.multinomial(n, [1 / n] * n, DRAWS) / n for n in (trainings, trainings, samples)]

    def __call__(self, one: np.ndarray, other: np.ndarray, level: float) -> Ends:
        first, second, drawn = self.weights
        gaps = ((first @ one) * drawn).sum(axis=1) - ((second @ other) * drawn).sum(axis=1)
        low, high = np.quantile(gaps, [level / 2, 1 - level / 2])
        return float(low), float(high)


def ends(found: object) -> Ends:
    """Of an interval."""
    return found.low, found.high  # type: ignore[attr-defined]


Method = Callable[[np.ndarray, np.ndarray, float], Ends]
METHODS: Mapping[str, Method] = {
    "paired t (before)": paired_by_seed,
    "Welch over seeds": over_seeds,
    "without predictions": without_predictions,
    "crossed (shown)": crossed,
}


def coverage(
    samples: int,
    trainings: int,
    noise: Sequence[float],
    difference: float,
    repetitions: int,
    generator: np.random.Generator,
    methods: Mapping[str, Method] = METHODS,
    shared: float = 0.0,
) -> dict[str, tuple[float, float]]:
    """Method -> share of 95 % intervals that cover the difference, and their median width."""
    found: dict[str, list[Ends]] = {name: [] for name in methods}
    for _ in range(repetitions):
        one, other = trained(trainings, samples, noise, difference, generator, shared)
        for name, method in methods.items():
            found[name].append(method(one, other, LEVEL))
    return {
        name: (
            float(np.mean([low <= difference <= high for low, high in every])),
            float(np.median([high - low for low, high in every])),
        )
        for name, every in found.items()
    }


def covered_means(
    samples: int, trainings: int, noise: float, repetitions: int, generator: np.random.Generator
) -> float:
    """Share of 95 % intervals of one configuration's own accuracy that cover it."""
    hits = 0
    for _ in range(repetitions):
        one, _ = trained(trainings, samples, [noise, noise], 0.0, generator)
        low, high = ends(mean_of(of(one)))
        hits += low <= BASE <= high
    return hits / repetitions


def covered_metrics(
    metric: str, samples: int, trainings: int, repetitions: int, generator: np.random.Generator, classes: int = 6
) -> tuple[float, float]:
    """Share of 95 % intervals of a difference of MAP, macro-F1 or loss, and of one's own score, that cover it; the truth is that of a
    drawing of 100,000 samples. The configurations have equal accuracies but differ in which samples they get right."""

    def made(count: int, trainings: int) -> list[list]:
        one, other = trained(trainings, count, [0.01, 0.01], 0.0, generator)
        return [predictions(each > 0, classes, generator) for each in (one, other)]

    truths = [classification_metrics(each.probabilities, each.labels)[metric] for each in made(100_000, 20)[0]]
    truth = float(np.mean(truths))
    differences = means = 0
    for _ in range(repetitions):
        tables = [np.stack([values(each, metric) for each in every]) for every in made(samples, trainings)]
        one, other = (Scored(metric, table.mean(axis=1), table, "test", samples) for table in tables)
        low, high = ends(difference_of(one, other))
        differences += low <= 0 <= high
        low, high = ends(mean_of(one))
        means += low <= truth <= high
    return differences / repetitions, means / repetitions


RULES: Mapping[str, Callable[[int], float]] = {
    "5 % each (before)": lambda look: LEVEL,
    "5 looks planned, 1 % each": lambda look: LEVEL / 5,
    "5 % / k(k + 1)": lambda look: LEVEL / (look * (look + 1)),
    "4 %, then half of what is left (shown)": share,
}


def p_paired(one: np.ndarray, other: np.ndarray) -> float:
    """Of the t-test that reports had before."""
    return float(stats.ttest_1samp(one.mean(axis=1) - other.mean(axis=1), 0.0).pvalue)


def p_crossed(one: np.ndarray, other: np.ndarray) -> float:
    """Of the interval that is shown: at most the level where that does not hold 0."""
    found = difference_of(of(one), of(other))
    return 1.0 if found is None else found.p


TESTS: Mapping[str, Callable[[np.ndarray, np.ndarray], float]] = {
    "paired t (before)": p_paired,
    "crossed (shown)": p_crossed,
}


def claims(
    samples: int,
    seeds: Sequence[int],
    noise: float,
    difference: float,
    repetitions: int,
    generator: np.random.Generator,
) -> dict[tuple[str, str], list[float]]:
    """(test, rule) -> share of repetitions in which one of the first k looks has claimed a difference, for each k.

    Args:
        seeds: how many each look has, those of the look before among them.
    """
    found = {(name, rule): np.zeros(len(seeds)) for name in TESTS for rule in RULES}
    for _ in range(repetitions):
        one, other = trained(max(seeds), samples, [noise, noise], difference, generator)
        for name, test in TESTS.items():
            p = np.array([test(one[:count], other[:count]) for count in seeds])
            for rule, level in RULES.items():
                claimed = p < [level(look) for look in range(1, len(seeds) + 1)]
                found[name, rule] += np.maximum.accumulate(claimed)
    return {key: (hits / repetitions).tolist() for key, hits in found.items()}


def cells() -> Iterator[tuple[int, int, tuple[float, float], float]]:
    """Samples, trainings of each, noise of seeds of each, difference."""
    for samples in (360, 2000):
        for trainings in (3, 5, 10):
            for noise in ((0.0, 0.0), (0.005, 0.005), (0.015, 0.015), (0.005, 0.02)):
                for difference in (0.0, 0.02):
                    yield samples, trainings, noise, difference


def main() -> None:
    """Print Markdown tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repetitions", type=int, default=1000)
    repetitions = parser.parse_args().repetitions
    generator = np.random.default_rng(0)
    names = [*METHODS, "two-way bootstrap"]
    print("Coverage of 95 % intervals of the difference (median width in points)\n")
    print(f"| samples | seeds | noise of seeds | difference | {' | '.join(names)} |\n|{'---|' * (4 + len(names))}")
    for samples, trainings, noise, difference in cells():
        methods = {**METHODS, names[-1]: TwoWayBootstrap(trainings, samples, generator)}
        found = coverage(samples, trainings, noise, difference, repetitions, generator, methods)
        told = " | ".join(f"{share:.3f} ({100 * width:.1f})" for share, width in found.values())
        noises = " and ".join(f"{100 * each:g}" for each in dict.fromkeys(noise))
        print(f"| {samples} | {trainings} | {noises} | {100 * difference:g} | {told} |", flush=True)
    print("\nVariants of one method: noise of seeds 1.5 in common, 0.3 each (360 samples)\n")
    by_seed = {"crossed": crossed, "crossed, by seed (shown)": crossed_by_seed, "paired t (before)": paired_by_seed}
    print(f"| seeds | {' | '.join(by_seed)} |\n|{'---|' * (1 + len(by_seed))}")
    for trainings in (3, 5, 10):
        found = coverage(360, trainings, (0.003, 0.003), 0.0, repetitions, generator, by_seed, shared=0.015)
        told = " | ".join(f"{share:.3f} ({100 * width:.1f})" for share, width in found.values())
        print(f"| {trainings} | {told} |", flush=True)
    print(
        "\nCoverage of 95 % intervals of one configuration's own accuracy\n\n| samples | seeds | noise | covers |\n|---|---|---|---|"
    )
    for samples, trainings, (noise, other), difference in cells():
        if difference == 0.0 and noise == other:
            found_share = covered_means(samples, trainings, noise, repetitions, generator)
            print(f"| {samples} | {trainings} | {100 * noise:g} | {found_share:.3f} |", flush=True)
    print(
        "\nOther metrics, 360 samples, 5 seeds, noise 1\n\n| metric | of a difference | of one's own score |\n|---|---|---|"
    )
    for metric in ("f1", "map", "loss"):
        both = covered_metrics(metric, 360, 5, repetitions // 2, generator)
        print(f"| {metric} | {both[0]:.3f} | {both[1]:.3f} |", flush=True)
    print("\nA difference was claimed by look 1, 2, 3, 5 (5, 10, 15, 20, 25 seeds; noise 1)\n")
    print("| samples | difference | interval | share of the 5 % | 1 | 2 | 3 | 5 |\n|---|---|---|---|---|---|---|---|")
    for samples in (360, 2000):
        for difference in (0.0, 0.02):
            found = claims(samples, (5, 10, 15, 20, 25), 0.01, difference, repetitions, generator)
            for (name, rule), shares in found.items():
                told = " | ".join(f"{shares[place]:.3f}" for place in (0, 1, 2, 4))
                print(f"| {samples} | {100 * difference:g} | {name} | {rule} | {told} |", flush=True)


if __name__ == "__main__":
    main()
