"""The space files in docs/search-space.md are sound, as files and on the data sets that they are about."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from igmsweep.config import TrainConfig
from igmsweep.spaces import load_space

PAGE = (Path(__file__).parent.parent.parent / "docs" / "search-space.md").read_text(encoding="utf-8")
EXAMPLES = [text for text in re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL) if text.startswith("version:")]


CASES = [
    (text, data)
    for text in EXAMPLES
    for data in ("avdigits", "cremad", "twitter2015", "nvgesture")
    if "version: 2" in text or data == "avdigits"  # the file of version 1 names its modalities
]


@pytest.mark.parametrize(("text", "data"), CASES)
def test_an_example_is_sound(tmp_path: Path, text: str, data: str) -> None:
    (tmp_path / "space.yaml").write_text(text)
    config = TrainConfig(data=data)
    load_space(tmp_path / "space.yaml", config).check(config)


def test_there_are_examples() -> None:
    assert len(EXAMPLES) == 2
