"""Twitter2015: TomBERT's files as they are, quirks and all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from igmsweep.config import TrainConfig
from igmsweep.data import load_search
from igmsweep.data.twitter2015 import TWITTER2015
from igmsweep.errors import DataError, UserError
from igmsweep.plugin import load_module
from igmsweep.schema.sections import DataConfig

transformers = pytest.importorskip("transformers")


trees = load_module(Path(__file__).with_name("text_and_gesture_trees.py"), "tests")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return trees.twitter2015(tmp_path_factory.mktemp("twitter") / "twitter2015")


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(trees.vocabulary(tmp_path_factory.mktemp("vocabulary")))


def configured(tokenizer: str, **options: Any) -> Any:
    return TWITTER2015.with_options({"tokenizer": tokenizer, "tokens": 32, "size": 32, "crop": 32, **options})


def write(folder: Path, rows: list[str], name: str = "train.tsv") -> Path:
    header = "index\t#1 Label\t#2 ImageID\t#3 String\t#3 String"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return folder


def test_columns_are_read_by_position_since_the_test_header_is_wrong(root):
    assert "Label" not in (root / "absa_data" / "twitter2015" / "test.tsv").read_text().splitlines()[0]
    samples = TWITTER2015.index(root, "test")
    assert [sample.label for sample in samples] == [0, 1, 2] * 3
    assert samples[0].files["image"].name.endswith(".jpg")


def test_the_example_row_of_the_public_file_is_read(tmp_path):
    write(tmp_path, ["1\t2\t1860693.jpg\tRT @ user : $T$ is everything # MCM\tChuck Bass"])
    (sample,) = TWITTER2015.index(tmp_path, "train")
    assert sample.label == 2
    assert sample.text == {"text": "RT @ user : $T$ is everything # MCM", "pair": "Chuck Bass"}
    assert sample.group == "1860693.jpg"


def test_quotes_are_literal_and_only_a_line_feed_ends_a_line(tmp_path, root):
    write(
        tmp_path,
        [
            '0\t1\t1.jpg\t"an open quote $T$\tone',
            "1\t1\t2.jpg\t$T$ a \u2028 b \x85 c \x1c d\ttwo",
            '2\t1\t3.jpg\tclosed" $T$\tthree\r',
        ],
    )
    samples = TWITTER2015.index(tmp_path, "train")
    assert [sample.text["pair"] for sample in samples] == ["one", "two", "three"]
    assert samples[0].text["text"] == '"an open quote $T$'
    assert samples[1].text["text"] == "$T$ a \u2028 b \x85 c \x1c d"
    assert len(TWITTER2015.index(root, "train")) == 36


def test_the_pair_is_sentence_and_target_as_bert_takes_pairs(root, tokenizer):
    dataset = configured(tokenizer)
    sample = dataset.index(root, "train")[1]
    theirs = transformers.BertTokenizerFast(f"{tokenizer}/vocab.txt")
    expected = theirs(sample.text["text"], sample.text["pair"], padding="max_length", truncation=True, max_length=32)
    ids, mask, segments = dataset.read(sample)["text"]
    assert ids.tolist() == expected["input_ids"]
    assert mask.tolist() == expected["attention_mask"]
    assert segments.tolist() == expected["token_type_ids"]
    assert 1 in segments
    assert "$T$" in sample.text["text"]


@pytest.mark.parametrize(
    ("target", "text"),
    [
        ("pair", {"text": "RT @ u5er : $T$ isn't \" all", "pair": "Chuck Bass"}),
        ("substitute", {"text": "RT @ u5er : Chuck Bass isn't \" all"}),
        ("official", {"text": "rt t isn t all"}),  # the target is gone, and `u5er` with it
    ],
)
def test_what_becomes_of_the_target(tmp_path, target, text):
    write(tmp_path, ["0\t1\t1.jpg\tRT @ u5er : $T$ isn't \" all\tChuck Bass"])
    (sample,) = TWITTER2015.with_options({"target": target}).index(tmp_path, "train")
    assert sample.text == text


def test_the_header_of_the_authors_code_and_the_four_line_form_are_read(tmp_path):
    folder = tmp_path / "named"
    folder.mkdir()
    (folder / "train.tsv").write_text("ImageID\tLabel\tString\n7.jpg\t2\ta $T$ b\n")
    (sample,) = TWITTER2015.index(folder, "train")
    assert (sample.label, sample.group, sample.text) == (2, "7.jpg", {"text": "a $T$ b"})
    other = tmp_path / "fours"
    other.mkdir()
    (other / "train.txt").write_text("a $T$ b\nsun\n-1\n8.jpg\nc $T$\nrain\n1\n9.jpg\n")
    samples = TWITTER2015.index(other, "train")
    assert [(s.label, s.group, s.text["pair"]) for s in samples] == [(0, "8.jpg", "sun"), (2, "9.jpg", "rain")]


@pytest.mark.parametrize(
    ("row", "match"),
    [
        ("0\t3\t1.jpg\ta $T$\tb", r"train\.tsv: line 2: found label '3', expected 0, 1 or 2"),
        ("0\tneutral\t1.jpg\ta $T$\tb", r"line 2: found label 'neutral'"),
        ("0\t1\t1.jpg\ta $T$", r"line 2: found 4 columns, expected index, label"),
        ("0\t1\t1.jpg\ta $T$\tb\tc", r"line 2: found 6 columns"),
    ],
)
def test_a_bad_row_is_named(tmp_path, row, match):
    write(tmp_path, [row])
    with pytest.raises(DataError, match=match):
        TWITTER2015.index(tmp_path, "train")


def test_another_folder_is_refused_in_one_line_that_says_what_is_there(tmp_path):
    with pytest.raises(DataError, match=r"is not Twitter2015: looked for train\.tsv .*; found nothing in it"):
        TWITTER2015.index(tmp_path, "train")
    (tmp_path / "lists").mkdir()
    (tmp_path / "lists" / "trian.tsv").touch()
    (tmp_path / "pictures").mkdir()
    with pytest.raises(DataError, match=r"found lists/, pictures/; the nearest is lists/trian\.tsv"):
        TWITTER2015.index(tmp_path, "train")


def test_a_folder_above_or_below_the_data_set_is_told_where_it_is(tmp_path, root):
    for given in (root.parent, root / "twitter2015_images"):
        with pytest.raises(DataError, match=f"; {root} has such a list: name that with --root"):
            TWITTER2015.index(given, "train")


def test_a_missing_dev_list_is_called_that(tmp_path):
    write(tmp_path, ["0\t1\t1.jpg\ta $T$\tb"])
    write(tmp_path, ["0\t1\t1.jpg\ta $T$\tb"], "test.tsv")
    with pytest.raises(DataError) as caught:
        TWITTER2015.index(tmp_path, "val")
    message = str(caught.value)
    assert message.startswith(f"{tmp_path}: has no validation list of Twitter2015: looked for dev.tsv, ")
    assert message.endswith("; there are train.tsv and test.tsv")


def test_the_lists_of_the_authors_folder_are_read(tmp_path):
    rows = "Label\tString\tImageID\n2\tRT @ user : $T$ won its 70th E3 -- don't // be-late_now caf\u00e9\t7.jpg\n"
    (tmp_path / "annotations").mkdir()
    for part in ("train", "val", "test"):
        (tmp_path / "annotations" / f"{part}_data.tsv").write_text(rows, encoding="utf-8")
    dataset = TWITTER2015.with_options({"target": "official"})
    for part in ("train", "val", "test"):
        (sample,) = dataset.index(tmp_path, part)
        # whole words of a to z: not 70th, E3, late_now, nor what is left of caf\u00e9
        assert sample.text == {"text": "rt user t won its don t be"}
        assert (sample.label, sample.group) == (2, "7.jpg")


def test_missing_truncated_and_pointer_pictures_are_grey_and_counted(tmp_path, tokenizer):
    root = trees.twitter2015(tmp_path / "twitter2015")
    images = [sample.files["image"] for sample in TWITTER2015.index(root, "train")]
    images[0].unlink()
    images[4].write_bytes(images[4].read_bytes()[:-300])
    images[8].write_text(trees.POINTER)
    options = {"tokenizer": tokenizer, "tokens": 32, "size": 32, "crop": 32}
    config = TrainConfig(
        data={"name": "twitter2015", "root": str(root), "cache": str(tmp_path / "c"), "options": options}
    )
    assert config.data.bad_files == "blank"
    with pytest.raises(
        DataError, match=r"train: 2 of 36 samples have a bad file \(2 missing\), more than data\.bad_share"
    ):
        load_search(config.data)
    config = config.override({"data.bad_share": 0.2})
    found = load_search(config.data)
    kinds = {remark.kind for remark in found.replaced}
    assert kinds == {"missing", "truncated", "pointer"}
    row = found.train.ids.index(found.replaced[0].sample)
    assert (np.asarray(found.train.arrays["image"][row]) == 128).all()
    with pytest.raises(DataError, match="bad_files"):
        load_search(config.data.model_copy(update={"bad_files": "error"}))


@pytest.mark.parametrize("fold", range(3))
def test_folds_keep_the_rows_of_one_picture_together(root, tokenizer, tmp_path, fold):
    config = DataConfig(
        name="twitter2015",
        root=root,
        cache=tmp_path,
        group="image",
        folds=3,
        fold=fold,
        options={"tokenizer": tokenizer, "tokens": 16, "size": 8, "crop": 8},
    )
    found = load_search(config)
    assert not set(found.train.groups) & set(found.val.groups)
    assert len(found.train) + len(found.val) == 36 + 15
    assert len(set(found.train.groups)) < len(found.train)


def test_the_tokenizer_is_in_the_caches_key(root, tokenizer, tmp_path):
    other = str(trees.vocabulary(tmp_path / "other", extra=["something"]))
    assert configured(tokenizer).recipe() != configured(other).recipe()
    assert configured(tokenizer).recipe() == configured(tokenizer, crop=16).recipe()
    assert configured(tokenizer).recipe() != configured(tokenizer, target="substitute").recipe()
    with pytest.raises(UserError, match=r"data\.options\.tokenizer: 'bert-base-uncased' is not in"):
        TWITTER2015.recipe()


def test_presets_are_the_papers_and_the_released_codes():
    paper = TrainConfig(data="twitter2015")
    assert paper.modalities == ("text", "image")
    assert (paper.optim.name, paper.optim.lr, paper.optim.batch_size) == ("adam", {"text": 1e-5, "image": 1e-5}, 12)
    assert paper.method.rho == {"text": 1e-15, "image": 1e-15}
    assert paper.method.tau == 0.4
    assert (paper.stages.cycles, paper.stages.epochs) == (2, {"text": 10, "image": 30})
    assert paper.model.project == 1024
    assert paper.model.weights == {"text": "pretrained", "image": "pretrained"}
    assert paper.method.mixup_alpha == 0
    for released in (
        TrainConfig(data="twitter2015", method={"name": "igm", "preset": "released"}),
        paper.override({"method.preset": "released"}),
    ):
        assert released.model.encoder == {"text": "bert", "image": "resnet50_logits"}
        assert (released.model.project, released.optim.beta2, released.method.mixup_alpha) == (768, 0.99, 0.9)
    assert TrainConfig(data="twitter2015", method="joint").model.encoder["image"] == "resnet50"
