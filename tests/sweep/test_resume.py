"""A sweep that cannot be lost: resume, extension, early stopping, folds, seeds, failures, the lock."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import optuna
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from igmsweep.errors import UserError
from igmsweep.record.failures import SweepFailed
from igmsweep.record.ledger import Ledger
from igmsweep.record.lock import Lock, holder_of, identity
from igmsweep.record.states import State
from igmsweep.record.status import lines, status
from igmsweep.record.stopping import Asha, Median
from igmsweep.sweep import ResumeRequest, SweepRequest, resume_sweep, run_sweep
from igmsweep.sweep.controller import Controller
from igmsweep.sweep.plan import same_sweep
from igmsweep.sweep.stopping import make_stopping


@pytest.fixture
def request_of(cycles_request):
    return lambda **changes: cycles_request(**{"trials": 12, "local": True, "quiet": True, **changes})


def told(rows) -> dict:
    return {n: (row["params"], row["state"], row.get("metrics"), row.get("rung")) for n, row in rows.items()}


class Killed(BaseException):
    """Stands for SIGKILL: nothing of the driver's own code runs after it but `finally` clauses, which are undone."""


def killed_after(monkeypatch, request, lines_written: int) -> Path:
    """Run a sweep whose driver dies as the ledger's n-th line has been written, and restore the folder as it was then."""
    folder = Path(request.out).resolve() / request.name
    snapshot = folder.parent / "snapshot"
    append, count = Ledger.append, 0

    def counting(self, *arguments, **fields):
        nonlocal count
        row = append(self, *arguments, **fields)
        count += 1
        if count == lines_written:
            shutil.copytree(folder, snapshot)
            raise Killed
        return row

    with monkeypatch.context() as patched:
        patched.setattr(Ledger, "append", counting)
        with pytest.raises(Killed):
            run_sweep(request)
    shutil.rmtree(folder)
    snapshot.rename(folder)
    lock = folder / "driver.lock"  # what the dead leave; here its process lives on
    lock.write_text(json.dumps(json.loads(lock.read_text()) | {"start": "0"}))
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("scheduler", ["none", "asha", "median"])
@pytest.mark.parametrize("sampler", ["tpe", "random", "sobol", "sobol+tpe", "gp", "cmaes", "grid"])
def test_a_driver_killed_between_any_two_records_is_replaced_exactly(request_of, monkeypatch, scheduler, sampler):
    pytest.importorskip("scipy")
    whole = run_sweep(request_of(name="whole", scheduler=scheduler, sampler=sampler, grace=1, reduction=2))
    total = len(Ledger(whole.dir / "trials.jsonl").path.read_text().splitlines())
    for number, at in enumerate(range(1, total, max(1, total // 4))):
        request = request_of(name=f"k{number}", scheduler=scheduler, sampler=sampler, grace=1, reduction=2)
        folder = killed_after(monkeypatch, request, at)
        resumed = resume_sweep(ResumeRequest(folder, quiet=True))
        assert told(resumed.rows) == told(whole.rows), f"killed after line {at}"


def test_a_result_that_the_driver_never_recorded_is_not_trained_again(request_of, tmp_path):
    whole = run_sweep(request_of(trials=4))
    ledger = whole.dir / "trials.jsonl"
    kept = [line for line in ledger.read_text().splitlines() if json.loads(line)["trial"] != 3]
    started = next(line for line in ledger.read_text().splitlines() if json.loads(line)["trial"] == 3)
    ledger.write_text("\n".join([*kept, started]) + '\n{"trial": 3, "state": "comp')  # and the last line is cut
    before = (tmp_path / "cache" / "epochs").read_text()
    resumed = resume_sweep(ResumeRequest(whole.dir, quiet=True))
    assert told(resumed.rows) == told(whole.rows)
    assert (tmp_path / "cache" / "epochs").read_text() == before


def test_a_running_trial_goes_on_from_its_checkpoint(request_of, tmp_path, monkeypatch):
    request = request_of(trials=2)
    folder = killed_after(monkeypatch, request, 3)  # the second cycle's end of trial 0
    counter = tmp_path / "cache" / "epochs"
    before = len(counter.read_text().splitlines())
    resume_sweep(ResumeRequest(folder, quiet=True))
    trained = counter.read_text().splitlines()
    assert len(trained) == 12 + (1 if before % 2 else 0)  # at most the stage that was not saved
    epochs = [json.loads(line)["epoch"] for line in (folder / "trials/00000/metrics.jsonl").read_text().splitlines()]
    assert epochs == [1, 2, 3, 4, 5, 6]


@pytest.mark.slow
def test_a_finished_sweep_is_extended_as_if_it_had_been_longer_from_the_start(request_of):
    first = run_sweep(request_of(trials=14))
    longer = resume_sweep(ResumeRequest(first.dir, trials=20, quiet=True))
    assert len(longer.rows) == 20
    assert {n: told(longer.rows)[n] for n in range(14)} == told(first.rows)
    states = [trial.state.name for trial in longer.study.trials]
    assert states.count("COMPLETE") == 20
    with pytest.raises(UserError, match="--trials: found 5, but s has 20 trials"):
        resume_sweep(ResumeRequest(first.dir, trials=5, quiet=True))


def test_of_two_plans_the_key_that_differs_is_named_with_values_that_can_be_read(tmp_path):
    choices = [f"choice {number}" for number in range(200)]
    before = {
        "space": {"params": {"method.tau": {"low": 0.1}, "method.scope": {"choices": choices}}},
        "base_config": {"seed": 0, "data": {"root": "/a"}},
    }
    same_sweep(tmp_path, before, {**before, "base_config": {"seed": 0, "data": {"root": "/b"}}})  # the data has moved
    for change, told in (
        ({"base_config": {"seed": 1}}, "was started with seed 0, now 1;"),
        (
            {"space": {"params": {"method.tau": {"low": 0.2}, "method.scope": {"choices": choices}}}},
            r"was started with space\.params\.method\.tau\.low 0\.1, now 0\.2;",
        ),
        (
            {"space": {"params": {"method.tau": {"low": 0.1}, "method.scope": {"choices": choices[1:]}}}},
            r"method\.scope\.choices \['choice 0', .* characters .*, now \['choice 1', .*; choose another --name",
        ),
    ):
        with pytest.raises(UserError, match=told) as caught:
            same_sweep(tmp_path, before, before | change)
        assert len(str(caught.value)) < 500


def test_tune_with_resume_goes_on_and_refuses_another_sweep(request_of):
    run_sweep(request_of(trials=3))
    assert len(run_sweep(request_of(trials=5, resume=True)).rows) == 5
    with pytest.raises(UserError, match="was started with sampler tpe, now random"):
        run_sweep(request_of(trials=5, resume=True, sampler="random"))
    with pytest.raises(UserError, match="igmsweep resume"):
        run_sweep(request_of(trials=5))


def test_changed_data_is_refused_with_the_reason(request_of, small_avdigits):
    sweep = run_sweep(request_of(trials=2))
    train = small_avdigits / "annotations" / "train.csv"
    lines_of = train.read_text().splitlines()
    train.write_text("\n".join(lines_of[:-1]) + "\n")
    with pytest.raises(UserError, match=r"data_hash was \w+ and is now \w+: the data of avdigits has changed"):
        resume_sweep(ResumeRequest(sweep.dir, quiet=True))


def test_a_sweep_goes_on_where_its_data_has_moved_to(request_of, small_avdigits, tmp_path):
    sweep = run_sweep(request_of(trials=2))
    moved = small_avdigits.rename(tmp_path / "moved")
    longer = resume_sweep(ResumeRequest(sweep.dir, trials=3, root=moved, quiet=True))
    assert [row["state"] for row in longer.rows.values()] == ["complete"] * 3


def test_a_csv_sweep_says_what_it_derived_once_and_goes_on_by_what_it_wrote(trained_by, tmp_path, caplog):
    trained_by("cycles")
    rows = [f"{n % 2},{'train' if n < 30 else 'val'},a word {n}" for n in range(40)]
    (tmp_path / "notes.csv").write_text("label,split,note\n" + "\n".join(rows) + "\n")
    given = {"data": str(tmp_path / "notes.csv"), "method": "unimodal", "name": "s", "out": tmp_path, "local": True}
    with caplog.at_level("INFO"):
        sweep = run_sweep(SweepRequest(**given, trials=1, overrides={"data.cache": str(tmp_path / "cache")}))
    assert caplog.text.count("8 tokens of 1024 hashed words (text_mini)") == 1
    spec = yaml.safe_load((sweep.dir / "sweep.yaml").read_text())
    assert spec["base_config"]["data"]["options"]["tokens"] == 8
    assert spec["base_config"]["model"]["encoder"] == {"note": "text_mini:1024"}
    caplog.clear()
    with caplog.at_level("INFO"):
        resume_sweep(ResumeRequest(sweep.dir, trials=2))
    assert "hashed words" not in caplog.text


def test_a_second_driver_is_refused_and_a_dead_ones_lock_is_taken_over(request_of):
    sweep = run_sweep(request_of(trials=1))
    sleeper = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    lock = sweep.dir / "driver.lock"
    lock.write_text(json.dumps(identity(sleeper.pid) | {"since": "2026-01-01T00:00:00Z"}))
    assert status(sweep.dir)["state"] == "running"
    with pytest.raises(UserError, match=f"is driven by process {sleeper.pid} on "):
        resume_sweep(ResumeRequest(sweep.dir, trials=2, quiet=True))
    sleeper.kill()
    sleeper.wait()
    assert holder_of(sweep.dir) is None
    assert len(resume_sweep(ResumeRequest(sweep.dir, trials=2, quiet=True)).rows) == 2
    assert not lock.exists()
    for stale in ({"boot": "another"}, {"start": "1"}):
        lock.write_text(json.dumps(identity() | stale))
        assert holder_of(sweep.dir) is None
    lock.write_text(json.dumps(identity() | {"host": "elsewhere", "since": "today"}))
    with pytest.raises(UserError, match="elsewhere since today; if that machine is gone, remove the file"):
        Lock(sweep.dir).acquire()


def test_asha_stops_the_worse_at_cycle_ends_and_the_study_hears_the_truth(request_of):
    sweep = run_sweep(request_of(scheduler="asha", reduction=2, trials=16))
    pruned = {n: row for n, row in sweep.rows.items() if row["state"] == "pruned"}
    assert pruned
    assert sweep.rows[sweep.best["trial"]]["state"] == "complete"
    for number, row in pruned.items():
        rows = (sweep.dir / f"trials/{number:05d}/metrics.jsonl").read_text().splitlines()
        assert len(rows) == 2 * row["rung"]  # whole cycles, and nothing trained after the decision
        assert row["metrics"]["val/acc"] == json.loads(rows[-1])["val/acc"]
        assert not (sweep.dir / f"trials/{number:05d}/result.json").exists()
    by_number = {trial.user_attrs["trial"]: trial for trial in sweep.study.trials}
    for number, row in sweep.rows.items():
        expected = {"complete": "COMPLETE", "pruned": "PRUNED", "failed": "FAIL"}[row["state"]]
        assert by_number[number].state.name == expected
        assert by_number[number].intermediate_values == {int(c): s for c, s in row["rungs"].items()}


@settings(deadline=None, max_examples=50)
@given(
    scores=st.lists(st.lists(st.floats(0, 1), min_size=9, max_size=9), min_size=1, max_size=30),
    name=st.sampled_from(["asha", "median"]),
    mode=st.sampled_from(["max", "min"]),
)
def test_replaying_what_was_reported_gives_the_same_decisions(scores, name, mode):
    def run():
        rule = make_stopping(name, 9, mode, grace=1, reduction=3)
        decisions = []
        for trial, values in enumerate(scores):
            for cycle, value in enumerate(values, start=1):
                decisions.append(rule.report(trial, cycle, value))
                if decisions[-1]:
                    break
        return decisions

    assert run() == run()


def test_asha_keeps_the_best_third_of_each_rung():
    rule = Asha(cycles=9, grace=1, reduction=3)
    assert sorted(rule.rungs) == [1, 3]
    stopped = [rule.report(trial, 1, score) for trial, score in enumerate([0.5, 0.6, 0.4, 0.7, 0.65, 0.71])]
    assert stopped == [False, False, True, False, True, False]
    assert not rule.report(3, 2, 0.0)  # not a rung
    assert not rule.report(3, 9, 0.0)  # the end
    falling = Asha(cycles=9, mode="min")
    assert [falling.report(trial, 1, loss) for trial, loss in enumerate([1.0, 2.0, 0.5])] == [False, True, False]


def test_the_median_rule_compares_the_best_so_far_with_running_means():
    rule = Median(cycles=4, grace=1, others=3)
    for trial, score in enumerate([0.5, 0.6, 0.7]):
        assert not rule.report(trial, 1, score)
    assert rule.report(3, 1, 0.55)
    assert not rule.report(4, 1, 0.65)


def test_stopping_that_cannot_stop_anything_is_refused(request_of):
    with pytest.raises(UserError, match=r"a training has 1 cycle \(stages.cycles\)"):
        run_sweep(request_of(scheduler="asha", overrides={**request_of().overrides, "stages.cycles": 1}))
    with pytest.raises(UserError, match="did you mean 'asha'"):
        run_sweep(request_of(scheduler="ahsa"))


@pytest.mark.slow
def test_folds_give_means_spread_and_their_own_scores(request_of, monkeypatch):
    request = request_of(folds=3, trials=3)
    whole = run_sweep(replace(request, name="whole"))
    for row in whole.rows.values():
        scores = [fold["val/acc"] for fold in row["folds"]]
        assert scores == pytest.approx([scores[0], scores[0] + 0.01, scores[0] + 0.02])
        assert row["metrics"]["val/acc"] == pytest.approx(sum(scores) / 3)
        assert row["stderr"]["val/acc"] == pytest.approx(0.01 / 3**0.5)
    described = yaml.safe_load((whole.dir / "sweep.yaml").read_text())
    assert described["data"]["split"] == "each fold of 3, grouped by speaker"
    folder = killed_after(monkeypatch, request, 9)
    assert told(resume_sweep(ResumeRequest(folder, quiet=True)).rows) == told(whole.rows)


def test_seeds_train_the_best_again_and_rank_by_their_mean(request_of):
    sweep = run_sweep(request_of(trials=6, seeds=3, repeat_top=2))
    repeats = [row for row in sweep.rows.values() if row["source"].startswith("repeat:")]
    assert len(repeats) == 4
    assert {row["fixed_overrides"]["seed"] for row in repeats} == {1, 2}
    assert len(sweep.best["repeats"]) == 3
    assert sweep.best["mean"] == pytest.approx(sum(sweep.best["repeats"]) / 3)
    trained = json.loads((sweep.dir / f"trials/{repeats[0]['trial']:05d}/result.json").read_text())
    assert trained["config"]["seed"] == repeats[0]["fixed_overrides"]["seed"]
    again = resume_sweep(ResumeRequest(sweep.dir, quiet=True))
    assert len(again.rows) == 10  # nothing is repeated twice


@pytest.mark.slow
def test_a_warm_start_takes_over_what_fits_and_refuses_what_cannot_be_compared(request_of, tmp_path, small_avdigits):
    old = run_sweep(request_of(trials=8))
    (tmp_path / "narrow.yaml").write_text("params:\n  method.tau: {type: float, low: 0.1, high: 5.0, log: true}\n")
    new = run_sweep(request_of(name="new", trials=2, warm_start=(old.dir,), space=tmp_path / "narrow.yaml"))
    inside = [row for row in old.rows.values() if 0.1 <= row["params"]["method.tau"] <= 5.0]
    assert len(new.study.trials) == len(inside) + 2
    assert len(new.rows) == 2
    resumed = resume_sweep(ResumeRequest(new.dir, trials=3, quiet=True))
    assert len(resumed.study.trials) == len(inside) + 3
    train = small_avdigits / "annotations" / "train.csv"
    train.write_text("\n".join(train.read_text().splitlines()[:-1]) + "\n")
    with pytest.raises(UserError, match=r"data.data_hash .* not comparable"):
        run_sweep(request_of(name="other", warm_start=(old.dir,)))


def test_the_same_bug_in_the_first_trials_ends_the_sweep(request_of):
    with pytest.raises(
        SweepFailed, match=r"the first 3 trials all failed: RuntimeError: no such operator; see .*error.txt"
    ):
        run_sweep(request_of(trained_by="broken"))


@pytest.mark.slow
def test_a_trial_that_hangs_fails_alone(request_of, tmp_path):
    with (tmp_path / "space.yaml").open("a") as file:
        file.write("enqueue: [{method.tau: 0.1}, {method.tau: 0.9}, {method.tau: 0.2}]\n")
    sweep = run_sweep(request_of(trained_by="hang", trials=3, trial_timeout_s=1.0))
    assert [sweep.rows[n]["state"] for n in range(3)] == ["complete", "failed", "complete"]
    assert sweep.rows[1]["error"] == {"class": "timeout", "message": "not finished after 1 s"}


@pytest.mark.slow
def test_failed_trials_are_trained_again_when_asked(request_of, tmp_path, trained_by):
    with (tmp_path / "space.yaml").open("a") as file:
        file.write("enqueue: [{method.tau: 0.1}, {method.tau: 0.9}]\n")
    sweep = run_sweep(request_of(trained_by="hang", trials=2, trial_timeout_s=0.5))
    assert sweep.rows[1]["state"] == "failed"
    kept = resume_sweep(ResumeRequest(sweep.dir, quiet=True))
    assert kept.rows[1]["state"] == "failed"
    trained_by("cycles")
    again = resume_sweep(ResumeRequest(sweep.dir, retry_failed=True, quiet=True))
    assert again.rows[1]["state"] == "complete"
    assert again.rows[1]["attempt"] == 1
    assert "error" not in again.rows[1]


@pytest.mark.parametrize(("keep", "left"), [("best", 1), ("all", 4), ("none", 0)])
def test_checkpoints_of_losers_are_removed(request_of, keep, left):
    sweep = run_sweep(request_of(trials=4, keep_checkpoints=keep))
    found = [path.parent.name for path in sweep.dir.glob("trials/*/checkpoint.pt")]
    assert len(found) == left
    if keep == "best":
        assert found == [f"{sweep.best['trial']:05d}"]


def test_a_full_disk_is_one_line_and_loses_nothing(request_of, tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = shutil.which("mount") and subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)], capture_output=True
    )
    if not mounted or mounted.returncode != 0:
        pytest.skip("no right to mount a small tmpfs")
    try:
        (tmp_path / "cache" / "disk").write_text(str(disk))
        with pytest.raises(SweepFailed, match=r"cannot be written \(No space left on device\); .*igmsweep resume"):
            run_sweep(request_of(out=disk, trained_by="full_disk", trials=5))
        ledger = disk / "s" / "trials.jsonl"
        text = ledger.read_text()
        assert text.endswith("\n")
        assert [row["state"] for row in Ledger(ledger).rows().values()][:2] == ["complete", "complete"]
        (disk / "ballast").unlink()
        resumed = resume_sweep(ResumeRequest(disk / "s", quiet=True))
        assert resumed.counts == {"complete": 5}
        assert ledger.read_text().startswith(text)
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_a_folder_that_cannot_be_written_is_one_line(request_of, monkeypatch):
    sweep = run_sweep(request_of(trials=1))

    def refuse(self):
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(Lock, "acquire", refuse)
    with pytest.raises(SweepFailed, match=r"cannot be written \(Read-only file system\)"):
        resume_sweep(ResumeRequest(sweep.dir, trials=2, quiet=True))


def test_status_tells_a_running_sweep_from_its_folder_alone(request_of, monkeypatch):
    folder = killed_after(monkeypatch, request_of(trials=4), 8)
    found = status(folder)
    assert found["state"] == "stopped"
    assert f"`igmsweep resume {folder}` goes on" in lines(found)
    seen = []

    def look(self, *arguments):
        seen.append((status(folder), lines(status(folder))))
        return reported(self, *arguments)

    reported = Controller.reported
    # a lock of this very process counts as alive
    monkeypatch.setattr(Controller, "reported", look)
    resume_sweep(ResumeRequest(folder, quiet=True))
    middle, text = seen[-2]
    assert middle["state"] == "running"
    assert [row["trial"] for row in middle["running"]] == [3]
    assert middle["running"][0]["epoch"] == 5
    assert "epoch 5" in "\n".join(text)
    done = status(folder)
    assert done["state"] == "finished"
    assert done["counts"] == {"complete": 4}
    assert json.dumps(done)


def test_the_rebuilt_journal_opens_as_a_study(request_of, monkeypatch):
    folder = killed_after(monkeypatch, request_of(trials=6, scheduler="asha", reduction=2), 10)
    (folder / "study.journal.lock").symlink_to("left-by-a-killed-driver")
    resume_sweep(ResumeRequest(folder, quiet=True))
    backend = optuna.storages.journal.JournalFileBackend(str(folder / "study.journal"))
    study = optuna.load_study(study_name="s", storage=optuna.storages.JournalStorage(backend))
    assert len(study.trials) == 6
    assert not [trial for trial in study.trials if not trial.state.is_finished()]


@pytest.mark.slow
def test_an_unknown_logger_or_a_missing_package_is_one_line(request_of):
    with pytest.raises(UserError, match="did you mean 'wandb'"):
        run_sweep(request_of(local=False, loggers={"wandbb": ""}))
    with pytest.raises(UserError, match="needs the package `mlflow`"):
        run_sweep(request_of(local=False, loggers={"mlflow": ""}))
    with pytest.raises(UserError, match="leave --local out"):
        run_sweep(request_of(loggers={"wandb": ""}))


def test_a_trial_that_waited_when_its_driver_died_is_trained_again_whatever_its_folder_says(request_of):
    sweep = run_sweep(request_of(trials=2))
    Ledger(sweep.dir / "trials.jsonl").append(1, State.WAITING, attempt=1, retried=0)
    stale = sweep.dir / "trials/00001/result.json"
    stale.write_text(json.dumps(json.loads(stale.read_text()) | {"metrics": {"val/acc": 7.0}}))
    assert status(sweep.dir)["counts"] == {"complete": 1, "waiting": 1}
    resumed = resume_sweep(ResumeRequest(sweep.dir, quiet=True))
    assert resumed.rows[1].complete and resumed.rows[1].attempt == 1
    assert told(resumed.rows) == told(sweep.rows)


def test_a_folder_has_its_space_for_other_tools_also_one_of_an_earlier_version(request_of):
    sweep = run_sweep(request_of(trials=2))
    path = sweep.dir / "configspace.json"
    written = json.loads(path.read_text())
    assert [each["name"] for each in written["hyperparameters"]] == list(sweep.rows[0].params)
    path.unlink()
    resume_sweep(ResumeRequest(sweep.dir, trials=3, quiet=True))
    assert json.loads(path.read_text()) == written
