"""What a sample adds to a score, against the derivative of scikit-learn's score by the sample's weight."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, f1_score

from igmsweep.metrics import classification_metrics
from igmsweep.record.predictions import Predictions, write_predictions
from igmsweep.statistics.influence import METRICS, BySeed, scored, values


def made(samples: int = 60, classes: int = 4, seed: int = 0, drawn: str = "test") -> Predictions:
    """Predictions with many ties."""
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, classes, samples)
    probabilities = generator.dirichlet(np.ones(classes), samples)
    probabilities[np.arange(samples), labels] += 0.3
    return Predictions((probabilities / 1.3).round(1), labels, drawn)


@pytest.mark.parametrize("metric", METRICS)
def test_the_mean_is_the_score(metric: str) -> None:
    found = made()
    wanted = classification_metrics(np.maximum(found.probabilities, 2.0**-24), found.labels)
    assert values(found, metric).mean() == pytest.approx(wanted[metric], rel=1e-9)


@pytest.mark.parametrize("metric", ["map", "f1"])
def test_a_value_is_what_the_score_gains_by_the_samples_weight(metric: str) -> None:
    found = made()
    truth = found.labels[:, None] == np.arange(found.probabilities.shape[1])

    def score(weights: np.ndarray) -> float:
        if metric == "map":
            return float(average_precision_score(truth, found.probabilities, sample_weight=weights))
        predicted = found.probabilities.argmax(axis=1)
        return float(f1_score(found.labels, predicted, average="macro", sample_weight=weights))

    step, even = 1e-6, np.ones(len(found))
    for place, value in enumerate(values(found, metric)):
        more = np.eye(len(found))[place] * step
        slope = (score(even + more) - score(even - more)) / (2 * step)
        assert value == pytest.approx(score(even) + len(found) * slope, abs=1e-6)


def test_a_class_that_is_never_said_and_one_that_is_not_there() -> None:
    labels = np.array([0, 0, 1, 1])
    probabilities = np.array([[0.8, 0.1, 0.1]] * 4)
    found = Predictions(probabilities, labels, "test")
    assert values(found, "f1").mean() == pytest.approx((2 / 3) / 3) and np.isfinite(values(found, "map")).all()


def test_trainings_are_read_from_their_folders_where_all_have_kept_the_same_samples(tmp_path: Path) -> None:
    folders = {seed: tmp_path / str(seed) for seed in (3, 4, 5)}
    kept = {seed: made(seed=seed) for seed in folders}
    for seed, folder in folders.items():
        folder.mkdir()
        write_predictions(folder, kept[seed])
    scores = {seed: float(found.correct.mean()) for seed, found in kept.items()}
    found = scored(BySeed(scores, "acc", folders, 60))
    assert found.values is not None and found.values.shape == (3, 60) and found.drawn == "test"
    assert found.values.mean(axis=1) == pytest.approx(found.scores)
    some = scored(BySeed(scores, "acc", folders), [5, 3])
    assert some.scores.tolist() == [scores[5], scores[3]] and some.values is not None and len(some.values) == 2
    assert scored(BySeed(scores, "audio/acc", folders, 60)).values is None  # of the fused prediction alone
    write_predictions(folders[4], made(drawn="other"))
    assert scored(BySeed(scores, "acc", folders, 60)).values is None
    (folders[4] / "predictions.npz").unlink()
    left = scored(BySeed(scores, "acc", folders, 60))
    assert left.values is None and left.samples == 60
    plain = scored(scores)
    assert plain.values is None and plain.samples is None
