"""What a CSV data set chooses by itself, from small data of known lengths, sizes and colours."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from av_trees import tone, video, wav
from PIL import Image

from igmsweep import data
from igmsweep.config import TrainConfig, reading
from igmsweep.data.table import Table
from igmsweep.data.table_facts import evenly
from igmsweep.errors import UserError
from igmsweep.sweep.plan import make_plan
from igmsweep.sweep.request import SweepRequest

AVMNIST = Path(os.environ.get("IGMSWEEP_AVMNIST", Path(__file__).parents[3] / "shared" / "data" / "avmnist"))
"""Real spoken and written digits (`benchmarks/make_avmnist.py`), where they are at hand."""


def digits(root: Path, rows: int = 20, size: int = 28, mode: str = "L", rate: int = 8000) -> Path:
    """Words of 0.4 s, one in ten of 0.66 s, the test part's of 2 s; pictures of one size."""
    lines = ["label,group,split,audio,image\n"]
    for number in range(rows):
        part = "test" if number >= rows - 4 else "train"
        seconds = 2.0 if part == "test" else 0.66 if number % 10 == 0 else 0.4
        wav(root / f"{number}.wav", tone(number % 2, seconds, rate, number), rate)
        shade = np.random.default_rng(number).integers(0, 255, (size, size), dtype=np.uint8)
        Image.fromarray(shade).convert(mode).save(root / f"{number}.png")
        lines.append(f"{number % 2},g{number % 5},{part},{number}.wav,{number}.png\n")
    path = root / "digits.csv"
    path.write_text("".join(lines))
    return path


def chosen(path: Path, **options: Any) -> tuple[TrainConfig, dict[str, Any]]:
    config = TrainConfig.new(str(path), "igm", {f"data.options.{key}": value for key, value in options.items()})
    return config, config.data.options


@pytest.mark.parametrize("mode", ["L", "RGB", "P", "LA"])
def test_small_grey_pictures_and_short_words_get_small_encoders(tmp_path: Path, mode: str) -> None:
    config, options = chosen(digits(tmp_path, mode=mode))
    heard = {key: options[key] for key in ("frontend", "rate", "seconds", "bands")}
    assert heard == {"frontend": "mel", "rate": 8000, "seconds": 0.7, "bands": 40}  # the test part was not looked at
    seen = {key: options[key] for key in ("size", "crop", "colour", "flip")}
    assert seen == {"size": 28, "crop": 28, "colour": "grey", "flip": False}
    assert config.model.encoder == {"audio": "resnet_mini", "image": "resnet_mini"}
    dataset = data.of(config.data)
    arrays = dataset.read(dataset.index(tmp_path, "train")[0])
    assert (arrays["audio"].shape, arrays["image"].shape) == (dataset.modalities["audio"].shape[1:], (1, 1, 28, 28))
    line = reading(config)
    assert line is not None
    assert "0.7 s at 8000 Hz, mel of 40 bands" in line and "28 x 28 grey" in line and "\n" not in line


def test_large_colour_pictures_and_long_sounds_get_resnet18(tmp_path: Path) -> None:
    lines = ["label,sound,photo\n"]
    for number in range(4):
        wav(tmp_path / f"{number}.wav", tone(number % 2, 12.0, 44100, number), 44100)
        Image.effect_noise((400, 300), 60).convert("RGB").save(tmp_path / f"{number}.jpg")
        if number:
            Image.new("RGB", (400, 300), (200, 30, 30)).save(tmp_path / f"{number}.jpg")
        lines.append(f"{number % 2},{number}.wav,{number}.jpg\n")
    (tmp_path / "large.csv").write_text("".join(lines))
    config, options = chosen(tmp_path / "large.csv")
    assert (options["rate"], options["seconds"], options["bands"]) == (16000, 10.0, 64)
    assert (options["size"], options["crop"], options["colour"]) == (256, 224, "rgb")
    assert set(config.model.encoder.values()) == {"resnet18"}


def test_texts_get_a_small_encoder_unless_a_tokenizer_is_named(tmp_path: Path) -> None:
    path = tmp_path / "texts.csv"
    rows = [f"{n % 2},{' '.join(f'w{(n * k) % 97}' for k in range(3 + n % 10))}" for n in range(60)]
    path.write_text("label,note\n" + "\n".join(rows) + "\n")
    config, options = chosen(path)
    assert (options["tokens"], options["vocabulary"]) == (16, 1024)
    assert config.model.encoder == {"note": "text_mini:1024"}
    assert (config.optim.name, config.model.weights["note"]) == ("adam", "none")
    config, options = chosen(path, tokenizer="bert-base-uncased")
    assert (config.model.encoder["note"], config.model.weights["note"], options["tokens"]) == ("bert", "pretrained", 24)
    assert config.optim.lr["note"] == 2e-5


def test_frames_of_a_video_are_counted_from_its_header(tmp_path: Path) -> None:
    for number in range(4):
        video(tmp_path / f"{number}.mp4", number % 2, 2, "4", "libx264", "aac", number)
    rows = [f"{n % 2},{n}.mp4,{n}.mp4" for n in range(4)]
    (tmp_path / "clips.csv").write_text("label,audio,clip\n" + "\n".join(rows) + "\n")
    config, options = chosen(tmp_path / "clips.csv")
    assert (options["frames"], options["size"], options["colour"], options["rate"]) == (2, 48, "rgb", 16000)
    assert data.of(config.data).modalities["clip"].shape == (3, 2, 48, 48)


def test_what_is_named_decides_what_hangs_on_it(tmp_path: Path) -> None:
    path = digits(tmp_path)
    config, options = chosen(path, frontend="stft16k", size=256)
    assert (options["rate"], options["seconds"], options["bands"]) == (16000, 5.0, None)
    assert (options["crop"], config.model.encoder) == (224, {"audio": "resnet18", "image": "resnet18"})
    _, options = chosen(path, frontend="stft16k", seconds=0.5)
    assert (options["rate"], options["seconds"]) == (16000, 0.5)
    _, options = chosen(path, rate=16000)
    assert (options["seconds"], options["bands"]) == (0.7, 64)
    with pytest.raises(UserError, match=r"data\.options\.bands: found 40 with the front end stft16k, expected null"):
        chosen(path, frontend="stft16k", bands=40)
    plan = make_plan(SweepRequest(data=str(path), overrides={"data.options.size": 256}))
    assert (plan.base.data.options["crop"], plan.base.model.encoder["image"]) == (224, "resnet18")


def test_a_recorded_configuration_looks_at_no_file_and_stays_when_files_are_added(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = digits(tmp_path)
    config = TrainConfig(data=str(path))
    (tmp_path / "config.yaml").write_text(config.to_yaml())
    with path.open("a") as file:
        for number in range(100, 140):
            wav(tmp_path / f"{number}.wav", tone(number % 2, 3.0, 16000, number), 16000)
            Image.new("RGB", (64, 64), (255, 0, 0)).save(tmp_path / f"{number}.png")
            file.write(f"{number % 2},g{number % 5},train,{number}.wav,{number}.png\n")
    assert chosen(path)[1]["size"] == 64
    monkeypatch.setattr(Table, "facts", property(lambda self: pytest.fail("files were looked at")))
    assert TrainConfig.from_yaml(tmp_path / "config.yaml") == config
    assert config.override({"seed": 3}).data.options["size"] == 28
    assert reading(config) is not None


def test_files_are_looked_for_under_the_root_that_is_named(tmp_path: Path) -> None:
    path = digits(tmp_path / "media")
    listed = tmp_path / "lists" / "digits.csv"
    listed.parent.mkdir()
    shutil.move(path, listed)
    plan = make_plan(SweepRequest(data=str(listed), overrides={"data.root": str(tmp_path / "media")}))
    assert plan.base.data.options["size"] == 28
    assert plan.base.optim.lr["image"] == 0.025
    found = data.load_search(plan.base.override({"data.val_fraction": 0.2}).data)
    assert len(found.train) + len(found.val) == 16


def test_files_that_cannot_be_read_are_passed_over(tmp_path: Path) -> None:
    path = digits(tmp_path)
    (tmp_path / "0.png").write_text("version https://git-lfs.github.com/spec/v1\n")
    (tmp_path / "1.wav").unlink()
    _, options = chosen(path)
    assert (options["size"], options["seconds"], options["colour"]) == (28, 0.7, "grey")


def test_rows_are_taken_evenly() -> None:
    assert evenly(list("abcde"), 3) == ["a", "c", "e"]
    assert evenly([], 3) == [] and evenly([1, 2], 3) == [1, 2]


@pytest.mark.skipif(not (AVMNIST / "samples.csv").is_file(), reason="no AV-MNIST: set IGMSWEEP_AVMNIST to its folder")
def test_avmnist_is_read_as_a_practitioner_would() -> None:
    started = time.monotonic()
    config, options = chosen(AVMNIST / "samples.csv")
    assert time.monotonic() - started < 10  # 0.4 s on a quiet machine
    assert {key: options[key] for key in ("rate", "seconds", "bands", "size", "crop", "colour", "flip")} == {
        "rate": 8000, "seconds": 0.7, "bands": 40, "size": 28, "crop": 28, "colour": "grey", "flip": False
    }  # fmt: skip
    assert set(config.model.encoder.values()) == {"resnet_mini"}
    assert set(config.stages.epochs.values()) == {3} and config.stages.cycles == 3


def test_folds_by_group_are_a_speaker_each_and_more_folds_than_groups_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "words.csv"
    rows = [f"{n % 2},s{n // 8},{'test' if n >= 40 else 'train'},word w{n}" for n in range(48)]
    path.write_text("label,group,split,note\n" + "\n".join(rows) + "\n")
    base = make_plan(SweepRequest(data=str(path), folds=5, overrides={"data.group": "group"})).base
    held = []
    for fold in range(5):
        found = data.load_search(base.override({"data.folds": 5, "data.fold": fold}).data)
        held.append(set(found.val.groups))
        assert not held[-1] & set(found.train.groups) and found.split == f"fold {fold + 1} of 5, grouped by group"
    assert sorted(map(tuple, held)) == [("s0",), ("s1",), ("s2",), ("s3",), ("s4",)]  # the test part's is in none
    six = base.override({"data.folds": 6, "data.fold": 5})
    with pytest.raises(UserError, match=r"hold 5 groups \(group\), expected no more.*data\.options\.split=none"):
        data.load_search(six.data)
    found = data.load_search(six.override({"data.options.split": "none"}).data)
    assert len(set(found.val.groups)) == 1 and len(set(found.train.groups)) == 5


def test_group_is_every_data_sets_word_for_its_groups() -> None:
    assert TrainConfig(data={"name": "avdigits", "group": "group"}).data.group == "speaker"
    assert TrainConfig(data="kinetics_sounds").override({"data.group": "group"}).data.group == "video"
