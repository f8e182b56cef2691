"""A folder that a failing disk has damaged: what is left of it, and the account of what is not."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from igmsweep.errors import UserError
from igmsweep.frame import read_sweep
from igmsweep.record.folder import SweepFolder
from igmsweep.record.repair import repair
from tests.fake_sweep import write_sweep


def hit(path: Path, share: float, seed: int = 0) -> int:
    """Damage a share of a file's lines, each in another way; how many."""
    chance = random.Random(seed)
    lines = path.read_bytes().splitlines(keepends=True)
    chosen = chance.sample(range(len(lines)), max(1, round(share * len(lines))))
    for number in chosen:
        line = bytearray(lines[number])
        at = chance.randrange(len(line) - 1)
        line[at : at + 8] = [b"\xff\xfe", b'{"', b"\0\0", b"[[["][number % 4]
        lines[number] = bytes(line)
    path.write_bytes(b"".join(lines))
    return len(chosen)


def tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_a_folder_of_64_trials_with_a_tenth_of_its_lines_hit(tmp_path: Path) -> None:
    folder = write_sweep(tmp_path, n=64, failed=2)
    whole = SweepFolder.read(folder).rows
    damaged = hit(folder / "trials.jsonl", 0.1)
    files = sorted((folder / "trials").glob("*/metrics.jsonl"))
    for path in files[::8]:
        hit(path, 0.1)
    before = tree(folder)
    account = repair(folder)
    assert account.copy == folder.with_name(f"{folder.name}-repaired") and tree(folder) == before
    assert any(
        line.startswith(f"trials.jsonl: {damaged} lines make no sense and are set aside") for line in account.lost
    )
    copy = SweepFolder.read(account.copy)
    assert all("set aside" not in note for note in copy.notes)
    assert set(copy.rows) == set(whole)  # each trial's own result.json tells what the ledger has lost
    assert sum(row.finished for row in copy.rows.values()) >= 60
    for number, row in copy.rows.items():
        if row.complete:
            assert row.metrics == whole[number].metrics
    assert len(read_sweep(account.copy).completed()) >= 58
    assert repair(account.copy, tmp_path / "again").lines()[-1] == "nothing was damaged"


def test_what_is_lost_is_named_and_the_count_of_looks_at_the_test_set_is_kept(tmp_path: Path) -> None:
    folder = write_sweep(tmp_path, n=4, failed=0)
    (folder / "sweep.yaml").write_text("a: &a [*a]")
    (folder / "meta.json").write_bytes(b"\xff")
    (folder / "test_eval.json").write_text('{"count": 3')
    (folder / "trials" / "00000" / "predictions.npz").write_bytes(b"PK")
    (folder / "trials" / "00001" / "metrics.jsonl").unlink()
    (folder / "trials" / "00001" / "metrics.jsonl").symlink_to("/etc/passwd")
    account = repair(folder, tmp_path / "mended")
    told = "\n".join(account.lost)
    for part in (
        "sweep.yaml: not valid YAML (line 1: *a stands inside of what it names)",
        "meta.json: cannot be read",
        "test_eval.json: cannot be read; it counts how often the test set was opened, so it is copied as it is",
        "trials/00000/predictions.npz: cannot be read",
        "trials/00001/metrics.jsonl: a link, which is not followed",
        "sweep.yaml: without it the copy can be analyzed, but not gone on with",
    ):
        assert part in told
    assert (tmp_path / "mended" / "test_eval.json").read_text() == '{"count": 3'
    assert not (tmp_path / "mended" / "trials" / "00001" / "metrics.jsonl").exists()
    assert len(SweepFolder.read(tmp_path / "mended").rows) == 4


def test_no_sweep_a_place_that_is_taken_and_a_driven_sweep_are_one_line(
    tmp_path: Path, write_folder: Callable[..., Path]
) -> None:
    with pytest.raises(UserError, match="not a sweep"):
        repair(tmp_path)
    folder = write_folder([])
    with pytest.raises(UserError, match="is there already"):
        repair(folder, tmp_path)
    beside = folder.with_name(f"{folder.name}-repaired")
    beside.symlink_to(tmp_path / "nowhere")  # a copy would be written there
    with pytest.raises(UserError, match="is there already"):
        repair(folder)
    beside.unlink()
    with pytest.raises(UserError, match="lies in the folder that is to be copied"):
        repair(folder, folder / "copy")
    from igmsweep.record.lock import identity

    (folder / "driver.lock").write_text(json.dumps(identity()))
    with pytest.raises(UserError, match="is being driven"):
        repair(folder)
