"""What can be refused without decoding a sample is refused first, by every command."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from igmsweep import data as datasets
from igmsweep.config import TrainConfig
from igmsweep.data import split
from igmsweep.data.table import Table
from igmsweep.errors import UserError
from igmsweep.plugin import load_module
from igmsweep.spaces import load_space
from igmsweep.sweep import ResumeRequest, SweepRequest, resume_sweep, run_sweep
from igmsweep.sweep.check import variants
from igmsweep.sweep.session import run_sweeps
from igmsweep.train import train

trees = load_module(Path(__file__).parent.parent / "data" / "text_and_gesture_trees.py", "tests")

Undecoded = Callable[[str], None]
BAD: dict[str, tuple[dict[str, Any], str]] = {
    "encoder": (
        {"model.encoder.audio": "resnet81"},
        r"^model\.encoder\.audio: unknown encoder 'resnet81'.*\(did you mean 'resnet18'\?\)$",
    ),
    "variant": ({"model.encoder.audio": "resnet18:large"}, r"^model\.encoder\.audio: .*resnet18 has no variants$"),
    "weights": (
        {"model.encoder.image": "resnet18", "model.weights.image": "/nowhere.pt"},
        r"^model\.weights\.image: no such file /nowhere\.pt",
    ),
    "no weights": ({"model.weights.audio": "pretrained"}, r"^model\.weights\.audio: .*no pretrained weights"),
    "large batch": ({"optim.batch_size": 61}, r"^optim\.batch_size: found 61, expected at most 60, "),
    "batch of one": ({"optim.batch_size": 1}, r"^optim\.batch_size: found 1, expected 2 or more"),
    "batch of a fold": ({"optim.batch_size": 50, "data.folds": 2}, r"^optim\.batch_size: .* at most 45"),  # half of 90
    "fold": ({"data.folds": 3, "data.fold": 3}, r"^data\.fold: found 3, "),
    "parts": (
        {"data.folds": 40},
        r"^split: class '\w+' has 7 samples, fewer than the 40 parts to cut \(so have 10 of 10 classes\)$",
    ),
    "device": ({"device": "cuda:77"}, r"^device: found cuda:77, "),
}


def tuned(data: str, overrides: dict[str, Any], **options: Any) -> None:
    run_sweep(SweepRequest(data=data, overrides=overrides, local=True, quiet=True, **options))


@pytest.fixture
def data(small_avdigits: Path, undecoded: Undecoded) -> dict[str, Any]:
    """The settings that name avdigits in a folder of the test's own, of which nothing may be decoded."""
    undecoded("avdigits")
    return {"data.root": str(small_avdigits), "device": "cpu"}


@pytest.mark.parametrize("command", ["tune", "train"])
@pytest.mark.parametrize(("changes", "message"), BAD.values(), ids=BAD.keys())
def test_a_setting_that_cannot_work_is_one_line_before_any_decoding(
    command: str, changes: dict[str, Any], message: str, data: dict[str, Any], tmp_path: Path
) -> None:
    settings = {**data, **changes}
    with pytest.raises(UserError, match=message) as error:
        if command == "tune":
            tuned("avdigits", settings, name="s", out=tmp_path / "out")
        else:
            train(TrainConfig(data="avdigits").override(settings))
    assert "\n" not in str(error.value)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("params", "message"),
    [
        (
            {"model.encoder.audio": {"type": "categorical", "choices": ["resnet_mini", "resnet_mimi"]}},
            r"mine on avdigits: model\.encoder\.audio: unknown encoder 'resnet_mimi'.*\(did you mean 'resnet_mini'\?\)",
        ),
        (
            {"model.encoder.audio": {"type": "categorical", "choices": ["resnet81"]}},
            r"mine on avdigits: model\.encoder\.audio: unknown encoder 'resnet81'",
        ),
        (
            {"model.weights.image": {"type": "categorical", "choices": ["none", "/nowhere.pt"]}},
            r"mine on avdigits: model\.weights\.image: found '/nowhere\.pt', but resnet_mini has no pretrained weights",
        ),
        (
            {"optim.batch_size": {"type": "int", "low": 16, "high": 64}},
            r"mine on avdigits: optim\.batch_size: found 64, expected at most 60",
        ),
    ],
)
def test_every_value_that_may_be_tried_is_looked_at(
    params: dict[str, Any], message: str, data: dict[str, Any], tmp_path: Path
) -> None:
    import yaml

    (tmp_path / "mine.yaml").write_text(yaml.safe_dump({"version": 2, "params": params}))
    with pytest.raises(UserError, match=message.replace("mine", r"mine\.yaml")):
        tuned("avdigits", data, space=tmp_path / "mine.yaml", name="s", out=tmp_path / "out")


def test_what_a_condition_or_a_rule_excludes_is_not_held_against_a_space() -> None:
    config = TrainConfig(data="avdigits")
    content = {
        "version": 2,
        "params": {
            "method.tau": {"type": "float", "low": 0.1, "high": 1.0},
            "method.sam": {"type": "categorical", "choices": [True, False]},
            "model.encoder.audio": {"type": "categorical", "choices": ["resnet_mini", "resnet18"]},
            "model.width": {"type": "int", "low": 4, "high": 8, "when": {"model.encoder.audio": "resnet_mini"}},
            "model.weights.audio": {
                "type": "categorical",
                "choices": ["none", "pretrained"],
                "when": {"method.sam": True},
            },
        },
        "forbid": [{"model.encoder.audio": "resnet_mini", "model.weights.audio": "pretrained"}],
    }
    found = [tuple(values.values()) for values in variants(load_space(content, config))]
    assert sorted(map(str, found)) == sorted(
        map(
            str,
            [
                *(("resnet_mini", width, *more) for width in (4, 8) for more in ((), ("none",))),
                *(("resnet18", *more) for more in ((), ("none",), ("pretrained",))),
            ],
        )
    )


def test_of_several_sweeps_all_are_looked_at_before_the_data_of_the_first_is_decoded(
    data: dict[str, Any], tmp_path: Path
) -> None:
    both = [
        SweepRequest(
            data="avdigits", method=method, overrides={**data, **more}, name=method, out=tmp_path / "out", local=True
        )
        for method, more in (("igm", {}), ("joint", {"model.encoder.image": "resnet81"}))
    ]
    with pytest.raises(UserError, match=r"model\.encoder\.image: unknown encoder 'resnet81'"):
        run_sweeps(both, lambda _: None)
    assert not (tmp_path / "out").exists()


def test_a_sweep_that_is_taken_up_again_is_looked_at_too(
    cycles_request: Callable[..., SweepRequest], undecoded: Undecoded, tmp_path: Path
) -> None:
    result = run_sweep(cycles_request(trials=1, local=True, quiet=True))
    assert result is not None
    shutil.rmtree(tmp_path / "cache")
    undecoded("avdigits")
    spec = result.dir / "sweep.yaml"
    spec.write_text(spec.read_text().replace("resnet_mini", "resnet_mimi"))
    with pytest.raises(UserError, match=r"model\.encoder\.audio: unknown encoder 'resnet_mimi'"):
        resume_sweep(ResumeRequest(result.dir, trials=2))
    assert not (tmp_path / "cache").exists()


def test_a_dry_run_says_it_beside_the_plan(
    data: dict[str, Any], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        tuned("avdigits", {**data, "model.encoder.audio": "resnet81"}, dry_run=True, name="s", out=tmp_path / "out")
    assert "no estimate: model.encoder.audio: unknown encoder 'resnet81'" in caplog.text


def table(folder: Path, rows: list[str], second: str = "some words") -> str:
    """A CSV file whose pictures are not there: none is needed."""
    folder.mkdir(exist_ok=True)
    lines = [f"{row},{number}.png,{second}" for number, row in enumerate(rows)]
    (folder / "samples.csv").write_text("\n".join(["label,group,split,picture,caption", *lines]) + "\n")
    return str(folder / "samples.csv")


GROUPED = {"data.options.tokenizer": "words", "optim.batch_size": 4}


@pytest.mark.parametrize(
    ("rows", "settings", "message"),
    [
        (["a,,train", "b,,train"] * 5 + ["a,,val"] * 3, {}, r"samples: no sample of class 'b' in the validation split"),
        (["a,,train"] * 5 + ["a,,val", "b,,val"] * 3, {}, r"samples: no sample of class 'b' in the train split"),
        (["a,,train"] * 9 + ["b,,train"], {}, r"^split: class 'b' has 1 sample, fewer than the 2 parts to cut"),
        (
            ["a,,train", "b,,train"] * 5,
            {"data.group": "group"},
            r"^data\.group: found 'group', but .*samples\.csv does not say",
        ),
        (["a,x,train", "b,x,train", "a,x,val", "b,x,val"] * 3, {"data.group": "group"}, r"^data\.group: 1 groups"),
        (
            ["a,,train", "b,,train"] * 9,
            {"data.options.tokenizer": "/nowhere"},
            r"^data\.options\.tokenizer: '/nowhere'",
        ),
    ],
)
@pytest.mark.parametrize("command", ["tune", "train"])
def test_lists_that_make_no_training_are_refused_with_no_file_opened(
    command: str, rows: list[str], settings: dict[str, Any], message: str, tmp_path: Path, undecoded: Undecoded
) -> None:
    name = table(tmp_path / "t", rows)
    undecoded(name)
    with pytest.raises(UserError, match=message):
        if command == "tune":
            tuned(name, {**GROUPED, **settings}, name="s", out=tmp_path / "out")
        else:
            train(TrainConfig(data=name).override({**GROUPED, **settings}))


def test_every_fold_is_looked_at(tmp_path: Path, undecoded: Undecoded) -> None:
    """A class in two of three groups: one fold has none of it to validate on, and it is not the first."""
    rows = [f"{label},{group},train" for group in "xy" for label in "aabbbbbb"] + ["a,z,train"] * 2
    labels, groups = np.array([row[0] == "b" for row in rows]), [row[2] for row in rows]
    seed = next(seed for seed in range(50) if labels[split.folds(labels, 3, seed, groups)[0][1]].any())
    name = table(tmp_path / "t", rows, "drawn.png")
    undecoded(name)
    with pytest.raises(UserError, match=r"samples: no sample of class 'b' in the validation split"):
        tuned(
            name, {**GROUPED, "data.split_seed": seed, "data.group": "group"}, folds=3, name="s", out=tmp_path / "out"
        )


def test_a_tokenizer_that_is_not_there_is_told_before_pictures_are_decoded(
    tmp_path: Path, undecoded: Undecoded
) -> None:
    trees.twitter2015(tmp_path / "tweets")
    undecoded("twitter2015")
    settings = {"data.root": str(tmp_path / "tweets"), "data.options.tokenizer": str(tmp_path / "nowhere")}
    with pytest.raises(UserError, match=r"^data\.options\.tokenizer: .*nowhere' does not exist$"):
        tuned("twitter2015", settings | {"model.weights": "none"}, name="s", out=tmp_path / "out")


@pytest.mark.parametrize("command", ["tune", "train"])
def test_texts_of_another_tokenizer_are_told_before_pictures_are_decoded(
    command: str, tmp_path: Path, undecoded: Undecoded, monkeypatch: pytest.MonkeyPatch
) -> None:
    trees.tiny_bert(tmp_path / "bert")
    name = table(tmp_path / "t", ["a,,train", "b,,train"] * 9)
    read = datasets.get(name).read_modality
    undecoded(name)
    monkeypatch.setattr(Table, "read_modality", lambda _, *given: read(*given))  # of pictures it would raise
    settings = {**GROUPED, "model.encoder.caption": f"bert:{tmp_path / 'bert'}", "model.encoder.picture": "resnet_mini"}
    with pytest.raises(UserError, match=r"^model\.encoder\.caption: found token id \d+, but the encoder knows"):
        if command == "tune":
            tuned(name, settings, name="s", out=tmp_path / "out")
        else:
            train(TrainConfig(data=name).override(settings))
