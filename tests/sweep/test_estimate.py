"""The estimate of a dry run: made of real steps, and adding up to a trial."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch

from igmsweep.data import listed, load_search
from igmsweep.data.few import decode_few
from igmsweep.data.loader import Loader
from igmsweep.errors import UserError
from igmsweep.methods.base import Stage
from igmsweep.sweep.effort import Effort, affordable
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


def test_steps_are_measured_with_a_trials_threads(toy_config, monkeypatch):
    before, seen = torch.get_num_threads(), set()
    train_epoch = Training._train_epoch

    def counted(self):
        seen.add(torch.get_num_threads())
        return train_epoch(self)

    monkeypatch.setattr(Training, "_train_epoch", counted)
    estimate(toy_config(2, "joint"), threads=before + 1)
    assert seen == {before + 1}
    assert torch.get_num_threads() == before


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


def test_without_a_cache_a_few_samples_are_decoded_and_nothing_is_written(toy_config, tmp_path):
    config = toy_config(2, "igm", data__root=str(tmp_path / "toy"), data__cache=str(tmp_path / "cache"))
    found = estimate(config)
    assert not (tmp_path / "cache").exists()
    assert (found.few.decoded, found.few.train, found.few.val) == (64, 150, 60)
    assert found.effort == Effort(STEPS, 16, 32) and found.guessed == ()
    assert [line.partition(": ")[0] for line in found.lines(9)] == ["measured"] * 2 + ["extrapolated"] * 3
    text = "\n".join(found.lines(9))
    assert "measured: 64 samples decoded, " in text and "extrapolated: decoding all 210 samples once" in text


def test_with_no_time_left_steps_are_told_from_forward_passes(toy_config):
    config = toy_config(2, "igm", stages__epochs__m1=4)
    found = estimate(config, within=0.0)
    assert found.effort is None and found.guessed == ("m0", "m1") and found.hand_over == 0
    assert found.few.decoded < 30
    assert found.steps == estimate(config, load_search(config.data)).steps
    assert found.trial > sum(found.steps[name] * found.step[name] for name in found.steps) > 0
    measured, *extrapolated = found.lines()
    assert measured.startswith("measured: ") and "decoded" in measured
    assert extrapolated[0].startswith("extrapolated: a step of 16 samples, by forward passes alone: m0 ")


def test_samples_are_shared_by_several_estimates(toy_config, monkeypatch):
    config = toy_config(2, "joint")
    few = decode_few(listed(config.data), config.data, 100.0)
    monkeypatch.setattr("igmsweep.data.few.decode", None)
    assert estimate(config, few=few).few is few


SLOW = {"a": 0.1, "b": 0.3}
STAGES = [Stage(("a",), 3), Stage(("b",), 3)]


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (None, Effort(4, 12, 24)),
        (1000.0, Effort(4, 12, 24)),
        (310.0, Effort(2, 12, 24)),
        (195.0, Effort(1, 12, 24)),
        (90.0, Effort(1, 6, 6)),
        (30.0, Effort(1, 2, 2)),
        (5.0, None),
        (-1.0, None),
    ],
)
def test_as_much_is_measured_as_there_is_time_for(seconds, expected):
    """A step of n samples is taken to cost eight forward passes of what it trains, validation one of everything."""
    assert affordable(12, SLOW, 0.0, STAGES, seconds) == expected


def test_features_that_have_to_be_made_first_count():
    assert affordable(2, {"a": 0.0}, 0.0, [Stage(("a",), 3)], 10.0) == Effort(STEPS, 2, 16)
    assert affordable(2, {"a": 0.0}, 0.5, [Stage(("a",), 3)], 10.0) == Effort(2, 2, 16)  # 20 samples of half a second


def test_small_batches_are_scaled_and_what_was_not_measured_follows_from_forward_passes():
    parts = Measured({"a": 0.5}, {"a": 0.1}, 1.0, 0.0).scaled(6)
    assert parts.step == {"a": 3.0}
    told = parts.completed(["b", "a+b"], SLOW, passes=999.0)  # those of the measured step count: 30
    assert told.step == pytest.approx({"a": 3.0, "b": 9.0, "a+b": 12.0})
    none = Measured({}, {}, 1.0, 0.0).completed(["a", "b"], SLOW, passes=72.0)
    assert none.step == pytest.approx({"a": 7.2, "b": 21.6})


def test_an_estimate_by_smaller_batches_says_so():
    given = {
        "evaluation": 1.0,
        "hand_over": 0.0,
        "trial": 100.0,
        "start": 2.0,
        "once": 0.0,
        "memory": 2**30,
        "device": "cpu",
    }
    found = StepEstimate({"a": 6.0}, {"a": 10}, {"a": 0.25}, **given, batch=12, effort=Effort(1, 2, 2))
    assert (
        found.lines()[0]
        == "measured: a step of 12 samples, by batches of 2: a 6 s (25% of it input); cpu, at least 1024 MiB"
    )


def test_a_step_too_short_to_be_timed_takes_at_least_its_forward_passes(toy_config, monkeypatch):
    monkeypatch.setattr("igmsweep.sweep.estimate._epochs", lambda *_: {"m0": [0.0] * 3, "m1": [0.0] * 3})
    monkeypatch.setattr("igmsweep.sweep.estimate.model_seconds", lambda *_: 0.02)  # a sample's, of both modalities
    config = toy_config(2, "igm")
    assert estimate(config, load_search(config.data)).step == pytest.approx({"m0": 0.16, "m1": 0.16})  # 16 samples
