"""The estimate of a dry run: made of real steps, and adding up to a trial."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from igmsweep.data import load_search
from igmsweep.data.loader import Loader
from igmsweep.errors import UserError
from igmsweep.sweep.estimate import STEPS, Measured, StepEstimate, estimate, trial_seconds
from igmsweep.train import Training, plan, train


@pytest.mark.slow
@pytest.mark.parametrize(
    ("method", "keys"),
    [
        ("igm", {"m0", "m1"}),
        ({"name": "igm", "preset": "released"}, {"m0", "m1"}),
        ("joint", {"m0+m1"}),
        ("mla", {"m0+m1"}),
        # stages of its own: one epoch of pre-training, then turns and rectification
        ({"name": f"{Path(__file__).parent.parent / 'methods' / 'needs.py'}:Boosting"}, {"m0+m1", "m0", "m1"}),
    ],
)
def test_an_estimate_counts_the_steps_that_a_trial_takes(toy_config, method, keys):
    config = toy_config(2, method, stages__cycles=3, stages__epochs__m1=4)
    found = estimate(config)
    assert set(found.step) == set(found.steps) == set(found.input_share) == keys
    training = Training(config)
    expected: dict[str, int] = {}
    for stage in plan(config, training.method):
        name = "+".join(stage.active)
        expected[name] = expected.get(name, 0) + stage.epochs * len(training.run.train)
    assert found.steps == expected
    assert all(seconds > 0 for seconds in found.step.values())
    assert all(0 <= share <= 1 for share in found.input_share.values())
    assert found.memory > 2**20
    assert found.trial >= found.start + sum(found.steps[name] * found.step[name] for name in keys)


def test_a_trial_is_the_sum_of_its_parts():
    parts = Measured({"a": 0.1, "b": 0.2}, {"a": 0.0, "b": 0.0}, evaluation=3.0, hand_over=5.0)
    assert trial_seconds(parts, {"a": 10, "b": 20}, epochs=6, stages=4) == pytest.approx(1 + 4 + 18 + 15)


def test_a_sweep_runs_in_rounds_of_trials_and_encodes_once():
    found = StepEstimate({"a": 0.1}, {"a": 10}, {"a": 0.25}, 1.0, 0.0, 100.0, 2.0, 7.0, 2**30, "cpu", 12)
    assert found.sweep(trials=9, concurrent=4) == 7 + 3 * 100
    text = "\n".join(found.lines(trials=9, concurrent=4))
    assert "100 ms (25% of it input)" in text
    assert "1024 MiB" in text
    assert "9 trials, 4 at a time" in text
    assert "10 steps" in text


def test_few_samples_are_read_and_nothing_is_left_behind(toy_config, tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    config = toy_config(2, "igm", stages__cycles=5, stages__epochs=50)
    data = load_search(config.data)
    sizes = []
    start = Loader.__init__

    def seen(self, dataset, partition, *rest, **keywords):
        sizes.append(len(partition))
        start(self, dataset, partition, *rest, **keywords)

    monkeypatch.setattr(Loader, "__init__", seen)
    estimate(config, data)
    assert max(sizes) == STEPS * config.optim.batch_size
    assert os.listdir(tmp_path) == []


def test_frozen_encoders_are_estimated_apart(toy_config, tmp_path):
    config = toy_config(2, "igm", model__frozen__m1=True, data__cache=str(tmp_path))
    load_search(config.data)
    before = sorted(path.name for path in Path(tmp_path).iterdir())
    found = estimate(config)
    assert found.once >= 0
    assert sorted(path.name for path in Path(tmp_path).iterdir()) == before
    assert not any("features" in name for name in before)


@pytest.mark.slow
def test_an_estimate_changes_no_training(toy_config):
    config = toy_config(2, "igm")
    alone = train(config).metrics
    estimate(config)
    assert train(config).metrics == alone


def test_what_the_training_would_refuse_is_refused(toy_config):
    with pytest.raises(UserError, match=r"model\.weights\.m0"):
        estimate(toy_config(2, "igm", model__weights__m0="/nowhere.pt"))
