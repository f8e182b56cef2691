"""Several sweeps side by side: one runner, a folder each, nothing trained twice, no worker idle."""

from __future__ import annotations

import json
import signal
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from igmsweep.record.failures import TrialsFail
from igmsweep.record.folder import SweepFolder
from igmsweep.record.sessions import last_session
from igmsweep.sweep import ResumeRequest, SweepRequest, local, resume_sweep, run_sweep
from igmsweep.sweep import trial as trials
from igmsweep.sweep.many import EACH, Many
from igmsweep.sweep.resources import Allotment
from igmsweep.sweep.session import run_sweeps
from igmsweep.sweep.signals import INTERRUPTED


@pytest.fixture
def arms(cycles_request):
    """`arms(counts, **changes)`: a request for each count of trials."""

    def make(*counts: int, **changes) -> list[SweepRequest]:
        given = {"sampler": "random", "local": True, "quiet": True, "resume": True, **changes}
        return [cycles_request(trials=count, name=f"arm{i}", **given) for i, count in enumerate(counts)]

    return make


def states(request: SweepRequest) -> list[str]:
    return [str(row.state) for row in SweepFolder.read(Path(request.out) / str(request.name)).rows.values()]


def test_every_sweep_is_trained_and_is_what_it_would_be_alone(arms, tmp_path):
    requests, counts = arms(3, 2), []
    results = run_sweeps(requests, lambda sweeps: counts.append(sum(each.progress.done for each in sweeps)))
    assert counts == [1, 2, 3, 4, 5]
    assert [result.exit_code for result in results] == [0, 0]
    assert states(requests[0]) == ["complete"] * 3 and states(requests[1]) == ["complete"] * 2
    (alone,) = [run_sweep(each) for each in arms(3, out=tmp_path / "alone")]
    assert {n: row.params for n, row in alone.rows.items()} == {n: row.params for n, row in results[0].rows.items()}
    assert {n: row.metrics for n, row in alone.rows.items()} == {n: row.metrics for n, row in results[0].rows.items()}
    for request in requests:
        assert last_session(Path(request.out) / str(request.name))["over"] is True


def test_sweeps_go_on_evenly(arms):
    """So that they are about as far when time is over, and what their trainings took can be compared."""
    seen = []
    run_sweeps(arms(4, 2), lambda sweeps: seen.append(tuple(each.progress.done for each in sweeps)))
    assert seen == [(1, 0), (1, 1), (2, 1), (3, 1), (3, 2), (4, 2)]


def test_a_later_sweep_gets_the_workers_that_an_earlier_one_has_no_work_for(arms, monkeypatch):
    """The repeats of the first wait for its last trial; the second runs meanwhile."""
    asked = []

    def run(sweep, *_):
        for each in sweep.sweeps:
            each.allotment = Allotment(1.0, 0.0, 2)
        tasks = [sweep.next_task() for _ in range(3)]
        asked.extend(divmod(task["handle"], EACH) for task in tasks)
        assert [task["number"] for task in tasks] == [number for _, number in asked]
        sweep.stop(INTERRUPTED)

    monkeypatch.setattr(local, "run", run)
    run_sweeps(arms(1, 2, seeds=2), lambda sweeps: None)
    assert asked == [(0, 0), (1, 0), (1, 1)]


@pytest.mark.parametrize("after", [1, 2, 3, 4])
def test_an_interruption_loses_nothing_and_the_same_request_goes_on(arms, monkeypatch, after):
    """By a signal after so many trainings; every training runs once."""
    requests, run, ended = arms(2, 3), local.run, []

    def interrupted(sweep, outline, signals):
        tell = sweep.ended

        def count(handle, lost="worker"):
            tell(handle, lost)
            ended.append(handle)
            if len(ended) == after:
                signal.raise_signal(signal.SIGINT)

        sweep.ended = count
        run(sweep, outline, signals)

    monkeypatch.setattr(local, "run", interrupted)
    results = run_sweeps(requests, lambda sweeps: None)
    assert {result.interrupted for result in results} == {INTERRUPTED} and len(ended) == after
    monkeypatch.setattr(local, "run", run)
    again = run_sweeps(requests, lambda sweeps: None)
    assert [len(result.rows) for result in again] == [2, 3]
    for request, result in zip(requests, again, strict=True):
        assert states(request) == ["complete"] * len(result.rows)
        lines = (Path(result.dir) / "trials.jsonl").read_text().splitlines()
        completed = [json.loads(line)["trial"] for line in lines if json.loads(line).get("state") == "complete"]
        assert sorted(completed) == sorted(set(completed))
    assert run_sweeps(requests, lambda sweeps: pytest.fail("nothing was left to train"))


def test_an_arm_is_a_sweep_that_can_be_resumed_by_itself(arms):
    requests = arms(2, 1)
    run_sweeps(requests, lambda sweeps: None)
    result = resume_sweep(ResumeRequest(Path(requests[0].out) / "arm0", trials=3))
    assert len(result.rows) == 3


def test_a_fault_of_one_driver_ends_all_and_is_told(arms, monkeypatch):
    def run(sweep, *_):
        sweep.fail(RuntimeError("broken"))
        assert sweep.stopping and sweep.next_task() is None

    monkeypatch.setattr(local, "run", run)
    with pytest.raises(RuntimeError, match="broken"):
        run_sweeps(arms(1, 1), lambda sweeps: None)


@pytest.mark.slow
def test_with_ray_workers_are_used_again_across_sweeps(arms):
    """One worker at a time, so all trainings have one process, whichever sweep they belong to."""
    requests = arms(2, 2, local=False, max_concurrent=1)
    results = run_sweeps(requests, lambda sweeps: None)
    assert [result.counts["complete"] for result in results] == [2, 2]
    workers = {
        json.loads((folder / "worker.json").read_text())["pid"]
        for result in results
        for folder in (Path(result.dir) / "trials").iterdir()
    }
    assert len(workers) == 1


def test_a_sweep_whose_trials_all_fail_is_left_out_and_the_others_go_on(arms, monkeypatch, caplog):
    first, second = arms(6, 2)
    first = replace(first, overrides={**first.overrides, "method.gm": False})
    monkeypatch.setattr(trials, "TRAINABLE", f"{Path(__file__).parents[1] / 'trainables.py'}:broken_without_gm")
    run_sweeps([first, second], lambda sweeps: None)
    assert states(first) == ["failed"] * 3 and states(second) == ["complete"] * 2
    assert "the first 3 trials all failed" in caplog.text
    with pytest.raises(TrialsFail):
        run_sweeps([replace(first, name="alone")], lambda sweeps: None)


def test_a_trial_that_must_run_alone_waits_for_those_of_other_sweeps():
    class Fake(SimpleNamespace):
        def next_task(self, others: bool) -> dict | None:
            self.heard = others
            return {"number": 4} if not (self.alone and others) else None

    fixed = {"stopping": False, "stop_code": 0, "fault": None, "runs_alone": False, "share": 0.0}
    waiting = Fake(**fixed, alone=True, busy=False)
    other = Fake(**fixed, alone=False, busy=True)
    many = Many([waiting, other], lambda sweeps: None)
    assert many.next_task()["handle"] == EACH + 4 and waiting.heard  # the other one's trial is given instead
    other.busy = False
    assert many.next_task()["handle"] == 4
    waiting.runs_alone = True
    assert many.next_task() is None
