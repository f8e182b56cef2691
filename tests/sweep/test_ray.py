"""What only Ray can do: workers and nodes that die, resources for one trial alone, stopping a running actor."""

from __future__ import annotations

import argparse
import importlib.util
import json
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from igmsweep.record.ledger import Ledger
from igmsweep.sweep import run_sweep

TESTS = Path(__file__).parent.parent
TRAINABLES = TESTS / "trainables.py"


@pytest.fixture
def request_of(cycles_request):
    return lambda **changes: cycles_request(**{"trials": 4, **changes})


@pytest.mark.slow
def test_early_stopping_and_folds_decide_alike_with_ray_and_without(request_of):
    def told(result):
        return {n: (row["params"], row["state"], row["metrics"], row.get("rung")) for n, row in result.rows.items()}

    settings = {"scheduler": "asha", "reduction": 2, "trials": 10, "max_concurrent": 1}
    ray_run = run_sweep(request_of(**settings))
    local = run_sweep(request_of(name="local", local=True, **settings))
    assert told(ray_run) == told(local)
    assert ray_run.counts["pruned"] > 0


@pytest.mark.slow
def test_a_killed_worker_goes_on_from_its_checkpoint_under_the_same_number(request_of, tmp_path):
    sweep = run_sweep(request_of(trained_by="die_once", trials=2, max_concurrent=1))
    assert sweep.counts == {"complete": 2}
    assert [row["attempt"] for row in sweep.rows.values()] == [1, 1]
    waiting = [line for line in Ledger(sweep.dir / "trials.jsonl").lines() if line["state"] == "waiting"]
    assert [line["error"]["class"] for line in waiting] == ["worker", "worker"]
    epochs = [json.loads(line)["epoch"] for line in (sweep.dir / "trials/00000/metrics.jsonl").read_text().splitlines()]
    assert epochs == [1, 2, 3, 4, 5, 6]
    # each epoch was trained once: the second worker began where the first one's checkpoint ended
    assert len((tmp_path / "cache" / "epochs").read_text().splitlines()) == 12


@pytest.mark.slow
def test_out_of_memory_is_tried_once_alone_and_a_hang_ends_with_its_worker(request_of, tmp_path):
    (tmp_path / "space.yaml").write_text(
        "params:\n  method.tau: {type: float, low: 0.01, high: 1.0}\nenqueue: [{method.tau: 0.3}, {method.tau: 0.99}]\n"
    )
    sweep = run_sweep(request_of(trained_by="out_of_memory", trials=2, max_concurrent=2))
    assert sweep.rows[0]["state"] == "complete"
    assert sweep.rows[0]["alone"] is True
    assert sweep.rows[1]["state"] == "failed"
    assert sweep.rows[1]["error"]["class"] == "oom"
    hung = run_sweep(request_of(name="hung", trained_by="hang", trials=2, trial_timeout_s=2.0, max_concurrent=2))
    assert hung.rows[0]["state"] == "complete"
    assert hung.rows[1]["error"] == {"class": "timeout", "message": "not finished after 2 s"}


CLUSTER = """
import json, sys, time, threading
from pathlib import Path
import ray
from ray.cluster_utils import Cluster
from igmsweep.sweep import SweepRequest, run_sweep, trial

asked = json.loads(sys.argv[1])
cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
extra = cluster.add_node(num_cpus=1)
started = Path(asked["cache"])
trial.TRAINABLE = asked["trainable"]

def kill():
    # wait until both nodes work on a trial
    while len(list(Path(asked["out"], "s", "trials").glob("*/worker.json"))) < 2:
        time.sleep(0.2)
    nodes = {json.loads(path.read_text())["node"] for path in Path(asked["out"], "s", "trials").glob("*/worker.json")}
    print("NODES", len(nodes), file=sys.stderr, flush=True)
    time.sleep(0.5)
    cluster.remove_node(extra, allow_graceful=False)

threading.Thread(target=kill, daemon=True).start()
result = run_sweep(SweepRequest(
    data="avdigits", space=Path(asked["space"]), trials=6, name="s", out=Path(asked["out"]),
    overrides={"data.root": asked["root"], "data.cache": asked["cache"], "stages.cycles": 3}, address=cluster.address,
))
print("COUNTS", json.dumps(dict(result.counts)), flush=True)
"""


@pytest.mark.slow
@pytest.mark.cluster
def test_trials_of_a_lost_node_run_again_elsewhere(tmp_path, small_avdigits, request_of):
    asked = {
        "space": str(tmp_path / "space.yaml"),
        "out": str(tmp_path / "out"),
        "root": str(small_avdigits),
        "cache": str(tmp_path / "cache"),
        "trainable": f"{TRAINABLES}:slow_cycles",
    }
    done = subprocess.run(
        [sys.executable, "-c", CLUSTER, json.dumps(asked)],
        capture_output=True,
        text=True,
        timeout=280,
        cwd=TESTS.parent,
    )
    assert "NODES 2" in done.stderr, done.stdout + done.stderr
    assert 'COUNTS {"complete": 6}' in done.stdout, done.stdout + done.stderr
    waiting = [line for line in Ledger(tmp_path / "out/s/trials.jsonl").lines() if line["state"] == "waiting"]
    assert [line["error"]["class"] for line in waiting] == ["node"]


@pytest.mark.slow
@pytest.mark.parametrize("runner", ["local", "ray"])
def test_sigkill_of_the_driver_loses_nothing(tmp_path, runner):
    """The short form of tests/kill_and_resume.py, which kills twenty times: real trainings, real signals."""
    spec = importlib.util.spec_from_file_location("kill_and_resume", TESTS / "kill_and_resume.py")
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    from igmsweep.data.avdigits import make

    make(tmp_path / "avdigits", counts=(40, 20, 10))
    (tmp_path / "space.yaml").write_text(script.SPACE)
    options = argparse.Namespace(trials=4, concurrent=1, runner=runner, scheduler="asha")
    arguments = (tmp_path / "space.yaml", tmp_path / "avdigits", options)
    alone = argparse.Namespace(**{**vars(options), "runner": "local"})  # both runners make the same sweep
    start = script.command(tmp_path / "whole", *arguments[:2], alone, resume=False)
    subprocess.run(start, check=True, capture_output=True)
    folder = tmp_path / "killed"
    script.kill_once(folder, *arguments, None, random.Random(time.time_ns()))
    assert script.check(folder, tmp_path / "whole", options) == []
