"""A results folder that somebody sent: what reads it runs nothing of it, and what trains asks first."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from igmsweep.cli import main
from igmsweep.record.lock import identity
from igmsweep.sweep import SweepRequest, run_sweep

EVIL = """
from pathlib import Path
Path({marker!r}).touch()
from igmsweep.methods.igm import IGM
class Evil(IGM):
    "IGM, but for the line above."
def train(*_, **__):
    raise RuntimeError("this is no training of igmsweep")
"""
SPACE = "params:\n  method.tau: {type: float, low: 0.01, high: 40.0, log: true}\n"
TINY = {"stages.cycles": 1, "stages.epochs": 1, "model.width": 4}


class Bomb:
    """A pickle that touches a file when it is loaded."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self):
        return Path.touch, (self.marker,)


@pytest.fixture(scope="module")
def honest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished sweep of real, tiny trainings."""
    from igmsweep.data.avdigits import make

    place = tmp_path_factory.mktemp("honest")
    make(place / "avdigits", counts=(60, 30, 30))
    (place / "space.yaml").write_text(SPACE)
    overrides = {"data.root": str(place / "avdigits"), "data.cache": str(place / "cache"), **TINY}
    request = SweepRequest(
        "avdigits",
        space=place / "space.yaml",
        trials=2,
        name="s",
        out=place,
        overrides=overrides,
        local=True,
        quiet=True,
    )
    run_sweep(request)
    return place / "s"


@pytest.fixture
def marker(tmp_path: Path) -> Path:
    """There when code of the folder has run."""
    return tmp_path / "ran"


@pytest.fixture
def hostile(honest: Path, tmp_path: Path, marker: Path) -> Path:
    """The same sweep, whose files name a Python file wherever one can be named, with checkpoints that are pickles."""
    folder = Path(shutil.copytree(honest, tmp_path / "s"))
    code = tmp_path / "evil.py"
    code.write_text(EVIL.format(marker=str(marker)))
    spec = yaml.safe_load((folder / "sweep.yaml").read_text())
    spec |= {"method": f"{code}:Evil", "trainable": f"{code}:train"}
    spec["base_config"]["method"]["name"] = f"{code}:Evil"
    (folder / "sweep.yaml").write_text(yaml.safe_dump(spec))
    for trial in (folder / "trials").iterdir():
        (trial / "checkpoint.pt").write_bytes(pickle.dumps(Bomb(marker)))
        result = json.loads((trial / "result.json").read_text())
        result["config"]["method"]["name"] = f"{code}:Evil"
        (trial / "result.json").write_text(json.dumps(result))
        (trial / "config.yaml").write_text(yaml.safe_dump(result["config"]))
    return folder


@pytest.fixture
def igmsweep(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """`igmsweep("status", folder)`: exit code, stdout and stderr of a command, in this process."""

    def call(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["igmsweep", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        return (int(ended.value.code or 0), *capfd.readouterr())

    return call


@pytest.mark.slow
@pytest.mark.parametrize("command", [["status"], ["status", "--json"], ["best"], ["analyze", "--format", "html,csv"]])
def test_what_only_reads_needs_no_code_at_all(igmsweep, hostile, marker, command):
    code, _, said = igmsweep(*command, hostile)
    assert code == 0, said
    assert not marker.exists()


@pytest.mark.parametrize("command", [["resume", "--trials", "3"], ["evaluate", "--confirm-test", "--local"]])
def test_what_trains_says_which_file_and_how_to_allow_it(igmsweep, hostile, marker, command):
    code, _, said = igmsweep(*command, hostile)
    assert code == 2
    (line,) = said.strip().splitlines()
    name = f"{hostile.parent / 'evil.py'}:Evil"
    assert f"method.name is {name}, a Python file" in line and f"--method {name}" in line and "--trust" in line
    assert igmsweep(*command, hostile, "--method", f"{hostile.parent / 'other.py'}:Evil")[0] == 2
    assert not marker.exists()
    assert not (hostile / "test_eval.json").exists()


@pytest.mark.slow
@pytest.mark.parametrize("how", ["--trust", "--method"])
def test_a_folder_that_is_trusted_goes_on_and_its_trainable_is_never_imported(igmsweep, hostile, marker, how):
    given = [how] if how == "--trust" else [how, f"{hostile.parent / 'evil.py'}:Evil"]
    code, _, said = igmsweep("resume", hostile, "--trials", "3", *given)
    assert code == 0, said
    assert marker.exists()
    rows = [json.loads(line) for line in (hostile / "trials.jsonl").read_text().splitlines()]
    assert rows[-1]["trial"] == 2 and rows[-1]["state"] == "complete"  # by igmsweep's own training
    code, _, said = igmsweep("evaluate", hostile, "--confirm-test", "--local", "--seeds", "1", *given)
    assert code == 0, said


def test_a_trainable_of_an_old_folder_is_passed_over(igmsweep, honest, tmp_path, marker):
    folder = Path(shutil.copytree(honest, tmp_path / "s"))
    (tmp_path / "evil.py").write_text(EVIL.format(marker=str(marker)))
    spec = yaml.safe_load((folder / "sweep.yaml").read_text())
    assert "trainable" not in spec
    (folder / "sweep.yaml").write_text(yaml.safe_dump(spec | {"trainable": f"{tmp_path / 'evil.py'}:train"}))
    code, _, said = igmsweep("resume", folder, "--trials", "3")
    assert code == 0, said
    assert not marker.exists()


def test_a_checkpoint_that_is_a_pickle_fails_its_trial_and_is_not_loaded(igmsweep, honest, tmp_path, marker):
    folder = Path(shutil.copytree(honest, tmp_path / "s"))
    lines = (folder / "trials.jsonl").read_text().splitlines(keepends=True)
    (folder / "trials.jsonl").write_text("".join(line for line in lines if json.loads(line)["state"] == "running"))
    (folder / "trials/00000/result.json").unlink()
    (folder / "trials/00000/checkpoint.pt").write_bytes(pickle.dumps(Bomb(marker)))
    _, _, said = igmsweep("resume", folder)
    row = [json.loads(line) for line in (folder / "trials.jsonl").read_text().splitlines()][-1]
    assert row["trial"] == 0 and "checkpoint.pt cannot be read" in row["error"]["message"], said
    assert not marker.exists()


@pytest.mark.slow
def test_a_configuration_that_names_a_file_is_trained_when_the_command_names_it(igmsweep, hostile, marker):
    config, name = hostile / "trials/00000/config.yaml", f"{hostile.parent / 'evil.py'}:Evil"
    code, _, said = igmsweep("train", "avdigits", "--config", config)
    assert code == 2 and f"method.name is {name}" in said and "--trust" in said
    assert igmsweep("train", "avdigits", "--config", config, "--method", "igm")[0] == 2
    assert igmsweep("train", "cremad", "--config", config, "--trust")[0] == 2
    assert not marker.exists()
    for given in (["--method", name], ["--trust"]):
        code, _, said = igmsweep("train", "avdigits", "--config", config, *given)
        assert code == 0, said
    assert marker.exists()


def test_a_configuration_whose_data_set_is_a_file_is_named_by_the_command(igmsweep, hostile, marker):
    config = hostile / "trials/00000/config.yaml"
    values = yaml.safe_load(config.read_text())
    values["data"]["name"], values["method"]["name"] = f"{hostile.parent / 'evil.py'}:SET", "igm"
    config.write_text(yaml.safe_dump(values))
    code, _, said = igmsweep("train", "avdigits", "--config", config)
    assert code == 2 and "data: found 'avdigits'" in said.replace("--data", "data")
    assert not marker.exists()


def test_links_through_which_something_would_be_written_elsewhere(igmsweep, honest, tmp_path):
    folder = Path(shutil.copytree(honest, tmp_path / "s"))
    victim = tmp_path / "notes"
    victim.write_text("mine\n")
    link = folder / "trials" / "00000" / "metrics.jsonl"
    link.unlink()
    link.symlink_to(victim)
    for command in (["resume", "--trials", "3"], ["evaluate", "--confirm-test", "--local"], ["ablate", "--dry-run"]):
        code, _, said = igmsweep(*command, folder)
        assert code == 2 and f"{link}: is a link out of its folder, to '{victim}'" in said and "--trust" in said
    assert igmsweep("analyze", folder, "--format", "csv")[0] == 0  # which writes into analysis/ alone
    shutil.rmtree(folder / "analysis")
    (folder / "analysis").mkdir()
    (folder / "analysis" / "tables").symlink_to(tmp_path)
    code, _, said = igmsweep("analyze", folder, "--format", "csv")
    assert code == 2 and "tables: is a link out of its folder" in said and "--out DIR" in said
    assert victim.read_text() == "mine\n" and not (tmp_path / "best.csv").exists()


@pytest.mark.parametrize(
    ("key", "told"), [("cache", "was never named here; add --trust"), ("root", "where there is nothing; name")]
)
def test_data_is_made_nowhere_that_the_user_has_not_named(igmsweep, honest, tmp_path, key, told):
    folder = Path(shutil.copytree(honest, tmp_path / "s"))
    spec = yaml.safe_load((folder / "sweep.yaml").read_text())
    spec["base_config"]["data"][key] = str(tmp_path / "elsewhere")
    (folder / "sweep.yaml").write_text(yaml.safe_dump(spec))
    for command in (["resume", "--trials", "3"], ["ablate", "--dry-run"]):
        code, _, said = igmsweep(*command, folder)
        assert code == 2 and f"data.{key} is {tmp_path / 'elsewhere'}" in said and told in said
    code, _, said = igmsweep("train", "avdigits", "--config", _config_of(spec, tmp_path), "--quiet")
    assert code == 2 and told in said
    assert not (tmp_path / "elsewhere").exists()


def _config_of(spec, place):
    (place / "config.yaml").write_text(yaml.safe_dump(spec["base_config"]))
    return place / "config.yaml"


def test_a_cache_that_the_user_has_named_is_made_again_where_it_is_gone(igmsweep, honest, tmp_path):
    folder = Path(shutil.copytree(honest, tmp_path / "s"))
    cache = Path(yaml.safe_load((folder / "sweep.yaml").read_text())["base_config"]["data"]["cache"])
    shutil.rmtree(cache)  # a node's own disk
    code, _, said = igmsweep("resume", folder, "--trials", "3")
    assert code == 0, said
    assert cache.is_dir()


def _changed(folder: Path, **values: object) -> None:
    spec = yaml.safe_load((folder / "sweep.yaml").read_text())
    (folder / "sweep.yaml").write_text(yaml.safe_dump(spec | values))


def _unfinished(folder: Path, **values: object) -> None:
    """Trial 1 was cut off; its last line of the ledger says more."""
    rows = [json.loads(line) for line in (folder / "trials.jsonl").read_text().splitlines()]
    rows[-1] = {**rows[-1], "state": "interrupted", **values}
    (folder / "trials.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "trials/00001/result.json").unlink()


def test_no_search_no_preset_and_no_trial_says_where_data_are_written(igmsweep, honest, tmp_path):
    elsewhere = {"data.cache": str(tmp_path / "elsewhere"), "data.root": str(tmp_path / "elsewhere")}
    folder = Path(shutil.copytree(honest, tmp_path / "s"))
    space = yaml.safe_load((folder / "sweep.yaml").read_text())["space"]
    searched = {path: {"type": "categorical", "choices": [place]} for path, place in elsewhere.items()}
    first = {"params": {"method.tau": 1.0}, "source": "enqueue", "extra": elsewhere}
    for values in ({"space": {**space, "params": {**space["params"], **searched}}}, {"enqueued": [first]}):
        folder = Path(shutil.copytree(honest, tmp_path / "s", dirs_exist_ok=True))
        _changed(folder, **values)
        code, _, said = igmsweep("resume", folder, "--trials", "3")
        assert code == 2 and "cannot be varied; it says where data lie" in said
    folder = Path(shutil.copytree(honest, tmp_path / "s", dirs_exist_ok=True))
    _changed(folder, paper={"method.tau": 0.3, **elsewhere})
    code, _, said = igmsweep("evaluate", folder, "--confirm-test", "--local")
    assert code == 2 and "cannot be varied" in said
    folder = Path(shutil.copytree(honest, tmp_path / "s", dirs_exist_ok=True))
    _unfinished(folder, fixed_overrides=elsewhere)
    assert "cannot be varied" in igmsweep("resume", folder)[2]
    (tmp_path / "space.yaml").write_text(SPACE + f"fixed: {json.dumps(elsewhere)}\n")
    code, _, said = igmsweep("tune", "avdigits", "--space", tmp_path / "space.yaml", "--local", "--out", tmp_path)
    assert code == 2 and "space.yaml: fixed: data.cache: cannot be varied" in said
    assert not (tmp_path / "elsewhere").exists()


def test_a_process_that_is_no_worker_of_the_trial_is_not_ended(igmsweep, honest, tmp_path):
    folder = Path(shutil.copytree(honest, tmp_path / "s"))
    _unfinished(folder)
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as victim:
        try:
            (folder / "trials/00001/worker.json").write_text(json.dumps(identity(victim.pid)))
            code, _, said = igmsweep("resume", folder)
            assert code == 0, said
            assert victim.poll() is None
        finally:
            victim.kill()


@pytest.mark.parametrize("name", ["stdout.log", "checkpoint.pt"])
def test_a_pipe_in_a_folder_is_named_and_nobody_waits_at_it(igmsweep, honest, tmp_path, name):
    folder = Path(shutil.copytree(honest, tmp_path / "s"))
    _unfinished(folder)
    (folder / "trials/00001" / name).unlink()
    os.mkfifo(folder / "trials/00001" / name)
    code, _, said = igmsweep("resume", folder)
    assert code == 2 and f"{name}: is a pipe, expected a file or a folder; remove it" in said


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"resources": "abc"}, "resources: found 'abc', expected a mapping"),
        ({"resources": {"asked": {"max_concurrent": "many"}}}, "resources.asked.max_concurrent: found 'many'"),
        ({"resources": {"cpus_per_trial": "x"}}, "resources.cpus_per_trial: found 'x', expected a number"),
    ],
)
def test_resources_that_are_no_numbers_are_one_line(igmsweep, honest, tmp_path, values, told):
    folder = Path(shutil.copytree(honest, tmp_path / "s"))
    _changed(folder, **values)
    code, _, said = igmsweep("resume", folder, "--trials", "3")
    assert code == 2 and f"sweep.yaml: {told}" in said


def test_a_checkpoint_of_another_shape_is_one_line(igmsweep, honest, tmp_path):
    import torch

    given = [word for key, value in TINY.items() for word in ("--set", f"{key}={value}")]
    given += ["--root", honest.parent / "avdigits", "--set", f"data.cache={honest.parent / 'cache'}", "--quiet"]
    out = tmp_path / "out"
    assert igmsweep("train", "avdigits", "--out", out, *given)[0] == 0
    sound = torch.load(out / "checkpoint.pt", weights_only=True)
    for changed in (
        {"config_hash": None},
        {"position": ["a", {}]},
        {"position": [10**9, 1]},
        {"model": {"x" * 900: torch.zeros(1)}},
        {"history": "abc"},
        {"scales": None},
    ):
        torch.save(sound | changed, out / "checkpoint.pt")
        code, _, said = igmsweep("train", "avdigits", "--out", out, "--resume", *given)
        assert code == 2 and "checkpoint" in said and len(said.strip().splitlines()) == 1, said


def test_nothing_new_is_written_through_links(igmsweep, honest, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (tmp_path / "n").mkdir()
    (tmp_path / "n" / "trials").symlink_to(elsewhere)  # as a start that was cut off leaves a folder
    (tmp_path / "table2-avdigits").mkdir()
    (tmp_path / "table2-avdigits" / "tables").symlink_to(elsewhere)
    common = ["avdigits", "--root", honest.parent / "avdigits", "--out", tmp_path, "--local"]
    for command in (
        ["tune", *common, "--space", honest.parent / "space.yaml", "--name", "n"],
        ["study", "table2", *common],
    ):
        code, _, said = igmsweep(*command)
        assert code == 2 and "is a link out of its folder" in said, said
    assert list(elsewhere.iterdir()) == []


@pytest.mark.parametrize(
    "index", ["[]", '{"bytes": 3}', {"ids": 3}, {"remarks": "x"}, {"labels": [0]}, {"arrays": [[]]}]
)
def test_a_cache_that_is_not_what_was_written_is_one_line(igmsweep, honest, tmp_path, index):
    folder, cache = (Path(shutil.copytree(place, tmp_path / place.name)) for place in (honest, honest.parent / "cache"))
    spec = yaml.safe_load((folder / "sweep.yaml").read_text())
    spec["base_config"]["data"]["cache"] = str(cache)
    (folder / "sweep.yaml").write_text(yaml.safe_dump(spec))
    for path in cache.glob("*/index.json"):
        path.write_text(index if isinstance(index, str) else json.dumps(json.loads(path.read_text()) | index))
    code, _, said = igmsweep("resume", folder, "--trials", "3")
    assert code == 1 and "the cache is damaged; delete it and it is built again" in said


def test_a_space_is_shown_without_control_codes(igmsweep, tmp_path):
    (tmp_path / "space.yaml").write_text("params:  # \x1b]0;ran\x07\u202e\n  a: 1\n")
    code, out, _ = igmsweep("space", "show", tmp_path / "space.yaml")
    assert code == 0 and out.splitlines()[0] == r"params:  # \x1b]0;ran\x07\u202e"
