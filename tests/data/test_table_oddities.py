"""CSV files and media as people have them: other separators, empty cells, odd names, turned and transparent pictures."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from av_trees import jpegs, tone, wav
from PIL import Image

from igmsweep import data
from igmsweep.config import TrainConfig
from igmsweep.data.check import check
from igmsweep.data.table import Table
from igmsweep.data.table_file import read_rows
from igmsweep.errors import DataError, UserError
from igmsweep.train import train

ROWS = 12


def table(root: Path, header: str, row: Callable[[int], str], rows: int = ROWS) -> Path:
    """Rows of two labels, `row` gives the other fields."""
    root.mkdir(exist_ok=True)
    (root / "odd.csv").write_text(
        "\n".join([header, *(f"{'ab'[n % 2]},{row(n)}" for n in range(rows))]) + "\n", encoding="utf-8"
    )
    return root / "odd.csv"


def first(path: Path, **options: Any) -> dict[str, np.ndarray]:
    dataset = data.of(TrainConfig.new(str(path), "igm", {f"data.options.{k}": v for k, v in options.items()}).data)
    return dataset.read(dataset.index(path.parent, "train")[0])


@pytest.mark.parametrize(
    "content",
    [
        '\ufefflabel,note\r\na,"x, and\r\n""y"""\r\nb,z\r\n',
        'label,note\ra,"x, and\r""y"""\rb,z\r',
        'label;note\na;"x, and\n""y"""\nb;z\n',
        'label\tnote\na\t"x, and\n""y"""\nb\tz\n',
        'label, note\na, "x, and\n""y"""\nb, z\n',
        ',label,note\n0,a,"x, and\n""y"""\n1,b,z\n',  # as pandas writes its index
    ],
)
def test_separators_line_ends_and_an_index_make_no_difference(tmp_path: Path, content: str) -> None:
    (tmp_path / "odd.csv").write_bytes(content.encode())
    rows, columns = read_rows([tmp_path / "odd.csv"], tmp_path)
    assert columns == ["note"]
    assert [(row["label"], row["note"]) for _, row in rows] == [("a", 'x, and\n"y"'), ("b", "z")]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("lable,note\na,x\nb,y\n", "expected `label` among them; is it 'lable'\\? Rename that"),
        ("Class,note\na,x\nb,y\n", "is it 'Class'\\? Rename that"),
        ("label,my note\na,x\nb,y\n", "found the column 'my note', expected letters, digits and _, such as 'my_note'"),
        ("label,note,\na,x,\nb,y,\n", r"found a column without a name among label, note, \(no name\), expected"),
        (",label\nq,a\nr,b\n", r"found a column without a name among \(no name\), label"),  # which is no index
        (
            ",".join(["label", *map(str, range(99)), "7"]) + "\n",
            r"the name '7' twice among label, 0, .* 6 and 93 more, expected",
        ),
        (",".join(map(str, range(99))) + "\n", r"found the columns 0, .*, 7 and 91 more, expected `label` among them"),
        ("label,note\n", "has no row below its header"),
        ("label,note\na,x\na,y\n", "has 2 rows of the one label 'a', expected rows of two labels or more"),
        ('label,note\na,"x\nb,y\n', r"line 3: unexpected end of data; expected quotes around whole fields"),
        ('label,note\na,"he said "x", and"\nb,y\n', "line 2: .* and two for one within"),
        ("label,note,title\na,,x\nb,,y\n", "the column note is empty in every row"),
        (
            "label,picture\na,https://x.org/1.jpg\nb,https://x.org/2.jpg\n",
            "the address 'https://x.org/1.jpg', expected",
        ),
        ("label,thing\na,1.jpg\nb,2.wav\na,3.jpg\n", r"line 3: found '2\.wav' in the column thing, expected a picture"),
        ("label,sound\na,1.wav\nb,n/a\n", "line 3: found 'n/a' .* expected a sound such as '1.wav', or nothing"),
        (
            "label,scan\na,1.dcm\nb,2.dcm\n",
            "the column scan names files that are not read, such as '1.dcm'; expected one",
        ),
    ],
)
def test_what_is_wrong_is_one_line(tmp_path: Path, content: str, words: str) -> None:
    (tmp_path / "1.dcm").touch()
    (tmp_path / "odd.csv").write_text(content)
    with pytest.raises(UserError, match=words) as caught:
        Table(tmp_path / "odd.csv")
    assert "\n" not in str(caught.value)


def test_another_encoding_is_named_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "odd.csv").write_bytes("label,note\na,é\nb,y\n".encode("latin-1"))
    with pytest.raises(DataError, match=r"odd\.csv: line 2 is not UTF-8"):
        Table(tmp_path / "odd.csv")


def test_a_first_text_longer_than_any_file_s_name_is_a_text(tmp_path: Path) -> None:
    path = table(tmp_path, "label,note", lambda n: "word " * 1000)
    assert Table(path).modalities["note"].kind == "text"


def test_few_texts_that_end_like_files_are_texts(tmp_path: Path) -> None:
    path = table(tmp_path, "label,note", lambda n: "see 1.jpg" if n % 3 == 0 else "or not")
    assert Table(path).modalities["note"].kind == "text"


def test_names_of_any_alphabet_and_of_python_s_own_train(tmp_path: Path) -> None:
    path = table(tmp_path, "label,文本,type,items", lambda n: f"你好,x {n},y")
    config = TrainConfig.new(
        str(path), "igm", {"data.cache": str(tmp_path / "cache"), "stages.cycles": 1, "stages.epochs": 1}
    )
    metrics = train(config).metrics
    assert {"val/文本/acc", "val/type/acc", "val/items/acc"} <= metrics.keys()


def test_paths_may_be_absolute_or_written_by_windows(tmp_path: Path) -> None:
    elsewhere = tmp_path / "one" / "elsewhere"
    for number in range(ROWS):
        jpegs(elsewhere / "p", number % 2, [f"{number}.jpg"], number)
    absolute = first(table(tmp_path / "one", "label,picture", lambda n: f"{elsewhere}/p/{n}.jpg"))
    windows = first(table(elsewhere, "label,picture", lambda n: f"p\\{n}.jpg"))
    np.testing.assert_array_equal(absolute["picture"], windows["picture"])


def test_an_empty_cell_is_a_missing_file_and_an_empty_text_is_used(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(ROWS):
        wav(tmp_path / f"{number}.wav", tone(number % 2, 0.3, 8000, number), 8000)
    path = table(tmp_path, "label,sound,note", lambda n: f"{'' if n == 3 else f'{n}.wav'},{'' if n == 4 else 'x'}")
    report = check(Table(path), tmp_path)
    remarks = report.parts["train"].remarks
    assert [(each.kind, each.text) for each in remarks] == [
        ("missing", f"{path}: row5: its sound is empty"),
        ("no words", f"{path}: row6: its note is empty"),
    ]
    assert report.unusable == 1
    assert "texts without a word are used as they are" in report.lines()
    config = TrainConfig.new(str(path), "igm", {"data.cache": str(tmp_path / "cache")}).data
    with pytest.raises(DataError, match=r"1 of 12 samples have a bad file \(1 missing\).*row5: its sound is empty"):
        data.load_search(config)
    allowed = {"data.cache": str(tmp_path / "cache"), "data.bad_files": "skip", "data.bad_share": 0.1}
    short = TrainConfig.new(str(path), "igm", {**allowed, "stages.cycles": 1, "stages.epochs": 1})
    left = data.load_search(short.data)
    assert len(left.train) + len(left.val) == ROWS - 1
    train(short)
    assert caplog.messages.count("train: of 12 samples, 1 is left out (1 missing)") == 1  # `train` says it too


def test_sounds_of_many_forms_become_one(tmp_path: Path) -> None:
    """Mono and stereo, 8 to 32 bits, 8 to 48 kHz: the same word within a spectrogram's noise."""
    forms = [(8000, 1, "PCM_16"), (44100, 2, "PCM_24"), (16000, 1, "FLOAT"), (48000, 2, "PCM_U8")]
    for number in range(ROWS):
        rate, channels, subtype = forms[number % 4]
        word = np.sin(2 * np.pi * 440 * np.arange(rate // 2) / rate).astype(np.float32) / 2
        soundfile.write(tmp_path / f"{number}.wav", np.stack([word] * channels, 1), rate, subtype=subtype)
    path = table(tmp_path, "label,sound", lambda n: f"{n}.wav")
    dataset = Table(path)
    assert (dataset.with_options({}).options.rate, dataset.modalities["sound"].shape) == (8000, (1, 40, 32))
    spectra = [dataset.read(sample)["sound"] for sample in dataset.index(tmp_path, "train")[:4]]
    peaks = [spectrum.mean(axis=1).argmax() for spectrum in spectra]
    assert len(set(peaks)) == 1


def test_sounds_and_arrays_with_nan_are_named(tmp_path: Path) -> None:
    for number in range(ROWS):
        word = tone(number % 2, 0.3, 8000, number).astype(np.float32)
        word[7] = np.nan if number == 2 else word[7]
        soundfile.write(tmp_path / f"{number}.wav", word, 8000, subtype="FLOAT")
        np.save(tmp_path / f"{number}.npy", np.full((2, 3), np.inf if number == 5 else 1.0))
    path = table(tmp_path, "label,sound,vector", lambda n: f"{n}.wav,{n}.npy")
    found = [each.text for each in check(Table(path), tmp_path, decode=True).parts["train"].remarks]
    assert found == [f"{tmp_path}/2.wav: holds NaN or infinity", f"{tmp_path}/5.npy: holds NaN or infinity"]


def test_arrays_of_another_shape_are_named_without_decoding(tmp_path: Path) -> None:
    for number in range(ROWS):
        np.save(tmp_path / f"{number}.npy", np.arange(6 + (number == 4), dtype=np.int64 if number == 0 else np.float64))
    path = table(tmp_path, "label,vector", lambda n: f"{n}.npy")
    report = check(Table(path), tmp_path)
    (remark,) = report.parts["train"].remarks
    assert remark.text == f"{tmp_path}/4.npy: is an array of 1 x 1 x 7, expected 1 x 1 x 6 as the first of its column"
    assert any("as nothing can stand in the files' place" in line for line in _lines(path, "blank"))
    assert not any("grey pictures" in line for line in _lines(path, "error"))
    assert first(path)["vector"].dtype == np.float32  # whole numbers first: the others keep their fractions


def _lines(path: Path, bad_files: str) -> list[str]:
    return check(Table(path), path.parent, bad_files=bad_files).lines()


@pytest.mark.parametrize(
    "array", [np.array(["x"]), np.array(1.0), np.zeros((1,) * 5), np.array([1j])], ids=["text", "0", "5", "complex"]
)
def test_arrays_that_no_encoder_reads_are_one_line(tmp_path: Path, array: np.ndarray) -> None:
    np.save(tmp_path / "0.npy", array)
    path = table(tmp_path, "label,vector", lambda n: "0.npy")
    with pytest.raises(DataError, match=r"0\.npy: is .*, expected numbers( of 1 to 4 axes)?; nor can any other"):
        TrainConfig.new(str(path), "igm", {})


def test_pictures_are_read_as_people_see_them(tmp_path: Path) -> None:
    """16 bits keep their shades, transparency lies on white, EXIF turns a picture, and one of a GIF's frames is taken."""
    ramp = np.linspace(0, 65535, 16 * 16).reshape(16, 16).astype(np.uint16)
    Image.fromarray(ramp).save(tmp_path / "deep.png")
    Image.fromarray(ramp).save(tmp_path / "deep.tif")
    drawing = np.zeros((16, 16, 4), np.uint8)
    drawing[8:, :, 3] = 255  # black, and black that is not seen
    Image.fromarray(drawing).save(tmp_path / "clear.png")
    halves = Image.fromarray(np.repeat(np.array([[0], [255]], np.uint8), 8, axis=0).repeat(16, axis=1))
    exif = halves.getexif()
    exif[0x0112] = 6  # to be turned clockwise
    halves.save(tmp_path / "turned.jpg", exif=exif)
    halves.save(tmp_path / "moving.gif", save_all=True, append_images=[halves.rotate(180)])

    def read(name: str) -> np.ndarray:
        path = table(tmp_path, "label,picture", lambda n: name)
        return first(path, colour="grey", size=16)["picture"][0, 0]

    for name in ("deep.png", "deep.tif"):
        np.testing.assert_array_equal(read(name), ramp >> 8)
    clear = read("clear.png")
    assert (clear[:8].min(), clear[8:].max()) == (255, 0)
    turned = read("turned.jpg")
    assert (turned[:, :7].min(), turned[:, 9:].max()) > (250, 0) and turned[:, 9:].max() < 5
    assert (read("moving.gif")[:8].max(), read("moving.gif")[8:].min()) == (0, 255)
    Image.fromarray(np.ones((16, 16), np.float32)).save(tmp_path / "float.tif")
    with pytest.raises(DataError, match=r"float\.tif: .* floating-point numbers, expected 8 or 16 bits"):
        read("float.tif")


def test_a_class_too_small_to_cut_is_named(tmp_path: Path) -> None:
    path = tmp_path / "odd.csv"
    path.write_text("label,note\n" + "a,x\n" * 8 + "b,y\n" * 8 + "rare,z\n")
    with pytest.raises(
        DataError, match=r"class 'rare' has 1 sample, fewer than the 2 parts to cut \(so have 1 of 3 classes\)"
    ):
        data.listed(TrainConfig(data=str(path)).data).cut(TrainConfig(data=str(path)).data)
