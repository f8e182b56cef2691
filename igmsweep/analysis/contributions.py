"""What each sample adds to a metric, so that all arithmetic over samples is a weighted mean.

Accuracy and loss are means over samples. Macro-F1 and MAP are not; the infinitesimal jackknife (Jaeckel 1972; Efron 1982, chapter 6)
makes them so: a sample's contribution is the metric plus n times its derivative by the sample's weight. The contributions' mean is the
metric itself, and their weighted mean is, to first order, the metric of the reweighted samples.
"""

from __future__ import annotations

import numpy as np

from igmsweep.record.predictions import Predictions

KNOWN = ("acc", "loss", "f1", "map")
"""Metrics, by the last part of their names."""
FLOOR = 2.0**-25
"""The smallest probability that is not 0 in the float16 of kept predictions, halved: the loss of one that was kept as 0."""


def contributions(found: Predictions, metric: str) -> np.ndarray:
    """(samples,) float64: each sample's contribution to `metric`, whose last part is one of `KNOWN`, as
    `igmsweep.metrics.classification_metrics` defines it. Raises KeyError for another metric."""
    return {"acc": _accuracy, "loss": _loss, "f1": _f1, "map": _map}[metric.rsplit("/", 1)[-1]](found)


def _accuracy(found: Predictions) -> np.ndarray:
    return found.correct.astype(np.float64)


def _loss(found: Predictions) -> np.ndarray:
    picked = found.probabilities[np.arange(len(found)), found.labels].astype(np.float64)
    return np.asarray(-np.log(np.maximum(picked, FLOOR)))


def _f1(found: Predictions) -> np.ndarray:
    classes = found.probabilities.shape[1]
    predicted, labels = found.probabilities.argmax(axis=1), found.labels.astype(np.int64)
    right = np.bincount(labels[found.correct], minlength=classes)
    both = np.bincount(predicted, minlength=classes) + np.bincount(labels, minlength=classes)
    f1 = np.divide(2 * right, both, out=np.zeros(classes), where=both > 0)
    slope = np.divide(f1, both, out=np.zeros(classes), where=both > 0)
    gained = np.divide(2, both, out=np.zeros(classes), where=both > 0)[labels] * found.correct
    return np.asarray(f1.mean() + len(found) / classes * (gained - slope[predicted] - slope[labels]))


def _map(found: Predictions) -> np.ndarray:
    """For a class, with R and P the samples and positives that score at least as high as a sample and π all positives,
    AP = Σ_positives (P/R) / π."""
    n, total, classes = len(found), np.zeros(len(found)), 0
    for kind in range(found.probabilities.shape[1]):
        positive = found.labels == kind
        count = int(positive.sum())
        if not count:
            continue
        _, level = np.unique(
            -found.probabilities[:, kind], return_inverse=True
        )  # 0: the highest score; equal ones share
        here = np.bincount(level, weights=positive)
        above, reached = np.cumsum(here), np.cumsum(np.bincount(level))
        precision = above / reached
        average = float(here @ precision) / count
        gain = np.cumsum((here / reached)[::-1])[::-1]
        loss = np.cumsum((here * above / reached**2)[::-1])[::-1]
        slope = np.where(positive, precision[level] - average + gain[level], 0.0) - loss[level]
        total += average + n / count * slope
        classes += 1
    return total / max(classes, 1)
