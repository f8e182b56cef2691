"""What each sample adds to a score: the values that are crossed with seeds.

A score that is a mean over samples is the mean of its values. MAP and macro-F1 are not; their values are the score plus the
influence of each sample (the infinitesimal jackknife: Efron 1982, "The jackknife, the bootstrap and other resampling plans", chapter 6),
whose variance over the samples, divided by their number, is the variance of the score.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from igmsweep.record.predictions import Predictions, read_predictions
from igmsweep.statistics.crossed import Scored

METRICS = ("acc", "map", "f1", "loss")
SMALLEST = 2.0**-24
"""Of a float16 above 0: the least probability that is told from it."""


class BySeed(dict[int, float]):
    """Seed -> score of one configuration's trainings, with where each has left its predictions.

    Attributes:
        metric: without its split: `acc`, not `val/acc`.
        folders: seed -> folder.
        samples: how many were scored, which counts where predictions are not kept.
    """

    def __init__(
        self, scores: Mapping[int, float], metric: str, folders: Mapping[int, Path], samples: int | None = None
    ) -> None:
        super().__init__(scores)
        self.metric, self.folders, self.samples = metric, folders, samples


def scored(scores: Mapping[int, float], seeds: Sequence[int] | None = None) -> Scored:
    """The trainings with some seeds (None: all), with what each sample adds where they have kept predictions of the same samples."""
    seeds = list(scores) if seeds is None else seeds
    given = np.array([scores[seed] for seed in seeds], dtype=np.float64)
    if not isinstance(scores, BySeed):
        return Scored("", given)
    kept = []
    if scores.metric in METRICS:
        kept = [found for seed in seeds if (found := read_predictions(scores.folders[seed])) is not None]
    if not kept or len(kept) < len(seeds) or len({each.samples for each in kept}) > 1:
        return Scored(scores.metric, given, samples=scores.samples)
    each = np.stack([values(found, scores.metric) for found in kept])
    return Scored(scores.metric, given, each, kept[0].samples, each.shape[1])


def values(found: Predictions, metric: str) -> NDArray[np.float64]:
    """(samples,) what each adds to `acc`, `map`, `f1` or `loss`, as `igmsweep.metrics` defines them; their mean is the score."""
    if metric == "acc":
        return found.correct.astype(np.float64)
    probabilities = found.probabilities.astype(np.float64)
    if metric == "loss":
        return np.asarray(-np.log(np.maximum(probabilities[np.arange(len(found)), found.labels], SMALLEST)))
    truth = found.labels[:, None] == np.arange(probabilities.shape[1])
    return _of_f1(probabilities, truth) if metric == "f1" else _of_map(probabilities, truth)


def _of_f1(probabilities: NDArray[np.float64], truth: NDArray[np.bool_]) -> NDArray[np.float64]:
    """F1 = 2 TP / (predicted + true) of each class, as a function of the samples' weights."""
    said = probabilities.argmax(axis=1)[:, None] == np.arange(truth.shape[1])
    both = 2.0 * (said & truth)
    either = said * 1.0 + truth
    total = np.maximum(either.sum(axis=0), 1.0)
    scores = both.sum(axis=0) / total
    return np.asarray((scores + len(truth) * (both - scores * either) / total).mean(axis=1))


def _of_map(probabilities: NDArray[np.float64], truth: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Average precision of each class against the rest: the mean over its samples of the precision at their probability."""
    samples, classes = truth.shape
    out = np.zeros(samples)
    for number in range(classes):
        order = np.argsort(-probabilities[:, number], kind="stable")
        ranked, right = probabilities[order, number], truth[order, number]
        ends = np.searchsorted(-ranked, -ranked, side="right")  # samples with the same probability stand together
        precision = right.cumsum()[ends - 1] / ends
        positives = max(int(right.sum()), 1)
        score = float(precision[right].sum()) / positives
        # a sample more at a place changes the precision at every place that is not above it
        starts = np.searchsorted(-ranked, -ranked, side="left")
        below = [np.append(np.cumsum((right * each)[::-1])[::-1], 0.0) for each in (1 / ends, precision / ends)]
        change = right * (precision - score + below[0][starts]) - below[1][starts]
        out[order] += score + samples * change / positives
    return out / classes
