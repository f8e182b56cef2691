"""NVGesture: stretches by frame number, labels from the list, three modalities at one place in time and space."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from igmsweep.config import TrainConfig
from igmsweep.data import load_search
from igmsweep.data.clips import flow_as_bytes, read_stretch
from igmsweep.data.nvgesture import NVGESTURE
from igmsweep.errors import DataError, UserError
from igmsweep.plugin import load_module
from igmsweep.schema.sections import DataConfig

OPTIONS = {"clip": 6, "frames": 4, "size": 32, "crop": 24}


trees = load_module(Path(__file__).with_name("text_and_gesture_trees.py"), "tests")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("gesture") / "nvgesture"
    root.mkdir()
    return trees.nvgesture(root, classes=4)


@pytest.fixture
def root(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "nvgesture"))


def configured(**options: Any) -> Any:
    return NVGESTURE.with_options({**OPTIONS, **options})


def by_id(root: Path, clip: str, part: str = "train", **options: Any) -> Any:
    return next(sample for sample in configured(**options).index(root, part) if sample.id.endswith(clip))


def line(path: str = "./Video_data/class_01/subject3_r0", depth: str = "sk_depth:1:3", label: str = "1") -> str:
    return f"path:{path} depth:{depth} color:sk_color:1:3 duo_left:duo_left:1:4 label:{label} "


def listed(folder: Path, *lines: str, name: str = "nvgesture_train_correct_cvpr2016_v2.lst") -> Path:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text("\n".join(lines) + "\n")
    return folder


def test_a_row_of_the_public_list_is_read(tmp_path):
    row = (
        "path:./Video_data/class_01/subject13_r0 depth:sk_depth:90:170 color:sk_color:90:170 duo_left:duo_left:105:198 "
        "label:1 "
    )
    listed(tmp_path, row)
    (sample,) = NVGESTURE.index(tmp_path, "train")
    assert sample.id == "Video_data/class_01/subject13_r0"
    assert sample.label == 0  # labels start at 1 on disk
    assert sample.files["rgb"] == tmp_path / "Video_data/class_01/subject13_r0/sk_color.avi"
    assert sample.text == {"depth": "90:170", "color": "90:170"}
    assert sample.group == "subject13"


def test_labels_come_from_the_list_and_never_from_the_folder(root):
    moved = by_id(root, "class_01/subject3_r4")
    assert moved.label == 3
    assert "class_01" in str(moved.files["rgb"])


def test_a_stretch_is_the_very_frames_of_the_list(root):
    """Red tells a frame's number, so that seeking to the key frame, or counting one too many, would show."""
    sample = by_id(root, "subject1_r1")
    frames = configured().read_modality(sample, "rgb")
    assert frames.shape == (3, 6, 32, 32)
    numbers = (frames[0, :, 28:].mean(axis=(1, 2)) - 20) / 10
    assert np.round(numbers).tolist() == list(range(trees.FIRST, trees.FIRST + trees.LENGTH))


def test_depth_may_start_elsewhere_than_colour(root):
    sample = by_id(root, "subject1_r2")
    assert sample.text == {"depth": "4:10", "color": "3:9"}
    dataset = configured()
    assert np.abs(dataset.read_modality(sample, "depth")[0, 0].astype(int)).mean() > 0
    video = sample.files["depth"]
    assert np.array_equal(dataset.read_modality(sample, "depth")[0], read_stretch(video, 4, 10, 32, 1)[:, 0])


def test_colours_are_red_green_blue(root):
    frames = configured().read_modality(by_id(root, "subject1_r1"), "rgb")
    assert frames[0].mean() > frames[2].mean() + 20  # red carries the frame's number, blue only 3 times the gesture


def test_three_modalities_are_cached_as_bytes(root):
    pytest.importorskip("cv2")
    arrays = configured().read(by_id(root, "subject1_r3"))
    assert {name: (array.shape, array.dtype) for name, array in arrays.items()} == {
        "depth": ((1, 6, 32, 32), np.uint8),
        "rgb": ((3, 6, 32, 32), np.uint8),
        "flow": ((2, 6, 32, 32), np.uint8),
    }
    horizontal = arrays["flow"][0, 2, 8:24].astype(float) - 127.5
    assert horizontal.max() > 3  # the bar moves to the right


@pytest.mark.parametrize("algorithm", ["dis", "farneback"])
def test_optical_flow_finds_a_known_motion(algorithm):
    pytest.importorskip("cv2")
    from igmsweep.data.clips import optical_flow

    rng = np.random.default_rng(0)
    noise = np.kron(rng.integers(0, 255, (20, 20)), np.ones((4, 4))).astype(np.uint8)
    clip = np.stack([np.roll(noise, 2 * step, axis=1) for step in range(3)])[:, None].repeat(3, axis=1)
    flow = optical_flow(clip, algorithm)
    assert flow.shape == (3, 2, 80, 80)
    pixels = (flow.astype(float) / 127.5 - 1) * 20
    assert np.median(pixels[0, 0]) == pytest.approx(2, abs=0.3)
    assert np.median(pixels[0, 1]) == pytest.approx(0, abs=0.3)
    assert np.array_equal(flow[1], flow[2])  # the last frame has no next one


def test_flow_bytes_span_twenty_pixels_both_ways():
    assert flow_as_bytes(np.array([-100.0, -20, 0, 20, 100])).tolist() == [0, 0, 128, 255, 255]


def test_flow_on_disk_is_addressed_by_the_rows_place_in_its_list(root):
    rows = (root / "nvgesture_train_correct_cvpr2016_v2.lst").read_text().splitlines()
    folder = root / "Video_data" / "flow_data" / "train"
    folder.mkdir(parents=True)
    for number in range(len(rows)):
        flow = np.zeros((16, 16, 2, 5), np.float32)
        flow[..., 0, :] = number
        np.save(folder / f"{number}.npy", flow)
    dataset = configured(flow="npy")
    for part in ("train", "val"):
        for sample in dataset.index(root, part):
            number = next(index for index, row in enumerate(rows) if f"{sample.id} " in row)
            flow = dataset.read_modality(sample, "flow")
            assert flow.shape == (2, 6, 32, 32)
            assert (flow[0] == flow_as_bytes(np.array([float(number)]))[0]).all()
    np.save(folder / "0.npy", np.zeros((3, 3), np.float32))
    with pytest.raises(DataError, match=r"0\.npy: has shape \(3, 3\), expected \(height, width, 2, frames\)"):
        dataset.read_modality(next(s for s in dataset.index(root, "train") if s.files["flow"].name == "0.npy"), "flow")


def test_validation_is_subjects_7_and_12_and_shares_none_with_train(root):
    dataset = configured()
    parts = {part: dataset.index(root, part) for part in ("train", "val", "test")}
    subjects = {part: {sample.group for sample in samples} for part, samples in parts.items()}
    assert subjects == {"train": {"subject1", "subject3"}, "val": {"subject7", "subject12"}, "test": {"subject5"}}
    assert NVGESTURE.expected == {"train": 906, "val": 144, "test": 482}
    assert dataset.validation(root) == "subjects 7 and 12 of train"  # nobody's list
    others = configured(val_subjects=[3])
    assert {sample.group for sample in others.index(root, "val")} == {"subject3"}


def test_a_validation_list_is_used_where_there_is_one(root):
    rows = (root / "nvgesture_train_correct_cvpr2016_v2.lst").read_text().splitlines()
    listed(root, *rows[:3], name="nvgesture_valid_correct_v2.lst")
    assert len(configured().index(root, "val")) == 3
    assert len(configured().index(root, "train")) == len(rows)
    assert configured().validation(root) == "the copy's own list"


def test_names_of_lists_in_circulation_and_the_second_version_first(tmp_path):
    one = listed(tmp_path / "one", line(label="9"), name="nvgesture_train_correct.lst")
    assert NVGESTURE.index(one, "train")[0].label == 8
    listed(one, line(label="7"), name="nvgesture_train_correct_v2.lst")
    assert NVGESTURE.index(one, "train")[0].label == 6


@pytest.mark.parametrize(
    ("row", "match"),
    [
        (line(label="0"), "found label '0', expected 1 to 25"),
        (line(label="26"), "found label '26'"),
        (line(depth="sk_depth:9:3"), "found 'depth:sk_depth:9:3', expected FILE:FIRST:END"),
        (line(depth="sk_depth"), "expected FILE:FIRST:END"),
        (line(path="./clips/a"), "expected a folder called subjectS_rK"),
        ("hello world", "expected a field path"),
    ],
)
def test_a_bad_row_is_named(tmp_path, row, match):
    listed(tmp_path, line(), row)
    with pytest.raises(DataError, match=rf"v2\.lst: line 2: {match}|v2\.lst: line 2: .*{match}"):
        NVGESTURE.index(tmp_path, "train")


def test_videos_that_cannot_be_used_are_named_with_their_kind(root):
    dataset = configured()
    samples = [by_id(root, f"subject1_r{number}") for number in (1, 2, 3, 4)]
    samples[0].files["rgb"].unlink()
    samples[1].files["rgb"].write_text(trees.POINTER)
    samples[2].files["rgb"].write_bytes(b"RIFF nothing")
    trees.video(samples[3].files["rgb"], trees.FIRST + 2, 1, (48, 32))
    kinds = []
    for sample in samples:
        remarks = {remark.modality: remark for remark in dataset.inspect(sample)}
        assert "rgb" in remarks
        assert "depth" not in remarks
        kinds.append(remarks["rgb"].kind)
    assert kinds == ["missing", "pointer", "unreadable", "short"]
    with pytest.raises(DataError, match=r"sk_color\.avi: holds 5 frames, expected 9"):
        dataset.read_modality(samples[3], "rgb")


def test_pictures_stand_in_for_a_video_that_is_not_there(root):
    sample = by_id(root, "subject1_r1")
    folder = sample.files["rgb"].with_suffix("")
    for number in range(12):
        trees.picture(folder / f"frame_{number}.jpg", 20 * number)  # frame_10 comes after frame_9
    sample.files["rgb"].unlink()
    found = by_id(root, "subject1_r1")
    frames = configured().read_modality(found, "rgb")
    shades = frames[0].mean(axis=(1, 2))
    assert np.round(shades / 20).astype(int).tolist() == [3, 4, 5, 6, 7, 8]


def test_training_draws_one_place_for_all_modalities_and_never_mirrors():
    dataset = configured()
    places = torch.zeros(5, 1, 6, 32, 32, dtype=torch.uint8)
    for frame in range(6):
        for column in range(32):
            places[:, :, frame, :, column] = frame * 40 + column
    inputs = {"depth": places, "rgb": places.expand(-1, 3, -1, -1, -1), "flow": places.expand(-1, 2, -1, -1, -1)}
    generator = torch.Generator().manual_seed(3)
    out = dataset.transform(inputs, True, generator)
    assert {name: tuple(x.shape) for name, x in out.items()} == {
        name: (5, *dataset.modalities[name].shape) for name in ("depth", "rgb", "flow")
    }
    assert torch.equal(out["rgb"][:, :1], out["depth"])
    assert (out["depth"][..., 1:] > out["depth"][..., :-1]).all()  # left stays left
    alone = dataset.transform({"flow": inputs["flow"]}, True, torch.Generator().manual_seed(3))
    assert torch.equal(alone["flow"], out["flow"])
    assert len({float(x[0, 0, 0, 0]) for x in out["depth"]}) > 1
    still = dataset.transform(inputs, False, generator)
    assert torch.equal(still["depth"], dataset.transform(inputs, False, generator)["depth"])
    assert still["depth"][0, 0, 0, 0, 0] == pytest.approx((40 + 4) / 127.5 - 1)  # the middle


def test_options_that_do_not_fit_are_refused():
    with pytest.raises(UserError, match=r"frames: found 100, expected at most clip = 80"):
        NVGESTURE.with_options({"frames": 100})
    with pytest.raises(UserError, match=r"data\.options\.flow"):
        NVGESTURE.with_options({"flow": "raft"})


def test_folds_by_subject(root, tmp_path):
    pytest.importorskip("cv2")

    class Four(type(NVGESTURE)):  # type: ignore[misc]
        classes = NVGESTURE.classes[:4]

    from igmsweep import data

    data._loaded["four gestures"] = Four()
    try:
        for fold in range(2):
            found = load_search(
                DataConfig(
                    name="four gestures",
                    root=root,
                    cache=tmp_path,
                    group="subject",
                    folds=2,
                    fold=fold,
                    options=OPTIONS,
                )
            )
            assert not set(found.train.groups) & set(found.val.groups)
    finally:
        del data._loaded["four gestures"]


def test_presets_are_the_papers():
    config = TrainConfig(data="nvgesture")
    assert config.modalities == ("depth", "rgb", "flow")
    assert set(config.model.encoder.values()) == {"i3d"}
    assert (config.optim.name, config.optim.batch_size, config.optim.lr["flow"]) == ("sgd", 6, 0.01)
    assert (config.stages.cycles, config.stages.epochs["rgb"]) == (2, 50)
    assert config.method.rho == {"depth": 1e-15, "rgb": 1e-15, "flow": 1e-15}
    assert NVGESTURE.modalities["rgb"].shape == (3, 64, 224, 224)
