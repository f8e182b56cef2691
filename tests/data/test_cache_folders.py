"""The folders of a cache: what a failed or stopped build leaves, and what may be removed while another process builds."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from pathlib import Path

import pytest

from igmsweep.data import progress
from igmsweep.data.cache_folders import INDEX, built_once, entries, remove
from igmsweep.data.progress import ProgressLine
from igmsweep.errors import UserError


def build(work: Path) -> dict[str, int]:
    (work / "array.npy").write_bytes(b"1234")
    return {"samples": 4}


def test_a_folder_is_built_once_and_is_whole_with_its_index(tmp_path: Path) -> None:
    folder, calls = tmp_path / "set-train-0123", []

    def counted(work: Path) -> dict[str, int]:
        calls.append(work)
        assert not folder.exists()
        return build(work)

    for _ in range(2):
        built_once(folder, counted)
    assert len(calls) == 1
    assert json.loads((folder / INDEX).read_text()) == {"samples": 4}
    (entry,) = entries(tmp_path)
    assert (entry.dataset, entry.part, entry.samples, entry.whole) == ("set", "train", 4, True)


@pytest.mark.parametrize("journal", [None, "journal"])
@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_a_build_that_fails_leaves_nothing_and_one_that_is_stopped_its_journal(
    tmp_path: Path, journal: str | None, error: type[BaseException]
) -> None:
    folder = tmp_path / "set-train-0123"

    def stopped(work: Path) -> dict[str, int]:
        (work / "journal").write_text("half")
        raise error

    with pytest.raises(error):
        built_once(folder, stopped, journal)
    resumes = journal is not None and error is KeyboardInterrupt
    assert [(entry.path.name, entry.whole) for entry in entries(tmp_path)] == (
        [(".set-train-0123.building", False)] if resumes else []
    )

    def going_on(work: Path) -> dict[str, int]:
        assert (work / "journal").exists() == resumes
        (work / "journal").write_text("whole")
        return build(work)

    built_once(folder, going_on, journal)
    assert (folder / "journal").exists() == (journal is None)
    assert not list(tmp_path.glob(".*"))


def test_what_another_process_builds_is_not_removed_and_what_a_killed_one_left_is(tmp_path: Path) -> None:
    code = (
        "import sys, time\nfrom pathlib import Path\nfrom igmsweep.data.cache_folders import built_once\n"
        "def build(work):\n    (work / 'journal').touch()\n    print('in', flush=True)\n    time.sleep(600)\n"
        "built_once(Path(sys.argv[1]), build, 'journal')\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "set-train-0123")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "in\n"
        with pytest.raises(UserError, match=r"\.building: is being built by another process"):
            remove(tmp_path, ["set"])
        process.kill()
        process.wait()
    (gone,) = remove(tmp_path, ["set"])
    assert not gone.whole
    assert not entries(tmp_path)


def test_features_and_decoded_arrays_share_the_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    built_once(tmp_path / "old-train-0123", build)
    monkeypatch.setenv("IGMSWEEP_CACHE_LIMIT", "1e-9")
    with caplog.at_level(logging.INFO, "igmsweep"):
        built_once(tmp_path / "new-features_text-4567", build)
    assert [entry.dataset for entry in entries(tmp_path)] == ["new"]
    assert caplog.messages == [f"removing {tmp_path / 'old-train-0123'}, over IGMSWEEP_CACHE_LIMIT"]


def test_long_work_says_in_the_log_how_far_it_is(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(progress.sys.stderr, "isatty", lambda: False, raising=False)
    with caplog.at_level(logging.INFO, "igmsweep"), ProgressLine(100, "samples") as line:
        for now[0] in (1.0, 20.0, 21.0):
            line.advance(20)
    assert caplog.messages == ["40/100 samples, 2/s, 30 s left"]


def test_a_folder_that_is_no_cache_is_never_taken_away(tmp_path: Path) -> None:
    (tmp_path / "cremad").mkdir()
    (tmp_path / "cremad" / "data.csv").touch()
    (tmp_path / "link-train-0123").symlink_to(tmp_path / "cremad")
    assert not entries(tmp_path)
    with pytest.raises(UserError, match="holds no cache 'cremad'"):
        remove(tmp_path, ["cremad"])
    assert (tmp_path / "cremad" / "data.csv").exists()


def test_nothing_is_written_through_links_in_a_cache(tmp_path: Path) -> None:
    cache, victim = tmp_path / "cache", tmp_path / "victim"
    cache.mkdir()
    victim.mkdir()
    link = cache / ".set-train-0123.building"
    link.symlink_to(victim)
    with pytest.raises(UserError, match="building: is a link out of its folder"):
        built_once(cache / "set-train-0123", build)
    link.unlink()
    link.mkdir()
    (link / "array.npy").symlink_to(victim / "array.npy")
    with pytest.raises(UserError, match=r"array\.npy: is a link out of its folder"):
        built_once(cache / "set-train-0123", build, "journal")
    (cache / "set-val-0123.lock").symlink_to(victim / "made")
    with pytest.raises(OSError):
        built_once(cache / "set-val-0123", build)
    assert list(victim.iterdir()) == []
