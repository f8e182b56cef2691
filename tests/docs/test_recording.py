"""The README's recording is what the scripts make: commands typed and run in a terminal, and drawn from that text."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

DOCS = Path(__file__).parent.parent.parent / "docs"
SCRIPTS = DOCS / "recording"
CAST = SCRIPTS / "first-sweep.cast"
PICTURE = DOCS / "images" / "first-sweep.svg"


def script(name: str, *arguments: str) -> None:
    subprocess.run([sys.executable, str(SCRIPTS / name), *arguments], check=True, stderr=subprocess.DEVNULL, timeout=60)


def events(cast: Path) -> list[tuple[float, str, str]]:
    return [tuple(json.loads(line)) for line in cast.read_text("utf-8").splitlines()[1:]]


def test_the_picture_is_drawn_from_the_recording(tmp_path: Path):
    pytest.importorskip("pyte")
    script("render.py", str(CAST), str(tmp_path / PICTURE.name))
    assert (tmp_path / PICTURE.name).read_text("utf-8") == PICTURE.read_text("utf-8")


def test_the_recording_is_of_the_commands_and_small():
    typed = "".join(text for _, _, text in events(CAST))
    for line in (SCRIPTS / "first-sweep.sh").read_text("utf-8").splitlines():
        assert line.startswith("#") or line in typed
    assert PICTURE.stat().st_size < 150_000
    assert "<script" not in PICTURE.read_text("utf-8")
    ElementTree.parse(PICTURE)


def test_what_a_command_shows_is_recorded_with_its_time_and_size_of_terminal(tmp_path: Path):
    (tmp_path / "do.sh").write_text(
        "# a remark\nstty size </dev/stdout; test -t 1 && sleep 0.4 && echo ücht\nfalse\n", "utf-8"
    )
    script(
        "record.py",
        str(tmp_path / "a.cast"),
        "--commands",
        str(tmp_path / "do.sh"),
        "--columns",
        "50",
        "--rows",
        "9",
        "--tick",
        "0.1",
    )
    found = events(tmp_path / "a.cast")
    shown = "".join(text for _, _, text in found)
    assert "remark" not in shown
    assert "9 50\r\n" in shown and "\r\nücht\r\n" in shown
    times = [seconds for seconds, _, _ in found]
    assert times == sorted(times)
    started, word = (next(at for at, _, text in found if wanted in text) for wanted in ("\r\n", "ücht\r\n"))
    assert word - started > 0.38  # rounded to hundredths; a busy machine may show all lines at once, but not sooner


def test_a_picture_has_every_colour_and_skips_long_pauses(tmp_path: Path):
    pytest.importorskip("pyte")
    cast = tmp_path / "b.cast"
    header = {"version": 2, "width": 20, "height": 2, "idle_time_limit": 1}
    rows = [[0.0, "o", "a <b>\r\n"], [100.0, "o", "\x1b[1;31mred\x1b[0m  &\r\n"]]
    cast.write_text("\n".join(map(json.dumps, [header, *rows])), "utf-8")
    script("render.py", str(cast), str(tmp_path / "b.svg"))
    picture = (tmp_path / "b.svg").read_text("utf-8")
    assert "a &lt;b&gt;" in picture and 'fill="#e06c75" font-weight="700">red<' in picture
    assert "animation:p 6.00s" in picture  # a second, and the rest at the end
