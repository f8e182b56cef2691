"""What simulated trainings get right, sample by sample.

A training with the accuracy a gets sample i right when a normal variable falls below the a-quantile. The variable has three parts:
how hard the sample is (shared by all trainings), how hard it is for this configuration, and the training's own. The shares are
chosen such that the correctness of two trainings near 90 % correlates by about 0.62, as it does on real data (0.64).
"""

from __future__ import annotations

import numpy as np
from scipy.special import ndtri

from igmsweep.record.predictions import Predictions

SHARED = 0.88
"""Share of the variance that is the sample's, for all trainings alike."""
CONFIGURATION = 0.03
"""Share that is the sample's for one configuration, whatever the seed."""


def correctness(
    accuracies: np.ndarray, configurations: np.ndarray, samples: int, generator: np.random.Generator
) -> np.ndarray:
    """(trainings, samples) bool: which samples of one drawing each training gets right.

    Args:
        accuracies: (trainings,) the true accuracy of each trained model, in [0, 1].
        configurations: (trainings,) int, equal for trainings that differ in their seed alone.
    """
    names, place = np.unique(configurations, return_inverse=True)
    sample = generator.standard_normal(samples)
    own = generator.standard_normal((len(names), samples))[place]
    rest = generator.standard_normal((len(accuracies), samples))
    latent = np.sqrt(SHARED) * sample + np.sqrt(CONFIGURATION) * own + np.sqrt(1 - SHARED - CONFIGURATION) * rest
    return np.asarray(latent < ndtri(np.clip(accuracies, 1e-6, 1 - 1e-6))[:, None])


def predictions(correct: np.ndarray, classes: int, generator: np.random.Generator) -> list[Predictions]:
    """Predictions with this correctness: sure ones where right, less sure and of a random class where wrong.

    Args:
        correct: (trainings, samples) bool.
    """
    samples = correct.shape[1]
    labels = np.arange(samples) % classes
    found = []
    for right in correct:
        chosen = np.where(right, labels, (labels + generator.integers(1, classes, samples)) % classes)
        sure = generator.uniform(0.35, 0.95, samples) + 0.05 * right
        probabilities = np.tile(((1 - sure) / (classes - 1))[:, None], (1, classes))
        probabilities[np.arange(samples), chosen] = sure
        found.append(Predictions(probabilities.astype(np.float32), labels, "simulated"))
    return found
