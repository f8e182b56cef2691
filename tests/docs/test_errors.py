"""`docs/errors.md` names every exit code, and quotes only lines that the code still says."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import igmsweep
from igmsweep.errors import UserError
from igmsweep.sweep.signals import INTERRUPTED, TERMINATED

SOURCE = Path(igmsweep.__file__).parent
PAGE = (Path(__file__).parent.parent.parent / "docs" / "errors.md").read_text("utf-8")
OWN_LETTERS = 10
"""A pattern with fewer letters of its own fits anything."""


@cache
def nodes() -> list[ast.AST]:
    """Every node of the package's source."""
    return [node for path in SOURCE.rglob("*.py") for node in ast.walk(ast.parse(path.read_text("utf-8")))]


def exit_codes() -> set[int]:
    """What the source raises `typer.Exit` or calls `sys.exit` with, what errors carry, what signals end a sweep with."""
    found = {0, INTERRUPTED, TERMINATED, UserError.exit_code}
    for node in nodes():
        ends = isinstance(node, ast.Call) and ast.unparse(node.func) in ("typer.Exit", "sys.exit")
        set_ = isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) in ("exit_code", "code")
        if ends or set_:
            found |= {
                each.value for each in ast.walk(node) if isinstance(each, ast.Constant) and isinstance(each.value, int)
            }
    return found


def patterns() -> Iterator[str]:
    """A regular expression for every text in the source: anything may stand where a value is put in."""
    for node in nodes():
        if isinstance(node, ast.JoinedStr):
            parts = [part.value if isinstance(part, ast.Constant) else None for part in node.values]
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            parts = re.split(r"(%[sd])", node.value)
            parts = [None if part in ("%s", "%d") else part for part in parts]
        else:
            continue
        if sum(len(re.findall(r"\w", str(part))) for part in parts if part is not None) >= OWN_LETTERS:
            yield "".join(".*" if part is None else re.escape(part) for part in parts)


def test_every_exit_code_is_explained():
    told = {int(code) for code in re.findall(r"^\| (\d+) \|", PAGE, re.MULTILINE)}
    assert told == exit_codes()


def test_every_quoted_line_is_one_that_the_code_says():
    quoted = [line for block in re.findall(r"```text\n(.*?)```", PAGE, re.DOTALL) for line in block.splitlines()]
    assert len(quoted) > 20
    known = [re.compile(pattern, re.DOTALL) for pattern in patterns()]
    assert [line for line in quoted if not any(each.fullmatch(line) for each in known)] == []
