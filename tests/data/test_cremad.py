"""CREMA-D in both layouts, with the traps of its real copies."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from av_trees import cremad_prepared, cremad_raw, tone, wav
from hypothesis import given, settings
from hypothesis import strategies as st

from igmsweep import data
from igmsweep.config import TrainConfig
from igmsweep.data.base import PARTS
from igmsweep.data.cremad import CLASSES, CREMAD, Cremad
from igmsweep.errors import DataError, UserError

TINY = {"data.options.size": 40, "data.options.crop": 32}


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return cremad_prepared(tmp_path_factory.mktemp("prepared") / "CREMA-D")


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return cremad_raw(tmp_path_factory.mktemp("raw") / "CREMA-D", actors=2, sentences=2)


@pytest.fixture
def own(prepared: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(prepared, tmp_path / "own"))


def config(root: Path, **overrides: object) -> TrainConfig:
    given = {"data.root": str(root), **TINY, **{key.replace("__", "."): value for key, value in overrides.items()}}
    return TrainConfig(data="cremad").override(given)


def test_lists_have_a_byte_order_mark_and_windows_line_ends(prepared: Path) -> None:
    samples = CREMAD.index(prepared, "train")
    assert samples[0].id == "1001_IEO_NEU_XX"
    assert (samples[0].label, samples[0].group) == (0, "1001")
    assert [CLASSES[sample.label] for sample in samples[:6]] == list(CLASSES)
    assert len(samples) == 36
    assert CREMAD.index(prepared, "val") == []


@pytest.mark.slow
def test_the_raw_tree_gives_labels_by_name_and_frames_from_flash_videos(raw: Path) -> None:
    ids = [{sample.id for sample in CREMAD.index(raw, part)} for part in PARTS]
    assert not ids[0] & ids[2]
    assert len(ids[0] | ids[2]) == 24
    for sample in CREMAD.index(raw, "train"):
        assert CLASSES[sample.label] == sample.id.split("_")[2]
    dataset = CREMAD.with_options({"frames": 2, "size": 64, "crop": 32})
    clip = dataset.read(CREMAD.index(raw, "train")[0])["video"]
    assert (clip.shape, clip.dtype) == ((2, 3, 64, 64), np.uint8)


def test_the_raw_tree_makes_a_search(raw: Path) -> None:
    found = data.load_search(config(raw).data)
    assert (len(found.train), len(found.val)) == (12, 6)
    assert found.dataset.modalities["video"].shape == (3, 32, 32)


def test_frames_of_folder_and_video_are_the_field_s_rate(raw: Path, tmp_path: Path) -> None:
    """At 29.97 frames a second every 29th is kept: two frames of a clip of 45."""
    from igmsweep.data import video

    path = next((raw / "VideoFlash").iterdir())
    every = list(video.read_frames(path, per_second=False))
    kept = list(video.read_frames(path))
    assert (len(every), len(kept)) == (45, 2)
    assert np.array_equal(np.asarray(kept[1]), np.asarray(every[29]))


@pytest.mark.slow
def test_without_lists_a_tenth_of_each_emotion_is_the_test_part_on_every_machine(tmp_path: Path) -> None:
    counts = dict.fromkeys(CLASSES, 1271) | {"NEU": 1087}  # as published
    (tmp_path / "AudioWAV").mkdir()
    for emotion, count in counts.items():
        for number in range(count):
            (tmp_path / "AudioWAV" / f"{1001 + number % 91}_{chr(65 + number // 91)}AA_{emotion}_XX.wav").touch()
    test = CREMAD.index(tmp_path, "test")
    assert len(test) == 744
    assert len(CREMAD.index(tmp_path, "train")) == 6698
    assert [sample.id for sample in CREMAD.index(tmp_path, "test")] == [sample.id for sample in test]
    speakers = CREMAD.with_options({"split": "speaker"})
    groups = [{sample.group for sample in speakers.index(tmp_path, part)} for part in PARTS]
    assert [len(group) for group in groups] == [73, 9, 9]
    assert not (groups[0] & groups[1] or groups[0] & groups[2] or groups[1] & groups[2])


@settings(max_examples=15, deadline=None)
@given(
    rows=st.sets(
        st.tuples(st.integers(0, 8), st.sampled_from(("IEO", "TIE", "DFA")), st.sampled_from(CLASSES)), min_size=60
    ),
    seed=st.integers(0, 99),
    folds=st.integers(2, 4),
)
def test_grouped_folds_share_no_actor(
    tmp_path_factory: pytest.TempPathFactory, rows: set[tuple[int, str, str]], seed: int, folds: int
) -> None:
    from igmsweep.data import split

    root = tmp_path_factory.mktemp("rows")
    (root / "annotations").mkdir()
    lines = [f"{1001 + actor}_{sentence}_{emotion}_XX,{emotion}\n" for actor, sentence, emotion in sorted(rows)]
    (root / "annotations" / "train.csv").write_text("\ufeff" + "".join(lines), encoding="utf-8")
    samples = CREMAD.index(root, "train")
    labels, groups = np.array([s.label for s in samples]), [s.group for s in samples]
    held_out: list[int] = []
    for fold in range(folds):
        c = TrainConfig(data={"name": "cremad", "group": "speaker", "folds": folds, "fold": fold, "split_seed": seed})
        train, val, described = split.carve(labels, groups, c.data)
        assert not {groups[row] for row in train} & {groups[row] for row in val}
        assert "grouped by speaker" in described
        held_out += val.tolist()
    assert sorted(held_out) == list(range(len(samples)))


def test_an_old_name_is_found_under_the_new_one(own: Path) -> None:
    with (own / "annotations" / "train.csv").open("a") as file:
        file.write("1040_ITH_SAD_XX,SAD\n")
    wav(own / "AudioWAV" / "1040_ITH_SAD_X.wav", tone(2))
    shutil.copytree(own / "Image-01-FPS" / "1001_IEO_SAD_XX", own / "Image-01-FPS" / "1040_ITH_SAD_X")
    sample = CREMAD.index(own, "train")[-1]
    assert sample.id == "1040_ITH_SAD_XX"
    assert set(CREMAD.read(sample)) == {"audio", "video"}


def test_policies_decide_over_bad_files_and_stand_in_the_configuration(own: Path) -> None:
    bad, silent = "1001_IEO_HAP_XX", "1002_TIE_DIS_XX"
    (own / "AudioWAV" / f"{bad}.wav").unlink()
    wav(own / "AudioWAV" / f"{silent}.wav", np.zeros(16000, np.float32))
    with pytest.raises(DataError, match=rf"{bad}.*data\.bad_files"):
        data.load_search(config(own).data)
    with pytest.raises(
        DataError, match=r"1 of 36 samples have a bad file \(1 missing\).* --set data\.bad_share=0\.03$"
    ):
        data.load_search(config(own, data__bad_files="skip").data)
    found = data.load_search(config(own, data__bad_files="skip", data__bad_share=0.06).data)
    assert (len(found.train) + len(found.val), [r.sample for r in found.skipped]) == (35, [bad])
    assert [(r.sample, r.kind) for r in found.replaced] == [(silent, "silent")]
    found = data.load_search(config(own, data__bad_files="blank", data__bad_share=0.06).data)
    assert len(found.train) + len(found.val) == 36
    assert {r.sample: r.kind for r in found.replaced} == {bad: "missing", silent: "silent"}
    whole = found.train.joined(found.val)
    row = whole.ids.index(bad)
    assert np.allclose(whole.arrays["audio"][row], np.log(1e-7), atol=1e-3)
    assert whole.arrays["video"][row].std() > 0
    neither = data.load_search(
        config(own, data__bad_files="skip", data__silent_files="skip", data__bad_share=0.06).data
    )
    assert {r.sample for r in neither.skipped} == {bad, silent}
    assert config(own, data__bad_files="skip").to_dict()["data"]["bad_files"] == "skip"


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("data.options.frontend", "stft22", "stft22k"),
        ("data.options.frame", 2, "data.options.frames"),
        ("data.options.frames", 0, "data.options.frames"),
        ("data.group", "speakers", "speaker"),
        ("data.bad_files", "ignore", "skip"),
    ],
)
def test_a_wrong_option_names_the_nearest(key: str, value: object, words: str) -> None:
    with pytest.raises(UserError, match=words):
        TrainConfig(data="cremad").override({key: value})


def test_presets_are_the_paper_s_and_the_released_code_s() -> None:
    paper = TrainConfig(data="cremad")
    assert (paper.optim.name, paper.optim.batch_size, paper.optim.schedule) == ("sgd", 12, "plateau")
    assert paper.optim.lr == {"audio": 0.01, "video": 0.01}
    assert (paper.stages.cycles, paper.stages.epochs) == (6, {"audio": 25, "video": 50})
    assert paper.get("method.rho.audio") == 1e-10
    assert paper.get("method.rho.video") == 1e-15
    released = TrainConfig(data="cremad", method={"name": "igm", "preset": "released"})
    assert (released.optim.schedule, released.optim.step_size) == ("step_early", 40)
    assert released.stages.handover == "best_fused"


def test_a_folder_that_is_not_crema_d_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="AudioWAV"):
        CREMAD.index(tmp_path, "train")
    with pytest.raises(DataError, match=r"no such folder.*--root"):
        data.load_search(config(tmp_path / "nowhere").data)


def test_an_option_makes_another_data_set_and_leaves_the_first_alone() -> None:
    other = CREMAD.with_options({"frontend": "fbank128"})
    assert isinstance(other, Cremad)
    assert other.modalities["audio"].shape == (1, 128, 1024)
    assert CREMAD.modalities["audio"].shape == (1, 257, 188)
    assert other.recipe() != CREMAD.recipe()
    assert CREMAD.with_options({"crop": 112}).recipe() == CREMAD.recipe()
