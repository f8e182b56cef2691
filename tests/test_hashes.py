"""`hashes.txt` has what igmsweep needs at run time, in the versions of `constraints.txt`, each file by its hash."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent


def requirements(name: str) -> list[tuple[Requirement, list[str]]]:
    """The requirements of a list, and the hashes of each."""
    lines = (ROOT / name).read_text("utf-8").replace("\\\n", " ").splitlines()
    found = []
    for line in lines:
        text, *hashes = re.split(r"\s+--hash=", line.strip())
        found.append((Requirement(text), hashes))
    return found


def test_both_lists_name_the_same_versions():
    constraints = {(each.name, str(each.specifier)) for each, _ in requirements("constraints.txt")}
    hashed = {(each.name, str(each.specifier)) for each, _ in requirements("hashes.txt")}
    assert hashed and hashed - constraints == set()
    assert all(version.startswith("==") for _, version in hashed)


def test_everything_that_is_needed_at_run_time_is_in_it():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    needed = [
        *project["dependencies"],
        *(name for extra in project["optional-dependencies"].values() for name in extra),
    ]
    hashed = {canonicalize_name(each.name) for each, _ in requirements("hashes.txt")}
    assert {canonicalize_name(Requirement(each).name) for each in needed} <= hashed


def test_every_requirement_has_a_hash_and_no_address_stands_there():
    for each, hashes in requirements("hashes.txt"):
        assert hashes and all(re.fullmatch(r"sha256:[0-9a-f]{64}", text) for text in hashes), each
    for name in ("constraints.txt", "hashes.txt"):
        assert "://" not in (ROOT / name).read_text("utf-8")
    # pip takes no hashes as constraints of a folder, and PyTorch's index has other files of the same versions
    assert "--hash" not in (ROOT / "constraints.txt").read_text("utf-8")
