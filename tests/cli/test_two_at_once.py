"""Two commands on one folder at the same time: each ends well, and neither takes anything from the other."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from igmsweep.analysis import analyze
from igmsweep.analysis.tables import best_config
from igmsweep.record.status import lines, status
from tests.fake_sweep import write_sweep

TINY = ["--set", "stages.cycles=1", "--set", "stages.epochs=1", "--set", "model.width=4"]


def begin(*arguments: object, cwd: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "igmsweep", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=cwd,
    )


@pytest.mark.slow
def test_two_analyze_of_one_folder_write_what_one_would(tmp_path: Path) -> None:
    folder = write_sweep(tmp_path, n=12, failed=1)
    alone = shutil.copytree(folder, tmp_path / "alone" / folder.name)
    both = [begin("analyze", folder, "--format", "html,csv,md,svg", cwd=tmp_path) for _ in range(2)]
    for each in both:
        _, said = each.communicate(timeout=300)
        assert each.returncode == 0, said
    analyze(alone, formats=["html", "csv", "md", "svg"], say=lambda _: None)
    written = {path.relative_to(folder) for path in (folder / "analysis").rglob("*")}
    assert written == {
        path.relative_to(alone) for path in (alone / "analysis").rglob("*")
    }  # no half of a file beside them
    for name in ("tables/best.csv", "tables/trials.csv", "tables/best.md", "best_config.yaml"):
        assert (folder / "analysis" / name).read_text() == (alone / "analysis" / name).read_text()
    assert (folder / "analysis" / "report.html").read_text().rstrip().endswith("</html>")


@pytest.fixture
def growing(tmp_path: Path) -> Iterator[Path]:
    """A sweep of twelve trials to whose ledger lines of further ones are written in pieces, without an end."""
    folder = write_sweep(tmp_path, n=12, failed=1)
    line = next(line for line in (folder / "trials.jsonl").read_text().splitlines() if '"complete"' in line)
    over = threading.Event()

    def write() -> None:
        number = 100
        while not over.is_set():
            text = json.dumps({**json.loads(line), "trial": number}) + "\n"
            with (folder / "trials.jsonl").open("a") as ledger:
                for half in (text[:40], text[40:]):
                    ledger.write(half)
                    ledger.flush()
                    over.wait(0.002)
            number += 1

    writer = threading.Thread(target=write)
    writer.start()
    yield folder
    over.set()
    writer.join()


def test_a_sweep_is_read_while_it_is_written(growing: Path) -> None:
    before = 0
    for _ in range(30):
        found = status(growing)
        assert found["counts"]["complete"] >= max(11, before) and lines(found)
        before = found["counts"]["complete"]
        assert all("set aside" in note for note in found["notes"])  # at most the line that is being written
        assert best_config(growing)
    assert before > 11


@pytest.mark.slow
def test_a_report_of_a_sweep_that_is_written(growing: Path) -> None:
    (page,) = analyze(growing, formats=["html"], say=lambda _: None)
    assert page.read_text().rstrip().endswith("</html>")


def test_a_folder_that_is_being_made_is_no_sweep_yet(tmp_path: Path) -> None:
    (tmp_path / "s" / "trials").mkdir(parents=True)
    done = begin("status", tmp_path / "s", cwd=tmp_path)
    _, said = done.communicate(timeout=60)
    assert (
        done.returncode == 2
        and said.strip() == f"igmsweep: {tmp_path / 's'}: no sweep here; expected a folder with sweep.yaml"
    )


@pytest.mark.slow
def test_of_two_sweeps_of_one_name_one_runs_and_one_says_why_not(tmp_path: Path, small_avdigits: Path) -> None:
    given = ["avdigits", "--root", small_avdigits, "--local", "-n", "2", "--name", "s", *TINY, "--quiet"]
    both = [begin("tune", *given, cwd=tmp_path) for _ in range(2)]
    said = [each.communicate(timeout=300)[1] for each in both]
    assert sorted(each.returncode for each in both) == [0, 2], said
    loser = said[[each.returncode for each in both].index(2)].strip().splitlines()
    assert len(loser) == 1 and (
        "already holds a sweep" in loser[0] or "is driven by" in loser[0] or "another driver" in loser[0]
    )
    rows = [json.loads(line) for line in (tmp_path / "results" / "s" / "trials.jsonl").read_text().splitlines()]
    assert sorted(row["trial"] for row in rows if row["state"] == "complete") == [0, 1]
