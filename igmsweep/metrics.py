"""Accuracy, mean average precision and macro-F1, as scikit-learn defines them, on whole splits."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def classification_metrics(probabilities: NDArray[np.floating], labels: NDArray[np.integer]) -> dict[str, float]:
    """`acc`, `map`, `f1` and `loss` of class probabilities.

    `map` is the mean over classes of the average precision of that class against the rest; `f1` is the unweighted mean
    of the classes' F1 scores, 0 for a class that is never predicted; `loss` is the mean negative log likelihood.

    Args:
        probabilities: (n, classes), rows sum to 1.
        labels: (n,) integers below `classes`; every class occurs.
    """
    from sklearn.metrics import average_precision_score, f1_score

    predicted = probabilities.argmax(axis=1)
    classes = np.arange(probabilities.shape[1])
    truth = labels[:, None] == classes[None, :]
    picked = probabilities[np.arange(len(labels)), labels]
    return {
        "acc": float((predicted == labels).mean()),
        "map": float(average_precision_score(truth, probabilities, average="macro")),
        "f1": float(f1_score(labels, predicted, labels=classes, average="macro", zero_division=0)),
        "loss": float(-np.log(np.clip(picked.astype(np.float64), 1e-30, None)).mean()),
    }
