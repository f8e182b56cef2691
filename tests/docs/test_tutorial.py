"""The tutorial's commands run one after the other, on a few of its rows and with trainings of one epoch."""

from __future__ import annotations

import csv
import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from igmsweep.cli.app import app

PAGE = Path(__file__).parent.parent.parent / "docs" / "tutorial.md"
SHORT = [
    "--set",
    "stages.epochs=1",
    "--set",
    "stages.cycles=1",
    "--set",
    "model.encoder=resnet_mini",
    "--set",
    "model.width=4",
]
SMALLER = {
    "tune": ["--trials", "2", "--local", *SHORT],
    "study": SHORT,
    "evaluate": ["--seeds", "1", "--local"],
}
ROWS = 40
"""Of each part of the data."""


def blocks() -> list[tuple[str, str]]:
    """The page's code with its language, in order."""
    return re.findall(r"^```(sh|python)\n(.*?)^```", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)


@pytest.mark.slow
def test_its_commands_lead_to_a_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    for language, code in blocks():
        if language == "python":
            exec(compile(code, str(PAGE), "exec"), {})
            shorten(tmp_path / "digits" / "samples.csv")
            continue
        for line in code.splitlines():
            _, *arguments = shlex.split(line)
            done = CliRunner().invoke(app, [*arguments, *SMALLER.get(arguments[0], [])])
            assert done.exit_code == 0, f"{line}: {done.output}{done.exception!r}"
    table = (tmp_path / "results" / "comparison" / "compare.tex").read_text("utf-8")
    assert all(name in table for name in ("igm", "mla", "joint"))
    assert "test" in table


def shorten(path: Path) -> None:
    """Keep a few rows of each part, of all classes."""
    head, *rows = csv.reader(path.open())
    kept: dict[tuple[str, str], int] = {}
    few = []
    for row in rows:
        place = (row[head.index("split")], row[head.index("label")])
        kept[place] = kept.get(place, 0) + 1
        if kept[place] <= ROWS // 10:
            few.append(row)
    csv.writer(path.open("w", newline="")).writerows([head, *few])
