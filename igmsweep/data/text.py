"""Texts as arrays of token ids: words numbered by their hash, or a tokenizer from the user's own disk.

`words` needs no vocabulary. Any other tokenizer is a folder with `tokenizer.json` or `vocab.txt` (WordPiece), one of these files itself, or a name in the
user's Hugging Face cache. Nothing is downloaded, and the cache of a data set is named after the tokenizer's bytes.
"""

from __future__ import annotations

import hashlib
import itertools
import re
import zlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from igmsweep.errors import UserError
from igmsweep.gate.paths import full
from igmsweep.record.json_files import read_object

KEY = "data.options.tokenizer"
FILES = ("tokenizer.json", "vocab.txt")
WORDS = "words"
_WORD = re.compile(r"\w+|[^\w\s]")


def words(text: str) -> list[str]:
    """Words and signs of a text in lower case.

    >>> words("A quiet, even sound")
    ['a', 'quiet', ',', 'even', 'sound']
    """
    return _WORD.findall(text.lower())


def hashed(text: str, length: int, vocabulary: int) -> NDArray[np.int32]:
    """A text as (3, length): words numbered from 1 to vocabulary - 1 by their hash, attention mask, segment ids (all 0)."""
    first = itertools.islice(_WORD.finditer(text.lower()), length)
    ids = [1 + zlib.crc32(word[0].encode()) % (vocabulary - 1) for word in first] or [0]
    out = np.zeros((3, length), np.int32)
    out[0, : len(ids)] = ids
    out[1, : len(ids)] = 1
    return out


@dataclass(frozen=True)
class Tokenizer:
    """`file` is what it was read from, `digest` the hash of that file and of its settings."""

    name: str
    file: Path
    digest: str
    lower: bool = True
    """Whether a bare `vocab.txt` lower-cases, as `tokenizer_config.json` beside it says."""

    def encode(self, first: str, second: str | None, length: int) -> NDArray[np.int32]:
        """A text, or a pair of texts, as (3, length): token ids, attention mask, segment ids (0 or 1).

        Special tokens are added; what is too long is cut from the longer text of a pair, what is short is padded.
        """
        found = _engine(self, length).encode(first, second)
        return np.asarray([found.ids, found.attention_mask, found.type_ids], dtype=np.int32)


def find(name: str) -> Tokenizer:
    """The tokenizer called `name`.

    Raises:
        UserError: it is not on this machine; the message says where to put it.
    """
    path = full(name, KEY)
    if path.is_file():
        file: Path | None = path
    elif path.is_dir():
        file = next((path / each for each in FILES if (path / each).is_file()), None)
        if file is None:
            raise UserError(f"{KEY}: {path} has neither tokenizer.json nor vocab.txt")
    elif name.startswith((".", "/", "~")):
        raise UserError(f"{KEY}: '{name}' does not exist")
    else:
        file = _cached(name)
        if file is None:
            raise UserError(
                f"{KEY}: '{name}' is not in the Hugging Face cache (HF_HOME); put its tokenizer.json or vocab.txt on this "
                f"machine and set {KEY} to its folder (nothing is downloaded)"
            )
    assert file is not None
    status = file.stat()
    return _described(name, file, status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=8)
def _described(name: str, file: Path, size: int, time: int) -> Tokenizer:
    lower = True
    beside = file.with_name("tokenizer_config.json")
    if file.suffix == ".txt" and beside.is_file():
        settings = read_object(beside)
        if settings is None:
            raise UserError(f"{KEY}: {beside} is not valid JSON")
        lower = bool(settings.get("do_lower_case", True))
    digest = hashlib.sha256(file.read_bytes() + bytes([lower])).hexdigest()[:16]
    return Tokenizer(name, file, digest, lower)


def _cached(name: str) -> Path | None:
    """A file of a model's in the Hugging Face cache, without asking the network."""
    try:
        from huggingface_hub import try_to_load_from_cache
    except ImportError:
        raise _not_installed() from None
    for each in FILES:
        try:
            found = try_to_load_from_cache(name, each)
        except ValueError:  # not the form of a name
            return None
        if isinstance(found, str):
            return Path(found)
    return None


@lru_cache(maxsize=8)
def _engine(tokenizer: Tokenizer, length: int) -> Any:
    try:
        import tokenizers
        from tokenizers.implementations import BertWordPieceTokenizer
    except ImportError:
        raise _not_installed() from None
    try:
        if tokenizer.file.suffix == ".json":
            engine = tokenizers.Tokenizer.from_file(str(tokenizer.file))
        else:
            engine = BertWordPieceTokenizer(str(tokenizer.file), lowercase=tokenizer.lower)._tokenizer
    except Exception as error:
        raise UserError(f"{KEY}: {tokenizer.file} is no tokenizer ({' '.join(str(error).split())[:120]})") from None
    engine.enable_truncation(length, strategy="longest_first")
    pad = next((token for token in ("[PAD]", "<pad>", "<|endoftext|>") if engine.token_to_id(token) is not None), None)
    if pad is None:
        raise UserError(f"{KEY}: {tokenizer.file} has no padding token ([PAD] or <pad>)")
    engine.enable_padding(length=length, pad_id=engine.token_to_id(pad), pad_token=pad)
    return engine


def _not_installed() -> UserError:
    return UserError(f"{KEY}: needs transformers and its tokenizers; install them with: pip install 'igmsweep[text]'")
