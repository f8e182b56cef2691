"""Small windows and wrong turns of a sweep, each of which has lost or mixed up trials once."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import yaml

from igmsweep.errors import UserError
from igmsweep.record.failures import SweepFailed
from igmsweep.record.ledger import Ledger
from igmsweep.record.paths import CHECKPOINT, trial_folder
from igmsweep.record.states import State
from igmsweep.record.status import status
from igmsweep.sweep import ResumeRequest, SweepRequest, local, resume_sweep, run_sweep, session
from igmsweep.sweep.controller import Controller
from igmsweep.sweep.resources import Allotment, Machine
from igmsweep.sweep.task import Task
from igmsweep.sweep.trial import run_trial

TRAINABLES = Path(__file__).parent.parent / "trainables.py"


@pytest.fixture
def request_of(cycles_request):
    return lambda **changes: cycles_request(**{"trials": 6, "local": True, "quiet": True, **changes})


def finish(sweep: Controller, task: dict, **result) -> None:
    """What a worker leaves behind, told to the driver."""
    folder = trial_folder(sweep.folder, task["number"])
    folder.mkdir(parents=True, exist_ok=True)
    found = {"state": "complete", "attempt": task["attempt"], "metrics": {"val/acc": 0.5}, **result}
    (folder / "result.json").write_text(json.dumps(found))
    sweep.ended(task["number"])


OOM = {"state": "failed", "metrics": {}, "error": {"class": "oom", "message": "CUDA out of memory"}}


def driven(monkeypatch, request: SweepRequest, play) -> Controller:
    """A sweep whose runner is a test: two trials at a time, told to the driver by hand."""
    seen = []

    def run(sweep: Controller, *_: object) -> None:
        sweep.allotment = Allotment(1.0, 0.0, 2)
        seen.append(sweep)
        play(sweep)

    monkeypatch.setattr(local, "run", run)
    run_sweep(request)
    assert seen[0].rows == seen[0].ledger.rows()  # what the driver believes is what the next one will read
    return seen[0]


def test_a_trial_that_runs_alone_waits_for_the_others_and_they_for_it(request_of, monkeypatch):
    def play(sweep: Controller) -> None:
        first, second = sweep.next_task(), sweep.next_task()
        finish(sweep, first, **OOM)
        third = sweep.next_task()  # not the one that must run alone: the second still runs
        assert third is None
        finish(sweep, second)
        again = sweep.next_task()
        assert again["number"] == first["number"] and again["attempt"] == 1
        assert sweep.next_task() is None and sweep.busy  # nobody starts beside it
        finish(sweep, again)
        assert sweep.next_task()["number"] == 2
        finish(sweep, {"number": 2, "attempt": 0})

    sweep = driven(monkeypatch, request_of(trials=3), play)
    assert all(sweep.rows[n].complete for n in range(3))


def test_alone_asks_for_no_more_than_one_node_has():
    assert Allotment(2.0, 0.25, 64).alone() == Allotment(2.0, 1, 1)


def test_what_an_earlier_attempt_left_is_not_the_outcome_of_the_next(request_of, monkeypatch):
    def play(sweep: Controller) -> None:
        task = sweep.next_task()
        finish(sweep, {**task, "attempt": 7}, metrics={"val/acc": 0.9})  # of no attempt that was started now
        assert sweep.rows[0].state is State.WAITING  # so its worker is taken for dead
        again = sweep.next_task()
        assert not (trial_folder(sweep.folder, 0) / "result.json").exists()
        finish(sweep, again)

    sweep = driven(monkeypatch, request_of(trials=1), play)
    assert sweep.rows[0].score("val/acc") == 0.5


def test_running_out_of_memory_unseen_is_followed_by_a_run_alone(request_of, monkeypatch):
    request = request_of(trials=2)
    folder = Path(request.out) / request.name

    def dies(sweep: Controller) -> None:
        task = sweep.next_task()
        place = trial_folder(sweep.folder, 0)
        place.mkdir(parents=True, exist_ok=True)
        (place / "result.json").write_text(json.dumps({**OOM, "attempt": task["attempt"]}))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        driven(monkeypatch, request, dies)
    lines = [line for line in Ledger(folder / "trials.jsonl").lines() if line["state"] == "running"]
    (folder / "trials.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    (trial_folder(folder, 0) / "result.json").write_text(json.dumps({**OOM, "attempt": 0}))
    starts = []
    monkeypatch.setattr(local, "run", lambda sweep, *_: starts.append(sweep.next_task()))
    monkeypatch.setattr(session, "Allotment", lambda cpus, gpus, _: Allotment(cpus, gpus, 2))
    resume_sweep(ResumeRequest(folder, quiet=True))
    assert starts[0]["number"] == 0 and starts[0]["attempt"] == 1


def test_repeats_run_side_by_side(request_of, monkeypatch):
    def play(sweep: Controller) -> None:
        for score in (0.3, 0.6):
            finish(sweep, sweep.next_task(), metrics={"val/acc": score})
        repeats = [sweep.next_task(), sweep.next_task()]
        assert [sweep.rows[task["number"]].repeat_of for task in repeats] == [1, 1]
        for task in repeats:
            finish(sweep, task)

    driven(monkeypatch, request_of(trials=2, seeds=3, repeat_top=1), play)


def test_the_winner_of_the_repeats_keeps_its_checkpoint(request_of):
    sweep = run_sweep(request_of(trained_by="lucky", trials=4, seeds=2, repeat_top=3))
    order = sorted((row["metrics"]["val/acc"], n) for n, row in sweep.rows.items() if row["source"] == "tpe")
    assert sweep.best["trial"] == order[-3][1]  # the worst of the three that were repeated
    left = [int(path.parent.name) for path in sweep.dir.glob(f"trials/*/{CHECKPOINT}")]
    assert left == [sweep.best["trial"]]


@pytest.mark.parametrize("sampler", ["tpe", "grid", "sobol+tpe"])
def test_a_space_with_steps_is_taken_up_again(request_of, tmp_path, sampler):
    space = "params:\n  method.tau: {type: float, low: 0.1, high: 1.0, step: 0.3}\n"
    (tmp_path / "space.yaml").write_text(space + "  model.width: {type: int, low: 4, high: 12, step: 4}\n")
    first = run_sweep(request_of(trials=3, sampler=sampler))
    longer = resume_sweep(ResumeRequest(first.dir, trials=9, quiet=True))
    assert sum(row["state"] == "complete" for row in longer.rows.values()) == 9
    assert {round(row["params"]["method.tau"], 6) for row in longer.rows.values()} <= {0.1, 0.4, 0.7, 1.0}
    assert {row["params"]["model.width"] for row in longer.rows.values()} <= {4, 8, 12}


def test_an_enqueued_value_off_the_steps_is_refused(request_of, tmp_path):
    space = "params:\n  method.tau: {type: float, low: 0.1, high: 1.0, step: 0.3}\nenqueue: [{method.tau: 0.2}]\n"
    (tmp_path / "space.yaml").write_text(space)
    with pytest.raises(UserError, match=r"enqueue\[0\].*method.tau.*0.2"):
        run_sweep(request_of())


def test_a_sweep_that_started_while_the_data_was_read_is_not_written_over(request_of, monkeypatch):
    request = request_of(seed=5)
    folder = Path(request.out) / request.name
    take_over = session.take_over

    def meanwhile(*arguments):
        run_sweep(request_of(trials=1))
        return take_over(*arguments)

    calls = iter([meanwhile, take_over])
    monkeypatch.setattr(session, "take_over", lambda *arguments: next(calls)(*arguments))
    with pytest.raises(UserError, match="already holds a sweep"):
        run_sweep(request)
    assert yaml.safe_load((folder / "sweep.yaml").read_text())["seed"] == 0
    assert not (folder / "driver.lock").exists()


def test_a_start_that_failed_leaves_the_name_free(request_of, tmp_path):
    with pytest.raises(UserError, match="nowhere"):
        run_sweep(request_of(warm_start=(tmp_path / "nowhere",)))
    (tmp_path / "out/s/trials").mkdir(parents=True, exist_ok=True)  # or was killed there
    assert run_sweep(request_of(trials=1)).counts == {"complete": 1}


def test_data_that_moved_is_read_where_it_lies_now(request_of, tmp_path, small_avdigits):
    run_sweep(request_of(trials=2))
    small_avdigits.rename(tmp_path / "moved")
    overrides = {"data.root": str(tmp_path / "moved"), "data.cache": str(tmp_path / "cache"), "stages.cycles": 3}
    longer = run_sweep(request_of(trials=4, resume=True, overrides=overrides))
    assert longer.counts == {"complete": 4} and not small_avdigits.exists()
    config = yaml.safe_load((longer.dir / "trials/00003/config.yaml").read_text())
    assert config["data"]["root"] == str(tmp_path / "moved")
    with pytest.raises(UserError, match="--trials: found 2, but s has 4 trials already"):
        run_sweep(request_of(trials=2, resume=True, overrides=overrides))


@pytest.mark.parametrize("changes", [{"seeds": -1}, {"retries": -3}, {"time_budget_s": 0.0}, {"trial_timeout_s": 0.0}])
def test_resume_checks_its_options_as_tune_does(request_of, changes):
    sweep = run_sweep(request_of(trials=1))
    with pytest.raises(UserError, match=r"^--(seeds|retries|time-budget|trial-timeout): found"):
        resume_sweep(ResumeRequest(sweep.dir, quiet=True, **changes))


def test_resume_keeps_shares_and_concurrency_that_were_asked_for(monkeypatch):
    monkeypatch.setattr(session, "this_machine", lambda: Machine(8, 1, ("fake",), (80 << 30,)))
    request, before = SweepRequest("avdigits"), {"gpus_per_trial": 0.25}
    asked = {"gpus_per_trial": "auto", "max_concurrent": 2}
    assert session.allotted(request, None, asked=asked, before=before)[1] == Allotment(1.0, 0.25, 2)
    nothing = {"gpus_per_trial": None, "max_concurrent": None}
    assert session.allotted(request, None, asked=nothing, before={"gpus_per_trial": 1.0})[1].concurrent == 1
    monkeypatch.setattr(session, "this_machine", lambda: Machine(1, 0))
    assert session.allotted(request, None, asked=asked, before=before)[1] == Allotment(1.0, 0.0, 1)


def test_auto_is_refused_for_a_cluster(monkeypatch):
    monkeypatch.setattr(session, "_cluster", lambda _: Machine(8, 1))
    with pytest.raises(UserError, match="--gpus-per-trial auto"):
        session.allotted(SweepRequest("avdigits", gpus_per_trial="auto", address="auto"), None)


def test_a_kill_between_a_folds_record_and_the_end_of_its_checkpoint(request_of, tmp_path):
    sweep = run_sweep(request_of(trials=1, folds=2))
    folder = sweep.dir / "trials/00000"
    (folder / "fold1.json").unlink()
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    (folder / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows if row["fold"] == 0))
    (folder / CHECKPOINT).write_text("6")  # of the first fold
    counter = tmp_path / "cache" / "epochs"
    before = len(counter.read_text().splitlines())
    plan = yaml.safe_load((sweep.dir / "sweep.yaml").read_text())
    task = {"number": 0, "folder": str(folder), "config": plan["base_config"], "params": {}, "metric": "val/acc"}
    task |= {"trainable": f"{TRAINABLES}:cycles", "threads": 1, "gpus": 0.0, "folds": 2}
    assert run_trial(task)["state"] == "complete"
    assert len(counter.read_text().splitlines()) - before == 6  # the second fold, whole


@pytest.mark.slow
@pytest.mark.parametrize("where", ["local", pytest.param("ray", marks=pytest.mark.slow)])
def test_a_full_disk_ends_the_sweep_and_costs_no_trial(request_of, tmp_path, where):
    request = request_of(trained_by="no_room", local=where == "local", max_concurrent=None)
    (tmp_path / "cache" / "full").touch()
    with pytest.raises(SweepFailed, match=r"a trial could not write \(.*No space left.*igmsweep resume"):
        run_sweep(request)
    (tmp_path / "cache" / "full").unlink()
    resumed = resume_sweep(ResumeRequest(Path(request.out) / request.name, quiet=True))
    assert resumed.counts == {"complete": 6}
    shutil.rmtree(tmp_path / "cache")


def test_a_grid_that_is_used_up_is_finished(request_of):
    sweep = run_sweep(request_of(trials=100, sampler="grid"))
    found = status(sweep.dir)
    assert found["state"] == "finished" and found["wanted"] == len(sweep.rows) == 6


@pytest.mark.parametrize("damage", ["scheduler: 3", "base_config: {data: {name: nowhere}}", "data: {}", "bytes"])
def test_a_damaged_plan_is_one_line(request_of, damage):
    sweep = run_sweep(request_of(trials=1))
    path = sweep.dir / "sweep.yaml"
    spec = yaml.safe_load(path.read_text())
    if ":" in damage:
        spec = {**spec, **yaml.safe_load(damage)}
        if damage.startswith("scheduler"):
            del spec["scheduler"]
        path.write_text(yaml.safe_dump(spec))
    else:
        path.write_bytes(b"\xff\xfe")
    with pytest.raises(UserError, match=r"sweep\.yaml|unknown data set"):
        resume_sweep(ResumeRequest(sweep.dir, quiet=True))


@pytest.mark.slow
@pytest.mark.parametrize("local", [True, False])
def test_a_time_budget_leaves_a_sweep_that_resume_finishes(request_of, caplog, trained_by, local):
    request = request_of(trials=40, trained_by="slow_cycles", time_budget_s=4.0, local=local)
    caplog.set_level("INFO", "igmsweep")
    sweep = run_sweep(request)
    assert set(sweep.counts) <= {"complete", "interrupted"} and sweep.counts.get("complete", 0) < 40
    said = caplog.text
    assert f"not finished; `igmsweep resume {sweep.dir}` goes on" in said and "time budget" in said
    before = {number for number, row in sweep.rows.items() if row["state"] == "complete"}
    total = max(len(sweep.rows), 1) + 1
    trained_by("cycles")
    caplog.clear()
    resumed = resume_sweep(ResumeRequest(sweep.dir, trials=total, local=True, quiet=True))
    assert resumed.counts == {"complete": total}
    again = [line["trial"] for line in Ledger(sweep.dir / "trials.jsonl").lines() if line["state"] == "complete"]
    assert sorted(again) == list(range(total)) and before <= set(again)
    assert "goes on" not in caplog.text


def test_resume_refuses_other_first_configurations(request_of, tmp_path):
    run_sweep(request_of(trials=1))
    with (tmp_path / "space.yaml").open("a") as file:
        file.write("enqueue:\n  - {method.tau: 2.5}\n")
    with pytest.raises(UserError, match="was started with enqueued"):
        run_sweep(request_of(trials=2, resume=True))


def test_the_first_fault_is_told_and_the_first_signal_counts(request_of, monkeypatch):
    def play(sweep: Controller) -> None:
        assert not sweep.stopping and sweep.fault is None and sweep.stop_code == 0
        first = SweepFailed("the first")
        sweep.fail(first)
        sweep.fail(SweepFailed("what followed from it"))
        sweep.stop(143)
        sweep.stop(130)
        assert sweep.fault is first and sweep.stop_code == 143
        assert sweep.stopping and sweep.next_task() is None

    with pytest.raises(SweepFailed, match="the first"):
        driven(monkeypatch, request_of(trials=1), play)


def test_a_task_crosses_to_a_worker_as_plain_data(request_of, monkeypatch):
    def play(sweep: Controller) -> None:
        told = sweep.next_task()
        task = Task.from_plain(json.loads(json.dumps(told)) | {"unheard": 1, "worker": True})
        assert task.number == 0 and task.metric == "val/acc" and task.worker and task.folder.endswith("trials/00000")
        assert task.plain() == told | {"worker": True}
        finish(sweep, told)

    driven(monkeypatch, request_of(trials=1), play)


def test_a_duplicate_is_answered_with_the_scores_of_the_first(request_of, monkeypatch, tmp_path):
    with (tmp_path / "space.yaml").open("a") as file:
        file.write("enqueue: [{method.tau: 0.5}, {method.tau: 0.5}]\n")

    def play(sweep: Controller) -> None:
        finish(sweep, sweep.next_task(), metrics={"val/acc": 0.25}, seconds=9.0, epochs=4)
        assert sweep.next_task() is None

    sweep = driven(monkeypatch, request_of(trials=2), play)
    copy = sweep.rows[1]
    assert copy.complete and copy.duplicate_of == 0 and copy.score("val/acc") == 0.25
    assert copy.seconds == 0 and copy.epochs == 0
