"""The loop: same seed, same bits; cut anywhere, same bits; every epoch tells what it trained with."""

from __future__ import annotations

import pytest
import torch

from igmsweep.config import TrainConfig
from igmsweep.data import load_search
from igmsweep.errors import Diverged, OldCheckpoint, UserError
from igmsweep.train import Training, fit, plan, train


def same(one: dict, other: dict) -> bool:
    return all(torch.equal(one[name], other[name]) for name in one)


def without_time(history: list[dict]) -> list[dict]:
    return [{key: value for key, value in row.items() if key != "seconds"} for row in history]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("schedule", "handover"), [("step", "best_val"), ("step_early", "best_fused"), ("warmup", "last")]
)
def test_every_schedule_and_handover_goes_on_with_the_same_bits(toy_config, tmp_path, schedule, handover):
    config = toy_config(
        2, {"name": "igm", "rho": 0.05}, optim__schedule=schedule, optim__step_size=1, stages__handover=handover
    )
    whole = train(config, lambda step, row, save: save(tmp_path / f"{step}.pt"))
    for cut in range(1, len(whole.history)):
        rest = train(config, resume=tmp_path / f"{cut}.pt")
        assert same(whole.model.state_dict(), rest.model.state_dict())
        assert without_time(rest.history) == without_time(whole.history)


@pytest.mark.slow
def test_a_stage_begins_once_also_when_it_is_resumed_inside(toy_config, tmp_path):
    begun = []

    def training(resume=None):
        made = Training(toy_config(2, "igm"), resume=resume)
        made.method.begin_stage = lambda run: begun.append(run.stage_index)
        made.method.state["inert"] = False
        return made

    for epoch in training().epochs():
        if epoch.number == 3:  # the first epoch of the second stage
            epoch.save(tmp_path / "c.pt")
            break
    assert begun == [0, 1]
    list(training(tmp_path / "c.pt").epochs())
    assert begun == [0, 1, 2, 3]


def test_a_step_without_a_loss_is_one_line(toy_config):
    training = Training(toy_config(2, "joint"))
    training.method.step = lambda run, batch: {"los": torch.zeros(())}
    with pytest.raises(UserError, match=r"method joint: its step returned los, expected 'loss' among it"):
        list(training.epochs())


def test_a_forged_checkpoint_runs_no_code(toy_config, tmp_path):
    """Its configuration is compared as plain data: to resolve it would import the file that it names."""
    code = tmp_path / "evil.py"
    code.write_text(f"from pathlib import Path\nPath({str(tmp_path / 'ran')!r}).touch()\n")
    for epoch in fit(toy_config(2)):
        epoch.save(tmp_path / "c.pt")
        break
    state = torch.load(tmp_path / "c.pt", weights_only=True)
    state["config_hash"] = "another"
    state["config"]["method"]["name"] = f"{code}:Evil"
    torch.save(state, tmp_path / "c.pt")
    with pytest.raises(UserError, match=r"another configuration \(differs in method\.name\)"):
        train(toy_config(2), resume=tmp_path / "c.pt")
    assert not (tmp_path / "ran").exists()


def test_a_stage_may_be_asked_to_end_from_its_beginning_and_a_training_from_a_stages_end(toy_config):
    training = Training(toy_config(2, "igm"))
    training.method.begin_stage = lambda run: run.end_stage()
    training.method.state["inert"] = False
    assert len([*training.epochs()]) == 4  # an epoch a stage
    training = Training(toy_config(2, "igm"))
    training.method.end_stage = lambda run: run.end_training() or {}
    rows = [epoch.metrics for epoch in training.epochs()]
    assert len(rows) == 2
    assert rows[-1]["cycle_end"]


def test_a_checkpoint_of_another_version_is_told(toy_config, tmp_path):
    torch.save({"config_hash": "x"}, tmp_path / "c.pt")
    with pytest.raises(OldCheckpoint, match=r"another version \(format 1, expected 2\)"):
        train(toy_config(2), resume=tmp_path / "c.pt")


def test_a_checkpoint_of_another_configuration_is_refused_by_naming_the_key(toy_config, tmp_path):
    for epoch in fit(toy_config(2)):
        epoch.save(tmp_path / "c.pt")
        break
    with pytest.raises(UserError, match=r"method\.tau"):
        train(toy_config(2, method__tau=0.7), resume=tmp_path / "c.pt")
    with pytest.raises(UserError, match="no such file"):
        train(toy_config(2), resume=tmp_path / "missing.pt")
    (tmp_path / "broken.pt").write_bytes(b"not a checkpoint")
    with pytest.raises(UserError, match="cannot be read"):
        train(toy_config(2), resume=tmp_path / "broken.pt")


@pytest.mark.slow
def test_no_partial_checkpoint_is_left(toy_config, tmp_path):
    for epoch in fit(toy_config(2)):
        epoch.save(tmp_path / "c.pt")
    assert [path.name for path in tmp_path.iterdir()] == ["c.pt"]


def test_a_loss_that_is_not_finite_is_said_in_one_line(toy_config):
    with pytest.raises(Diverged, match=r"loss of m0 became (nan|inf) in epoch"):
        train(toy_config(2, optim__lr=1e12))


@pytest.mark.slow
def test_each_epoch_reports_the_learning_rates_it_ran_with(toy_config):
    config = toy_config(2, {"name": "igm"}, optim__lr__m0=0.011, optim__lr__m1=0.007)
    seen = {(row["active"], row[f"lr/{row['active']}"]) for row in train(config).history}
    assert seen == {("m0", 0.011), ("m1", 0.007)}


@pytest.mark.slow
def test_schedules_act_within_a_stage_and_start_anew(toy_config):
    config = toy_config(2, "igm", optim__schedule="step", optim__step_size=1, stages__epochs=3)
    rates = [row[f"lr/{row['active']}"] for row in train(config).history[:6]]
    assert rates == pytest.approx([0.05, 0.005, 0.0005] * 2)


def test_stages_follow_cycles_and_epochs(toy_config):
    config = toy_config(3, "igm", stages__cycles=2, stages__epochs__m1=5)
    stages = plan(config, Training(config).method)
    assert [(stage.active, stage.epochs) for stage in stages] == [(("m0",), 2), (("m1",), 5), (("m2",), 2)] * 2
    joint = toy_config(3, "joint", stages__cycles=2, stages__epochs__m1=5)
    assert [(s.active, s.epochs) for s in plan(joint, Training(joint).method)] == [(("m0", "m1", "m2"), 5)] * 2


@pytest.mark.slow
def test_handover_by_best_validation_returns_the_best_epochs_weights(toy_config):
    config = toy_config(2, "joint", stages__cycles=1, stages__epochs=6, stages__handover="best_val", optim__lr=0.1)
    result = train(config)
    best = max(row["val/acc"] for row in result.history[:-1])
    assert result.metrics["val/acc"] >= best
    scored = result.evaluate(load_search(config.data).val)
    assert scored["acc"] == result.metrics["val/acc"]


def test_report_sees_every_epoch_and_may_stop_the_training(toy_config):
    seen = []

    def report(step, metrics, save):
        seen.append((step, metrics["epoch"]))
        if step == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(toy_config(2), report)
    assert seen == [(1, 1), (2, 2), (3, 3)]


@pytest.mark.slow
def test_bf16_and_channels_last_train(toy_config):
    result = train(toy_config(2, {"name": "igm", "rho": 0.05}, precision="bf16", channels_last=True))
    assert result.metrics["val/acc"] > 0.5


def test_reading_a_poisoned_test_split_changes_nothing(small_avdigits, tmp_path, monkeypatch):
    """The test split's files are garbage: a training, its metrics and its data hash are what they were."""
    monkeypatch.setenv("IGMSWEEP_CACHE", str(tmp_path / "cache"))

    def run():
        config = TrainConfig(data={"name": "avdigits", "root": str(small_avdigits)}, device="cpu")
        config = config.override({"stages.cycles": 1, "stages.epochs": 1, "model.width": 4})
        data = load_search(config.data)
        assert not hasattr(data, "test")
        return data.data_hash, data.split_hash, train(config, data=data).metrics

    clean = run()
    names = [line.split(",")[0] for line in (small_avdigits / "annotations" / "test.csv").read_text().split()]
    assert names
    for name in names:
        (small_avdigits / "AudioWAV" / f"{name}.wav").write_bytes(b"poison")
        for picture in (small_avdigits / "Image-01-FPS" / name).iterdir():
            picture.write_bytes(b"poison")
    (small_avdigits / "annotations" / "test.csv").write_text("poison")
    assert run() == clean


@pytest.mark.slow
def test_igmsweep_train_imports_without_ray_optuna_or_plotly():
    import subprocess
    import sys

    heavy = "('ray', 'optuna', 'plotly')"
    code = f"import sys, igmsweep.train, igmsweep.methods.igm; print([m for m in {heavy} if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "[]"


@pytest.mark.parametrize("handover", ["last", "best_val"])
def test_the_result_holds_the_predictions_that_its_metrics_are_of(toy_config, handover, tmp_path):
    from igmsweep.metrics import classification_metrics

    config = toy_config(2, "igm", stages__handover=handover)
    data = load_search(config.data)
    result = train(config, lambda step, row, save: save(tmp_path / "checkpoint.pt"), data=data)
    again = train(config, data=data, resume=tmp_path / "checkpoint.pt")  # nothing is left to train
    for each in (result, again):
        assert each.predictions is not None
        found = classification_metrics(each.predictions.probabilities, each.predictions.labels)
        assert {f"val/{name}": value for name, value in found.items()}.items() <= each.metrics.items()
    metrics, predictions = result.predict(data.val)
    assert predictions.samples == result.predictions.samples
    assert metrics["acc"] == result.metrics["val/acc"]
