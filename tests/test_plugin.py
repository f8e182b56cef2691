"""Whose Python files are run: those that a person names, not those that a folder names."""

from __future__ import annotations

import pytest

from igmsweep.errors import UserError
from igmsweep.plugin import Trust, names_code


@pytest.mark.parametrize("name", ["a.py:A", "a.py", "/x/a.py:A", "d.py/a.py:A", "../a b.py:A"])
def test_names_of_code(name):
    assert names_code(name)


@pytest.mark.parametrize("name", ["igm", "avdigits", "data/samples.csv", "./folder", "a.pyc.csv", "happy"])
def test_names_of_no_code(name):
    assert not names_code(name)


@pytest.mark.parametrize("config", [{"method": {"name": "e.py:E"}}, {"method": "e.py:E"}])
def test_a_file_that_a_folder_names_must_be_named_again_or_trusted(config, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(
        UserError, match=r"^s/sweep.yaml: method.name is e.py:E, a Python file .* --method e.py:E, or --trust"
    ):
        Trust().check(config, "s/sweep.yaml")
    with pytest.raises(UserError, match=r"method.name is e.py:E"):
        Trust(data="e.py:E").check(config, "s")  # named as something else
    Trust(method="e.py:E").check(config, "s")
    Trust(method=f"{tmp_path}/./e.py:E").check(config, "s")
    Trust(everything=True).check(config, "s")
    for other in ("e.py:F", "f.py:E", "e.py", "igm"):
        with pytest.raises(UserError, match=f"^--method: found '{other}', but s names e.py:E"):
            Trust(method=other).check(config, "s")


def test_built_in_names_and_tables_are_no_code():
    Trust().check({"method": {"name": "igm"}, "data": {"name": "sets/samples.csv"}}, "s")
    Trust().check({"method": ["odd"], "data": {"name": 3}}, "s")
    with pytest.raises(UserError, match="--data: found 'cremad', but s names avdigits"):
        Trust(data="cremad").check({"data": "avdigits"}, "s")
