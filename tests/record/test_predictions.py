"""What a training predicts of each sample survives its way to disk, and a damaged or foreign file is as good as none."""

from __future__ import annotations

import numpy as np
import pytest

from igmsweep.record.predictions import Predictions, kept, read_predictions, samples_hash, write_predictions


def found(n: int = 40, classes: int = 5) -> Predictions:
    generator = np.random.default_rng(0)
    return Predictions(
        generator.dirichlet(np.ones(classes), n).astype(np.float32),
        generator.integers(0, classes, n),
        samples_hash([f"clip{i}" for i in range(n)]),
    )


def test_a_round_trip_keeps_every_class_and_half_a_float_of_every_probability(tmp_path):
    one = found()
    write_predictions(tmp_path, one)
    write_predictions(tmp_path, found(7), fold=1)
    again, fold = read_predictions(tmp_path), read_predictions(tmp_path, 1)
    assert again is not None and fold is not None
    assert len(fold) == 7
    assert again.samples == one.samples
    assert (again.labels == one.labels).all()
    assert (again.correct == one.correct).all()
    np.testing.assert_allclose(again.probabilities, one.probabilities, atol=5e-4)


def test_samples_are_paired_by_their_ids_in_order():
    assert samples_hash(["a", "b"]) == samples_hash(["a", "b"])
    assert len({samples_hash(ids) for ids in (["a", "b"], ["b", "a"], ["a"], ["ab"])}) == 4


@pytest.mark.parametrize("what", ["missing", "text", "cut", "other arrays", "pickle", "labels", "nan"])
def test_a_file_that_is_no_such_record_is_as_good_as_none(tmp_path, what):
    path = tmp_path / "predictions.npz"
    arrays = {"probabilities": np.full((3, 2), 0.5, np.float16), "labels": np.zeros(3, np.uint16), "samples": "x"}
    if what == "text":
        path.write_text("not a zip")
    elif what == "cut":
        write_predictions(tmp_path, found())
        path.write_bytes(path.read_bytes()[:-50])
    elif what == "other arrays":
        np.savez(path, probabilities=arrays["probabilities"])
    elif what == "pickle":
        np.savez(path, **{**arrays, "labels": np.array([{}, {}, {}], dtype=object)})
    elif what == "labels":
        np.savez(path, **{**arrays, "labels": np.full(3, 2, np.uint16)})
    elif what == "nan":
        np.savez(path, **{**arrays, "probabilities": np.full((3, 2), np.nan, np.float16)})
    assert read_predictions(tmp_path) is None


def test_by_default_only_small_ones_are_kept():
    assert kept("auto", 540, 10)
    assert not kept("auto", 100_000, 10)
    assert kept("all", 100_000, 10)
    assert not kept("none", 5, 2)
