"""The command line as a person meets it: in a process of its own, with exit codes and one-line errors."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

TINY = ["--set", "stages.cycles=1", "--set", "stages.epochs=1", "--set", "model.width=4"]


def igmsweep(*arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "igmsweep", *arguments], capture_output=True, text=True, timeout=300, cwd=cwd
    )


@pytest.mark.parametrize(
    ("option", "light", "words"), [("--help", [], ["tune", "analyze"]), ("--version", ["rich"], ["igmsweep 0."])]
)
def test_help_and_version_load_nothing_heavy(option, light, words):
    code = (
        f"import sys, runpy\nsys.argv = ['igmsweep', '{option}']\n"
        "try:\n    runpy.run_module('igmsweep', run_name='__main__')\nexcept SystemExit:\n    pass\n"
        "heavy = ('torch', 'ray', 'optuna', 'plotly', 'pandas', 'sklearn', 'scipy', 'numpy', 'pydantic')\n"
        f"print([name for name in (*heavy, *{light}) if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stderr.strip() == "[]"
    assert all(word in done.stdout for word in words)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["tune", "avdigit"], 2, ["unknown data set 'avdigit'", "did you mean 'avdigits'"]),
        (["tune", "avdigits", "--method", "igmm"], 2, ["unknown method 'igmm'"]),
        (["tune", "avdigits", "--space", "nowhere.yaml"], 2, ["nowhere.yaml", "no such file"]),
        (["tune", "avdigits", "--space", "avdigit"], 2, ["did you mean 'avdigits'"]),
        (["tune", "avdigits", "--sampler", "tep"], 2, ["--sampler", "did you mean 'tpe'"]),
        (["tune", "avdigits", "--sampler", "tpe+sobol"], 2, ["--sampler", "did you mean 'sobol+tpe'"]),
        (["tune", "avdigits", "--set", "method.tua=1"], 2, ["method.tua"]),
        (["tune", "avdigits", "--set", "method.tau=1"], 2, ["method.tau", "is searched"]),
        (["tune", "avdigits", "--set", "seed"], 2, ["--set", "KEY=VALUE"]),
        (["tune", "avdigits", "--time-budget", "soon"], 2, ["--time-budget", "soon"]),
        (["tune", "avdigits", "--trial-timeout", "soon"], 2, ["--trial-timeout", "soon"]),
        (["tune", "avdigits", "--trials", "0"], 2, ["--trials", "at least 1"]),
        (["tune", "avdigits", "--log", "wandbb"], 2, ["--log", "did you mean 'wandb'"]),
        (["tune", "avdigits", "--gpus-per-trial", "some"], 2, ["--gpus-per-trial", "0.25, or auto"]),
        (["resume", "nowhere", "--time-budget", "soon"], 2, ["--time-budget", "soon"]),
        (["resume", "nowhere"], 2, ["nowhere", "no sweep here"]),
        (["status", "nowhere"], 2, ["nowhere", "no sweep here"]),
        (["ablate", "nowhere"], 2, ["nowhere", "not a sweep"]),
        (["ablate", "nowhere", "--time-budget", "soon"], 2, ["--time-budget", "soon"]),
        (["tune", "avdigits", "--gpus-per-trial", "64"], 5, ["--gpus-per-trial", "64"]),
        (["tune", "avdigits", "--cpus-per-trial", "100000"], 5, ["--cpus-per-trial", "100000"]),
        (["tune", "avdigits", "--max-concurrent", "100000"], 5, ["--max-concurrent"]),
        (["tune", "avdigits", "--cpus-per-trial", "0"], 2, ["--cpus-per-trial"]),
        (["train", "avdigits", "--set", "method.tau=0"], 2, ["method.tau", "greater than 0"]),
        (["train", "avdigits", "--set", "method.rho.audio=-1"], 2, ["method.rho", "at least 0"]),
        (["train", "avdigits", "--config", "missing.yaml"], 2, ["missing.yaml"]),
        (["train", "avdigits", "--resume"], 2, ["--resume", "--out"]),
        (["analyze", "nowhere"], 2, ["nowhere"]),
        (["space", "validate", "nope"], 2, ["nope"]),
    ],
)
def test_bad_input_is_one_line_and_the_right_exit_code(tmp_path, monkeypatch, capfd, arguments, code, words):
    from igmsweep.cli import main

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["igmsweep", *arguments])  # a process each would import torch 19 times
    with pytest.raises(SystemExit) as ended:
        main()
    said = capfd.readouterr().err
    assert ended.value.code == code, said
    lines = [line for line in said.strip().splitlines() if line]
    assert len(lines) == 1, said
    for word in words:
        assert word in lines[0]
    assert not (tmp_path / "results").exists()


def test_an_error_of_a_process_is_one_line_too(tmp_path):
    done = igmsweep("tune", "avdigits", "--sampler", "tep", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stdout == ""
    assert len(done.stderr.strip().splitlines()) == 1


@pytest.mark.slow
def test_a_dry_run_says_what_would_run_and_writes_nothing(tmp_path):
    done = igmsweep("tune", "avdigits", "--dry-run", "--trials", "7", *TINY, cwd=tmp_path)
    assert done.returncode == 0
    for word in ("7 trials", "0.001 to 100 on a log scale", "runs first:  paper: scope=head tau=0.4", "a trial: about"):
        assert word in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_train_writes_a_folder_and_goes_on_from_its_checkpoint(tmp_path, small_avdigits):
    out = tmp_path / "run"
    given = ("train", "avdigits", "--set", f"data.root={small_avdigits}", *TINY, "--out", str(out))
    done = igmsweep(*given, "--json")
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    assert summary == json.loads((out / "result.json").read_text())
    assert len((out / "metrics.jsonl").read_text().splitlines()) == summary["epochs"] == 2
    assert igmsweep(*given).returncode == 2  # it would overwrite
    again = igmsweep(*given, "--resume", "--json")
    assert json.loads(again.stdout)["metrics"] == summary["metrics"]


def test_a_data_set_that_is_named_may_have_its_folder_named_too(tmp_path, small_avdigits, monkeypatch, capfd):
    from igmsweep.cli import main

    monkeypatch.chdir(tmp_path)
    root = ["--root", str(small_avdigits)]
    for arguments in (
        ["train", "avdigits", *root, *TINY, "--quiet"],
        ["data", "sample", "avdigits", *root, "--each", "1"],
    ):
        monkeypatch.setattr(sys, "argv", ["igmsweep", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        assert not ended.value.code, capfd.readouterr().err
    assert capfd.readouterr().out.strip() == "avdigits-samples.png"
    assert (tmp_path / "avdigits-samples.png").stat().st_size > 20_000


@pytest.mark.slow
def test_tune_analyze_and_train_the_best_again(tmp_path, small_avdigits):
    """The whole way of a new user, without Ray and then from the best configuration."""
    root = ("--root", str(small_avdigits))
    done = igmsweep("tune", "avdigits", "--local", "-n", "3", "--name", "s", *root, *TINY, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    sweep = tmp_path / "results" / "s"
    analysed = igmsweep("analyze", "results/s", cwd=tmp_path)
    assert analysed.returncode == 0, analysed.stderr
    assert (sweep / "analysis" / "report.html").exists()
    best = igmsweep("best", "results/s", "--json", cwd=tmp_path)
    best_config = sweep / "analysis" / "best_config.yaml"
    assert yaml.safe_load(best_config.read_text()) == json.loads(best.stdout)
    trained = igmsweep("train", "avdigits", "--config", str(best_config), "--json", "-q", cwd=tmp_path)
    assert trained.returncode == 0, trained.stderr
    rows = [json.loads(line) for line in (sweep / "trials.jsonl").read_text().splitlines()]
    scores = [row["metrics"]["val/acc"] for row in rows if row["state"] == "complete"]
    assert json.loads(trained.stdout)["metrics"]["val/acc"] == max(scores)


@pytest.mark.slow
def test_lists(tmp_path):
    assert any(
        line.split()[:4] == ["avdigits", "audio,", "image", "10"]
        for line in igmsweep("data", "list").stdout.splitlines()
    )
    assert "method.tau = 0.4" in igmsweep("methods").stdout
    assert "igm" in igmsweep("space", "show").stdout.split()
    assert "method.tau" in igmsweep("space", "show", "avdigits").stdout
    assert "valid" in igmsweep("space", "validate", "avdigits").stdout


@pytest.mark.slow
def test_an_interrupted_training_says_how_to_go_on(tmp_path):
    import signal

    process = subprocess.Popen(
        [sys.executable, "-m", "igmsweep", "train", "avdigits", "--set", "model.width=4", "--out", str(tmp_path / "r")],
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
    )
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith("epoch 1/"):
            process.send_signal(signal.SIGINT)
            break
    rest = process.stderr.read()
    assert process.wait() == 130
    assert "--resume" in rest


@pytest.mark.slow
def test_an_interrupted_training_that_goes_on_has_no_epoch_twice(tmp_path, small_avdigits, monkeypatch, capfd):
    """Killed between an epoch's line and its checkpoint, which is where a second copy came from."""
    from igmsweep.cli import main
    from igmsweep.train import Training

    given = ["train", "avdigits", "--set", f"data.root={small_avdigits}", *TINY, "--out", str(tmp_path / "r"), "--json"]
    save, saved = Training.save, []

    def killed(self: Training, path: Path) -> None:
        saved.append(path)
        if len(saved) == 2:
            raise KeyboardInterrupt
        save(self, path)

    def call(*more: str) -> int:
        monkeypatch.setattr(sys, "argv", ["igmsweep", *given, *more])
        with pytest.raises(SystemExit) as ended:
            main()
        return int(ended.value.code or 0)

    with monkeypatch.context() as patched:
        patched.setattr(Training, "save", killed)
        assert call() == 130
    lines = (tmp_path / "r/metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["epoch"] for line in lines] == [1, 2]
    assert not (tmp_path / "r/result.json").exists()
    assert call("--resume") == 0
    lines = (tmp_path / "r/metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["epoch"] for line in lines] == [1, 2]
    assert json.loads(capfd.readouterr().out) == json.loads((tmp_path / "r/result.json").read_text())


def test_no_module_of_the_command_line_imports_another_that_imports_it():
    import igmsweep.cli

    folder = Path(igmsweep.cli.__file__).parent
    imports = {
        path.stem: set(re.findall(r"from igmsweep\.cli\.(\w+) import", path.read_text(encoding="utf-8")))
        for path in folder.glob("*.py")
        if path.stem != "__init__"
    }

    def reached(name: str) -> set[str]:
        return imports[name].union(*(reached(other) for other in imports[name] if other in imports))

    assert not [name for name in imports if name in reached(name)]
