"""Figures and tables for a paper: vectors of one column's width without any browser, LaTeX that compiles as it is."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from fake_sweep import write_sweep

from igmsweep.analysis import analyze, compare, read_sweep
from igmsweep.analysis.panels import panels
from igmsweep.analysis.paper import COLUMN_CM, paper_figure, write_figures
from igmsweep.analysis.style import figure, log_axis

LATEX = shutil.which("pdflatex")


@pytest.mark.slow
def test_without_a_chrome_every_figure_is_still_a_vector(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("BROWSER_PATH", raising=False)
    folder = write_sweep(tmp_path, n=24, pruned=3)
    analyze(folder, formats=["svg", "pdf"], say=lambda _: None)
    names = {panel.id for panel in panels(read_sweep(folder))}
    place = folder / "analysis" / "figures"
    assert {path.stem for path in place.glob("*.svg")} == {path.stem for path in place.glob("*.pdf")} == names
    for path in place.glob("*.svg"):
        text = path.read_text()
        assert "<image" not in text or path.stem.startswith("heat"), path.name  # a heat map's colour bar may be one
        assert float(re.search(r'width="([\d.]+)pt"', text).group(1)) == pytest.approx(COLUMN_CM / 2.54 * 72, abs=0.1)
    for path in place.glob("*.pdf"):
        data = path.read_bytes()
        assert data.startswith(b"%PDF") and b"/Type3" not in data and b"/FontFile2" in data


@pytest.mark.slow
def test_the_same_sweep_gives_the_same_bytes(tmp_path: Path) -> None:
    drawn = [(panel.id, panel.figure) for panel in panels(read_sweep(write_sweep(tmp_path, n=12)))][:3]
    first = [path.read_bytes() for path in write_figures(drawn, tmp_path / "one", ["svg", "pdf"])]
    assert first == [path.read_bytes() for path in write_figures(drawn, tmp_path / "two", ["svg", "pdf"])]


@pytest.mark.slow
def test_hostile_names_do_not_start_mathematics(tmp_path: Path) -> None:
    folder = write_sweep(tmp_path, n=12, failed=0)
    text = (folder / "trials.jsonl").read_text().replace('"head"', '"$\\\\frac{<b>x$_"')
    (folder / "trials.jsonl").write_text(text)
    analyze(folder, formats=["svg"], say=lambda _: None)


@pytest.mark.skipif(not LATEX, reason="no pdflatex: install texlive-latex-recommended to check that tables compile")
def test_the_tables_compile_as_they_are(tmp_path: Path) -> None:
    evil = r"a_b&c%d$e#f{g}h~i^j\k<l>|m é 数 '\input{x}'"
    first = write_sweep(tmp_path, "a", n=24)
    second = write_sweep(tmp_path, "b", n=24, method="joint", seed=1)
    text = (first / "trials.jsonl").read_text().replace('"head"', '"a_b&c%d$e#f{g}h~i^j<l>|m \\u00e9 \\u6570"')
    (first / "trials.jsonl").write_text(text)
    spec = (first / "sweep.yaml").read_text()
    (first / "sweep.yaml").write_text(spec.replace("name: a\n", f"name: {evil!r}\n".replace("'\\\\input{x}'", ""), 1))
    analyze(first, formats=["tex"], say=lambda _: None)
    compare([first, second], formats=["tex"], say=lambda _: None)
    compiled(tmp_path)


@pytest.mark.skipif(not LATEX, reason="no pdflatex: install texlive-latex-recommended to check that tables compile")
def test_the_tables_fit_a_page_of_two_columns(tmp_path: Path) -> None:
    folders = [write_sweep(tmp_path, "a", n=24), write_sweep(tmp_path, "b", n=24, method="joint", seed=1)]
    analyze(folders[0], formats=["tex"], say=lambda _: None)
    compare(folders, formats=["tex"], say=lambda _: None)
    assert "Overfull" not in compiled(tmp_path)


def compiled(place: Path) -> str:
    """pdflatex's words on a page that takes in the tables of sweep `a` and of the comparison."""
    body = ["a/analysis/tables/best.tex", "comparison/compare.tex"]
    (place / "paper.tex").write_text(
        r"\documentclass[twocolumn]{article}\usepackage[margin=2cm]{geometry}\usepackage{booktabs}\begin{document}"
        + "".join(f"\\input{{{path}}}" for path in body)
        + r"\end{document}"
    )
    done = subprocess.run(
        [str(LATEX), "-interaction=nonstopmode", "-halt-on-error", "paper.tex"],
        cwd=place, capture_output=True, text=True, errors="replace", timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-1500:]
    return done.stdout


def test_heat_maps_side_by_side_share_a_scale_and_narrow_log_axes_have_plain_numbers() -> None:
    heat = figure("a", "b")
    heat.add_heatmap(x=[0, 1], y=[0, 1], z=[[0.0, 1.0], [2.0, 3.0]], zmin=0, zmax=40)
    (mesh,) = paper_figure(heat).axes[0].collections
    assert mesh.get_clim() == (0, 40)
    narrow = figure("a", "b")
    narrow.add_scatter(x=[1, 2], y=[0.2, 3.0])
    log_axis(narrow, 0.2, 3.0, "y")
    drawn = paper_figure(narrow)
    drawn.draw_without_rendering()
    shown = [label.get_text() for label in drawn.axes[0].get_yticklabels()]
    assert {"0.2", "0.5", "1", "2"} <= set(shown)
