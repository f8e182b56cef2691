"""Paths that lead nowhere, and links that lead out."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from igmsweep.config import TrainConfig
from igmsweep.errors import UserError
from igmsweep.gate.files import is_folder, regular
from igmsweep.gate.paths import astray, full, refuse_links


@pytest.mark.parametrize("name", ["~nosuchuser/x", "a\0b", "x" * 5000, "loop/x"])
def test_what_is_no_path_is_one_line_that_names_the_key(tmp_path: Path, monkeypatch, name: str) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(UserError, match=r"^data\.root: .* is no path here \(") as refused:
        full(name, "data.root")
    assert len(str(refused.value)) < 200
    assert not regular(Path(name)) and not is_folder(Path(name))


def test_what_is_not_there_yet_is_a_path_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert full(tmp_path / "a" / ".." / "b") == tmp_path / "b"
    assert full(tmp_path / "file" / "below") == tmp_path / "file" / "below"
    assert full("~/x") == Path.home() / "x"


@pytest.mark.parametrize(
    "values",
    [
        {"method": {"name": "igm", "preset": []}},
        {"method": {"name": "igm", "preset": {}}},
        {"method": "y" * 3000 + ".py:M"},
        {"data": "x" * 5000},
        {"data": "~nosuchuser/samples.csv"},
        {"data": "a\0b.csv"},
        {"seed": 10**5000},
    ],
    ids=["list", "mapping", "long method", "long data", "no user", "nul", "digits"],
)
def test_a_configuration_of_odd_values_is_one_short_line(values: dict) -> None:
    with pytest.raises(UserError) as refused:
        TrainConfig(**{"data": "avdigits", **values})
    assert len(str(refused.value)) <= 500 and str(refused.value).isprintable()


def test_links_out_of_a_folder_and_pipes(tmp_path: Path) -> None:
    home = tmp_path / "sweep"
    (home / "trials" / "00000").mkdir(parents=True)
    (tmp_path / "elsewhere").mkdir()
    (home / "trials" / "00000" / "metrics.jsonl").symlink_to(tmp_path / "elsewhere" / "notes")
    (home / "trials" / "00001").symlink_to(tmp_path / "elsewhere")
    (home / "trials" / "00002").symlink_to("00000")
    (home / "round").symlink_to("round")
    os.mkfifo(home / "trials" / "00000" / "stdout.log")  # to open it is to wait for ever
    assert [os.path.relpath(path, home) for path in astray(home)] == [
        "round",
        "trials/00001",
        "trials/00000/metrics.jsonl",
        "trials/00000/stdout.log",
    ]
    (home / "round").unlink()
    with pytest.raises(UserError, match="00001: is a link out of its folder"):
        refuse_links(home)
    (home / "trials" / "00001").unlink()
    (home / "trials" / "00000" / "metrics.jsonl").unlink()
    with pytest.raises(UserError, match=r"stdout\.log: is a pipe, expected a file or a folder"):
        refuse_links(home)


def test_a_name_that_no_file_can_hold_is_one_line() -> None:
    with pytest.raises(UserError, match=r"found '\\ud800\.csv', which is no UTF-8"):
        TrainConfig(data="\ud800.csv")
