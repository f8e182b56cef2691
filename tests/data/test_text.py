"""Tokens: those of transformers' own tokenizer, from files on this machine alone, and a cache key that knows them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from igmsweep.data import text
from igmsweep.errors import UserError
from igmsweep.plugin import load_module

transformers = pytest.importorskip("transformers")


trees = load_module(Path(__file__).with_name("text_and_gesture_trees.py"), "tests")
PAIRS = [
    ("RT @ user : $T$ is everything # MCM", "Chuck Bass"),
    ("It's a GREAT day", None),
    ("so very great " * 20, "the rain game"),
    ("", "sun"),
]


@pytest.mark.parametrize(("first", "second"), PAIRS)
@pytest.mark.parametrize("form", ["vocab.txt", "tokenizer.json"])
def test_pairs_are_encoded_as_transformers_bert_tokenizer_does(tmp_path, first, second, form):
    folder = trees.vocabulary(tmp_path / "tokenizer")
    theirs = transformers.BertTokenizerFast(str(folder / "vocab.txt"), do_lower_case=True)
    if form == "tokenizer.json":
        theirs.backend_tokenizer.save(str(folder / "tokenizer.json"))
        (folder / "vocab.txt").unlink()
    expected = theirs(first, second, padding="max_length", truncation="longest_first", max_length=24)
    found = text.find(str(folder)).encode(first, second, 24)
    assert found.dtype == np.int32
    assert found[0].tolist() == expected["input_ids"]
    assert found[1].tolist() == expected["attention_mask"]
    assert found[2].tolist() == expected["token_type_ids"]


def test_the_hash_follows_the_tokenizers_bytes_and_its_case(tmp_path):
    folder = trees.vocabulary(tmp_path / "tokenizer")
    first = text.find(str(folder)).digest
    assert text.find(str(folder / "vocab.txt")).digest == first  # the file itself may be named
    (folder / "tokenizer_config.json").write_text('{"do_lower_case": false}')
    text._described.cache_clear()
    cased = text.find(str(folder))
    assert cased.digest != first
    assert cased.encode("GREAT", None, 8)[0].tolist() != cased.encode("great", None, 8)[0].tolist()
    trees.vocabulary(folder, extra=["another"])
    assert text.find(str(folder)).digest not in (first, cased.digest)


@pytest.mark.parametrize(
    ("name", "match"),
    [
        ("bert-base-uncased", "'bert-base-uncased' is not in the Hugging Face cache"),
        ("/nowhere/at/all", "'/nowhere/at/all' does not exist"),
        ("a//b", "is not in the Hugging Face cache"),
    ],
)
def test_a_tokenizer_that_is_not_here_is_one_line_and_no_download(name, match):
    with pytest.raises(UserError, match=match) as caught:
        text.find(name)
    assert str(caught.value).startswith("data.options.tokenizer: ")
    assert "\n" not in str(caught.value)


def test_files_that_are_no_tokenizer_are_refused(tmp_path):
    with pytest.raises(UserError, match=r"neither tokenizer\.json nor vocab\.txt"):
        text.find(str(tmp_path))
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(UserError, match="is no tokenizer"):
        text.find(str(tmp_path)).encode("a", None, 8)
    (tmp_path / "vocab.txt").write_text("a\nb\n[UNK]\n[CLS]\n[SEP]\n")
    with pytest.raises(UserError, match="no padding token"):
        text.find(str(tmp_path / "vocab.txt")).encode("a", None, 8)
