"""Files written whole or not at all, and locks that one process holds."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from igmsweep.disk import exclusive, replacing, write_atomically


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path):
    path = tmp_path / "a.txt"
    write_atomically(path, "old")
    with pytest.raises(ZeroDivisionError), replacing(path) as partial:
        partial.write_text("half of the n")
        raise ZeroDivisionError
    assert path.read_text() == "old"
    assert [file.name for file in tmp_path.iterdir()] == ["a.txt"]


def test_a_write_replaces_the_whole_file(tmp_path: Path):
    path = tmp_path / "below" / "a.txt"
    write_atomically(path, "first and longer")
    write_atomically(path, "second")
    assert path.read_text() == "second"


@pytest.mark.parametrize("folder", [True, False])
def test_another_process_is_kept_out_and_let_in_after(tmp_path: Path, folder: bool):
    path = tmp_path if folder else tmp_path / "x.lock"
    code = (
        "import sys\nfrom pathlib import Path\nfrom igmsweep.disk import exclusive\n"
        "try:\n    with exclusive(Path(sys.argv[1]), wait=False):\n        print('in')\n"
        "except BlockingIOError:\n    print('out')\n"
    )

    def other() -> str:
        return subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True).stdout.strip()

    with exclusive(path):
        assert other() == "out"
    assert other() == "in"
