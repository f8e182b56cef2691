"""A sweep whose every text is hostile: its reports show the texts, and none of them acts."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from fake_sweep import write_sweep

from igmsweep.analysis import analyze, compare
from igmsweep.cli import main
from igmsweep.errors import UserError
from igmsweep.frame import read_sweep

CHROMIUM = os.environ.get("BROWSER_PATH") or shutil.which("chromium") or shutil.which("google-chrome")
EVIL = (
    "=1+1</script><script>document.title='ran'</script><img src=x onerror=\"document.title='ran'\">"
    "<a href=\"javascript:document.title='ran'\">x</a>\x1b]0;ran\x07\u202e{{7*7}}$x^2$\\input{/etc/passwd}|`ran`"
)
KEPT = ("schema", "state", "name", "mode", "type", "sampler", "scheduler", "time", "path", "class")
"""Keys whose texts decide what a file is; all others are hostile."""


def turned(value: Any, key: str = "") -> Any:
    """The same with a hostile text in the place of every text."""
    if isinstance(value, dict):
        return {name: turned(item, name) for name, item in value.items()}
    if isinstance(value, list):
        return [turned(item, key) for item in value]
    return EVIL if isinstance(value, str) and key not in KEPT and "/" not in value else value


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve trials: every text of every file, a metric's and a parameter's value, and the folder's own name are hostile."""
    place = tmp_path_factory.mktemp("hostile")
    folder = write_sweep(place, "<img src=x onerror=document.title='ran'>\x1b[31m", n=12, failed=1)
    spec = turned(yaml.safe_load((folder / "sweep.yaml").read_text()))
    spec["name"] = spec["data"]["name"] = EVIL
    spec["data"]["departures"] = [EVIL]
    spec["space"]["params"]["method.scope"]["choices"][1] = EVIL
    spec["base_config"]["data"]["name"] = EVIL
    (folder / "sweep.yaml").write_text(yaml.safe_dump(spec))
    (folder / "meta.json").write_text(json.dumps(turned(json.loads((folder / "meta.json").read_text())) | {EVIL: EVIL}))
    rows = [turned(json.loads(line)) for line in (folder / "trials.jsonl").read_text().splitlines()]
    for row in rows:
        if "metrics" in row:
            row["metrics"] |= {EVIL: 0.5, f"val/{EVIL}/acc": 0.5}
            row["notes"] = [EVIL]
    (folder / "trials.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    for file in [*(folder / "trials").glob("*/*.json")]:
        file.write_text(json.dumps(turned(json.loads(file.read_text()))))
    return folder


@pytest.fixture(scope="module")
def pages(hostile: Path) -> list[Path]:
    """What is made of it: its report, the index beside it, and a comparison with an honest sweep."""
    honest = write_sweep(hostile.parent, "honest", n=12, failed=1, method="joint", seed=1)
    written = analyze(hostile.parent, formats=["html", "csv", "md", "tex", "svg"], say=lambda _: None)
    page = compare([hostile, honest], say=lambda _: None, allow_different=True)
    return [*written, *([page] if page is not None else [])]


def test_no_control_code_leaves_it_and_no_formula(hostile: Path, pages: list[Path]) -> None:
    for path in (hostile / "analysis").rglob("*"):
        if path.suffix in (".csv", ".md", ".tex", ".html", ".yaml"):
            text = path.read_text("utf-8")
            assert not re.search("[\x00-\x08\x0b-\x1f\x7f\u202e]", text), path
            assert path.suffix != ".csv" or not re.search(r"(^|,)\"?[=@+]", text, re.MULTILINE), path
            assert path.suffix != ".tex" or "\\input{" not in text, path
            assert path.suffix != ".html" or ("<img" not in text and "</script><script>document" not in text), path
    svg = "".join(path.read_text() for path in (hostile / "analysis" / "figures").glob("*.svg"))
    svg = re.sub(r"<!--.*?-->", "", svg, flags=re.DOTALL)
    assert svg and "<script" not in svg and "onerror" not in svg.replace("&quot;", "")


@pytest.mark.parametrize("command", [["status"], ["best"], ["analyze", "--format", "csv"]], ids=lambda words: words[0])
def test_no_control_code_reaches_the_terminal(
    hostile: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    command: list[str],
) -> None:
    more = ["--out", str(tmp_path)] if command[0] == "analyze" else []
    monkeypatch.setattr(sys, "argv", ["igmsweep", *command, str(hostile), *more])
    with pytest.raises(SystemExit):
        main()
    out, said = capfd.readouterr()
    assert out + said and not re.search("[\x00-\x08\x0b-\x1f\x7f\u202e]", out + said)


def test_a_script_of_the_folder_takes_no_place_of_ours(tmp_path: Path) -> None:
    folder = write_sweep(tmp_path, n=12, failed=1)
    (page,) = analyze(folder, formats=["html"], say=lambda _: None)
    script = page.with_name("plotly.min.js")
    ours = script.read_bytes()
    script.write_bytes(b"document.title='ran'//".ljust(len(ours), b"x"))
    analyze(folder, formats=["html"], say=lambda _: None)
    assert script.read_bytes() == ours


def test_a_link_in_a_folder_of_sweeps_has_nothing_written_elsewhere(tmp_path: Path) -> None:
    mine = write_sweep(tmp_path / "mine", n=12, failed=1)
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    (theirs / "s").symlink_to(mine)
    with pytest.raises(UserError, match="s: is a link to a sweep elsewhere"):
        analyze(theirs, formats=["csv"], say=lambda _: None)
    assert not (mine / "analysis").exists()
    analyze(theirs, formats=["csv"], out=tmp_path / "out", say=lambda _: None)


def test_spaces_and_scores_that_nobody_can_mean_are_bounded(tmp_path: Path) -> None:
    folder = write_sweep(tmp_path, n=12, failed=0)
    spec = yaml.safe_load((folder / "sweep.yaml").read_text())
    params = spec["space"]["params"]
    params["method.scope"]["choices"] = [f"choice{number}" for number in range(20_000)]
    params |= {f"p{number}": {"type": "float", "low": 0.0, "high": 1.0} for number in range(2_000)}
    (folder / "sweep.yaml").write_text(yaml.safe_dump(spec))
    rows = [json.loads(line) for line in (folder / "trials.jsonl").read_text().splitlines()]
    rows[-1]["metrics"] = dict.fromkeys(rows[-1]["metrics"], 1e308)
    (folder / "trials.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    sweep = read_sweep(folder)
    assert len(sweep.space) == 256 and len(sweep.space["method.scope"]["choices"]) == 256
    assert len(sweep.completed()) == 11  # a number whose square is none is no score
    told: list[str] = []
    analyze(folder, formats=["csv"], say=told.append)
    assert any("sweep.yaml: 2,007 parameters, of which the first 256 are analyzed" in line for line in told)
    assert any("20,000 choices of method.scope" in line for line in told)


@pytest.mark.browser
@pytest.mark.skipif(not CHROMIUM, reason="no Chromium")
def test_no_script_of_it_runs_in_a_browser(pages: list[Path], tmp_path: Path) -> None:
    assert len(pages) == 4  # two reports, the index, the comparison
    for page in pages:
        done = subprocess.run(
            [
                str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'profile'}",
                "--virtual-time-budget=20000", "--dump-dom", page.as_uri(),
            ],
            capture_output=True, text=True, timeout=240, check=True,
        )  # fmt: skip
        title = re.search(r"<title>(.*?)</title>", done.stdout, re.DOTALL)
        assert title is not None and title[1].strip() != "ran"
        assert "<img" not in done.stdout and '<a href="javascript' not in done.stdout
        assert "main-svg" in done.stdout  # and its own scripts did
