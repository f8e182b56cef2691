"""Damaged and hostile CSV data sets: every one is a remark or one line, no path leads out unasked, nothing is read without end."""

from __future__ import annotations

import contextlib
import os
import socket
import struct
import time
import warnings
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from av_trees import jpegs, tone, video, wav
from PIL import Image, PngImagePlugin

from igmsweep import data
from igmsweep.config import TrainConfig
from igmsweep.data import arrays, audio, digests, frames, headers
from igmsweep.data.check import check
from igmsweep.data.files import BadFile
from igmsweep.data.sheet import write_sheet
from igmsweep.data.table_facts import look
from igmsweep.data.table_paths import leading_out
from igmsweep.errors import DataError, UserError

TEN_SECONDS = 10.0


def rows(root: Path, *lines: str, header: str = "label,picture") -> Path:
    """A table of two sound rows of pictures, and of lines more."""
    jpegs(root, 0, ["0.jpg", "1.jpg"])
    path = root / "samples.csv"
    path.write_text("\n".join([header, "cat,0.jpg", "dog,1.jpg", *lines]) + "\n")
    return path


# ---- where paths lead ----


def by_dots(root: Path, elsewhere: Path) -> str:
    return f"../{elsewhere.name}/secret.jpg"


def by_root(root: Path, elsewhere: Path) -> str:
    return str(elsewhere / "secret.jpg")


def by_link(root: Path, elsewhere: Path) -> str:
    (root / "innocent.jpg").symlink_to(elsewhere / "secret.jpg")
    return "innocent.jpg"


def by_linked_folder(root: Path, elsewhere: Path) -> str:
    (root / "inside").symlink_to(elsewhere)
    return "inside/secret.jpg"


def by_dots_behind_a_link(root: Path, elsewhere: Path) -> str:
    (elsewhere / "deep").mkdir()
    (root / "inside").symlink_to(elsewhere / "deep")
    return "inside/../secret.jpg"  # which is in `elsewhere`, though it reads as if it were in `root`


@pytest.mark.parametrize("way", [by_dots, by_root, by_link, by_linked_folder, by_dots_behind_a_link])
def test_a_path_that_leads_out_is_refused_unless_the_user_says_otherwise(
    tmp_path: Path, way: Callable[[Path, Path], str]
) -> None:
    root, elsewhere = tmp_path / "mine", tmp_path / "elsewhere"
    jpegs(root, 0, ["0.jpg"])
    jpegs(elsewhere, 0, ["secret.jpg"])
    field = way(root, elsewhere)
    path = rows(root, f"cat,{field}")
    with pytest.raises(DataError) as caught:
        TrainConfig(data=str(path))
    told = str(caught.value)
    assert Path(field).name in told
    assert (
        told.startswith(f"{path}: line 4: its picture '") and f" leads out of {root}, to '" in told and "\n" not in told
    )
    assert "--root DIR" in told and "--set data.options.outside=true" in told
    config = TrainConfig.new(str(path), "igm", {"data.options.outside": True})
    assert TrainConfig(**config.to_dict()).data.options["outside"] is True  # recorded, and read back
    assert check(*data.at_hand(config.data)).sound


def test_links_and_full_paths_within_and_a_folder_that_is_a_link_are_fine(tmp_path: Path) -> None:
    root = tmp_path / "mine"
    path = rows(root, f"cat,{root / '0.jpg'}", "cat,link.jpg", "dog,sub/../1.jpg", "dog,./1.jpg")
    (root / "sub").mkdir()
    (root / "link.jpg").symlink_to("0.jpg")
    (tmp_path / "linked").symlink_to(root)
    for name in (path, tmp_path / "linked" / "samples.csv", tmp_path / "linked"):
        config = TrainConfig(data=str(name))
        assert check(*data.at_hand(config.data)).sound
        assert config.data.options["outside"] is False
    other = tmp_path / "lists"
    other.mkdir()
    path.rename(other / "samples.csv")
    config = TrainConfig.new(str(other / "samples.csv"), "igm", {"data.root": str(tmp_path / "linked")})
    assert check(*data.at_hand(config.data)).sound


def test_a_link_in_a_folder_of_frames_leads_out_too(tmp_path: Path) -> None:
    jpegs(tmp_path / "elsewhere", 0, ["secret.jpg"])
    jpegs(tmp_path / "mine" / "clip", 0, ["1.jpg"])
    (tmp_path / "mine" / "clip" / "2.jpg").symlink_to(tmp_path / "elsewhere" / "secret.jpg")
    path = tmp_path / "mine" / "samples.csv"
    path.write_text("label,frames\na,clip\nb,clip\n")
    with pytest.raises(DataError, match=r"line 2: its frames 'clip' leads out of .*secret\.jpg"):
        TrainConfig(data=str(path))


def test_of_thousands_of_paths_each_and_each_folder_is_looked_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in range(20):
        (tmp_path / str(folder)).mkdir()
    fields = [f"{number % 20}/{number}.wav" for number in range(5000)]
    for field in fields[::10]:
        (tmp_path / field).touch()
    listed = [(number, {"sound": field}) for number, field in enumerate(fields)]
    looked_at: list[str] = []
    monkeypatch.setattr(os.path, "islink", lambda path: looked_at.append(path) or False)
    monkeypatch.setattr(os.path, "realpath", lambda path: looked_at.append(str(path)) or str(path))
    assert leading_out(tmp_path / "samples.csv", tmp_path, listed, {"sound": "audio"}) is None
    assert len(looked_at) == len(set(looked_at)) == 5000 + 20 + 1  # every file, every folder, and the root


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("label,picture\ncat,0.jpg\ndog,{long}.jpg\n", "line 3: its picture"),
        ("label,picture\ncat,0.jpg\ndog," + "a/" * 3000 + "1.jpg\n", "line 3: its picture"),
        ("label,note\ncat,a\ndog," + "x" * 140_000 + "\n", "line 3: field larger than field limit (131072)"),
        ('label,note\ncat,"' + "x\n" * 70_000, "field larger than field limit"),
        ("label,note\ncat,a\x00b\ndog,b\n", "line 2 holds a NUL byte"),
        ("label," + ",".join(f"c{n}" for n in range(1_000_000)) + "\ncat,a\n", "line 1: found 1,000,001 columns"),
        ("label,{long}\ncat,a\ndog,b\n", "line 1: the column"),
        ("label,note\ncat,a\n{long},b\n", "line 3: its label has 300 characters"),
        ('label,split,note\ncat,train,a\ndog,"tr\nain",b\n', "found the split 'tr\\nain'"),
        ('id,label,note\n"a\nb",cat,a\n"a\nb",dog,b\n', "the id 'a\\nb' stands in the file twice"),
        ('"la\nbel",note\ncat,a\n', "found the columns la bel, note"),
        ("label,note\ncat,a\ndog" + ",b" * 500_000 + "\n", "line 3: found 500001 fields, expected 2"),
    ],
)
def test_a_list_beyond_measure_is_one_line(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "samples.csv"
    path.write_text(text.replace("{long}", 300 * "x"))
    start = time.perf_counter()
    with pytest.raises(UserError) as caught:
        TrainConfig(data=str(path))
    assert time.perf_counter() - start < TEN_SECONDS
    assert str(path) in str(caught.value) and told in str(caught.value)
    assert "\n" not in str(caught.value) and len(str(caught.value)) <= 500


def test_control_codes_in_labels_are_spelt_out_and_a_long_text_is_a_text(tmp_path: Path) -> None:
    path = tmp_path / ("n" * 240 + ".csv")
    path.write_text("label,note\n\x1b[31mred,a\nblue," + "word " * 26_000 + "\n")
    found = data.of(TrainConfig(data=str(path)).data)
    assert found.classes == ("\\x1b[31mred", "blue")
    assert len(found.name) <= 80  # folders of the cache are named after it
    arrays_ = [found.read(sample)["note"] for sample in found.index(tmp_path, "train")]
    assert [int(each[1].sum()) for each in arrays_] == [1, found.options.tokens]  # type: ignore[attr-defined]


def test_words_of_long_texts_are_counted_within_bounds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("igmsweep.data.table_facts.CHARACTERS", 100_000)
    texts = [{"note": " ".join(f"w{number * 7 + k}" for k in range(20_000))} for number in range(200)]
    counted: list[str] = []
    monkeypatch.setattr("igmsweep.data.text.words", lambda each: counted.append(each) or each.split())
    facts = look(tmp_path, texts, {"note": "text"})
    assert 50_000 < sum(map(len, counted)) <= 100_000
    assert facts.words is not None and facts.words >= 512  # what a text may have at most
    assert facts.vocabulary is not None and facts.vocabulary > 500


# ---- what is no file, or too large a one ----


def pipe(path: Path) -> None:
    os.mkfifo(path)


def folder(path: Path) -> None:
    path.mkdir()


def a_socket(path: Path) -> None:
    here = os.getcwd()
    os.chdir(path.parent)  # a socket's path is short
    try:
        socket.socket(socket.AF_UNIX).bind(path.name)
    finally:
        os.chdir(here)


def enormous(path: Path) -> None:
    path.touch()
    os.truncate(path, 2**43)  # a hole of 8 TiB


@pytest.mark.parametrize("suffix", [".wav", ".jpg", ".mp4", ".npy"])
@pytest.mark.parametrize(
    ("make", "told"),
    [(pipe, "is a pipe"), (folder, "is a folder"), (a_socket, "is a socket"), (enormous, "more than 4 GiB")],
)
def test_what_is_no_file_of_a_sane_size_is_not_opened(
    tmp_path: Path, make: Callable[[Path], None], told: str, suffix: str
) -> None:
    path = tmp_path / f"1{suffix}"
    make(path)
    kind = {".wav": "audio", ".jpg": "image", ".mp4": "video", ".npy": "image"}[suffix]
    assert not headers.vouched(path, kind)
    read: Any = {
        "audio": lambda: audio.read_sound(path, 16000),
        "image": lambda: arrays.read(path) if suffix == ".npy" else frames.open_picture(path),
        "video": lambda: frames.read_clip(path, (8, 8), 1, "uniform"),
    }[kind]
    with pytest.raises(BadFile, match=told) as caught:
        read()
    assert caught.value.kind == "unreadable"
    if make is not folder:
        assert digests.file_digest(path) == digests.UNREADABLE if make is enormous else not digests._files(path)


def test_a_device_is_not_opened(tmp_path: Path) -> None:
    (tmp_path / "0.jpg").symlink_to("/dev/zero")
    with pytest.raises(BadFile, match="is a device, expected a file"):
        frames.open_picture(tmp_path / "0.jpg")


# ---- what asks for more than it is ----


def npy(path: Path, header: str, content: bytes = bytes(64)) -> None:
    told = header.encode().ljust(117) + b"\n"
    path.write_bytes(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(told)) + told + content)


@pytest.mark.parametrize(
    ("descr", "shape", "told"),
    [
        ("'<f4'", "(1000000, 1000000)", "truncated"),
        ("'<f4'", "(4611686018427387904, 4611686018427387904)", "truncated"),
        ("'<f4'", "(-1,)", "truncated"),
        ("'|O'", "(4,)", "array of object"),
        ("[('a', '<f4'), ('b', '<i4')]", "(4,)", "expected numbers"),
        ("'<U4'", "(4,)", "expected numbers"),
        ("'<c8'", "(4,)", "expected numbers"),
        ("'nonsense'", "(4,)", "not readable as an array"),
        ("'<f4'", "(((((", "not readable as an array"),
    ],
)
def test_an_array_is_no_larger_than_its_file_and_holds_numbers(
    tmp_path: Path, descr: str, shape: str, told: str
) -> None:
    path = tmp_path / "0.npy"
    npy(path, f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert headers.array(path) is None
        with pytest.raises(BadFile, match=told):
            arrays.read(path)


def test_an_array_beyond_the_limit_and_a_zip_in_its_place_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "0.npz", np.zeros(4))
    (tmp_path / "0.npz").rename(tmp_path / "0.npy")
    with pytest.raises(BadFile, match="not readable as an array"):
        arrays.read(tmp_path / "0.npy")
    npy(tmp_path / "1.npy", "{'descr': '|i1', 'fortran_order': False, 'shape': (100000000,), }")
    os.truncate(tmp_path / "1.npy", 100_001_000)  # a hole
    with pytest.raises(BadFile, match="holds 100,000,000 numbers, expected at most 67,108,864"):
        arrays.read(tmp_path / "1.npy")
    np.save(tmp_path / "2.npy", np.arange(6).reshape(2, 3))
    assert headers.array(tmp_path / "2.npy") == arrays.read(tmp_path / "2.npy").shape == (2, 3)


def png(path: Path, width: int, height: int) -> None:
    """A PNG of one bit a pixel whose rows are all there, though hardly a byte is."""

    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    head = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(bytes(4096))) + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize(("width", "height"), [(10_001, 10_000), (13_000, 13_000), (60_000, 60_000)])
def test_a_picture_of_too_many_pixels_is_refused_without_a_warning(tmp_path: Path, width: int, height: int) -> None:
    path = rows(tmp_path, "cat,bomb.png")
    png(tmp_path / "bomb.png", width, height)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        config = TrainConfig(data=str(path))
        (remark,) = check(*data.at_hand(config.data)).parts["train"].remarks
        with pytest.raises(BadFile, match="pixels"):
            frames.looks_grey(tmp_path / "bomb.png")
    assert remark.kind == "unreadable" and "pixels" in remark.text and "100,000,000" in remark.text


def test_a_picture_below_the_limit_is_read_without_a_warning(tmp_path: Path) -> None:
    Image.new("1", (9600, 9600)).save(tmp_path / "large.png")  # 92 million: Pillow warns
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert frames.read_picture(tmp_path / "large.png", (8, 8), 1).shape == (1, 8, 8)


def test_texts_in_a_picture_do_not_unpack_without_end_and_no_program_is_run_for_one(tmp_path: Path) -> None:
    info = PngImagePlugin.PngInfo()
    for number in range(4):
        info.add_text(f"k{number}", "x" * 50_000_000, zip=True)
    Image.new("L", (8, 8)).save(tmp_path / "text.png", pnginfo=info)
    with pytest.raises(BadFile, match="not readable as a picture"):
        frames.open_picture(tmp_path / "text.png")
    (tmp_path / "script.png").write_text("%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n%%EndComments\nshowpage\n")
    with pytest.raises(BadFile, match="cannot identify"):
        frames.open_picture(tmp_path / "script.png")


def waves(path: Path, rate: int, channels: int = 1, count: int = 1000, content: bytes | None = None) -> None:
    content = bytes(range(256)) * 8 if content is None else content
    head = struct.pack("<HHIIHH", 1, channels % 65536, rate, rate * 2 % 2**32, channels * 2 % 65536, 16)
    body = b"WAVEfmt " + struct.pack("<I", 16) + head + b"data" + struct.pack("<I", len(content)) + content
    path.write_bytes(b"RIFF" + struct.pack("<I", len(body)) + body)


@pytest.mark.parametrize(
    ("rate", "channels"), [(0, 1), (1, 1), (99, 1), (10**9, 1), (16000, 0), (16000, 500), (16000, 65535)]
)
def test_a_sound_of_an_absurd_rate_or_number_of_channels_is_refused(tmp_path: Path, rate: int, channels: int) -> None:
    path = tmp_path / "0.wav"
    waves(path, rate, channels)
    assert not headers.sound(path)
    for read in (lambda: audio.read_sound(path, 16000, 5.0), lambda: audio.header(path)):
        with pytest.raises(BadFile) as caught:
            read()
        assert caught.value.kind in ("unreadable", "empty")


def flac(path: Path, seconds: int) -> None:
    """A FLAC file whose header claims a length."""
    soundfile.write(path, tone(0, 2.0), 16000)
    content = bytearray(path.read_bytes())
    samples = seconds * 16000
    content[21] = content[21] & 0xF0 | samples >> 32
    content[22:26] = struct.pack(">I", samples & 0xFFFFFFFF)
    path.write_bytes(content)


def test_a_header_that_claims_hours_costs_neither_time_nor_memory(tmp_path: Path) -> None:
    path = tmp_path / "0.flac"
    flac(path, 5 * 3600)
    with pytest.raises(BadFile, match=r"lasts 5\.0 h, expected at most 4"):
        audio.read_sound(path, 16000, 5.0)
    flac(path, 3 * 3600)
    assert not headers.sound(path)
    start = time.perf_counter()
    with pytest.raises(BadFile, match="not readable as sound"):
        audio.read_sound(path, 16000, 5.0)
    assert time.perf_counter() - start < TEN_SECONDS


def test_of_a_long_sound_only_its_beginning_is_read_and_that_is_the_same(tmp_path: Path) -> None:
    wave = np.concatenate([tone(0, 70.0, 8000), np.ones(80_000, np.float32)])
    wav(tmp_path / "0.wav", wave, 8000)
    whole = audio.read_sound(tmp_path / "0.wav", 8000)
    some = audio.read_sound(tmp_path / "0.wav", 8000, 5.0)
    assert (len(whole), len(some)) == (80 * 8000, 60 * 8000)
    assert np.array_equal(some, whole[: len(some)])
    assert len(audio.read_sound(tmp_path / "0.wav", 8000, 65.0)) == 66 * 8000


def test_of_a_long_film_only_the_beginning_of_its_sound_is_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audio, "WHOLE", 1.0)
    video(tmp_path / "0.mp4", 0, 3, "4", "libx264", "aac")
    assert len(audio.read_sound(tmp_path / "0.mp4", 16000, 1.0)) == 2 * 16000


@pytest.mark.parametrize(
    ("limit", "most", "told"),
    [("video.FRAMES", 5, "more than 5 frames"), ("limits.SECONDS", 1.0, "lasts"), ("video.FRAME", 100, "pixels")],
)
def test_a_film_without_end_or_of_an_absurd_size_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: str, most: float, told: str
) -> None:
    path = tmp_path / "0.mp4"
    video(path, 0, 3, "4", "libx264", "aac")
    monkeypatch.setattr(f"igmsweep.data.{limit}", most)
    monkeypatch.setattr("igmsweep.data.headers.FRAMES", 5)
    headers._packets.cache_clear()
    assert not headers.vouched(path, "video")
    with pytest.raises(BadFile, match=told):
        frames.read_clip(path, (8, 8), 2, "uniform")


def test_of_a_film_of_hours_not_all_frames_are_held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "0.mp4"
    video(path, 0, 40, "1", "libx264", None)
    every = frames.read_clip(path, (8, 8), 40, "uniform")
    monkeypatch.setattr(frames, "KEPT", 10 * every[0].nbytes)
    held = frames.read_clip(path, (8, 8), 2, "uniform")
    taken = [next(n for n, each in enumerate(every) if np.array_equal(each, one)) for one in held]
    assert taken == [8, 28]  # of every fourth; of all it would be 10 and 30


def whatever_happens(path: Path, kind: str) -> None:
    """Look at a file and read it: it can be read or is a BadFile."""
    headers.vouched(path, kind)
    for read in (
        lambda: audio.header(path),
        lambda: audio.read_sound(path, 16000, 1.0),
        lambda: kind == "audio" or frames.read_clip(path, (8, 8), 1, "uniform"),
    ):
        with contextlib.suppress(BadFile):
            read()


def test_a_damaged_mp3_whose_length_comes_out_negative_is_a_bad_file(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "0.mp3", tone(0, 1.0), 16000)
    whole = (tmp_path / "0.mp3").read_bytes()
    for place in range(0, len(whole), 97):  # a hole of 300 bytes at each
        (tmp_path / "1.mp3").write_bytes(whole[:place] + bytes(300) + whole[place + 300 :])
        whatever_happens(tmp_path / "1.mp3", "audio")


def test_a_film_with_streams_that_come_late_or_that_no_decoder_knows_is_a_bad_file(tmp_path: Path) -> None:
    video(tmp_path / "0.flv", 0, 1, "10", "flv1", "libmp3lame")
    whole = (tmp_path / "0.flv").read_bytes()
    for place in [place for place, byte in enumerate(whole) if byte in (8, 9)]:  # what tags begin with, among others
        (tmp_path / "1.flv").write_bytes(whole[:place] + b"\x05" + whole[place + 1 :])
        whatever_happens(tmp_path / "1.flv", "video")
    video(tmp_path / "0.mp4", 0, 1, "10", "libx264", "aac")
    path = tmp_path / "1.mp4"
    path.write_bytes((tmp_path / "0.mp4").read_bytes().replace(b"avc1", b"zzzz"))
    assert not headers.vouched(path, "video") and headers.vouched(path, "audio")
    with pytest.raises(BadFile, match="its video is coded in a way that no decoder knows"):
        frames.read_clip(path, (8, 8), 1, "uniform")
    assert len(audio.read_sound(path, 16000)) > 10_000


@pytest.mark.parametrize(
    "text", ["#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{other}\n", "ffconcat version 1.0\nfile other.mp4\n"]
)
def test_a_playlist_in_a_films_place_opens_no_other_file(tmp_path: Path, text: str) -> None:
    video(tmp_path / "other.mp4", 0, 2, "4", "libx264", "aac")
    (tmp_path / "0.mp4").write_text(text.replace("{other}", str(tmp_path / "other.mp4")))
    with pytest.raises(BadFile, match="not readable as a video"):
        frames.read_clip(tmp_path / "0.mp4", (8, 8), 1, "uniform")


# ---- the whole way ----


def test_samples_are_drawn_though_their_labels_and_texts_look_like_formulas(tmp_path: Path) -> None:
    path = tmp_path / "samples.csv"
    path.write_text("label,note\n$\\frac{$,it costs $5 or $\\sqrt{\n$x_$,$$$\n")
    config = TrainConfig(data=str(path))
    write_sheet(*data.at_hand(config.data), tmp_path / "sheet.png")
    assert (tmp_path / "sheet.png").stat().st_size > 1000


def test_a_hostile_data_set_is_told_file_by_file_and_trains_on_the_rest(tmp_path: Path) -> None:
    root = tmp_path / "mine"
    jpegs(root, 0, [f"{number}.jpg" for number in range(12)])
    lines = [f"{'cat' if number % 2 else 'dog'},{number}.jpg" for number in range(12)]
    png(root / "bomb.png", 60_000, 60_000)
    os.mkfifo(root / "pipe.jpg")
    (root / "folder.jpg").mkdir()
    enormous(root / "hole.jpg")
    lines += ["cat,bomb.png", "dog,pipe.jpg", "cat,folder.jpg", "dog,hole.jpg"]
    (root / "samples.csv").write_text("label,picture\n" + "\n".join(lines) + "\n")
    start = time.perf_counter()
    config = TrainConfig.new(
        str(root), "igm", {"data.bad_files": "skip", "data.bad_share": 0.5, "data.cache": tmp_path / "c"}
    )
    for decode in (False, True):
        remarks = check(*data.at_hand(config.data), decode).parts["train"].remarks
        told = "\n".join(remark.text for remark in remarks)
        assert [remark.kind for remark in remarks] == 4 * ["unreadable"]
        assert all(words in told for words in ("pixels", "is a pipe", "is a folder", "more than 4 GiB"))
    found = data.load_search(config.override({"data.val_fraction": 0.25}).data)
    assert len(found.train) + len(found.val) == 12 and len(found.skipped) == 4
    assert time.perf_counter() - start < TEN_SECONDS
