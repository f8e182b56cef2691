"""Sarcasm: Python literals a line, the token filter, labels by people, and the shortcut that the check tells of."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from igmsweep.config import TrainConfig
from igmsweep.data import load_search
from igmsweep.data.sarcasm import SARCASM, TELLING
from igmsweep.errors import DataError
from igmsweep.plugin import load_module

trees = load_module(Path(__file__).with_name("text_and_gesture_trees.py"), "tests")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return trees.sarcasm(tmp_path_factory.mktemp("sarcasm") / "sarcasm")


def write(folder: Path, lines: list[str], name: str = "train.txt") -> Path:
    (folder / "text").mkdir(parents=True, exist_ok=True)
    (folder / "text" / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


def test_a_row_of_the_public_file_is_read_with_both_kinds_of_quotes(tmp_path):
    write(tmp_path, ["['910308516510011393', 'it\\'s \"so\" <user> emoji_15 .', 1]", '["2", "it\'s", 0]'])
    first, second = SARCASM.index(tmp_path, "train")
    assert (first.id, first.label) == ("910308516510011393", 1)
    assert first.text["text"] == 'it\'s "so" <user> emoji_15 .'
    assert first.files["image"] == tmp_path / "dataset_image" / "910308516510011393.jpg"
    assert second.text["text"] == "it's"


def test_the_filter_takes_tokens_of_training_posts_not_substrings(tmp_path):
    posts = [f"a {word} b" for word in sorted(TELLING)] + ["ironically jokester", "#sarcasm no", "plain", "joke."]
    write(tmp_path, [repr([str(number), post, 1]) for number, post in enumerate(posts)])
    write(tmp_path, [repr([str(number), post, 1, 0]) for number, post in enumerate(posts)], "valid2.txt")

    def kept(kind: str, part: str) -> list[str]:
        return [sample.text["text"] for sample in SARCASM.with_options({"filter": kind}).index(tmp_path, part)]

    assert kept("token", "train") == ["ironically jokester", "#sarcasm no", "plain", "joke."]
    assert kept("token", "val") == posts
    assert kept("substring", "train") == kept("substring", "val") == ["plain"]
    assert kept("none", "train") == posts
    assert len(TELLING) == 11


def test_expected_counts_follow_the_filter():
    assert SARCASM.expected == {"train": 19816, "val": 2410, "test": 2409}
    assert SARCASM.with_options({"filter": "substring"}).expected == {"train": 19557, "val": 2387, "test": 2373}
    assert SARCASM.with_options({"filter": "none"}).expected["train"] == 29040


def test_the_label_is_the_last_item(root):
    lines = (root / "text" / "valid2.txt").read_text().split("\n")
    samples = SARCASM.index(root, "val")
    assert ", 0, 1]" in lines[7]  # by hashtag 0, by people 1
    assert samples[7].label == 1
    assert [sample.label for sample in samples] == [row % 2 for row in range(12)]


def test_only_a_line_feed_ends_a_post(root):
    # two of 36 hold a tell-tale token
    assert len(SARCASM.index(root, "train")) == 34
    raw = repr(["1", "a", 1]).replace("a", "a \u2028 b \x85 c")
    write(root / "raw", [raw])
    assert SARCASM.index(root / "raw", "train")[0].text["text"] == "a \u2028 b \x85 c"


def test_a_line_is_data_and_never_code(tmp_path):
    marker = tmp_path / "ran"
    write(tmp_path, [f"[__import__('pathlib').Path({str(marker)!r}).touch(), 'a', 1]"])
    with pytest.raises(DataError, match=r"train\.txt: line 1: found .*expected a list"):
        SARCASM.index(tmp_path, "train")
    assert not marker.exists()


@pytest.mark.parametrize(
    "line", ["hello", "['1', 'a']", "['1', 'a', 2]", "['1', 'a', '1']", "{'1': 1}", "['1', 2, 1]", "[" * 500]
)
def test_a_bad_line_is_named(tmp_path, line):
    write(tmp_path, [repr(["0", "fine", 0]), line])
    with pytest.raises(DataError, match=r"train\.txt: line 2: found") as caught:
        SARCASM.index(tmp_path, "train")
    assert "\n" not in str(caught.value)


def test_a_post_that_stands_there_twice_is_named(tmp_path):
    write(tmp_path, [repr(["5", "a", 0]), repr(["5", "b", 1])])
    with pytest.raises(DataError, match="post 5 stands in the train list twice"):
        SARCASM.index(tmp_path, "train")


def test_the_json_form_is_read(tmp_path):
    (tmp_path / "annotations").mkdir()
    rows = [{"image": "x/1.jpg", "text": "a day", "label": 0}, {"image": "2.jpg", "text": "irony here", "label": 1}]
    (tmp_path / "annotations" / "train.json").write_text(json.dumps(rows))
    trees.picture(tmp_path / "x" / "1.jpg", 90)
    (sample,) = SARCASM.index(tmp_path, "train")
    assert (sample.id, sample.label, sample.files["image"]) == ("1", 0, tmp_path / "x" / "1.jpg")
    everything = SARCASM.with_options({"filter": "none"}).index(tmp_path, "train")
    assert everything[1].files["image"] == tmp_path / "dataset_image" / "2.jpg"
    (tmp_path / "annotations" / "train.json").write_text(json.dumps([{"image": "1.jpg", "label": 0}]))
    with pytest.raises(DataError, match=r"train\.json: post 1: found .*expected image or image_id, text and label"):
        SARCASM.index(tmp_path, "train")
    (tmp_path / "annotations" / "train.json").write_text("[")
    with pytest.raises(DataError, match="cannot be read \\(not JSON: expecting value\\)"):
        SARCASM.index(tmp_path, "train")


def test_official_cleaning_takes_the_sign_and_leaves_the_hashtags_word(tmp_path):
    write(tmp_path, [repr(["1", 'Oh, "great" # fun (not); it\'s <user>', 1])])
    (sample,) = SARCASM.with_options({"clean": "official"}).index(tmp_path, "train")
    assert sample.text["text"].split() == ["oh", "great", "fun", "not", "its", "<user>"]


@pytest.mark.parametrize(
    "text", ["one-two/three", " <person>  said - 'no' ", "a\n\nb \u2028 c", "\u00c9T\u00c9 (~70) ;", "--"]
)
def test_official_cleaning_is_what_the_authors_code_does(tmp_path, text):
    """Against the operations of the code, one after the other."""
    write(tmp_path, [repr(["1", text, 1])])
    (sample,) = SARCASM.with_options({"clean": "official"}).index(tmp_path, "train")
    kept = "".join(sign for sign in text.lower() if sign not in ",.'!?\"()*#:;~")
    kept = "".join({"-": " ", "/": " "}.get(sign, sign) for sign in kept).replace("<person>", "person")
    once = [" " if len(run) > 1 else run for run in re.split(r"(\s+)", kept)[1::2]]
    words = re.split(r"\s+", kept)
    expected = "".join(word + space for word, space in zip(words, [*once, ""], strict=True)).rstrip("\n").strip(" ")
    assert sample.text["text"] == expected


def test_text_data_with_image_data_is_read(tmp_path):
    for stem, row in (("train", ["1", "a", 1]), ("valid", ["2", "b", 0]), ("test", ["3", "c", 0, 1])):
        (tmp_path / "text_data").mkdir(exist_ok=True)
        (tmp_path / "text_data" / f"{stem}.txt").write_text(repr(row) + "\n")
        trees.picture(tmp_path / "image_data" / f"{row[0]}.jpg", 90)
    found = [SARCASM.index(tmp_path, part)[0] for part in ("train", "val", "test")]
    assert [(sample.id, sample.label) for sample in found] == [("1", 1), ("2", 0), ("3", 1)]
    assert all(sample.files["image"].exists() for sample in found)


def test_the_lists_of_the_authors_folder_and_records_with_image_id_are_read(tmp_path):
    (tmp_path / "annotations").mkdir()
    for number, part in enumerate(("train", "val", "test")):
        rows = [{"image_id": 910308516510011393 + number, "text": "a day", "label": str(number % 2)}]
        (tmp_path / "annotations" / f"{part}_data.json").write_text(json.dumps(rows))
    (tmp_path / "images").mkdir()
    found = [SARCASM.index(tmp_path, part)[0] for part in ("train", "val", "test")]
    assert [sample.label for sample in found] == [0, 1, 0]
    assert found[2].files["image"] == tmp_path / "images" / "910308516510011395.jpg"


def test_a_missing_list_is_named_beside_those_that_are_there(tmp_path):
    write(tmp_path, [repr(["1", "a", 1])])
    with pytest.raises(
        DataError, match=r"has no validation list of Sarcasm: looked for valid2\.txt, .*; there is text/train"
    ):
        SARCASM.index(tmp_path, "val")


def test_the_check_tells_of_the_hashtag_shortcut(root):
    # every sarcastic training post of the tree has a '#', and those of the others whose row is a multiple of four
    notes = SARCASM.notes(root)
    assert notes[0].startswith("'#' stands in 100% of sarcastic and 47% of other training posts")


def test_posts_of_one_text_are_one_group(tmp_path):
    write(tmp_path, [repr(["1", "same words", 0]), repr(["2", "same words", 1]), repr(["3", "other", 1])])
    assert [sample.group for sample in SARCASM.index(tmp_path, "train")] == ["same words", "same words", "other"]


def test_presets_are_the_papers_and_the_released_codes():
    paper = TrainConfig(data="sarcasm")
    assert (paper.stages.cycles, paper.stages.epochs) == (2, {"text": 2, "image": 30})
    assert (paper.optim.name, paper.optim.batch_size, paper.optim.weight_decay) == ("adam", 12, 1e-4)
    released = TrainConfig(data="sarcasm", method={"name": "igm", "preset": "released"})
    assert (released.method.mixup_alpha, released.model.project) == (1.0, 768)
    # the released configuration cuts texts at 50 words; the paper says nothing of it
    assert paper.data.options["words"] is None
    assert paper.override({"method.preset": "released"}).data.options["words"] == 50
    released = {"name": "igm", "preset": "released"}
    assert TrainConfig(data="sarcasm", method=released).data.options["words"] == 50
    own = TrainConfig(data={"name": "sarcasm", "options": {"words": 20}}, method=released)
    assert own.data.options["words"] == 20  # what a person writes comes before a preset


def test_grey_in_place_of_most_pictures_is_refused_and_then_told(tmp_path):
    """A copy without three quarters of its pictures, under the policy that this data set brings: grey stands for them."""
    root = trees.sarcasm(tmp_path / "s")
    dataset = SARCASM.with_options({})
    files = {part: [sample.files["image"] for sample in dataset.index(root, part)] for part in ("train", "val")}
    for path in {path for each in files.values() for path in each[len(each) // 4 :]}:
        path.unlink()
    gone = {part: sum(not path.exists() for path in each) for part, each in files.items()}
    options = {"tokenizer": str(trees.vocabulary(tmp_path / "words")), "tokens": 8, "size": 16, "crop": 16}
    config = TrainConfig(data={"name": "sarcasm", "root": root, "cache": tmp_path / "c", "options": options}).data
    assert config.bad_files == "blank"
    with pytest.raises(DataError) as refused:
        load_search(config)
    for part, count in gone.items():
        assert f"{part}: {count} of {len(files[part])} samples have a bad file ({count} missing)" in str(refused.value)
    assert not (tmp_path / "c").exists()
    (allowed,) = re.findall(r"--set data\.bad_share=([\d.]+)$", str(refused.value))
    found = load_search(config.model_copy(update={"bad_share": float(allowed)}))
    for part, line in zip(gone, found.warnings, strict=False):
        assert line == (
            f"{part}: of {len(files[part])} samples, {gone[part]} have silence or grey in a file's place ({gone[part]} missing)"
        )
