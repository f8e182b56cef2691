"""The notebook of the docs runs from its first cell to its last."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

NOTEBOOK = Path(__file__).parent.parent.parent / "docs" / "notebook.ipynb"


@pytest.mark.slow
def test_the_notebook_runs_and_says_what_it_shows(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    nbformat = pytest.importorskip("nbformat")
    nbclient = pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    shown = nbformat.read(NOTEBOOK, as_version=4)
    ran = nbclient.NotebookClient(
        nbformat.read(NOTEBOOK, as_version=4), timeout=600, resources={"metadata": {"path": str(NOTEBOOK.parent)}}
    ).execute()  # raises for a cell that fails
    assert outputs(ran) == outputs(shown)
    assert "{'complete': 16}" in str(ran.cells)


def test_its_outputs_are_small_and_name_no_machine():
    text = NOTEBOOK.read_text("utf-8")
    assert len(text) < 30_000
    assert '"stderr"' not in text and "/home/" not in text and "site-packages" not in text


def outputs(notebook: Any) -> list[list[str]]:
    """What kinds of output each cell has, but for remarks on standard error."""
    return [
        [each.output_type for each in cell.get("outputs", []) if each.get("name") != "stderr"]
        for cell in notebook.cells
    ]
