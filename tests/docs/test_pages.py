"""The examples of the documentation run."""

from __future__ import annotations

import re
from pathlib import Path

from igmsweep.config import TrainConfig
from igmsweep.train import train

EXAMPLES = Path(__file__).parent.parent.parent / "docs" / "examples"


def test_a_method_of_your_own():
    config = TrainConfig(data=f"{EXAMPLES / 'my_data.py'}:TWO_VIEWS", method=f"{EXAMPLES / 'my_method.py'}:Tempered")
    result = train(config.override({"method.temperature": 2.0, "model.width": 4, "device": "cpu"}))
    assert result.metrics["val/acc"] > 0.5


def test_every_page_that_is_linked_exists():
    root = EXAMPLES.parent.parent
    for page in [*sorted(root.glob("*.md")), root / "results" / "README.md", *sorted(root.glob("docs/**/*.md"))]:
        for target in re.findall(r"\]\(((?!https?:)[^)#]+)\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name} links {target}"


def test_every_test_that_a_workflow_runs_by_name_exists():
    root = EXAMPLES.parent.parent
    for workflow in root.glob(".github/workflows/*.yml"):
        for name in re.findall(r"\btests/[\w/]+\.py", workflow.read_text(encoding="utf-8")):
            assert (root / name).is_file(), f"{workflow.name} runs {name}"
