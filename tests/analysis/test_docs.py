"""The worked example of docs/analysis.md runs on the committed demo sweep, and says what it shows."""

from __future__ import annotations

import re
from pathlib import Path

import plotly.graph_objects as go
import pytest

ROOT = Path(__file__).parent.parent.parent


@pytest.mark.slow
def test_the_worked_example_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "results").symlink_to(ROOT / "results")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(go.Figure, "show", lambda figure: None)
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "analysis.md").read_text(), re.DOTALL)
    assert len(blocks) == 2
    exec("\n".join(blocks), {})
    assert (tmp_path / "figures" / "tau.pdf").is_file()
