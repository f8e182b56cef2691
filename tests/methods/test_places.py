"""A method is known by its name in its file, its registry line, its space, its tests and its page, and nowhere else but in
the studies that compare it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from igmsweep import methods

ROOT = Path(__file__).parents[2]
CODE = {
    path: path.read_text(encoding="utf-8")
    for path in (ROOT / "igmsweep").rglob("*.py")
    if path.parent.name != "studies"  # an arm is a method by name: which are compared is what a study says
}
WORDS = {"igm", "joint", "unimodal"}  # also words of the field: the program's own name, the fused head, one modality


@pytest.mark.parametrize("name", [name for name in methods.names() if name not in WORDS])
def test_no_other_file_of_the_package_names_a_method(name: str) -> None:
    own = {ROOT / "igmsweep" / "methods" / f"{name}.py", ROOT / "igmsweep" / "methods" / "__init__.py"}
    quoted = re.compile(rf"""["']{name}["']|methods\.{name}\b""")
    assert [str(path.relative_to(ROOT)) for path, text in CODE.items() if path not in own and quoted.search(text)] == []


@pytest.mark.parametrize("name", methods.names())
def test_a_method_has_a_file_a_space_and_a_section_of_the_page(name: str) -> None:
    file = ROOT / "igmsweep" / "methods" / f"{name}.py"
    assert file.is_file() and (ROOT / "search_spaces" / f"{name}.yaml").is_file()
    page = (ROOT / "docs" / "methods.md").read_text(encoding="utf-8")
    assert re.search(rf"^## .*\b{name}\b", page, re.MULTILINE)
