"""CSV files as data sets, and the files that they name."""

from __future__ import annotations

import io
import os
import random
import shutil
from functools import cache
from pathlib import Path
from typing import Any

from .ground import without_training
from .harness import command
from .odd import WORDS, garbled

TOKENS = [
    ",",
    '"',
    "\n",
    "\r",
    "\r\n",
    "\0",
    ";",
    "\t",
    "\xff",
    "\xef\xbb\xbf",
    "x" * 200000,
    "x" * 300,
    "a/" * 3000,
    "../outside/kept.txt",
    "/dev/zero",
    "/dev/stdin",
    "fifo.wav",
    "folder.png",
    "bomb.png",
    "huge.npy",
    "loop.wav",
    "out.wav",
    "/etc/passwd",
    "~nosuchuser/x.wav",
    "label",
    "split",
    "val",
    "group",
    "nan",
    "1e400",
    "a.wav",
    "a.png",
    "a.jpg",
    "a.npy",
    "missing.wav",
    ".",
    "..",
    "",
    "\x1b[31mred",
    "<b>",
    "=1",
    "a\nb",
    '"unclosed',
    "train",
    "test",
    "frames",
    "é.png",
    "http://x/a.wav",
]
HEADERS = (
    "label,s",
    "label,p",
    "label,a",
    "label,s,p,note",
    "label,split,p",
    "label,group,note",
    "s,p",
    "label",
    "label,label,p",
    "label,id,p",
    "label,,p",
    "file_name,label",
)
FILES = ("a.wav", "b.wav", "a.png", "b.png", "a.jpg", "a.npy", "b.npy")
COMMANDS = """
data check {}
data check {} --decode
data check {} --json --all
data check {} --set data.bad_files=skip
data check .
data sample {} --each 1 --out sheet.svg
data prepare {} --jobs 1
tune {} --dry-run
space show igm --data {}
train {} --quiet
""".strip().splitlines()
NPY = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }"
SHAPES = ("(1000000, 1000000)", "()", "(0, 3)", "(-1,)", "(2, 3) * 99999999", "(1e9,)", f"({'1,' * 40})", "[2, 3]")
KINDS_OF_NUMBER = ("|O", "<f16", "|S9999999999", "<M8[s]", "|V5", "x", "<c16", "|b1", "<U3")
HEADS = [
    *(NPY.replace("(2, 3)", shape) for shape in SHAPES),
    *(NPY.replace("<f4", kind) for kind in KINDS_OF_NUMBER),
    "{}",
    "[",
    "(" * 500,
    "x" * 60000,
    "{'descr': __import__('os').system('touch ran')}",
    NPY * 2,
    "\0",
    "9" * 5000,
]


def load(ground: Path) -> None:
    media()


@cache
def media() -> dict[str, bytes]:
    """Files that are right, by name."""
    import numpy as np
    import soundfile
    from PIL import Image

    rng, made = np.random.default_rng(0), {}
    for name in FILES:
        stream = io.BytesIO()
        if name.endswith(".wav"):
            soundfile.write(stream, rng.normal(0, 0.1, 800), 8000, format="WAV")
        elif name.endswith(".npy"):
            np.save(stream, rng.normal(size=(2, 3)).astype(np.float32))
        else:
            Image.fromarray(rng.integers(0, 255, (12, 12, 3), dtype=np.uint8)).save(
                stream, "PNG" if name.endswith("png") else "JPEG"
            )
        made[name] = stream.getvalue()
    return made


@cache
def bomb() -> bytes:
    """A PNG of a hundred kilobytes and 900 million pixels."""
    import struct
    import zlib

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    side = 30000
    packer = zlib.compressobj(9)
    body = b"".join(packer.compress(b"\0" * (side // 8 + 1)) for _ in range(side)) + packer.flush()
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0))
        + chunk(b"IDAT", body)
        + chunk(b"IEND", b"")
    )


def make(rng: random.Random) -> Any:
    header = rng.choice(HEADERS)
    columns, rows = header.split(","), []
    for number in range(rng.choice([0, 1, 4, 12, 12])):
        cells = {
            "label": "ab"[number % 2],
            "split": "train",
            "group": f"g{number // 3}",
            "note": "some words",
            "id": str(number),
        }
        cells |= {
            "s": f"{'ab'[number % 2]}.wav",
            "p": f"{'ab'[number % 2]}.png",
            "a": f"{'ab'[number % 2]}.npy",
            "file_name": "a.png",
        }
        rows.append([cells.get(name, "x") for name in columns])
    for _ in range(rng.choice([0, 1, 1, 2])):
        if rows:
            row = rng.choice(rows)
            row[rng.randrange(len(row))] = rng.choice(
                [*TOKENS, *(word.encode("utf-8", "surrogatepass").decode("latin-1") for word in WORDS)]
            )
    text = "\n".join([header, *(",".join(row) for row in rows)]) + "\n"
    if rng.random() < 0.4:
        text = garbled(rng, text, TOKENS, rng.randrange(1, 3))
    edits = [_edit(rng) for _ in range(rng.choice([0, 0, 1, 2]))]
    return {
        "csv": text,
        "name": rng.choices(
            ["t.csv", rng.choice(WORDS[:60]).replace("/", "_").replace("\0", "")[:200] + ".csv"], [9, 1]
        )[0],
        "edits": edits,
        "line": rng.choice(COMMANDS),
    }


def _edit(rng: random.Random) -> Any:
    name = rng.choice(FILES)
    what = rng.choices(["head", "bytes", "special", "cut", "metadata"], [2, 5, 2, 1, 1])[0]
    if what == "head":
        return [what, rng.choice(["a.npy", "b.npy"]), rng.choice(HEADS)]
    if what == "bytes":  # a few of the first bytes, where headers are
        return [
            what,
            name,
            [
                [rng.randrange(60), rng.choice([0, 1, 127, 128, 255, rng.randrange(256)])]
                for _ in range(rng.randrange(1, 6))
            ],
        ]
    if what == "special":
        return [what, name, rng.choice(["fifo", "folder", "empty", "bomb", "loop", "out", "zero", "missing", "text"])]
    return (
        [what, name, rng.randrange(60)]
        if what == "cut"
        else [what, "metadata.csv", garbled(rng, "file_name,label\na.png,a\nb.png,b\n", TOKENS)]
    )


def run(given: Any, place: Path) -> int:
    without_training()
    for name, content in media().items():
        (place / name).write_bytes(content)
    os.symlink("../outside/kept.txt", place / "out.wav")
    for edit in given["edits"]:
        _apply(edit, place / edit[1])
    name = given["name"].encode("utf-8", "surrogatepass").decode("utf-8", "surrogateescape")
    try:
        (place / name).write_bytes(given["csv"].encode("latin-1"))
    except OSError:  # no file can have that name
        return 0
    shutil.rmtree(place.parent / "cache", ignore_errors=True)
    return command([word.format(name) if word == "{}" else word for word in given["line"].split()])


def _apply(edit: list[Any], path: Path) -> None:
    what, _, how = edit
    if what == "metadata":
        path.write_bytes(how.encode("latin-1"))
    elif path.is_symlink() or not path.is_file():
        return
    elif what == "head":
        text = how.encode("latin-1")
        path.write_bytes(b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + b"\0" * 24)
    elif what == "bytes":
        content = bytearray(path.read_bytes())
        for at, value in how:
            content[at : at + 1] = bytes([value])
        path.write_bytes(bytes(content))
    elif what == "cut":
        path.write_bytes(path.read_bytes()[:how])
    else:
        path.unlink()
        makers = {
            "fifo": lambda: os.mkfifo(path),
            "folder": path.mkdir,
            "empty": path.touch,
            "bomb": lambda: path.write_bytes(bomb()),
            "loop": lambda: os.symlink(path, path),
            "out": lambda: os.symlink("../outside/kept.txt", path),
            "zero": lambda: os.symlink("/dev/zero", path),
            "text": lambda: path.write_text("text"),
            "missing": lambda: None,
        }
        makers[how]()
