"""The site builds without a warning, and a browser that shows it fetches nothing from elsewhere."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    for needed in ("mkdocs", "material", "mkdocstrings"):
        pytest.importorskip(needed)
    built = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(built)],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return built


@pytest.mark.slow
def test_the_first_page_is_the_readme_and_its_links_hold(site: Path):
    page = (site / "index.html").read_text("utf-8")
    assert "<h1" in page and "igmsweep" in page
    assert 'href="sweeps.html"' in page and "docs/" not in re.sub(r"<code>.*?</code>", "", page, flags=re.DOTALL)


@pytest.mark.slow
def test_what_a_docstring_says_stands_in_the_reference(site: Path):
    page = (site / "api" / "train.html").read_text("utf-8")
    assert 'id="igmsweep.config.TrainConfig.override"' in page
    assert 'id="igmsweep.train.train"' in page


@pytest.mark.slow
def test_no_page_loads_anything_from_elsewhere(site: Path):
    loads = re.compile(
        r"<(?:script|img|iframe|source)[^>]+src=[\"']?(https?:[^\"'> ]+)|<link[^>]+rel=[\"']?(?:stylesheet|preconnect|preload)[^>]*href=[\"']?(https?:[^\"'> ]+)"
    )
    assert {
        str(page.relative_to(site)): found
        for page in site.rglob("*.html")
        if (found := loads.findall(page.read_text("utf-8")))
    } == {}
