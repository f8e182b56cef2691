"""`igmsweep space`: what is printed is a space file again."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from igmsweep.config import TrainConfig
from igmsweep.spaces import SearchSpace, find_space, load_space
from igmsweep.spaces.show import as_yaml, shown, shown_on

TEMPERED = f"{Path(__file__).parent.parent.parent / 'docs' / 'examples' / 'my_method.py'}:Tempered"


def igmsweep(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "igmsweep", *arguments], capture_output=True, text=True, timeout=120)


@pytest.mark.slow
def test_names_files_and_expansions_are_printed() -> None:
    assert set(igmsweep("space", "show").stdout.split()) >= {"default", "igm", "joint", "mla", "unimodal"}
    assert igmsweep("space", "show", "mla").stdout == find_space("mla").read_text()
    printed = igmsweep("space", "show", "igm", "--data", "nvgesture").stdout
    assert printed.startswith("# igm.yaml on nvgesture (depth, rgb, flow)")
    assert "method.rho.flow: {type: float, low: 1.0e-15" in printed


@pytest.mark.parametrize("method", ["igm", "unimodal"])
def test_what_is_printed_for_a_data_set_is_read_again_as_the_same_space(tmp_path: Path, method: str) -> None:
    (tmp_path / "s.yaml").write_text(shown_on(method, "sarcasm"))
    again = SearchSpace.load(tmp_path / "s.yaml").described() | {"source": ""}
    assert again == load_space(None, TrainConfig(data="sarcasm", method=method)).described() | {"source": ""}


def test_a_former_name_is_spelt_out_for_its_data_set() -> None:
    assert shown("cremad-mla") == shown_on("mla", "cremad")
    assert shown_on("cremad-mla", "avdigits") == shown_on("mla", "cremad")


def test_a_method_of_ones_own_can_be_asked_for() -> None:
    assert shown(TEMPERED) == find_space("default").read_text()
    assert shown_on(TEMPERED, "cremad").startswith("# default.yaml on cremad (audio, video)")


def test_a_file_of_version_1_is_the_same_on_every_data_set(tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text("params:\n  method.tau: {type: float, low: 1e-3, high: 1}\nfixed: {seed: 3}\n")
    for data in ("avdigits", "cremad"):
        printed = yaml.safe_load(shown_on(str(tmp_path / "s.yaml"), data))
        assert printed["params"] == {"method.tau": {"type": "float", "low": 0.001, "high": 1, "log": False}}
        assert printed["fixed"] == {"seed": 3}


def test_words_that_yaml_would_read_otherwise_are_quoted() -> None:
    text = as_yaml({"params": {"method.projector": {"choices": ["exact", "off"]}}, "on": {"a": {"enqueue": []}}})
    assert yaml.safe_load(text)["params"]["method.projector"]["choices"] == ["exact", "off"]


@pytest.mark.slow
def test_a_file_is_validated_for_a_data_set_and_a_method(tmp_path: Path) -> None:
    assert igmsweep("space", "validate", "igm", "--data", "nvgesture").stdout == "igm: valid for igm, 10 parameters\n"
    (tmp_path / "two.yaml").write_text("version: 2\nparams:\n  optim.lr.*: {type: float, low: 1e-3, high: 1}\n")
    (tmp_path / "one.yaml").write_text("params:\n  optim.lr.image: {type: float, low: 1e-3, high: 1}\n")
    for name, data, code, words in (
        ("two.yaml", "cremad", 0, "two.yaml: valid for mla, 2 parameters"),
        ("one.yaml", "avdigits", 0, "one.yaml: valid for mla, 1 parameters"),
        ("one.yaml", "cremad", 2, "one.yaml: unknown parameter 'optim.lr.image'"),
    ):
        done = igmsweep("space", "validate", str(tmp_path / name), "--data", data, "--method", "mla")
        assert done.returncode == code
        assert words in done.stdout + done.stderr


@pytest.mark.slow
def test_a_file_is_validated_for_the_method_that_it_extends(tmp_path: Path) -> None:
    params = "params: {method.alpha: {type: float, low: 0.1, high: 1.0}}\n"
    (tmp_path / "mine.yaml").write_text(f"version: 2\nextends: ogm\n{params}")
    done = igmsweep("space", "validate", str(tmp_path / "mine.yaml"))
    assert done.returncode == 0 and "valid for ogm" in done.stdout
    done = igmsweep("tune", "avdigits", "--space", str(tmp_path / "mine.yaml"), "--dry-run")
    assert done.returncode == 2 and "--method ogm fits it" in done.stderr
    (tmp_path / "old.yaml").write_text(f"extends: ogm\n{params}")
    done = igmsweep("space", "validate", str(tmp_path / "old.yaml"), "--method", "ogm")
    assert done.returncode == 2 and "extends: it needs version: 2" in done.stderr


@pytest.mark.slow
def test_a_method_is_told_with_what_its_parameters_mean_and_its_presets_set() -> None:
    told = igmsweep("methods", "ogm").stdout
    assert "Strength of the modulation" in told and "released: model.head=[], method.scope=conv, method.end=0.5" in told
    for name, hint in (("OGM", "'ogm'"), ("OGM-GE", "'ogm'"), ("mine.py", "mine.py:CLASS")):
        assert hint in igmsweep("methods", name).stderr
