"""Configurations: filled in, spelt out, overridden by path, refused in one line that names the key."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from igmsweep.config import TrainConfig, presets
from igmsweep.errors import UserError


def test_a_bare_name_gives_the_papers_configuration():
    config = TrainConfig(data="avdigits")
    assert config.method.name == "igm"
    assert config.get("method.tau") == 0.4
    assert config.get("method.scope") == "head"
    assert config.get("method.rho.audio") == 1e-10
    assert config.get("method.rho.image") == 1e-15
    assert config.get("model.head") == [256, 64]
    assert config.modalities == ("audio", "image")


def test_presets_differ_as_the_released_code_does():
    released = TrainConfig(data="avdigits", method={"name": "igm", "preset": "released"})
    assert released.get("method.sam_form") == "released"
    assert released.get("method.sam_mix") == 0.3
    assert released.get("method.mixup_alpha") == 1.0
    assert (released.get("stages.handover"), released.get("stages.handover_by")) == ("best_fused", "f1")
    assert released.get("optim.schedule") == "step_early"
    assert presets("igm", "avdigits")["released"]["optim.step_size"] == 40


def test_what_a_person_writes_wins_over_the_preset():
    config = TrainConfig(data="avdigits", method={"name": "igm", "preset": "released", "sam_mix": 0.9})
    assert config.get("method.sam_mix") == 0.9


def test_overriding_a_preset_applies_it_and_then_the_rest():
    config = TrainConfig(data="avdigits").override({"method.preset": "released", "method.mixup_alpha": 0.2})
    assert config.get("method.sam_form") == "released"
    assert config.get("method.mixup_alpha") == 0.2


def test_a_scalar_sets_every_modality_and_a_path_one():
    config = TrainConfig(data="avdigits").override({"optim.lr": 0.5, "optim.lr.image": 0.25})
    assert config.optim.lr == {"audio": 0.5, "image": 0.25}
    assert TrainConfig(data="avdigits", stages={"epochs": {"image": 9}}).stages.epochs == {"audio": 3, "image": 9}


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"method.tua": 1}, ["method.tua", "did you mean 'method.tau'"]),
        ({"tau": 1}, ["'tau'", "method.tau"]),
        ({"method.tau": 0}, ["method.tau", "found 0", "greater than 0"]),
        ({"method.tau": -1}, ["method.tau", "found -1"]),
        ({"method.tau": "big"}, ["method.tau", "'big'", "number"]),
        ({"method.tau": float("nan")}, ["method.tau", "finite"]),
        ({"method.rho.audio": -1e-3}, ["method.rho", "audio", "at least 0", "-0.001"]),
        ({"method.rho.adio": 0.1}, ["method.rho.adio", "did you mean 'method.rho.audio'"]),
        ({"method.scope": 1.5}, ["method.scope", "1.5", "share in [0, 1]"]),
        ({"method.scope": "hed"}, ["method.scope", "'hed'", "did you mean 'head'"]),
        ({"method.sam": "maybe"}, ["method.sam", "'maybe'"]),
        ({"method.gm_targets": ["vdeo"]}, ["method.gm_targets", "vdeo", "audio, image"]),
        ({"optim.lr.audio": 0}, ["optim.lr", "audio", "greater than 0"]),
        ({"optim.name": "sdg"}, ["optim.name", "'sdg'", "sgd"]),
        ({"stages.epochs": 0}, ["stages.epochs", "at least 1"]),
        ({"stages.epochs": 10**12}, ["stages.epochs", "at most 1,000,000"]),
        ({"stages.cycles": 10**12}, ["stages.cycles", "found 1000000000000"]),
        ({"model.head": [10**12]}, ["model.head", "found"]),
        ({"optim.lr.audio": 1e308}, ["optim.lr", "audio", "at most 1e+30"]),
        ({"data.split_seed": 2**40}, ["data.split_seed"]),
        ({"stages.epochs": 1.5}, ["stages.epochs", "1.5"]),
        ({"device": "gpu"}, ["device", "'gpu'"]),
        ({"method.preset": "papper"}, ["method.preset", "papper", "did you mean 'paper'"]),
        ({"method.name": "mla"}, ["method.name", "cannot be overridden"]),
    ],
)
def test_a_bad_value_is_one_line_that_names_the_key(values, words):
    with pytest.raises(UserError) as caught:
        TrainConfig(data="avdigits").override(values)
    line = str(caught.value)
    assert "\n" not in line
    for word in words:
        assert word in line, line


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"data": "avdigit"}, ["unknown data set 'avdigit'", "did you mean 'avdigits'"]),
        ({"data": "avdigits", "method": "igmm"}, ["unknown method 'igmm'", "did you mean 'igm'"]),
        ({"data": "avdigits", "methd": "igm"}, ["unknown key 'methd'", "did you mean 'method'"]),
        ({"data": "avdigits", "optim": {"lrr": 1}}, ["unknown key 'optim.lrr'"]),
        ({"data": "avdigits", "optim": 3}, ["optim", "mapping"]),
        ({"data": "avdigits", "method": {"name": "unimodal", "modality": "vido"}}, ["method.modality", "vido"]),
        ({"method": "igm"}, ["data.name"]),
    ],
)
def test_a_bad_section_is_one_line(values, words):
    with pytest.raises(UserError) as caught:
        TrainConfig(**values)
    assert "\n" not in str(caught.value)
    for word in words:
        assert word in str(caught.value)


@pytest.mark.parametrize("method", ["igm", "mla", "joint", "unimodal"])
def test_yaml_out_and_in_is_the_same_configuration(tmp_path, method):
    config = TrainConfig(data="avdigits", method=method).override({"optim.lr.audio": 3.2e-10})
    (tmp_path / "c.yaml").write_text(config.to_yaml())
    again = TrainConfig.from_yaml(tmp_path / "c.yaml")
    assert again == config
    assert again.hash() == config.hash()


@given(st.floats(1e-15, 100), st.sampled_from(["none", "head", 0.0, 0.3, 1.0]), st.booleans())
def test_values_survive_yaml_exactly(value, scope, sam):
    config = TrainConfig(data="avdigits").override({"method.tau": value, "method.scope": scope, "method.sam": sam})
    again = TrainConfig(**yaml.safe_load(config.to_yaml()))
    assert again.get("method.tau") == value
    assert again.get("method.scope") == scope
    assert again == config


def test_the_hash_tells_trainings_apart_and_not_places():
    config = TrainConfig(data="avdigits")
    assert config.override({"method.tau": 0.41}).hash() != config.hash()
    assert config.override({"data.root": "/elsewhere", "device": "cpu"}).hash() == config.hash()


@pytest.mark.parametrize("text", ["[1, 2]", "a: [", "", "x: !!python/object/apply:os.system [ls]"])
def test_a_file_that_is_no_configuration_is_one_line_with_its_name(tmp_path, text):
    (tmp_path / "c.yaml").write_text(text)
    with pytest.raises(UserError, match=r"c\.yaml") as caught:
        TrainConfig.from_yaml(tmp_path / "c.yaml")
    assert "\n" not in str(caught.value)


def test_numbers_without_a_dot_and_words_are_read_as_they_are_meant(tmp_path):
    (tmp_path / "c.yaml").write_text("data: avdigits\nmethod: {tau: 1e-2, scope: none}\noptim: {lr: {audio: 1e-3}}\n")
    config = TrainConfig.from_yaml(tmp_path / "c.yaml")
    assert config.get("method.tau") == 0.01
    assert config.get("method.scope") == "none"
    assert config.get("optim.lr.audio") == 0.001


def test_paths_become_absolute_and_names_stay(tmp_path, monkeypatch):
    from igmsweep.config import with_absolute_paths

    monkeypatch.chdir(tmp_path)
    (tmp_path / "bert").mkdir()
    (tmp_path / "rgb.pt").touch()
    config = TrainConfig(
        data={"name": "twitter2015", "root": "tweets", "options": {"tokenizer": "bert"}},
        model={"encoder": {"text": "bert:bert"}, "weights": {"text": "bert-base-uncased", "image": "rgb.pt"}},
    )
    moved = with_absolute_paths(config)
    assert moved.data.root == tmp_path / "tweets"
    assert moved.data.options["tokenizer"] == str(tmp_path / "bert")
    assert moved.model.encoder == {"text": f"bert:{tmp_path / 'bert'}", "image": "resnet50"}
    assert moved.model.weights == {"text": "bert-base-uncased", "image": str(tmp_path / "rgb.pt")}
    assert with_absolute_paths(moved) == moved


def test_the_words_of_version_0_1_0_are_read_and_mean_what_they_meant():
    old = TrainConfig(
        data="avdigits", stages={"rounds": 2, "epochs": 1}, method={"name": "igm", "fusion": "entropy", "rho": 0.1}
    )
    assert old.stages.cycles == 2
    assert old.get("method.fusion") == "entropy_probabilities"
    assert old.override({"stages.rounds": 4}).get("stages.cycles") == 4


def test_a_configuration_needs_no_torch():
    import subprocess
    import sys

    code = (
        "import sys\nfrom igmsweep.config import TrainConfig\n"
        "for method in ('igm', 'mla', 'joint', 'unimodal'):\n    TrainConfig(data='cremad', method=method).override({'seed': 3})\n"
        "print([name for name in ('torch', 'ray', 'optuna', 'pandas', 'sklearn') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr


@pytest.mark.parametrize("data", ["cremad", "sarcasm", "twitter2015", "nvgesture", "avdigits"])
def test_a_preset_can_be_left_again(data):
    paper = TrainConfig(data=data, method="igm").override({"method.tau": 0.7})
    released = TrainConfig(data=data, method={"name": "igm", "preset": "released"})
    there = paper.override({"method.preset": "released"})
    assert there.override({"method.tau": released.get("method.tau")}) == released
    back = there.override({"method.preset": "paper", "method.tau": 0.7})
    assert back == paper


@pytest.mark.parametrize(
    ("data", "values"),
    [
        ("cremad", {"method.rho.audio": 1e-10, "method.rho.video": 1e-10, "optim.schedule": "step_early"}),
        ("kinetics_sounds", {"method.rho.audio": 1e-10, "method.rho.video": 1e-10, "stages.handover_by": "f1"}),
        ("nvgesture", {"method.rho.rgb": 1e-15, "method.rho.depth": 1e-15, "stages.handover": "best_fused"}),
        ("twitter2015", {"stages.handover_by": "acc", "optim.schedule": "warmup", "optim.lr.text": 1e-5}),
        ("sarcasm", {"stages.handover_by": "f1", "optim.schedule": "warmup", "method.rho.text": 1e-15}),
    ],
)
def test_the_released_preset_is_what_the_authors_code_does_on_each_data_set(data, values):
    config = TrainConfig(data=data, method={"name": "igm", "preset": "released"})
    assert {path: config.get(path) for path in values} == values
    if values.get("optim.schedule") == "warmup":  # 6.67e-6, then 1e-5
        assert config.optim.lr["text"] * config.optim.factor == pytest.approx(6.67e-6, rel=1e-3)
