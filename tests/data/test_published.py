"""What differs from the published data set is told, also where there is more of it."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import pytest
import typer
from av_trees import cremad_prepared

from igmsweep import data
from igmsweep.cli.data import data_check
from igmsweep.data import places, published
from igmsweep.data.check import check
from igmsweep.data.cremad import CREMAD
from igmsweep.data.kinetics_sounds import KINETICS_SOUNDS
from igmsweep.data.twitter2015 import TWITTER2015
from igmsweep.errors import DataError
from igmsweep.schema.sections import DataConfig


@pytest.fixture(autouse=True)
def _own_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


def twitter2017(root: Path) -> Path:
    """Its lists, larger than Twitter2015's, without pictures."""
    root.mkdir()
    for stem, count in {"train": 3562, "dev": 1176, "test": 1234}.items():
        lines = [f"{row}\t{row % 3}\t{stem}{row // 2}.jpg\t$T$ and more\tBob" for row in range(count)]
        (root / f"{stem}.tsv").write_text(
            "index\t#1 Label\t#2 ImageID\t#3 String\t#3 String\n" + "\n".join(lines) + "\n"
        )
    return root


def checked(
    name: str, root: Path | None, capsys: pytest.CaptureFixture[str], **options: bool
) -> tuple[int, list[str], str]:
    """Exit code, lines of the report, what is said beside it."""
    with pytest.raises(typer.Exit) as left:
        data_check(name, root, **options)
    out, err = capsys.readouterr()
    return left.value.exit_code, out.splitlines(), err


def test_lists_of_twitter2017_are_no_twitter2015(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, lines, said = checked("twitter2015", twitter2017(tmp_path / "t"), capsys)
    assert code == 1
    assert lines[-3:] == [
        "amiss: train: 3,562 samples listed, 3,179 published",
        "amiss: val: 1,176 samples listed, 1,122 published",
        "amiss: test: 1,234 samples listed, 1,037 published",
    ]
    assert not any("nothing amiss" in line for line in lines)
    assert len(lines) < 20  # of 2,986 pictures none is there
    assert any(
        line.startswith(
            "missing    train 3,562 samples in twitter2015_images/: train-00000, train-00001, train-00002 and 3,559 more"
        )
        and line.endswith("there is no twitter2015_images/ here")
        for line in lines
    )
    assert (
        "is not remembered as twitter2015's folder: 3,562 of 3,562 train samples have a bad file, as there is no twitter2015_images/"
        in said
    )


def test_all_prints_every_remark(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, lines, _ = checked("twitter2015", twitter2017(tmp_path / "t"), capsys, every=True)
    assert sum(line.startswith("missing") for line in lines) == 3562 + 1176 + 1234


def test_a_folder_that_does_not_work_replaces_no_good_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good = cremad_prepared(tmp_path / "good")
    code, _, said = checked("cremad", good, capsys)
    assert (code, places.remembered()) == (1, {"cremad": good})
    assert "remembered where cremad is" in said
    lists = tmp_path / "lists"
    (lists / "annotations").mkdir(parents=True)
    for name in ("train.csv", "test.csv"):
        (lists / "annotations" / name).write_bytes((good / "annotations" / name).read_bytes())
    _, lines, said = checked("cremad", lists, capsys)
    assert places.remembered() == {"cremad": good}
    assert "no AudioWAV/ and no VideoFlash/ here" in said
    assert sum("there is no AudioWAV/ here" in line for line in lines) == 2  # train and test
    assert len(lines) < 16


def test_cremad_s_test_list_alone_is_an_error_of_the_check(tmp_path: Path) -> None:
    root = cremad_prepared(tmp_path / "c")
    (root / "annotations" / "train.csv").unlink()
    with pytest.raises(DataError, match=r"test\.csv: is there, but no train list beside it") as caught:
        data_check("cremad", root)
    assert caught.value.exit_code == 1
    assert places.remembered() == {}


def test_nothing_amiss_is_said_only_where_it_is_so(tmp_path: Path) -> None:
    root = cremad_prepared(tmp_path / "c")
    twin = copy.copy(CREMAD)
    twin.expected = {"train": 36, "test": 18}
    report = check(twin, root)
    assert report.clean and report.lines()[-1] == "found nothing amiss"
    (root / "annotations" / "test.csv").unlink()
    report = check(twin, root)
    assert not report.clean
    assert "found nothing amiss" not in report.lines()
    assert report.lines()[-1].startswith("amiss: test: ")
    assert "has no test list of CREMA-D: looked for test.csv" in report.lines()[-1]


def test_round_published_figures_are_met_nearly_and_a_missing_list_is_called_that() -> None:
    assert published.differing(KINETICS_SOUNDS, {"train": 14_799, "val": 0, "test": 2_597}) == [
        "val: no list, about 1,900 samples published; validation is carved from train",
        "test: 2,597 samples listed, about 1,900 published",
    ]
    assert published.differing(TWITTER2015, {"train": 3179, "val": 1122, "test": 1037}) == []


def test_samples_of_two_lists_are_told(tmp_path: Path) -> None:
    root = cremad_prepared(tmp_path / "c")
    train = (root / "annotations" / "train.csv").read_text("utf-8-sig").splitlines()
    (root / "annotations" / "test.csv").write_text("\n".join(train[:4]) + "\n")
    report = check(CREMAD, root)
    assert any(line.startswith("train and test share 4 samples, such as 1001_IEO_") for line in report.departures)
    assert json.loads(json.dumps(report.as_dict()))["departures"] == list(report.departures)


def test_a_search_is_told_what_it_trains_on(tmp_path: Path) -> None:
    root = cremad_prepared(tmp_path / "c")
    options = {"size": 16, "crop": 16}
    found = data.load_search(DataConfig(name="cremad", root=root, cache=tmp_path / "cache", options=options))
    assert found.warnings == ["train: 36 samples listed, 6,698 published"]
